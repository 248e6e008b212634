/* A port that somebody else holds: found without connecting, described for people, killed when told to. */
#include "engine/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { GONE_TRIES = 100, GONE_STEP_MS = 5 };

/* A name in /proc of the engine's own port helper: the container behind it is what matters. */
static bool is_engine_proxy(const struct process_facts *facts)
{
    return strstr(facts->command, "docker-proxy") != NULL || strstr(facts->command, "rootlessport") != NULL;
}

bool conflict_may_be_container(const struct engine_conflict *c)
{
    return c->pid == 0 || is_engine_proxy(&c->facts);
}

int conflict_find(struct engine *e, const struct svc *svc, struct engine_conflict *out)
{
    if (svc->spec->port == 0 || svc->spec->port_export_only) {
        return 0;
    }
    struct listener found[LISTENERS_MAX];
    int count = listeners_find(svc->spec->port, found, LISTENERS_MAX);
    for (int i = 0; i < count; i++) {
        if (!found[i].loopback && !found[i].wildcard) {
            continue; /* another interface's address: does not stand in the way of loopback */
        }
        *out = (struct engine_conflict){.service = svc->name, .listener = found[i]};
        out->pid = listener_owner(&found[i]);
        if (out->pid != 0) {
            (void)process_facts(out->pid, &out->facts);
        }
        if (conflict_may_be_container(out)) {
            holder_fill(e, out);
        }
        return 1;
    }
    return 0;
}

void conflict_text(const struct engine_conflict *c, char *out, size_t size)
{
    char where[64];
    (void)snprintf(where, sizeof where, c->listener.v6 ? "[%s]:%u" : "%s:%u", c->listener.address,
                   (unsigned)c->listener.port);
    if (c->container[0] != '\0') {
        int len = snprintf(out, size, "port %u is taken (%s) by container %s", (unsigned)c->listener.port,
                           where, c->container);
        if (len > 0 && (size_t)len < size && c->facts.stack_id[0] != '\0') {
            (void)snprintf(out + len, size - (size_t)len, " of stack %s in %s", c->facts.stack_id,
                           c->facts.directory);
        }
        return;
    }
    if (c->pid == 0) {
        (void)snprintf(out, size, "port %u is taken (%s, owner not visible: user id %u)",
                       (unsigned)c->listener.port, where, (unsigned)c->listener.uid);
        return;
    }
    uint64_t now = clock_wall_ns();
    uint64_t age_ms = now > c->facts.started_wall_ns ? (now - c->facts.started_wall_ns) / 1000000U : 0;
    char age[32];
    int len = snprintf(out, size, "port %u is taken (%s) by pid %d %s · user %s · since %s",
                       (unsigned)c->listener.port, where, (int)c->pid, c->facts.command,
                       c->facts.user, format_duration(age_ms, age, sizeof age));
    if (len < 0 || (size_t)len >= size) {
        return;
    }
    if (c->facts.stack_id[0] != '\0') {
        (void)snprintf(out + len, size - (size_t)len, " · service %s of stack %s in %s",
                       c->facts.service, c->facts.stack_id, c->facts.directory);
    } else if (is_engine_proxy(&c->facts)) {
        (void)snprintf(out + len, size - (size_t)len, " · a container publishes it");
    } else {
        (void)snprintf(out + len, size - (size_t)len, " · in %s", c->facts.directory);
    }
}

int conflict_kill(const struct engine_conflict *c)
{
    struct process_facts again = {0};
    if (c->pid <= 1 || c->facts.uid != getuid()) {
        return -EPERM;
    }
    int rc = process_facts(c->pid, &again);
    if (rc != 0) {
        return rc;
    }
    if (again.start_time != c->facts.start_time) {
        return -ESRCH; /* the pid was used again */
    }
    if (kill(c->pid, SIGKILL) != 0) {
        return -errno;
    }
    /* Its socket goes with it, a little later: the start that follows must not meet it again. */
    struct listener found[LISTENERS_MAX];
    for (int i = 0; i < GONE_TRIES && listeners_find(c->listener.port, found, LISTENERS_MAX) > 0; i++) {
        uv_sleep(GONE_STEP_MS);
    }
    return 0;
}
