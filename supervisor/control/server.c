/*
 * The server of one stack: takes the lock, sweeps what earlier servers left, listens, owns the engine, and
 * ends in order. Invariant: while it lives it holds the lock; while the lock is held there is one engine.
 */
#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/peer.h"
#include "process/reaper.h"

enum { PROGRESS_MS = 1000, PROGRESS_SOON_MS = 50, STRAYS_MAX = 256, SWEEP_ROUNDS = 200, ACCEPTS_MAX = 64 };

/* What a server and its shims that were all killed at once have left: recognised by its environment, while
 * the lock says that no other server lives. */
static void sweep_strays(const struct server *s)
{
    pid_t pids[STRAYS_MAX];
    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        int count = strays_find(s->place.id, pids, STRAYS_MAX);
        if (count <= 0) {
            return;
        }
        for (int i = 0; i < count; i++) {
            if (pids[i] > 1 && pids[i] != getpid()) {
                (void)kill(pids[i], SIGKILL);
            }
        }
        uv_sleep(5);
    }
}

/* ---- listening ---- */

/* Out of descriptors: one is kept for telling a client so, else the loop would spin on a full backlog. */
static void turn_away(struct server *s)
{
    (void)close(s->spare_fd);
    int fd = accept(s->listen_fd, NULL, NULL);
    if (fd >= 0) {
        (void)close(fd);
    }
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct server *s = poll->data;
    (void)events;
    if (status < 0) {
        return;
    }
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept(s->listen_fd, NULL, NULL);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                turn_away(s);
            }
            return;
        }
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (!peer_is_me(fd) || (s->session_count >= SESSIONS_MAX && !session_evict(s))) {
            (void)close(fd);
            continue;
        }
        (void)session_open(s, fd, false);
    }
}

static int bind_socket(struct server *s, struct fault *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)fmt_into(address.sun_path, sizeof address.sun_path, "%s", s->place.socket);
    (void)unlink(s->place.socket); /* we hold the lock: what lies there is stale */
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (s->listen_fd < 0) {
        return fault_set(why, -errno, "control socket");
    }
    (void)fcntl(s->listen_fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(s->listen_fd, F_SETFL, O_NONBLOCK);
    if (bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(s->place.socket, 0600) != 0 || listen(s->listen_fd, 128) != 0) {
        int rc = fault_set(why, -errno, "bind %s", s->place.socket);
        (void)close(s->listen_fd);
        s->listen_fd = -1;
        return rc;
    }
    (void)uv_poll_init(s->loop, &s->listener, s->listen_fd);
    s->listener.data = s;
    (void)uv_poll_start(&s->listener, UV_READABLE, on_connection);
    s->listening = true;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    s->rebinding = false;
    if (s->stopping || place_make(&s->place, NULL) != 0) {
        return;
    }
    struct fault why = {0};
    if (bind_socket(s, &why) != 0) {
        (void)fprintf(stderr, "roadie-server: %s\n", fault_text(&why));
        return;
    }
    server_watch_runtime(s);
}

/* The runtime directory was cleaned up: made again, so that clients find us. */
static void on_runtime_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct server *s = handle->data;
    struct stat st;
    (void)name;
    (void)events;
    (void)status;
    if (s->finished || s->rebinding || stat(s->place.socket, &st) == 0 || !s->listening) {
        return;
    }
    s->rebinding = true;
    s->listening = false;
    (void)uv_fs_event_stop(&s->runtime_watch);
    (void)uv_poll_stop(&s->listener);
    (void)close(s->listen_fd);
    s->listen_fd = -1;
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
}

void server_watch_runtime(struct server *s)
{
    (void)uv_fs_event_start(&s->runtime_watch, on_runtime_changed, s->place.runtime, 0);
}

static void on_root_quiet(uv_timer_t *timer)
{
    struct server *s = timer->data;
    const struct spec *spec = engine_spec(s->engine);
    struct stat st;
    if (!s->stopping && spec != NULL && stat(spec->root, &st) != 0) {
        server_stop(s, 1, "the directory of the stack has vanished", 0, false);
    }
}

/* The end of a directory that is somebody's working directory (ours, a service's) is no event of its own:
 * what is seen is the end of its last entry, an instant before. So the look comes when it has been quiet. */
static void on_root_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct server *s = handle->data;
    (void)name;
    (void)status;
    if (!s->finished && (events & UV_RENAME) != 0) {
        (void)uv_timer_start(&s->root_timer, on_root_quiet, ROOT_QUIET_MS, 0);
        uv_unref((uv_handle_t *)&s->root_timer);
    }
}

