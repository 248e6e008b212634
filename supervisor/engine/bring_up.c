/*
 * What this room is for.      `up`: which services that means, and whether anything speaks against it.
 * What it may touch.          The services' wishes; jobs.c waits for them.
 * Who calls it.               control/
 * The one invariant.          Nothing is wanted up before every environment and port of it was looked at.
 */
#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stack/graph.h"

/* Everything that the named (or selected) services need, and themselves. */
static bool *closure(struct engine *e, const struct engine_up_opts *opts, struct fault *why, int *rc)
{
    const struct spec *spec = engine_spec(e);
    bool *include = mem_calloc(spec->service_count, sizeof *include);
    struct arena arena = {0};
    size_t *found = NULL;
    size_t count = 0;
    *rc = spec_match(spec, opts->names, true, &arena, &found, &count, why);
    for (size_t i = 0; *rc == 0 && i < count; i++) {
        include[found[i]] = !spec->services[found[i]].excluded;
    }
    arena_fini(&arena);
    if (*rc == 0 && !opts->no_deps) {
        graph_close_over_needs(spec, include);
    }
    return include;
}

bool *jobs_closure(struct engine *e, const struct engine_up_opts *opts)
{
    int rc = 0;
    struct fault why = {0};
    bool *include = closure(e, opts, &why, &rc);
    if (rc != 0) {
        mem_free(include);
        include = NULL;
    }
    return include;
}

static bool is_up(const struct svc *svc)
{
    return svc->start_held || /* a restart is under way and will start it */
           (svc->want_up && (svc->run != NULL || svc->state == SVC_WAITING || svc->state == SVC_BACKOFF));
}

static int check_environment(struct engine *e, const struct svc *svc, struct problems *problems)
{
    struct arena arena = {0};
    struct env env = {0};
    int rc = env_build(svc->ref->spec, svc->spec, 0, e->opts.environ, &arena, &env, problems);
    arena_fini(&arena);
    return rc;
}

/* A foreign listener that `adopt` may take over is none; another stack's always is. */
static int check_port(struct engine *e, const struct svc *svc, const struct engine_up_opts *opts,
                      struct engine_conflict *out)
{
    if (conflict_find(e, svc, out) != 1) {
        return 0;
    }
    if (svc->spec->adopt && out->facts.stack_id[0] == '\0') {
        return 0;
    }
    if (opts->kill_port && out->pid != 0 && !conflict_may_be_container(out)) {
        char text[CAUSE_MAX];
        conflict_text(out, text, sizeof text);
        int rc = conflict_kill(out);
        events_news(e, NULL, rc == 0 ? NEWS_WARN : NEWS_ERROR, "--kill-port: %s: %s", text,
                    rc == 0 ? "killed" : strerror(-rc));
        return rc == 0 ? 0 : 1;
    }
    return 1;
}

int engine_up(struct engine *e, const struct engine_up_opts *opts, enum job_wait wait,
              uint64_t timeout_ms, job_fn done, void *ctx, struct problems *problems,
              struct engine_conflict *conflicts, size_t *count, struct fault *why)
{
    size_t room = *count;
    *count = 0;
    int rc = 0;
    bool *include = closure(e, opts, why, &rc);
    for (size_t i = 0; rc == 0 && i < e->count; i++) {
        const struct svc *svc = e->services[i];
        if (!svc->in_spec || !include[svc->index] || is_up(svc)) {
            continue;
        }
        rc = check_environment(e, svc, problems);
        if (rc == 0 && *count < room && check_port(e, svc, opts, &conflicts[*count]) == 1) {
            (*count)++;
        }
    }
    if (rc == 0 && *count > 0) {
        rc = fault_set(why, -EADDRINUSE, "port conflict");
    }
    if (rc != 0 || opts->reading_only) {
        mem_free(include);
        return rc;
    }
    struct job *job = job_new(e, JOB_UP, done, ctx);
    job->wait = wait;
    job_time(job, timeout_ms);
    for (size_t i = 0; i < e->count; i++) {
        struct svc *svc = e->services[i];
        if (!svc->in_spec || !include[svc->index]) {
            continue;
        }
        job->services[job->count++] = svc;
        if (is_up(svc)) {
            continue;
        }
        if (svc->state == SVC_STOPPING || svc->state == SVC_KILLING) {
            svc->again = true; /* its stop was asked for: that end is no failure */
        }
        svc->want_up = true;
        svc->user_stop = false;
        svc->failed_by_need = false;
        svc->no_deps = opts->no_deps;
        svc->restarts.count = 0;
        if (svc->state != SVC_OFF || svc->run != NULL) {
            svc_post(svc, EV_WANT_UP, "up");
        } else {
            (void)snprintf(svc->cause, sizeof svc->cause, "up");
        }
    }
    mem_free(include);
    e->fail_fast = e->fail_fast || opts->fail_fast;
    if (opts->exit_code_from != NULL) {
        mem_free(e->exit_code_from);
        e->exit_code_from = mem_strdup(opts->exit_code_from);
    }
    e->ever_up = true;
    e->ended_told = false;
    e->dirty = true;
    return 0;
}
