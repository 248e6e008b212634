/*
 * What this room is for.      One helper command: start, collect bounded output, end it at the
 * deadline. What it may touch.          Its own pipes and its own process group; daemons that it
 * leaves are spared. Who calls it.               engine (docker, exec probes), checks The one
 * invariant.          The callback comes exactly once, at the latest half a second after the
 * deadline.
 */
#include "process/command.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "process/host.h"
#include "process/reaper.h"
#include "process/spawn.h"

enum {
    READ_SIZE = 16384,
    READS_A_TURN = 16,
    LINGER_MS = 250, /* a pipe that stays open after the exit: what is left in it has been read */
    KILL_WAIT_MS = 500, /* a process that does not even die */
};

enum command_state { COMMAND_RUNS, COMMAND_LINGERS, COMMAND_KILLED, COMMAND_OVER };

struct capture {
    uv_poll_t poll;
    bool has_handle;
    int fd; /* -1 after its end */
    struct buf bytes;
};

/* Owned by itself until the last close callback. */
struct command {
    uv_timer_t timer;
    struct capture out;
    struct capture err;
    int open_handles;
    enum command_state state;
    pid_t pid; /* 0 once reaped, or when it never ran */
    size_t output_max;
    struct command_result result;
    command_fn done;
    void *ctx;
};

static void on_timer(uv_timer_t *handle);
static void on_ended(void *ctx, pid_t pid, int wait_status);
static void on_out_readable(uv_poll_t *handle, int status, int events);
static void on_err_readable(uv_poll_t *handle, int status, int events);

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int open_input(const char *input)
{
    if (input != NULL) {
        return host_blob_open(input, strlen(input));
    }
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Pipes, input, process. A program that cannot be run is a result; a machine without room is an
 * error. */
static int start(struct command *c, const struct command_opts *opts, struct fault *why)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    int input = open_input(opts->input);
    int status = input < 0 ? input : host_pipe(out);
    status = status < 0 ? status : host_pipe(err);
    if (status == 0) {
        enum proc_stage stage = STAGE_NONE;
        struct spawn_opts spawn = {
            .argv = opts->argv,
            .envp = opts->envp,
            .directory = opts->directory,
            .fds = {input, out[1], err[1]},
            .fd_count = 3,
            .command = true,
        };
        status = spawn_start(&spawn, &c->pid, &stage);
        if (status < 0 && stage != STAGE_SETUP) {
            c->result.error = status;
            status = 0;
        }
    }
    close_fd(&input);
    close_fd(&out[1]);
    close_fd(&err[1]);
    c->out.fd = out[0];
    c->err.fd = err[0];
    if (status < 0) {
        close_fd(&c->out.fd);
        close_fd(&c->err.fd);
        return fault_set(why, status, "run %s", opts->argv[0]);
    }
    return 0;
}

static void capture_open(struct command *c, struct capture *capture, uv_loop_t *loop,
                         uv_poll_cb on_readable)
{
    if (uv_poll_init(loop, &capture->poll, capture->fd) == 0) {
        capture->has_handle = true;
        c->open_handles++;
        (void)uv_poll_start(&capture->poll, UV_READABLE, on_readable);
    }
}

int command_start(uv_loop_t *loop, const struct command_opts *opts, command_fn done, void *ctx,
                  struct command **out, struct fault *why)
{
    if (out != NULL) {
        *out = NULL;
    }
    if (opts->argv == NULL || opts->argv[0] == NULL || opts->argv[0][0] == '\0') {
        return fault_set(why, -EINVAL, "no command to run");
    }
    struct command *c = mem_calloc(1, sizeof *c);
    c->done = done;
    c->ctx = ctx;
    c->output_max = opts->output_max;
    c->result.code = -1;
    c->out.fd = -1;
    c->err.fd = -1;
    int status = start(c, opts, why);
    if (status < 0) {
        mem_free(c);
        return status;
    }
    (void)uv_timer_init(loop, &c->timer);
    c->open_handles = 1;
    if (c->pid != 0) {
        reaper_watch(reaper_of(loop), c->pid, on_ended, c);
        capture_open(c, &c->out, loop, on_out_readable);
        capture_open(c, &c->err, loop, on_err_readable);
    }
    (void)uv_timer_start(&c->timer, on_timer, c->pid != 0 ? opts->timeout_ms : 0, 0);
    if (out != NULL) {
        *out = c;
    }
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct command *c = handle->data;
    if (--c->open_handles == 0) {
        buf_fini(&c->out.bytes);
        buf_fini(&c->err.bytes);
        mem_free(c);
    }
}

