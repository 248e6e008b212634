/*
 * What client and server say to each other over the control socket.
 *
 * Frame: 4 bytes big-endian: bit 31 "more follows", bits 0-30 the payload's length, at most FRAME_MAX. The
 * payloads of consecutive frames up to one without "more" make one message: a JSON object in UTF-8. A message
 * is at most MESSAGE_MAX_TO_SERVER or MESSAGE_MAX_TO_CLIENT; anything else closes the connection.
 *
 * The server speaks first: {"hello":{"protocol":1,"version":TEXT,"stack":ID,"pid":N,"root":DIR,"name":NAME,
 *   "file":FILE,"logs":DIR,"secrets":FILE,"stopping":bool,"owner":{"pid":N,"tty":TEXT}|null,"you_own":bool}}
 * A client that knows another protocol number says so to its user and leaves.
 *
 * Requests: {"id":N,"op":OP,…}. Each gets any number of {"id":N,"progress":{…}} and exactly one
 * {"id":N,"done":true,"code":EXIT,…}; with code other than 0 it has "error":{"message","file","line","column",
 * "hint"} and perhaps "problems":[…] in that shape. Unknown members are ignored, unknown ops get code 2.
 * Several requests may be under way on one connection.
 *
 *   up       names[], profiles[], with[], except[], env_files[], can_die[], no_deps, no_check, fail_fast,
 *            exit_code_from, kill_port, lan, wait, timeout_ms: reads the definition again, starts what is
 *            missing. Done when accepted, with "starting":[names]; with "wait": when all are ready (code 1
 *            when one failed, 6 at the timeout). Conflicts: code 7 with "conflicts":[{"port","service",
 *            "owner":{"pid","command","user","since","directory","stack","container"}|null}]
 *   stop     names[]          restart  names[], deps, stale, wait, timeout_ms
 *   start    as up            kill     names[], signal (name; absent: KILL and stay down)
 *            These are done when the old trees are gone and the new processes run (with wait: are ready), with
 *            "services":[{"name","state","took_ms"}].
 *   down     timeout_ms, kill: stops everything in reverse order; "services" as above; the server then ends.
 *            A second one with kill: KILL at once. progress: {"name","what":TEXT,"left_ms":N|null,
 *            "processes":N} once a second for each that is still there, and on each change.
 *   ps       → "services": INTERFACE §4, plus "note", "port", "cpu_ms", "rss_bytes", "selected", "depends"
 *   subscribe   from now on events come on this connection; first those since the server started with
 *            "history":true: {"event":"state","seq":N,"t":RFC3339,"service","run","from","to","cause",
 *            "took_ms":N (in the previous state),"text":TEXT for people, may be ""},
 *            {"event":"news","t","level":"info|warn|error","service":NAME|null,"text"},
 *            {"event":"end","code":N,"text"} just before the server ends.
 *   why      name → "service","state","chain":[{"t","what","detail"}]
 *   env      name → "directory","container":NAME|null,"run":N,"variables":[{"name","value"}] of the running
 *            service, unmasked (the socket is the user's own)
 *   timeline → "services":[{"name","waiting_ms","starting_ms","critical"}]
 *   port     → "ports":[{"port","service","owner":{…}|null}]
 *   detach   the stack no longer belongs to this connection
 */
#ifndef ROADIE_CONTROL_PROTOCOL_H
#define ROADIE_CONTROL_PROTOCOL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"

enum {
    PROTOCOL_VERSION = 1,
    FRAME_MAX = 64 * 1024,
    MESSAGE_MAX_TO_SERVER = 4 * 1024 * 1024,
    MESSAGE_MAX_TO_CLIENT = 64 * 1024 * 1024,
};

/* Exit codes of INTERFACE §2; replies carry them as "code". */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_STACK = 3,
    EXIT_LOGIN = 4,
    EXIT_CHECKS = 5,
    EXIT_TIMEOUT = 6,
    EXIT_CONFLICT = 7,
    EXIT_PENDING = 8,
    EXIT_REFUSED = 9,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
};

/* Appends message as frames to out. The message is borrowed. */
void message_encode(const json_t *message, struct buf *out);

/* Collects frames. Zero-initialise with max set. */
struct message_reader {
    struct buf in;      /* bytes not yet framed */
    struct buf body;    /* of the message under way */
    size_t max;
};
/* Takes the next whole message out of r->in: 1 and *out (a new reference), 0 when more bytes are needed,
 * -EPROTO (bad length, too long, not a JSON object) with why. */
int message_next(struct message_reader *r, json_t **out, struct fault *why) ATTR_MUST_CHECK;
void message_reader_fini(struct message_reader *r);

#endif
