/*
 * What docker's errors mean, as one sentence with its fix: found in the words of a command, or in the last words
 * of a run. Pure but for reading a run's log.
 */
#include "engine/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct meaning {
    const char *says;
    const char *means;
};

/* No engine, or none for this user. */
static const struct meaning deaf[] = {
    {"permission denied while trying", "this user may not talk to the docker engine: sudo usermod -aG docker "
                                       "$USER, then log in again"},
    {"dial unix", "this user may not talk to the docker engine: sudo usermod -aG docker $USER, then log in "
                  "again"},
    {"Cannot connect to the Docker daemon", "no container engine answers: start it (sudo systemctl start "
                                            "docker, or open Docker Desktop)"},
    {"error during connect", "no container engine answers: start it (sudo systemctl start docker, or open "
                             "Docker Desktop)"},
};

static const struct meaning known[] = {
    {"already in use by container", "the container's name is taken: docker ps -a shows by what"},
    {"port is already allocated", "another container publishes the port: docker ps shows which"},
    {"address already in use", "another process listens on the port: roadie port shows which"},
    {"no space left on device", "the disk is full: docker system df shows what uses it"},
    {"toomanyrequests", "the registry's limit of pulls is reached: docker login, or wait"},
    {"pull access denied", "the registry knows no such image, or it is private: check the name, docker login"},
    {"unauthorized", "the registry wants a login: docker login"},
    {"denied: ", "the registry refuses it: docker login"},
    {"manifest unknown", "the registry has no such tag: check the name"},
    {"manifest for", "the registry has no such tag: check the name"},
    {"no such host", "the registry cannot be reached: check the network"},
    {"name resolution", "the registry cannot be reached: check the network"},
    {"i/o timeout", "the registry cannot be reached: check the network"},
    {"network is unreachable", "the registry cannot be reached: check the network"},
    {"handshake timeout", "the registry cannot be reached: check the network"},
    {"connection refused", "the registry cannot be reached: check the network"},
    {"executable file not found", "the image has no such program: check command"},
    {"unknown flag", "docker does not know one of the options: check container-option"},
};

static bool span_holds(struct span text, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= text.len; i++) {
        if (memcmp(text.ptr + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *look_up(struct span words, const struct meaning *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_holds(words, table[i].says)) {
            return table[i].means;
        }
    }
    return NULL;
}

const char *container_meaning(struct span words)
{
    const char *means = look_up(words, deaf, COUNT_OF(deaf));
    return means != NULL ? means : look_up(words, known, COUNT_OF(known));
}

bool container_unreachable(const struct command_result *result)
{
    return look_up(result->err, deaf, COUNT_OF(deaf)) != NULL;
}

void container_explain(const struct command_result *result, const char *doing, char *text, size_t size)
{
    if (result->error == -ENOENT) {
        (void)snprintf(text, size, "docker is not installed (sudo apt install docker.io)");
        return;
    }
    if (result->error != 0) {
        (void)snprintf(text, size, "docker could not be started: %s", strerror(-result->error));
        return;
    }
    if (result->timed_out) {
        (void)snprintf(text, size, "the container engine does not answer (could not %s in time): docker ps "
                       "shows whether it hangs", doing);
        return;
    }
    const char *means = container_meaning(result->err);
    if (means != NULL) {
        (void)snprintf(text, size, "%s", means);
        return;
    }
    struct span first = {0};
    struct span rest = {0};
    (void)span_split(span_trim(result->err), '\n', &first, &rest);
    (void)snprintf(text, size, "could not %s: %.*s (exit %d)", doing, (int)first.len,
                   first.ptr == NULL ? "" : first.ptr, result->code);
}

/* 125: docker itself failed; 126, 127: the image has no such program. Its words say why. */
void container_describe_end(struct run *run)
{
    const struct container *c = run->container;
    bool docker_failed = c->phase == CONTAINER_OVER && !c->stopping && run->problem[0] == '\0' &&
                         run->exit.signal == 0 && run->exit.code >= 125 && run->exit.code <= 127;
    if (!docker_failed && !c->pull_failed) {
        return;
    }
    struct buf words = {0};
    run_last_words(run, &words);
    const char *means = container_meaning(buf_span(&words));
    if (c->pull_failed) {
        (void)snprintf(run->problem, sizeof run->problem, "image %s could not be pulled: %s", run->spec->image,
                       means != NULL ? means
                                     : "check its name and the network, docker login for a private one");
    } else if (means != NULL) {
        (void)snprintf(run->problem, sizeof run->problem, "%s (docker run: exit %d)", means, run->exit.code);
    } else if (run->exit.code != 125) {
        (void)snprintf(run->problem, sizeof run->problem, "exit %d: the image has no such program, or it cannot be run",
                       run->exit.code);
    }
    buf_fini(&words);
}

bool container_says(const struct command_result *result, const char *text)
{
    return (result->err.ptr != NULL && strstr(result->err.ptr, text) != NULL) ||
           (result->out.ptr != NULL && strstr(result->out.ptr, text) != NULL);
}
