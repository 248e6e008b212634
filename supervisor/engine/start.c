/*
 * Beginning a run: ports, environment, log pipes, secrets, then a process (or a container, or somebody
 * else's listener). What goes wrong here is EV_REFUSED when nothing came to exist, else an ended run.
 */
#include "engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static void on_started(void *ctx, pid_t pid)
{
    struct run *run = ctx;
    if (run->container != NULL && container_name(run) == NULL) {
        return; /* a pull: not the service itself */
    }
    run->started = true;
    run->pid = pid;
    engine_touch(run->svc->engine);
    readiness_begin(run);
}

static void on_failed(void *ctx, enum proc_stage stage, int err)
{
    struct run *run = ctx;
    char *const *argv = run->fallback ? run->spec->fallback : run->spec->argv;
    const char *what = stage == STAGE_CHDIR ? run->spec->directory
                       : run->container != NULL ? "docker"
                       : argv != NULL           ? argv[0]
                                                : run->spec->name;
    run->cannot_start = true;
    run->exit = (struct proc_exit){.code = err == ENOENT || err == ENOTDIR ? 127 : 126};
    run->svc->ever_exited = true;
    run->svc->last_exit = run->exit;
    (void)snprintf(run->problem, sizeof run->problem, "%s %s: %s", proc_stage_text(stage), what,
                   strerror(err));
    run_post(run, EV_EXITED, "%s", run->problem);
}

static void on_exited(void *ctx, const struct proc_exit *how)
{
    struct run *run = ctx;
    if (run->container != NULL && !run->started) {
        run->exit = *how;
        return; /* a pull ended: container_on_process_gone decides */
    }
    char text[96];
    run->exit = *how;
    run->exited = true;
    run->pid = 0;
    run->svc->ever_exited = true;
    run->svc->last_exit = *how;
    run_post(run, EV_EXITED, "%s", proc_exit_text(how, text, sizeof text));
    engine_touch(run->svc->engine);
}

static void on_stopped(void *ctx, int signal)
{
    struct run *run = ctx;
    if (signal != 0) {
        events_news(run->svc->engine, run->svc, NEWS_WARN, "stopped by %s (a CONT lets it go on)",
                    signal_name(signal));
    } else {
        events_news(run->svc->engine, run->svc, NEWS_INFO, "goes on");
    }
}

static void on_gone(void *ctx, uint64_t cpu_ms)
{
    struct run *run = ctx;
    run->proc = NULL;
    run->cpu_ms += cpu_ms;
    if (run->container != NULL) {
        container_on_process_gone(run);
        return;
    }
    run->exited = true;
    run->empty = true;
    if (run->log != NULL && !run->drained) {
        logrun_cut(run->log);
    }
    run_check_gone(run);
}

static const struct proc_callbacks run_proc_callbacks = {
    .on_started = on_started,
    .on_failed = on_failed,
    .on_exited = on_exited,
    .on_stopped = on_stopped,
    .on_gone = on_gone,
};

static void on_log_drained(void *ctx, uint64_t lost_bytes)
{
    struct run *run = ctx;
    run->log = NULL;
    run->drained = true;
    if (lost_bytes > 0) {
        events_news(run->svc->engine, run->svc, NEWS_WARN,
                    "%llu bytes of output lost: the disk is full", (unsigned long long)lost_bytes);
    }
    run_check_gone(run);
}

static void on_log_match(void *ctx, unsigned pattern, const char *line)
{
    struct run *run = ctx;
    readiness_feed(run, READY_LOG, pattern, line);
}

