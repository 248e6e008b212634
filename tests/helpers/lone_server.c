/*
 * lone_server: the least that holds services, to be killed by tests.
 *
 *   lone_server SHIM COUNT [--farewell FILE TOMBSTONE] PROGRAM WORDS…
 *
 * Starts COUNT runs of PROGRAM under SHIM and lives until all are gone. With --farewell each run's
 * last wish is `sh -c 'echo gone >> FILE'`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/proc.h"
#include "process/reaper.h"

struct slot {
    struct proc *proc;
};

static void on_started(void *ctx, pid_t pid)
{
    (void)ctx;
    (void)pid;
}

static void on_failed(void *ctx, enum proc_stage stage, int err)
{
    (void)ctx;
    (void)fprintf(stderr, "lone_server: %s: %s\n", proc_stage_text(stage), strerror(err));
}

static void on_exited(void *ctx, const struct proc_exit *how)
{
    (void)ctx;
    (void)how;
}

static void on_stopped(void *ctx, int signal)
{
    (void)ctx;
    (void)signal;
}

static void on_gone(void *ctx, uint64_t cpu_ms)
{
    struct slot *slot = ctx;
    pid_t pid = 0;
    unsigned remaining = proc_remaining(slot->proc, &pid);
    (void)cpu_ms;
    if (remaining > 0) {
        (void)printf("remaining %u pid %d\n", remaining, (int)pid);
        (void)fflush(stdout);
    }
    slot->proc = NULL;
}

static int start(uv_loop_t *loop, const char *shim, char **argv, char **farewell,
                 const char *tombstone, struct slot *slot)
{
    static const struct proc_callbacks callbacks = {
        .on_started = on_started,
        .on_failed = on_failed,
        .on_exited = on_exited,
        .on_stopped = on_stopped,
        .on_gone = on_gone,
    };
    struct fault why = {0};
    struct proc_plan plan = {
        .name = "lone",
        .argv = argv,
        .envp = environ,
        .directory = "/",
        .umask = 022,
        .out_fd = dup(STDOUT_FILENO),
        .err_fd = -1,
        .farewell = farewell,
        .farewell_envp = environ,
        .tombstone = tombstone,
    };
    if (proc_open(loop, shim, &plan, &callbacks, slot, &slot->proc, &why) != 0) {
        (void)fprintf(stderr, "lone_server: %s\n", fault_text(&why));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    struct reaper *reaper = NULL;
    char command[512] = "";
    char shell[] = "/bin/sh";
    char flag[] = "-c";
    char *farewell[] = {shell, flag, command, NULL};
    const char *tombstone = NULL;
    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: lone_server SHIM COUNT [--farewell FILE TOMBSTONE] PROGRAM WORDS…\n");
        return 2;
    }
    long count = strtol(argv[2], NULL, 10);
    char **words = argv + 3;
    if (argc > 6 && strcmp(words[0], "--farewell") == 0) {
        (void)snprintf(command, sizeof command, "echo gone >> %s", words[1]);
        tombstone = words[2];
        words += 3;
    }
    struct slot *slots = calloc((size_t)count, sizeof *slots);
    if (slots == NULL || uv_loop_init(&loop) != 0 || reaper_open(&loop, &reaper) != 0) {
        return 1;
    }
    for (long i = 0; i < count; i++) {
        if (start(&loop, argv[1], words, tombstone != NULL ? farewell : NULL, tombstone,
                  &slots[i]) != 0) {
            return 1;
        }
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    reaper_close(reaper);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    free(slots);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
