/*
 * What this room is for.      Says in one line what a Postgres, or what stands in its place,
 * objects to. What it may touch.          base only; pure. Who calls it.               postgres.c
 * The one invariant.          The password never leaves here.
 */
#include "io/postgres_error.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "io/say.h"

/* SQLSTATE, or its class, to errno. */
static const struct {
    const char *state;
    int error;
} states[] = {
    {"28", -EACCES},    /* password, role, pg_hba */
    {"42501", -EACCES}, /* permission denied */
    {"3D000", -ENODEV}, /* database does not exist */
    {"57P03", -EAGAIN}, /* starting up */
    {"53", -EBUSY},     /* too many connections, out of memory or disk */
    {"57014", -ETIMEDOUT},
};

/* What proxies and libpq itself say without a state. */
static const struct {
    const char *part;
    int error;
} parts[] = {
    {"password authentication failed", -EACCES},
    {"no password supplied", -EACCES},
    {"Couldn't connect to compute node", -EAGAIN},
    {"Control plane request failed", -EAGAIN},
    {"server closed the connection unexpectedly", -ECONNRESET},
};

static bool is_state(const char *at)
{
    for (int i = 0; i < 5; i++) {
        bool fits = (at[i] >= '0' && at[i] <= '9') || (at[i] >= 'A' && at[i] <= 'Z');
        if (!fits) {
            return false;
        }
    }
    return at[5] == ':' && at[6] == ' ';
}

/* "FATAL:  28P01: words": the state, and *words moved behind it; NULL when there is none. */
static const char *find_state(const char *message, const char **words)
{
    for (const char *at = message; (at = strstr(at, ":  ")) != NULL; at += 3) {
        if (is_state(at + 3)) {
            *words = at + 3 + 7;
            return at + 3;
        }
    }
    return NULL;
}

static int error_of_system(const char *message)
{
    static const int known[] = {ECONNREFUSED, ECONNRESET,  ETIMEDOUT,
                                EHOSTUNREACH, ENETUNREACH, ENOENT};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strstr(message, strerror(known[i])) != NULL) {
            return -known[i];
        }
    }
    return 0;
}

/* The last "… failed: " of the addresses that were tried, else the message. */
static const char *last_reason(const char *message)
{
    static const char mark[] = " failed: ";
    const char *reason = message;
    for (const char *at = message; (at = strstr(at, mark)) != NULL;) {
        at += sizeof mark - 1;
        reason = at;
    }
    return reason;
}

static void mask(struct buf *out, struct span text, const char *password)
{
    size_t len = password != NULL ? strlen(password) : 0;
    for (size_t i = 0; i < text.len;) {
        if (len > 0 && text.len - i >= len && memcmp(text.ptr + i, password, len) == 0) {
            (void)buf_puts(out, "\xE2\x80\xB9password\xE2\x80\xBA");
            i += len;
        } else {
            (void)buf_putc(out, text.ptr[i++]);
        }
    }
}

static int classify(const char *message, const char *state)
{
    for (size_t i = 0; state != NULL && i < COUNT_OF(states); i++) {
        if (strncmp(state, states[i].state, strlen(states[i].state)) == 0) {
            return states[i].error;
        }
    }
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (strstr(message, parts[i].part) != NULL) {
            return parts[i].error;
        }
    }
    int system = state == NULL ? error_of_system(last_reason(message)) : 0;
    return system != 0 ? system : -EPROTO;
}

int postgres_error(const char *message, const char *password, char *text, size_t size)
{
    static const char internal[] = "fe_sendauth: ";
    const char *words = last_reason(message);
    const char *state = find_state(message, &words);
    if (strncmp(words, internal, sizeof internal - 1) == 0) {
        words += sizeof internal - 1;
    }
    int error = classify(message, state);
    bool local = state == NULL && (error == -ECONNREFUSED || error == -EHOSTUNREACH ||
                                   error == -ENETUNREACH || error == -ETIMEDOUT);
    bool closed = state == NULL && error == -ECONNRESET;
    struct span line = local    ? span_of(say_errno(error))
                       : closed ? span_of("closed without an answer")
                                : (struct span){.ptr = words, .len = strcspn(words, "\n")};
    struct buf masked = {0};
    mask(&masked, line, password);
    (void)say_clean(text, size, buf_span(&masked));
    buf_fini(&masked);
    return error;
}
