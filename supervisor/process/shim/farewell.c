/*
 * What this room is for.      After the server has died: the removal of a container, and of its
 * tombstone on success. What it may touch.          One command at a time, in a group of its own,
 * with a deadline. Who calls it.               main.c, once, when the tree is gone. The one
 * invariant.          The tombstone goes only after the command exited 0: else the next roadie
 * command works it off.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include <sys/wait.h>
#include <unistd.h>

#include "process/forkexec.h"
#include "process/shim/shim.h"

enum { TRIES = 5, DEADLINE_MS = 10000, PAUSE_MS = 2000, LOOK_MS = 5 };

static void pause_ms(long ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&span, &span) != 0 && errno == EINTR) {
    }
}

static void farewell_child(void *arg, struct forkexec_failure *failure)
{
    const struct shim_farewell *farewell = arg;
    int null = open("/dev/null", O_RDWR);
    bool ready = null >= 0 && setpgid(0, 0) == 0 && dup2(null, STDIN_FILENO) >= 0 &&
                 dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
    if (!ready) {
        failure->err = errno;
        return;
    }
    forkexec_close_from(STDERR_FILENO + 1);
    forkexec_reset_signals();
    failure->err = forkexec_exec(farewell->argv, farewell->envp, 1, 1, &failure->stage);
}

/* Waits for pid alone; whatever else ends here meanwhile goes to init with us. */
static bool succeeded(pid_t pid)
{
    uint64_t deadline = shim_now_ms() + DEADLINE_MS;
    bool killed = false;
    for (;;) {
        int status = 0;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid) {
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (!killed && shim_now_ms() >= deadline) {
            killed = true;
            (void)kill(-pid, SIGKILL);
            (void)kill(pid, SIGKILL);
        }
        pause_ms(LOOK_MS);
    }
}

void farewell_run(struct shim *s)
{
    struct shim_farewell *farewell = &s->farewell;
    for (int i = 0; farewell->argv != NULL && i < TRIES; i++) {
        struct forkexec_failure failure;
        pid_t pid = forkexec_run(farewell_child, farewell, &failure);
        if (pid > 0 && succeeded(pid)) {
            if (farewell->tombstone != NULL) {
                (void)unlink(farewell->tombstone);
            }
            return;
        }
        if (i + 1 < TRIES) {
            pause_ms(PAUSE_MS);
        }
    }
}
