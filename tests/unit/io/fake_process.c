/* A stand-in for the process room: listeners from /proc/net, ownership from /proc. */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/command.h"
#include "process/listeners.h"

static int read_table(const char *path, bool v6, uint16_t port, struct listener *out, int max)
{
    char line[512];
    int n = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    while (n < max && fgets(line, sizeof line, f) != NULL) {
        char hex[40];
        unsigned local;
        unsigned state;
        unsigned uid;
        unsigned long inode;
        if (sscanf(line, " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %u %*d %lu", hex,
                   &local, &state, &uid, &inode) != 5 ||
            state != 10 || local != port) {
            continue;
        }
        unsigned char raw[16] = {0};
        for (size_t w = 0; w < strlen(hex) / 8; w++) {
            char word[9] = {0};
            memcpy(word, hex + w * 8, 8);
            uint32_t v = (uint32_t)strtoul(word, NULL, 16);
            memcpy(raw + w * 4, &v, 4);
        }
        out[n] = (struct listener){.v6 = v6, .port = port, .uid = uid, .inode = inode};
        (void)inet_ntop(v6 ? AF_INET6 : AF_INET, raw, out[n].address, sizeof out[n].address);
        out[n].wildcard = strcmp(out[n].address, "0.0.0.0") == 0 || strcmp(out[n].address, "::") == 0;
        n++;
    }
    (void)fclose(f);
    return n;
}

int listeners_find(uint16_t port, struct listener *out, int max)
{
    int n = read_table("/proc/net/tcp", false, port, out, max);
    return n + read_table("/proc/net/tcp6", true, port, out + n, max - n);
}

int process_facts(pid_t pid, struct process_facts *out)
{
    char path[64];
    int parent = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return -3;
    }
    int got = fscanf(f, "%*d (%*[^)]) %*c %d", &parent);
    (void)fclose(f);
    *out = (struct process_facts){.pid = pid, .parent = got == 1 ? parent : 0};
    return 0;
}

static bool holds(pid_t pid, uint64_t inode)
{
    char path[300];
    char link[64];
    char want[64];
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    (void)snprintf(want, sizeof want, "socket:[%llu]", (unsigned long long)inode);
    DIR *d = opendir(path);
    struct dirent *e;
    while (d != NULL && !found && (e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
        ssize_t len = readlink(path, link, sizeof link - 1);
        if (len > 0) {
            link[len] = '\0';
            found = strcmp(link, want) == 0;
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return found;
}

bool listener_in_tree(const struct listener *l, pid_t root, pid_t *pid)
{
    (void)pid;
    return holds(root, l->inode);
}

/* Only what the probe needs of process/command: spawn, first output, exit, deadline. */
struct command {
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t err;
    char text[4096];
    size_t len;
    command_fn done;
    void *ctx;
    struct command_result result;
    int open_handles;
    bool exited;
    bool drained;
};

static void on_closed(uv_handle_t *handle)
{
    struct command *c = handle->data;
    if (--c->open_handles == 0) {
        free(c);
    }
}

static void close_all(struct command *c)
{
    uv_close((uv_handle_t *)&c->process, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
    uv_close((uv_handle_t *)&c->err, on_closed);
}

static void maybe_done(struct command *c)
{
    if (c->exited && c->drained && c->done != NULL) {
        command_fn done = c->done;
        c->done = NULL;
        c->result.err = (struct span){.ptr = c->text, .len = c->len};
        done(c->ctx, &c->result);
        close_all(c);
    }
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
    struct command *c = process->data;
    c->result.code = signal != 0 ? -1 : (int)status;
    c->result.signal = signal;
    c->exited = true;
    maybe_done(c);
}

static void on_late(uv_timer_t *timer)
{
    struct command *c = timer->data;
    c->result.timed_out = true;
    c->result.error = c->process.pid == 0 ? -2 : 0;
    if (c->process.pid != 0) {
        (void)uv_process_kill(&c->process, 9);
        return;
    }
    c->result.timed_out = false;
    c->exited = true;
    c->drained = true;
    maybe_done(c);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct command *c = handle->data;
    (void)size;
    *buf = uv_buf_init(c->text + c->len, (unsigned)(sizeof c->text - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct command *c = stream->data;
    (void)buf;
    if (n > 0) {
        c->len += (size_t)n;
        return;
    }
    c->drained = true;
    maybe_done(c);
}

int command_start(uv_loop_t *loop, const struct command_opts *opts, command_fn done, void *ctx,
                  struct command **out, struct fault *why)
{
    (void)why;
    struct command *c = calloc(1, sizeof *c);
    c->done = done;
    c->ctx = ctx;
    c->open_handles = 3;
    c->process.data = c;
    (void)uv_timer_init(loop, &c->timer);
    (void)uv_pipe_init(loop, &c->err, 0);
    c->timer.data = c;
    c->err.data = c;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&c->err}};
    char *words[8] = {NULL};
    for (size_t i = 0; i < 7 && opts->argv[i] != NULL; i++) {
        words[i] = opts->argv[i];
    }
    uv_process_options_t o = {.file = words[0], .args = words, .exit_cb = on_exit_status, .stdio = stdio, .stdio_count = 3};
    int rc = uv_spawn(loop, &c->process, &o);
    (void)uv_timer_start(&c->timer, on_late, rc == 0 ? opts->timeout_ms : 0, 0);
    if (rc == 0) {
        (void)uv_read_start((uv_stream_t *)&c->err, on_alloc, on_read);
    }
    *out = c;
    return 0;
}

void command_cancel(struct command *c)
{
    if (c->done != NULL) {
        c->done = NULL;
        (void)uv_process_kill(&c->process, 9);
        close_all(c);
    }
}
