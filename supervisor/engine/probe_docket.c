/*
 * What this room is for.      The docket kind: a worker of the service's own tree with a fresh
 * heartbeat. What it may touch.          io/redis, process/listeners for ancestry. Who calls it.
 * probe_ask.c The one invariant.          Another service's worker, or another machine's, never
 * counts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/numbers.h"
#include "engine/probe_internal.h"
#include "io/say.h"

enum { ANCESTORS_MAX = 256 };

/* Orphans of the tree are adopted by its root, so that the chain of parents always leads there. */
static bool in_tree(pid_t pid, pid_t root)
{
    struct process_facts facts;
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        if (pid == root) {
            return true;
        }
        if (process_facts(pid, &facts) != 0) {
            return false;
        }
        pid = facts.parent;
    }
    return false;
}

/* docket names a worker HOST#PID unless told otherwise. */
static bool is_own_worker(const struct probe *p, const char *name)
{
    char host[256] = "";
    const char *hash = strrchr(name, '#');
    uint64_t pid = 0;
    if (p->opts.any_owner) {
        return true;
    }
    if (hash == NULL || parse_u64(span_of(hash + 1), 2, INT32_MAX, &pid) != 0) {
        return false;
    }
    (void)gethostname(host, sizeof host - 1);
    struct span named = {.ptr = name, .len = (size_t)(hash - name)};
    return span_is(named, host) && in_tree((pid_t)pid, p->opts.tree_root);
}

/* Members and scores, newest first. */
static void judge(struct probe *p, const redisReply *list)
{
    char text[PROBE_TEXT_MAX];
    char age_text[32];
    char name[128] = "";
    double now = (double)clock_wall_ns() / 1e9;
    double oldest = now - DOCKET_FRESH_MS / 1e3;
    const char *docket = p->opts.spec->docket;
    for (size_t i = 0; i + 1 < list->elements; i += 2) {
        const redisReply *member = list->element[i];
        const redisReply *score = list->element[i + 1];
        if (member->type != REDIS_REPLY_STRING || score->type != REDIS_REPLY_STRING) {
            break;
        }
        double beat = strtod(score->str, NULL);
        double age = beat < now ? now - beat : 0;
        (void)format_duration((uint64_t)(age * 1e3), age_text, sizeof age_text);
        (void)say_clean(name, sizeof name, (struct span){.ptr = member->str, .len = member->len});
        if (is_own_worker(p, member->str)) {
            bool fresh = beat >= oldest;
            if (fresh) {
                (void)snprintf(text, sizeof text, "worker %s, heartbeat %s ago", name, age_text);
            } else {
                (void)snprintf(text, sizeof text, "the last heartbeat of its worker is %s old",
                               age_text);
            }
            probe_settle(p, fresh ? PROBE_PASS : PROBE_FAIL, text, true);
            return;
        }
    }
    if (name[0] != '\0') {
        (void)snprintf(text, sizeof text, "docket %s has a worker, but not of this service (%s)",
                       docket, name);
    } else {
        (void)snprintf(text, sizeof text, "no worker of docket %s", docket);
    }
    probe_settle(p, PROBE_FAIL, text, true);
}

static void on_docket_result(void *ctx, const struct redis_result *result)
{
    struct probe *p = ctx;
    char text[PROBE_TEXT_MAX];
    p->attempt.redis = NULL;
    const redisReply *list = result->reply_count > 0 ? result->replies[0] : NULL;
    if (result->error != 0) {
        (void)snprintf(text, sizeof text, "Redis: %.200s", result->error_text);
        probe_settle(p, PROBE_FAIL, text, false);
    } else if (list == NULL || list->type != REDIS_REPLY_ARRAY) {
        probe_settle(p, PROBE_FAIL, "Redis: no list of workers", false);
    } else {
        judge(p, list);
    }
}

int probe_ask_docket(struct probe *p, struct fault *why)
{
    char key[256];
    int code = fmt_into(key, sizeof key, "%s:workers", p->opts.spec->docket);
    if (code != 0) {
        return fault_set(why, -EINVAL, "the docket's name is too long");
    }
    const char *const range[] = {"ZREVRANGE", key, "0", "255", "WITHSCORES", NULL};
    const char *const *const commands[] = {range, NULL};
    struct redis_request request = {
        .url = p->opts.spec->url,
        .commands = commands,
        .timeout_ms = probe_timeout_ms(p),
    };
    return redis_start(p->http, &request, on_docket_result, p, &p->attempt.redis, why);
}
