/* One connection: frames in, messages out, bounded both ways. A client that does not read loses events (and
 * is told how many), never holds the server up. */
#include "control/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct write {
    uv_write_t req;
    struct buf bytes;
};

static void on_written(uv_write_t *req, int status)
{
    struct write *w = CONTAINER_OF(req, struct write, req);
    struct session *session = req->handle->data;
    buf_fini(&w->bytes);
    mem_free(w);
    if (status < 0 && status != UV_ECANCELED) {
        session_close(session);
    }
}

void session_send(struct session *session, const json_t *message)
{
    if (session->closing) {
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&session->pipe) > REPLY_QUEUE_MAX) {
        session_close(session);
        return;
    }
    struct write *w = mem_calloc(1, sizeof *w);
    message_encode(message, &w->bytes);
    uv_buf_t bytes = uv_buf_init(w->bytes.ptr, (unsigned)w->bytes.len);
    if (uv_write(&w->req, (uv_stream_t *)&session->pipe, &bytes, 1, on_written) != 0) {
        buf_fini(&w->bytes);
        mem_free(w);
        session_close(session);
    }
}

void session_send_event(struct session *session, const json_t *message)
{
    if (uv_stream_get_write_queue_size((uv_stream_t *)&session->pipe) > EVENT_QUEUE_MAX) {
        session->skipped++;
        return;
    }
    if (session->skipped > 0) {
        char text[96];
        (void)snprintf(text, sizeof text, "%llu events were skipped: this client did not read",
                       (unsigned long long)session->skipped);
        session->skipped = 0;
        json_t *news = json_pack("{s:i, s:s, s:s, s:n, s:s}", "v", 1, "event", "news", "level", "warn",
                                 "service", "text", text);
        session_send(session, news);
        json_decref(news);
    }
    session_send(session, message);
}

void server_broadcast(struct server *s, const json_t *message)
{
    for (struct session *session = s->sessions; session != NULL; session = session->next) {
        if (session->subscribed && !session->closing) {
            session_send_event(session, message);
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct session *session = handle->data;
    struct server *s = session->server;
    for (struct session **at = &s->sessions; *at != NULL; at = &(*at)->next) {
        if (*at == session) {
            *at = session->next;
            break;
        }
    }
    s->session_count--;
    message_reader_fini(&session->reader);
    mem_free(session);
}

void session_close(struct session *session)
{
    if (session->closing) {
        return;
    }
    struct server *s = session->server;
    session->closing = true;
    pending_session_gone(session);
    terminal_return(session);
    uv_close((uv_handle_t *)&session->pipe, on_closed);
    if (session->owner) {
        session->owner = false;
        server_stop(s, 0, "the terminal that owned the stack has gone", 0, false);
    } else if (!s->accepted && s->session_count <= 1) {
        server_stop(s, 0, "nothing was started", 0, false);
    }
}

bool session_evict(struct server *s)
{
    struct session *oldest = NULL;
    for (struct session *session = s->sessions; session != NULL; session = session->next) {
        if (!session->spoke && !session->owner && !session->closing) {
            oldest = session; /* the newest stand first */
        }
    }
    if (oldest != NULL) {
        session_close(oldest);
    }
    return oldest != NULL;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct session *session = handle->data;
    (void)suggested;
    *buf = uv_buf_init(session->input, sizeof session->input);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct session *session = stream->data;
    if (nread < 0) {
        session_close(session);
        return;
    }
    (void)buf_append(&session->reader.in, buf->base, (size_t)nread);
    while (!session->closing) {
        json_t *message = NULL;
        struct fault why = {0};
        int rc = message_next(&session->reader, &message, &why);
        if (rc == 0) {
            return;
        }
        if (rc < 0) {
            session_close(session);
            return;
        }
        session->spoke = true;
        handle_request(session, message);
        json_decref(message);
    }
}

static json_t *owner_json(const struct server *s)
{
    for (const struct session *session = s->sessions; session != NULL; session = session->next) {
        if (session->owner) {
            return json_pack("{s:i, s:s}", "pid", (int)s->owner_pid, "tty", s->owner_tty);
        }
    }
    return json_null();
}

static json_t *texts_json(const struct text_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        (void)json_array_append_new(array, json_string(list->items[i]));
    }
    return array;
}

/* What holds until `down`: commands that read the definition by themselves read it with this. */
static json_t *selection_json(const struct server *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:s}", "profiles", texts_json(&s->profiles), "with",
                     texts_json(&s->with), "except", texts_json(&s->except), "env_files",
                     texts_json(&s->env_files), "can_die", texts_json(&s->can_die), "lan", (int)s->lan,
                     "lan_address", s->lan_address);
}

static void greet(struct session *session)
{
    struct server *s = session->server;
    const struct spec *spec = engine_spec(s->engine);
    json_t *hello = json_pack(
        "{s:i, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "protocol", PROTOCOL_VERSION,
        "version", ROADIE_VERSION, "stack", s->place.id, "pid", (int)uv_os_getpid(), "root",
        spec == NULL ? "" : spec->root, "name", spec == NULL ? "" : spec->name, "file",
        spec == NULL ? "" : spec->file, "logs", s->place.logs, "secrets", s->place.secrets, "stopping",
        (int)s->stopping, "you_own", (int)session->owner, "owner", owner_json(s));
    (void)json_object_set_new(hello, "selection", selection_json(s));
    json_t *message = json_pack("{s:o}", "hello", hello);
    session_send(session, message);
    json_decref(message);
}

struct session *session_open(struct server *s, int fd, bool owner)
{
    struct session *session = mem_calloc(1, sizeof *session);
    session->server = s;
    session->owner = owner;
    session->reader.max = MESSAGE_MAX_TO_SERVER;
    session->next = s->sessions;
    s->sessions = session;
    s->session_count++;
    (void)uv_pipe_init(s->loop, &session->pipe, 0);
    session->pipe.data = session;
    if (uv_pipe_open(&session->pipe, fd) != 0 ||
        uv_read_start((uv_stream_t *)&session->pipe, on_alloc, on_read) != 0) {
        session_close(session);
        return NULL;
    }
    greet(session);
    return session;
}
