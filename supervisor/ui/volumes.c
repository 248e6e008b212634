/*
 * What this room is for.      Deleting the data that containers keep in named volumes, when asked to.
 * What it may touch.          The docker command, and what it answers.
 * Who calls it.               cmd_control.c
 * The one invariant.          Only names that stand in the definition; never a directory of the host.
 */
#include "ui/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "control/protocol.h"
#include "ui/print.h"

enum { ANSWER_MAX_BYTES = 4096 };

/* SOURCE of SOURCE:TARGET[:options] when it is a name; NULL for a path. */
static char *volume_name(struct app *app, const char *line)
{
    const char *colon = strchr(line, ':');
    if (colon == NULL || line[0] == '/' || line[0] == '.' || line[0] == '~' || line[0] == '-') {
        return NULL;
    }
    return arena_printf(&app->arena, "%.*s", (int)(colon - line), line);
}

static bool is_listed(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static size_t collect(struct app *app, const struct spec *spec, char ***out)
{
    char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *service = &spec->services[i];
        for (size_t v = 0; service->image != NULL && service->volumes[v] != NULL; v++) {
            char *name = volume_name(app, service->volumes[v]);
            if (name != NULL && !is_listed(names, count, name)) {
                names = arena_grow(&app->arena, names, count, sizeof *names);
                names[count++] = name;
            }
        }
    }
    *out = names;
    return count;
}

/* Runs the words; its stderr goes to answer. The exit status, 127 when there is no such program, or -errno. */
static int run(char **words, char *const *environ, struct buf *answer)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return -errno;
    }
    posix_spawn_file_actions_t files;
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    (void)posix_spawn_file_actions_adddup2(&files, 0, 1);
    (void)posix_spawn_file_actions_adddup2(&files, ends[1], 2);
    (void)posix_spawn_file_actions_addclose(&files, ends[0]);
    (void)posix_spawn_file_actions_addclose(&files, ends[1]);
    pid_t pid = -1;
    int rc = posix_spawnp(&pid, words[0], &files, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    char bytes[512];
    ssize_t len = 0;
    while (rc == 0 && ((len = read(ends[0], bytes, sizeof bytes)) > 0 || (len < 0 && errno == EINTR))) {
        if (len > 0 && answer->len < ANSWER_MAX_BYTES) {
            (void)buf_append(answer, bytes, (size_t)len);
        }
    }
    (void)close(ends[0]);
    int status = 0;
    while (rc == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rc != 0) {
        return rc == ENOENT ? 127 : -rc;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_one(struct app *app, char *name)
{
    char program[] = "docker";
    char noun[] = "volume";
    char verb[] = "rm";
    char *words[] = {program, noun, verb, name, NULL};
    struct buf answer = {0};
    int status = run(words, app->environ, &answer);
    struct span line = span_trim(buf_span(&answer));
    const char *text = line.len > 0 ? arena_copy(&app->arena, line) : "no answer";
    /* The document on stdout is that of `down`; this is about it. */
    struct app plain = *app;
    plain.json = false;
    int code = EXIT_DONE;
    if (status == 0) {
        print_note(app, "✓ volume %s deleted", name);
    } else if (status == 127) {
        code = print_failure(&plain, EXIT_FAILED, "install docker, or remove it by hand",
                             "volume %s: there is no docker command", name);
    } else if (strstr(text, "no such volume") == NULL && strstr(text, "No such volume") == NULL) {
        code = print_failure(&plain, EXIT_FAILED, NULL, "volume %s: %s", name,
                             status < 0 ? strerror(-status) : text);
    }
    buf_fini(&answer);
    return code;
}

int volumes_remove(struct app *app, const struct target *t)
{
    char **names = NULL;
    size_t count = t->spec != NULL ? collect(app, t->spec, &names) : 0;
    int code = EXIT_DONE;
    for (size_t i = 0; i < count && code == EXIT_DONE; i++) {
        code = remove_one(app, names[i]);
    }
    return code;
}