static bool has_ready(const struct spec_service *spec, enum ready_kind kind)
{
    for (size_t i = 0; i < spec->ready_count; i++) {
        if (spec->ready[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static char *const *log_patterns(struct run *run)
{
    char **patterns = arena_alloc(&run->arena, (run->spec->ready_count + 1) * sizeof *patterns);
    size_t n = 0;
    for (size_t i = 0; i < run->spec->ready_count; i++) {
        if (run->spec->ready[i].kind == READY_LOG) {
            patterns[n++] = arena_strdup(&run->arena, run->spec->ready[i].regex);
        }
    }
    return n > 0 ? patterns : NULL;
}

static int open_log(struct run *run, struct fault *why)
{
    struct logrun_opts opts = {
        .service = run->svc->name,
        .run = run->number,
        .tty = run->spec->tty,
        .keep_bytes = run->spec->log_keep,
        .patterns = log_patterns(run),
        .callbacks = {.on_drained = on_log_drained, .on_match = on_log_match},
        .ctx = run,
    };
    return logrun_open(run->svc->engine->store, &opts, &run->out_fd, &run->err_fd, &run->log, why);
}

static int build_environment(struct run *run, struct fault *why)
{
    struct engine *e = run->svc->engine;
    struct problems problems = {0};
    int rc = (run->fallback ? env_build_fallback : env_build)(
        run->ref->spec, run->spec, run->number, e->opts.environ, &run->arena, &run->env, &problems);
    if (rc != 0) {
        rc = fault_set(why, -EINVAL, "%s",
                       problems.count > 0 ? problems.items[0].message : "environment");
        if (problems.count > 0 && problems.items[0].file != NULL) {
            (void)fault_wrap(why, "%s:%u", problems.items[0].file, problems.items[0].line);
        }
    }
    problems_fini(&problems);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < run->env.count; i++) {
        rc = secrets_append(e->secrets, run->env.items[i].name, run->env.items[i].value);
        if (rc != 0) {
            return fault_set(why, rc, "note secrets to mask");
        }
    }
    run->envp = env_vector(&run->env, &run->arena);
    return 0;
}

static void add_notify_socket(struct run *run, const char *path)
{
    size_t n = 0;
    while (run->envp[n] != NULL) {
        n++;
    }
    char **envp = arena_alloc(&run->arena, (n + 2) * sizeof *envp);
    memcpy(envp, run->envp, n * sizeof *envp);
    envp[n] = arena_printf(&run->arena, "NOTIFY_SOCKET=%s", path);
    run->envp = envp;
}

int start_process(struct run *run, char *const *argv, bool is_last, struct fault *why)
{
    struct engine *e = run->svc->engine;
    int out_fd = is_last ? run->out_fd : fcntl(run->out_fd, F_DUPFD_CLOEXEC, 3);
    int err_fd = run->err_fd < 0 ? -1 : is_last ? run->err_fd : fcntl(run->err_fd, F_DUPFD_CLOEXEC, 3);
    if (is_last) {
        run->out_fd = -1;
        run->err_fd = -1;
    }
    struct proc_plan plan = {
        .name = run->svc->name,
        .argv = argv,
        .envp = run->envp,
        .directory = run->spec->directory,
        .umask = e->opts.umask,
        .nofile_soft = e->opts.nofile_soft,
        .tty = run->spec->tty && run->container == NULL,
        .stdin_open = run->spec->stdin_mode == STDIN_OPEN,
        .out_fd = out_fd,
        .err_fd = err_fd,
        .notify = run->notify != NULL,
    };
    if (run->container != NULL) {
        container_plan(run, &plan);
    }
    return proc_open(e->opts.loop, e->opts.shim_path, &plan, &run_proc_callbacks, run, &run->proc, why);
}

int start_fallback(struct run *run, struct fault *why)
{
    int rc = build_environment(run, why);
    return rc != 0 ? rc : start_process(run, run->spec->fallback, true, why);
}

static struct run *run_new(struct svc *svc)
{
    struct run *run = mem_calloc(1, sizeof *run);
    run->svc = svc;
    run->ref = svc->ref;
    run->ref->refs++;
    run->spec = svc->spec;
    run->out_fd = -1;
    run->err_fd = -1;
    run->name_free = true;
    run->begun_mono_ms = engine_now_ms(svc->engine);
    run->begun_wall_ns = clock_wall_ns();
    svc->run = run;
    svc->answer[0] = '\0';
    svc->fallback_text[0] = '\0';
    return run;
}

/* Nothing of this run came to exist: it is forgotten and the service refused. */
static void refuse(struct run *run, const struct fault *why)
{
    struct svc *svc = run->svc;
    svc->last_exit = (struct proc_exit){.code = 1};
    run_free(run);
    svc_post(svc, EV_REFUSED, "%s", fault_text(why));
    if (svc->engine->fail_fast) {
        svc->engine->opts.callbacks.on_stop_wanted(svc->engine->opts.ctx, 1, fault_text(why));
    }
}

void logrun_close_ends(struct run *run)
{
    if (run->out_fd >= 0) {
        (void)close(run->out_fd);
        run->out_fd = -1;
    }
    if (run->err_fd >= 0) {
        (void)close(run->err_fd);
        run->err_fd = -1;
    }
}

/* The pipes exist but no process ever wrote to them: the run ends as any other, by being drained. */
static void end_unstarted(struct run *run, const struct fault *why)
{
    (void)snprintf(run->problem, sizeof run->problem, "%s", fault_text(why));
    run->cannot_start = true;
    run->exit = (struct proc_exit){.code = 1};
    run->exited = true;
    run->empty = true;
    logrun_close_ends(run);
    run_post(run, EV_EXITED, "%s", fault_text(why));
    if (run->log != NULL) {
        logrun_cut(run->log);
    } else {
        run->drained = true;
        run_check_gone(run);
    }
}

void adopt_refused(struct run *run, const char *answer)
{
    struct engine_conflict conflict = {0};
    struct fault why = {0};
    char text[CAUSE_MAX] = "what listened is gone";
    if (conflict_find(run->svc->engine, run->svc, &conflict) == 1) {
        conflict_text(&conflict, text, sizeof text);
    }
    (void)fault_set(&why, -EPROTO, "%s; it cannot be adopted: %s", text, answer);
    run_fail(run, &why); /* not refuse: a stop may be in the queue, which needs the run */
}

void run_fail(struct run *run, const struct fault *why)
{
    end_unstarted(run, why);
}

static int open_all(struct run *run, struct fault *why)
{
    int rc = open_log(run, why);
    if (rc == 0 && has_ready(run->spec, READY_NOTIFY)) {
        const char *path = NULL;
        rc = notify_open(run, &path, why);
        if (rc == 0) {
            add_notify_socket(run, path);
        }
    }
    return rc;
}

void start_run(struct svc *svc)
{
    struct engine *e = svc->engine;
    struct run *run = run_new(svc);
    struct fault why = {0};
    struct engine_conflict conflict = {0};
    bool leftover = svc->spec->image != NULL && tombstone_exists(e, svc);
    if (!leftover && conflict_find(e, svc, &conflict) == 1) {
        if (svc->spec->adopt && conflict.facts.stack_id[0] == '\0') {
            run->adopted = true;
            run->number = svc->last_run;
            readiness_adopt(run);
            return;
        }
        char text[CAUSE_MAX];
        conflict_text(&conflict, text, sizeof text);
        (void)fault_set(&why, -EPROTO, "%s", text);
        refuse(run, &why);
        return;
    }
    if (svc->spec->kind == SPEC_TASK && stamp_is_fresh(run)) {
        run_free(run);
        svc_post(svc, EV_SKIP, "nothing changed since its last success");
        return;
    }
    run->number = logstore_next_run(e->store, svc->name);
    svc->last_run = run->number;
    if (build_environment(run, &why) != 0) {
        refuse(run, &why);
        return;
    }
    int rc = open_all(run, &why);
    if (rc == 0 && run->spec->image != NULL) {
        run_note_words(run);
        container_begin(run);
        return;
    }
    if (rc == 0) {
        rc = start_process(run, run->spec->argv, true, &why);
    }
    if (rc != 0) {
        end_unstarted(run, &why);
    }
}