void server_watch_root(struct server *s)
{
    const struct spec *spec = engine_spec(s->engine);
    if (spec != NULL && !uv_is_active((uv_handle_t *)&s->root_watch)) {
        (void)uv_fs_event_start(&s->root_watch, on_root_changed, spec->root, 0);
        uv_unref((uv_handle_t *)&s->root_watch);
        lock_write(s);
    }
}

/* ---- what the engine says ---- */

static void on_progress(uv_timer_t *timer)
{
    server_tell_progress(timer->data);
}

static void on_event(void *ctx, const struct engine_event *event)
{
    struct server *s = ctx;
    json_t *message = reply_event(event);
    server_broadcast(s, message);
    json_decref(message);
    /* Soon, not at once: a look walks every tree, and most stops are over before it. */
    if (s->stopping && !s->finished && uv_timer_get_due_in(&s->progress_timer) > PROGRESS_SOON_MS) {
        (void)uv_timer_start(&s->progress_timer, on_progress, PROGRESS_SOON_MS, PROGRESS_MS);
    }
}

static bool has_owner(const struct server *s)
{
    for (const struct session *session = s->sessions; session != NULL; session = session->next) {
        if (session->owner && !session->closing) {
            return true;
        }
    }
    return false;
}

static void on_ended(void *ctx, int code, const char *why)
{
    struct server *s = ctx;
    if (has_owner(s)) {
        server_stop(s, code, why, 0, false);
        return;
    }
    json_t *message = json_pack("{s:i, s:s, s:i, s:s}", "v", 1, "event", "ended", "code", code, "text", why);
    server_broadcast(s, message);
    json_decref(message);
}

static void on_stop_wanted(void *ctx, int code, const char *why)
{
    struct server *s = ctx;
    server_stop(s, code, why, 0, false);
}

/* ---- ending ---- */

void server_tell_progress(struct server *s)
{
    if (s->pendings == NULL) {
        return;
    }
    for (size_t i = 0; i < engine_count(s->engine); i++) {
        struct svc_snapshot snap;
        engine_snapshot(s->engine, i, true, &snap);
        if (snap.state != SVC_STOPPING && snap.state != SVC_KILLING) {
            continue; /* its turn comes when what needs it has gone */
        }
        json_t *row = json_pack("{s:s, s:s, s:s, s:i, s:o}", "name", snap.name, "state",
                                svc_state_name(snap.state), "what",
                                snap.stop_signal != NULL ? snap.stop_signal : snap.note, "processes",
                                (int)snap.usage.processes, "left_ms",
                                snap.left_ms > 0 ? json_integer((json_int_t)snap.left_ms) : json_null());
        for (struct pending *p = s->pendings; p != NULL; p = p->next) {
            if (p->session != NULL) {
                json_t *message = json_pack("{s:I, s:O}", "id", p->id, "progress", row);
                session_send_event(p->session, message);
                json_decref(message);
            }
        }
        json_decref(row);
    }
}

static void on_engine_closed(void *ctx)
{
    struct server *s = ctx;
    s->engine = NULL;
    json_t *end = json_pack("{s:i, s:s, s:i, s:s}", "v", 1, "event", "end", "code", s->end_code, "text",
                            s->end_text);
    for (struct session *session = s->sessions; session != NULL; session = session->next) {
        session_send(session, end); /* also to one whose subscription is still on its way */
    }
    json_decref(end);
    server_close_all(s);
}

static void on_down(void *ctx, const struct job_result *result)
{
    struct server *s = ctx;
    (void)result;
    server_finish(s);
}

/* Everything is down: the answers to `down` have been sent, the logs are flushed, then the sockets close. */
void server_finish(struct server *s)
{
    if (s->finished) {
        return;
    }
    s->finished = true;
    (void)uv_timer_stop(&s->progress_timer);
    if (s->listening) {
        (void)uv_poll_stop(&s->listener);
        (void)close(s->listen_fd);
        s->listening = false;
        uv_close((uv_handle_t *)&s->listener, NULL);
        (void)unlink(s->place.socket);
    }
    engine_close(s->engine, on_engine_closed, s);
}

void server_begin_stop(struct server *s, int code, const char *text)
{
    if (s->stopping) {
        return;
    }
    s->stopping = true;
    s->end_code = code;
    (void)snprintf(s->end_text, sizeof s->end_text, "%s", text);
    (void)uv_timer_start(&s->progress_timer, on_progress, PROGRESS_MS, PROGRESS_MS);
    engine_down(s->engine, 0, false, on_down, s);
}

