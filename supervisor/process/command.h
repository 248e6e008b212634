/*
 * Short helper commands (docker, tool versions, exec probes): argv, a deadline, an output cap, no shell. Only
 * the command itself and its group are ended at the deadline, never daemons that it leaves behind.
 */
#ifndef ROADIE_PROCESS_COMMAND_H
#define ROADIE_PROCESS_COMMAND_H

#include <stdbool.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/fault.h"

struct command_opts {
    char *const *argv;      /* argv[0] without '/' is looked up on the PATH of envp */
    char *const *envp;
    const char *directory;  /* NULL: as the server */
    const char *input;      /* written to stdin, then EOF; NULL: /dev/null */
    uint64_t timeout_ms;
    size_t output_max;      /* per stream; what is more is dropped and truncated is set */
};

struct command_result {
    int error;              /* 0, or negative errno: could not be started (-ENOENT, -EACCES, …) */
    bool timed_out;
    bool truncated;
    int code;               /* exit status, -1 when killed */
    int signal;
    struct span out;        /* valid during the callback */
    struct span err;
};

struct command;
typedef void (*command_fn)(void *ctx, const struct command_result *result);

/* Callback exactly once, never before return, unless cancelled. */
int command_start(uv_loop_t *loop, const struct command_opts *opts, command_fn done, void *ctx,
                  struct command **out, struct fault *why) ATTR_MUST_CHECK;
/* Ends it silently: no callback. */
void command_cancel(struct command *c);

#endif
