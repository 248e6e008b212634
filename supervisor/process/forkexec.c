/*
 * What this room is for.      Finding the program on the child's own PATH and exec'ing it, with
 * exact errors. What it may touch.          Async-signal-safe calls only: it runs in a vfork child.
 * No allocation. Who calls it.               spawn.c, shim/child.c, shim/farewell.c
 */
#include "process/forkexec.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <unistd.h>

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

static const char *path_of(char *const *envp)
{
    for (size_t i = 0; envp[i] != NULL; i++) {
        if (strncmp(envp[i], "PATH=", 5) == 0) {
            return envp[i] + 5;
        }
    }
    return default_path;
}

/* One candidate; returns the errno. ENOENT of a file that exists is about its interpreter. */
static int try_exec(const char *file, char *const *argv, char *const *envp, bool *interpreter)
{
    (void)execve(file, argv, envp);
    int err = errno;
    if (err == ENOENT && access(file, F_OK) == 0) {
        *interpreter = true;
    }
    return err;
}

/* "dir/name" into out; an empty dir is the working directory, as POSIX has it. */
static bool join_path(char out[PATH_MAX], const char *dir, size_t dir_len, const char *name)
{
    size_t name_len = strlen(name);
    if (dir_len + name_len + 2 > PATH_MAX) {
        return false;
    }
    size_t at = 0;
    if (dir_len > 0) {
        memcpy(out, dir, dir_len);
        out[dir_len] = '/';
        at = dir_len + 1;
    }
    memcpy(out + at, name, name_len + 1);
    return true;
}

static int search_path(char *const *argv, char *const *envp, bool *interpreter)
{
    char file[PATH_MAX];
    bool denied = false;
    const char *dir = path_of(envp);
    for (;;) {
        size_t len = strcspn(dir, ":");
        if (join_path(file, dir, len, argv[0])) {
            int err = try_exec(file, argv, envp, interpreter);
            bool missing = err == ENOENT || err == ENOTDIR || err == ELOOP || err == ENAMETOOLONG;
            if (*interpreter || (err != EACCES && !missing)) {
                return err;
            }
            denied = denied || err == EACCES;
        }
        if (dir[len] == '\0') {
            return denied ? EACCES : ENOENT;
        }
        dir += len + 1;
    }
}

int forkexec_exec(char *const *argv, char *const *envp, int stage_exec, int stage_interpreter,
                  int *stage)
{
    bool interpreter = false;
    int err = strchr(argv[0], '/') != NULL ? try_exec(argv[0], argv, envp, &interpreter)
                                           : search_path(argv, envp, &interpreter);
    *stage = interpreter ? stage_interpreter : stage_exec;
    return err;
}
