/*
 * What this room is for.      vfork and exec from the server, with descriptors put where the
 * program expects them. What it may touch.          forkexec; async-signal-safe calls in the child.
 * Who calls it.               proc.c, command.c, on the main thread (a death signal hangs on the
 * thread that forks). The one invariant.          Sources are moved above the targets first, so
 * that no dup2 overwrites one still needed.
 */
#include "process/spawn.h"

#include <errno.h>

#include <fcntl.h>
#include <unistd.h>

#include "process/forkexec.h"

struct job {
    const struct spawn_opts *opts;
    pid_t parent;
    int sources[SPAWN_FDS_MAX];
    bool moved[SPAWN_FDS_MAX];
};

static bool place_fds(const struct job *job)
{
    for (int i = 0; i < job->opts->fd_count; i++) {
        if (dup2(job->sources[i], i) < 0) {
            return false;
        }
    }
    return true;
}

static void job_child(void *arg, struct forkexec_failure *failure)
{
    const struct job *job = arg;
    const struct spawn_opts *opts = job->opts;
    if (opts->command && !forkexec_die_with_parent(job->parent)) {
        _exit(127);
    }
    if (!place_fds(job) || (opts->command && setpgid(0, 0) != 0)) {
        *failure = (struct forkexec_failure){.stage = STAGE_SETUP, .err = errno};
        return;
    }
    if (opts->directory != NULL && chdir(opts->directory) != 0) {
        *failure = (struct forkexec_failure){.stage = STAGE_CHDIR, .err = errno};
        return;
    }
    if (opts->command) {
        forkexec_close_from(opts->fd_count);
        forkexec_reset_signals();
    }
    if (opts->file != NULL) {
        (void)execve(opts->file, opts->argv, opts->envp);
        *failure = (struct forkexec_failure){.stage = STAGE_EXEC, .err = errno};
        return;
    }
    failure->err =
        forkexec_exec(opts->argv, opts->envp, STAGE_EXEC, STAGE_INTERPRETER, &failure->stage);
}

static int lift_fds(struct job *job)
{
    for (int i = 0; i < job->opts->fd_count; i++) {
        int fd = job->opts->fds[i];
        if (fd < job->opts->fd_count) {
            fd = fcntl(fd, F_DUPFD_CLOEXEC, job->opts->fd_count);
            if (fd < 0) {
                return -errno;
            }
            job->moved[i] = true;
        }
        job->sources[i] = fd;
    }
    return 0;
}

int spawn_start(const struct spawn_opts *opts, pid_t *pid, enum proc_stage *stage)
{
    struct job job = {.opts = opts, .parent = getpid()};
    struct forkexec_failure failure = {.stage = STAGE_SETUP};
    pid_t got = lift_fds(&job);
    if (got == 0) {
        got = forkexec_run(job_child, &job, &failure);
    }
    for (int i = 0; i < opts->fd_count; i++) {
        if (job.moved[i]) {
            (void)close(job.sources[i]);
        }
    }
    if (got > 0) {
        *pid = got;
        return 0;
    }
    *stage = got < 0 ? STAGE_SETUP : (enum proc_stage)failure.stage;
    return got < 0 ? got : -failure.err;
}
