/*
 * What this room is for.      The service's first process, from vfork to exec; which step failed,
 * when one does. What it may touch.          Async-signal-safe calls: the child runs in the shim's
 * memory until exec. Who calls it.               main.c The one invariant.          The program
 * gets descriptors 0-2, default signals, its own group, and nothing else of ours.
 */
#include <errno.h>
#include <fcntl.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/forkexec.h"
#include "process/stage.h"
#include "process/shim/shim.h"

struct child {
    const struct shim *shim;
    int stdin_fd; /* -1: already in place */
};

static bool arrange_stdio(const struct child *c)
{
    if (c->stdin_fd >= 0 && dup2(c->stdin_fd, STDIN_FILENO) < 0) {
        return false;
    }
    return true;
}

static bool restore_limits(uint64_t nofile_soft)
{
    struct rlimit limit;
    if (nofile_soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return nofile_soft == 0;
    }
    limit.rlim_cur = nofile_soft < limit.rlim_max ? (rlim_t)nofile_soft : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* Still with all signals blocked, so that tcsetpgrp from the background is no SIGTTOU. */
static bool set_up(const struct child *c)
{
    const struct shim_plan *plan = &c->shim->plan;
    if (setpgid(0, 0) != 0 || !arrange_stdio(c)) {
        return false;
    }
    if ((plan->flags & PLAN_TTY) != 0 && tcsetpgrp(STDOUT_FILENO, getpid()) != 0) {
        return false;
    }
    if (!restore_limits(plan->nofile_soft)) {
        return false;
    }
    (void)umask(plan->umask);
    system_prefer_oom();
    return true;
}

static void child_main(void *arg, struct forkexec_failure *failure)
{
    const struct child *c = arg;
    const struct shim_plan *plan = &c->shim->plan;
    if (!forkexec_die_with_parent(c->shim->self)) {
        _exit(127);
    }
    if (!set_up(c)) {
        *failure = (struct forkexec_failure){.stage = STAGE_SETUP, .err = errno};
        return;
    }
    if (plan->directory != NULL && chdir(plan->directory) != 0) {
        *failure = (struct forkexec_failure){.stage = STAGE_CHDIR, .err = errno};
        return;
    }
    forkexec_close_from(STDERR_FILENO + 1);
    forkexec_reset_signals();
    failure->err =
        forkexec_exec(plan->argv, plan->envp, STAGE_EXEC, STAGE_INTERPRETER, &failure->stage);
}

/* What the child's stdin is: the terminal, a pipe that never ends, or /dev/null. -1 and errno on
 * failure. */
static int open_stdin(struct shim *s)
{
    if ((s->plan.flags & PLAN_TTY) != 0) {
        return dup(STDOUT_FILENO);
    }
    if ((s->plan.flags & PLAN_STDIN_OPEN) == 0) {
        return open("/dev/null", O_RDONLY);
    }
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    s->stdin_keep = ends[1];
    return ends[0];
}

/* From here on the service's pipes belong to the service's tree alone; with a terminal one
 * descriptor stays, because the last close of a slave throws away what was not read yet. */
static void let_go_of_stdio(const struct shim *s)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0) {
        return;
    }
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDERR_FILENO);
    if ((s->plan.flags & PLAN_TTY) == 0) {
        (void)dup2(null, STDOUT_FILENO);
    }
    if (null > STDERR_FILENO) {
        (void)close(null);
    }
}

static void report_failure(struct shim_report *report, int stage, int err)
{
    report->bits |= REPORT_FAILED;
    report->stage = stage;
    report->err = err;
}

static void start(struct shim *s, struct shim_report *report)
{
    if ((s->plan.flags & PLAN_TTY) != 0) {
        int err = system_claim_tty(STDOUT_FILENO);
        if (err != 0) {
            report_failure(report, STAGE_SETUP, err);
            return;
        }
    }
    struct child child = {.shim = s, .stdin_fd = open_stdin(s)};
    if (child.stdin_fd < 0) {
        report_failure(report, STAGE_SETUP, errno);
        return;
    }
    struct forkexec_failure failure;
    pid_t pid = forkexec_run(child_main, &child, &failure);
    (void)close(child.stdin_fd);
    if (pid > 0) {
        s->main_pid = pid;
        report->bits |= REPORT_STARTED;
        report->pid = pid;
    } else if (pid < 0) {
        report_failure(report, STAGE_SETUP, -pid);
    } else {
        report_failure(report, failure.stage, failure.err);
    }
}

void child_start(struct shim *s, struct shim_report *report)
{
    start(s, report);
    let_go_of_stdio(s);
}