void server_stop(struct server *s, int code, const char *text, uint64_t timeout_ms, bool now)
{
    if (s->finished) {
        return;
    }
    server_begin_stop(s, code, text);
    if (timeout_ms > 0 || now) {
        engine_down(s->engine, timeout_ms, now, NULL, NULL);
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct server *s = handle->data;
    char text[64];
    (void)snprintf(text, sizeof text, "the server was told to end (%s)",
                   signum == SIGINT ? "INT" : signum == SIGHUP ? "HUP" : "TERM");
    server_stop(s, 1, text, 0, s->stopping);
}

static void flush_close(uv_shutdown_t *req, int status)
{
    struct session *session = req->handle->data;
    (void)status;
    mem_free(req);
    session_close(session);
}

void server_close_all(struct server *s)
{
    for (struct session *session = s->sessions; session != NULL; session = session->next) {
        session->owner = false;
        if (session->closing) {
            continue;
        }
        uv_shutdown_t *req = mem_calloc(1, sizeof *req);
        if (uv_shutdown(req, (uv_stream_t *)&session->pipe, flush_close) != 0) {
            mem_free(req);
            session_close(session);
        }
    }
    uv_close((uv_handle_t *)&s->progress_timer, NULL);
    uv_close((uv_handle_t *)&s->runtime_watch, NULL);
    uv_close((uv_handle_t *)&s->root_watch, NULL);
    uv_close((uv_handle_t *)&s->root_timer, NULL);
    uv_close((uv_handle_t *)&s->state_watch, NULL);
    for (size_t i = 0; i < COUNT_OF(s->signals); i++) {
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    }
    reaper_close(reaper_of(s->loop));
    (void)rmdir(s->place.runtime);
}

/* ---- opening ---- */

static int open_engine(struct server *s, struct fault *why)
{
    struct engine_opts opts = {
        .loop = s->loop,
        .shim_path = s->opts.shim_path,
        .state_dir = s->place.state,
        .runtime_dir = s->place.runtime,
        .environ = s->opts.environ,
        .umask = s->opts.umask,
        .nofile_soft = s->opts.nofile_soft,
        .callbacks = {.on_event = on_event, .on_ended = on_ended, .on_stop_wanted = on_stop_wanted},
        .ctx = s,
    };
    return engine_open(&opts, &s->engine, why);
}

static void open_handles(struct server *s)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    (void)uv_timer_init(s->loop, &s->progress_timer);
    (void)uv_fs_event_init(s->loop, &s->runtime_watch);
    (void)uv_fs_event_init(s->loop, &s->root_watch);
    (void)uv_timer_init(s->loop, &s->root_timer);
    s->root_timer.data = s;
    (void)uv_fs_event_init(s->loop, &s->state_watch);
    s->progress_timer.data = s;
    s->runtime_watch.data = s;
    s->root_watch.data = s;
    s->state_watch.data = s;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        (void)uv_signal_init(s->loop, &s->signals[i]);
        s->signals[i].data = s;
        (void)uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&s->signals[i]);
    }
}

int server_open(uv_loop_t *loop, const struct server_opts *opts, struct server **out, struct fault *why)
{
    struct server *s = mem_calloc(1, sizeof *s);
    struct reaper *reaper = NULL;
    s->loop = loop;
    s->opts = *opts;
    s->lock_fd = -1;
    s->listen_fd = -1;
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int rc = place_of(opts->id, &s->arena, &s->place, why);
    if (rc == 0) {
        rc = place_make(&s->place, why);
    }
    if (rc == 0) {
        rc = lock_take(s, why);
    }
    if (rc == 0) {
        sweep_strays(s);
        rc = reaper_open(loop, &reaper);
    }
    if (rc == 0) {
        rc = open_engine(s, why);
    }
    if (rc == 0) {
        rc = bind_socket(s, why);
    }
    if (rc != 0) {
        server_free(s);
        return rc;
    }
    open_handles(s);
    server_watch_runtime(s);
    lock_watch(s);
    peer_describe(opts->first_fd, &s->owner_pid, s->owner_tty, sizeof s->owner_tty);
    (void)session_open(s, opts->first_fd, opts->owned);
    *out = s;
    return 0;
}

static void free_list(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i]);
    }
    mem_free(list->items);
}

void server_free(struct server *s)
{
    while (s->pendings != NULL) {
        struct pending *next = s->pendings->next;
        mem_free(s->pendings);
        s->pendings = next;
    }
    free_list(&s->profiles);
    free_list(&s->with);
    free_list(&s->except);
    free_list(&s->env_files);
    free_list(&s->can_die);
    if (s->spare_fd >= 0) {
        (void)close(s->spare_fd);
    }
    /* The lock stays until the process has gone: that is what `down` and the next `up` wait for. */
    arena_fini(&s->arena);
    mem_free(s);
}