static void close_handle(struct command *c, uv_handle_t *handle)
{
    handle->data = c;
    uv_close(handle, on_handle_closed);
}

static void capture_close(struct command *c, struct capture *capture)
{
    if (capture->has_handle) {
        (void)uv_poll_stop(&capture->poll);
        close_handle(c, (uv_handle_t *)&capture->poll);
        capture->has_handle = false;
    }
    close_fd(&capture->fd);
}

static void command_close(struct command *c)
{
    if (c->pid != 0) {
        reaper_forget(reaper_of(c->timer.loop), c->pid);
    }
    c->state = COMMAND_OVER;
    capture_close(c, &c->out);
    capture_close(c, &c->err);
    close_handle(c, (uv_handle_t *)&c->timer);
}

static void finish(struct command *c)
{
    c->result.out = buf_span(&c->out.bytes);
    c->result.err = buf_span(&c->err.bytes);
    c->state = COMMAND_OVER; /* a command_cancel from the callback is too late and harmless */
    c->done(c->ctx, &c->result);
    command_close(c);
}

/* Reads what is there. A flood is taken a piece a turn, except at the end, when nobody comes back.
 */
static void capture_read(struct command *c, struct capture *capture, int reads)
{
    char bytes[READ_SIZE];
    for (int i = 0; capture->fd >= 0 && i < reads; i++) {
        ssize_t got = read(capture->fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            (void)uv_poll_stop(&capture->poll);
            close_fd(&capture->fd);
            return;
        }
        size_t room = c->output_max - capture->bytes.len;
        size_t keep = (size_t)got < room ? (size_t)got : room;
        c->result.truncated = c->result.truncated || keep < (size_t)got;
        (void)buf_append(&capture->bytes, bytes, keep);
    }
}

/* After the exit both pipes usually end at once; a daemon that holds one costs LINGER_MS. */
static void finish_if_drained(struct command *c)
{
    if (c->state == COMMAND_LINGERS && c->out.fd < 0 && c->err.fd < 0) {
        finish(c);
    }
}

static void on_out_readable(uv_poll_t *handle, int status, int events)
{
    struct command *c = CONTAINER_OF(handle, struct command, out.poll);
    (void)status;
    (void)events;
    capture_read(c, &c->out, READS_A_TURN);
    finish_if_drained(c);
}

static void on_err_readable(uv_poll_t *handle, int status, int events)
{
    struct command *c = CONTAINER_OF(handle, struct command, err.poll);
    (void)status;
    (void)events;
    capture_read(c, &c->err, READS_A_TURN);
    finish_if_drained(c);
}

static void on_ended(void *ctx, pid_t pid, int wait_status)
{
    struct command *c = ctx;
    (void)pid;
    c->pid = 0;
    if (WIFEXITED(wait_status)) {
        c->result.code = WEXITSTATUS(wait_status);
    } else if (WIFSIGNALED(wait_status)) {
        c->result.signal = WTERMSIG(wait_status);
    }
    reaper_tolerate(reaper_of(c->timer.loop));
    enum { PIPE_READS = 1048576 / READ_SIZE + 1 };
    capture_read(c, &c->out, PIPE_READS);
    capture_read(c, &c->err, PIPE_READS);
    if (c->state == COMMAND_KILLED) {
        finish(c);
        return;
    }
    c->state = COMMAND_LINGERS;
    (void)uv_timer_start(&c->timer, on_timer, LINGER_MS, 0);
    finish_if_drained(c);
}

/* The group is the command's own and pinned by its unreaped leader. */
static void kill_group(const struct command *c)
{
    if (c->pid != 0) {
        (void)kill(-c->pid, SIGKILL);
        (void)kill(c->pid, SIGKILL);
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct command *c = CONTAINER_OF(handle, struct command, timer);
    if (c->state != COMMAND_RUNS || c->pid == 0) {
        finish(c);
        return;
    }
    c->result.timed_out = true;
    c->state = COMMAND_KILLED;
    kill_group(c);
    (void)uv_timer_start(handle, on_timer, KILL_WAIT_MS, 0);
}

void command_cancel(struct command *c)
{
    if (c != NULL && c->state != COMMAND_OVER) {
        kill_group(c);
        command_close(c);
    }
}
