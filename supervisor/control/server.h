/*
 * The server's end of the control socket: the lock, the listener, sessions, and who owns the stack. Shared by
 * the files of this room's server half; the engine does the work.
 */
#ifndef ROADIE_CONTROL_SERVER_H
#define ROADIE_CONTROL_SERVER_H

#include <stdbool.h>
#include <uv.h>

#include "control/place.h"
#include "control/protocol.h"
#include "engine/engine.h"

#ifndef ROADIE_VERSION
#define ROADIE_VERSION "0" /* CMake sets it */
#endif

enum { SESSIONS_MAX = 128, EVENT_QUEUE_MAX = 1024 * 1024, REPLY_QUEUE_MAX = 64 * 1024 * 1024,
       ROOT_QUIET_MS = 200 };

struct server;
struct terminal_loan;

struct session {
    struct session *next;
    struct server *server;
    uv_pipe_t pipe;
    struct message_reader reader;
    char input[FRAME_MAX];
    bool owner;
    bool subscribed;
    bool spoke;            /* a whole message came */
    bool closing;
    struct terminal_loan *terminal; /* what to give back when the client goes; or NULL */
    uint64_t skipped;      /* events not sent because it does not read */
};

/* A request whose done reply comes later. */
struct pending {
    struct pending *next;
    struct server *server;
    struct session *session; /* NULL: its client has gone */
    json_int_t id;
    bool ends_server;        /* down */
};

/* NULL-terminated list that grows; texts owned. */
struct text_list {
    char **items;
    size_t count;
};

struct server_opts {
    const char *id;
    const char *directory;
    const char *file;        /* or NULL */
    const char *project;     /* or NULL */
    const char *shim_path;
    int first_fd;            /* the connection of the client that started us */
    bool owned;              /* it owns the stack */
    char *const *environ;    /* the shell's */
    mode_t umask;
    uint64_t nofile_soft;
};

struct server {
    uv_loop_t *loop;
    struct server_opts opts;
    struct arena arena;
    struct place place;
    int lock_fd;
    int listen_fd;
    int spare_fd;            /* given up to accept, when there is no other */
    uv_poll_t listener;
    bool listening;
    bool rebinding;
    uv_fs_event_t runtime_watch;
    uv_fs_event_t root_watch;
    uv_timer_t root_timer;
    uv_fs_event_t state_watch;
    uv_timer_t progress_timer;
    uv_signal_t signals[3];
    struct session *sessions;
    size_t session_count;
    struct pending *pendings;
    struct engine *engine;
    struct text_list profiles;   /* the selection: holds until down */
    struct text_list with;
    struct text_list except;
    struct text_list env_files;
    struct text_list can_die;
    bool lan;
    char lan_address[64];
    bool accepted;           /* an `up` was accepted: the server stays */
    bool stopping;
    bool finished;
    pid_t owner_pid;
    char owner_tty[64];
    int end_code;
    char end_text[512];
};

/* Takes the lock, sweeps what is left of earlier servers, opens engine and listener. -EALREADY: another
 * server holds the lock. */
int server_open(uv_loop_t *loop, const struct server_opts *opts, struct server **out, struct fault *why)
    ATTR_MUST_CHECK;
/* Stops the stack in order, then ends the server. */
void server_stop(struct server *s, int code, const char *text, uint64_t timeout_ms, bool now);
/* The same without asking the engine yet (a request does, which wants its own answer). */
void server_begin_stop(struct server *s, int code, const char *text);
/* From the first accepted `up` on: a root that vanishes stops the stack. */
void server_watch_root(struct server *s);
/* Everything is down: flush, say so, end. */
void server_finish(struct server *s);
void server_tell_progress(struct server *s);
void server_close_all(struct server *s);
void server_watch_runtime(struct server *s);
void server_free(struct server *s);

/* lock.c */
/* Takes the lock at place.lock, in place of one held before. -EALREADY: another server holds it. */
int lock_take(struct server *s, struct fault *why) ATTR_MUST_CHECK;
/* Who we are and what of, for clients. */
void lock_write(struct server *s);
/* From now on the lock (and what else the state directory holds) is made again when it is removed. */
void lock_watch(struct server *s);

/* session.c */
struct session *session_open(struct server *s, int fd, bool owner);
void session_send(struct session *session, const json_t *message); /* borrowed */
void session_send_event(struct session *session, const json_t *message);
void session_close(struct session *session);
/* Closes the oldest connection that has never said anything; false when there is none. */
bool session_evict(struct server *s);
void server_broadcast(struct server *s, const json_t *message);

/* handlers.c */
void handle_request(struct session *session, const json_t *request);
/* Reads the definition with the selection that holds. 0, or a code of INTERFACE §2 with *error to send. */
int server_load(struct server *s, char *const *names, json_t **error);
void pending_session_gone(struct session *session);
/* A reply that comes later: its session may be gone by then. */
struct pending *pending_new(struct session *session, json_int_t id);
void pending_drop(struct pending *p);

/* handlers.c: `up` or `start`; asked: the container engine has been asked who holds ports. */
void handle_up(struct session *session, const json_t *request, enum job_wait wait, bool asked);
/* up_ask.c: true when the engine must be asked first; handle_up is called again then. */
bool up_ask_holders(struct session *session, const json_t *request, enum job_wait wait,
                    const struct engine_up_opts *opts);

/* terminal.c: what the client's terminal was before it read keys. -EINVAL: not a state of a terminal. */
int terminal_lend(struct session *session, const json_t *state) ATTR_MUST_CHECK;
/* The client has gone: if the terminal still stands as the client left it, it gets its modes back. */
void terminal_return(struct session *session);

/* replies.c: JSON of what the engine says; new references */
json_t *reply_services(struct engine *e, bool with_usage);
json_t *reply_rows(const struct job_result *result);
json_t *reply_problems(const struct problems *problems);
json_t *reply_error(const char *message, const char *hint);
json_t *reply_conflict(const struct engine_conflict *conflict);
/* What to do about it. */
const char *reply_conflict_hint(const struct engine_conflict *conflict);
json_t *reply_event(const struct engine_event *event);
json_t *reply_ports(struct engine *e);
json_t *reply_timeline(struct engine *e);

#endif
