/* The client's end: finds, starts and talks to the server of a stack. No loop of its own: one descriptor. */
#ifndef ROADIE_CONTROL_CLIENT_H
#define ROADIE_CONTROL_CLIENT_H

#include <stdbool.h>
#include <jansson.h>
#include <sys/types.h>

#include "base/fault.h"
#include "control/place.h"

struct client;

/* Connects to the running server of the stack. -ESRCH: no server runs (why is empty). -EPROTO: it speaks
 * another protocol. Retries for up to 2 s while the lock is held but nobody answers yet. */
int client_connect(const struct place *place, struct client **out, struct fault *why) ATTR_MUST_CHECK;
/* Starts a server for the stack when none runs, and connects; *started tells which. With own, the server
 * stops the stack when this process ends without detaching (the connection is a socketpair that the server
 * inherits). definition: what the server is to load from (-f or NULL) and where to look from. */
struct boot_opts {
    const char *server_path;   /* roadie-server */
    const char *directory;     /* where the definition is looked for */
    const char *file;          /* -f, or NULL */
    const char *project;       /* -p, or NULL */
    bool own;
};
int client_boot(const struct place *place, const struct boot_opts *opts, struct client **out,
                bool *started, struct fault *why) ATTR_MUST_CHECK;

/* The "hello" object; borrowed. */
const json_t *client_hello(const struct client *c);
/* For poll(2): readable when messages may have come. */
int client_fd(const struct client *c);
/* Sends a request; request is taken; "id" is added. Returns the id. Blocks while the socket is full. */
int client_send(struct client *c, json_t *request, struct fault *why) ATTR_MUST_CHECK;
/* The next message that has come, without waiting: 1 (new reference in *out), 0 none, -EPIPE the server has
 * ended, other negative errno. */
int client_next(struct client *c, json_t **out, struct fault *why) ATTR_MUST_CHECK;
/* Sends, then waits for the done reply (new reference in *reply); other messages go to each (may be NULL).
 * Waits for ever unless timeout_ms > 0 (-ETIMEDOUT). */
typedef void (*client_fn)(void *ctx, const json_t *message);
int client_call(struct client *c, json_t *request, client_fn each, void *ctx, int timeout_ms,
                json_t **reply, struct fault *why) ATTR_MUST_CHECK;
/* After `down`: waits (at most 2 s) until the server has let go of its lock, which is when it is gone. */
void client_wait_end(const struct place *place);
void client_close(struct client *c);

#endif
