/*
 * What this room is for.      Says which texts must never be shown (see secrets.h).
 * What it may touch.          base and url.c; pure.
 * Who calls it.               environ.c, config.c, logs' redaction, ui.
 * The one invariant.          Names decide about values; the password of a URL is secret by any
 * name.
 */
#include "stack/secrets.h"

#include <string.h>
#include <strings.h>

#include "stack/url.h"

enum { SECRET_MIN = 6 };

static bool contains(const char *name, const char *part)
{
    size_t len = strlen(part);
    for (; *name != '\0'; name++) {
        if (strncasecmp(name, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool ends(const char *name, const char *tail)
{
    size_t len = strlen(name);
    size_t tail_len = strlen(tail);
    return len >= tail_len && strcasecmp(name + len - tail_len, tail) == 0;
}

bool secret_name(const char *name)
{
    static const char *const parts[] = {"TOKEN", "SECRET", "PASSWORD", "PRIVATE", "CREDENTIAL"};
    static const char *const tails[] = {"_KEY", "_KEY_ID", "_JWK", "_DSN"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (contains(name, parts[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        if (ends(name, tails[i])) {
            return true;
        }
    }
    return strcasecmp(name, "DATABASE_URL") == 0;
}

bool secret_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return value.len >= SECRET_MIN;
        }
    }
    return false;
}

/* The next scheme://…@… in text from *at on; its password. */
static bool next_password(struct span text, size_t *at, struct span *password)
{
    for (size_t i = *at; i + 2 < text.len; i++) {
        if (memcmp(text.ptr + i, "://", 3) != 0) {
            continue;
        }
        size_t end = i + 3;
        while (end < text.len && strchr("/?# \t\r\n\"'<>", text.ptr[end]) == NULL) {
            end++;
        }
        struct span authority = {text.ptr + i + 3, end - i - 3};
        size_t host = authority.len;
        while (host > 0 && authority.ptr[host - 1] != '@') {
            host--;
        }
        struct span user = {0};
        bool has_scheme =
            i > 0 && (strchr("+-.", text.ptr[i - 1]) != NULL ||
                      (text.ptr[i - 1] >= '0' && text.ptr[i - 1] <= '9') ||
                      ((text.ptr[i - 1] | 0x20) >= 'a' && (text.ptr[i - 1] | 0x20) <= 'z'));
        *at = i + 3;
        if (has_scheme && host > 1 &&
            span_split((struct span){authority.ptr, host - 1}, ':', &user, password) &&
            password->len > 0) {
            return true;
        }
        i += 2;
    }
    return false;
}

static void passwords(struct span value, secret_fn each, void *ctx)
{
    size_t at = 0;
    struct span password = {0};
    while (next_password(value, &at, &password)) {
        struct arena arena = {0};
        struct span decoded = url_decode(password, &arena);
        if (secret_value(password)) {
            each(ctx, "password", password);
        }
        if (secret_value(decoded) && !span_eq(decoded, password)) {
            each(ctx, "password", decoded);
        }
        arena_fini(&arena);
    }
}

void secret_texts(const char *name, const char *value, secret_fn each, void *ctx)
{
    struct span whole = span_of(value);
    if (secret_name(name) && secret_value(whole)) {
        each(ctx, name, whole);
        struct span rest = whole;
        struct span line = {0};
        struct span tail = {0};
        bool more = memchr(whole.ptr, '\n', whole.len) != NULL;
        while (more) {
            more = span_split(rest, '\n', &line, &tail);
            struct span trimmed = span_trim(line);
            if (secret_value(trimmed)) {
                each(ctx, name, trimmed);
            }
            rest = tail;
        }
    }
    passwords(whole, each, ctx);
}

void secret_mask_passwords(struct span text, struct buf *out)
{
    size_t at = 0;
    size_t done = 0;
    struct span password = {0};
    while (next_password(text, &at, &password)) {
        size_t start = (size_t)(password.ptr - text.ptr);
        (void)buf_append(out, text.ptr + done, start - done);
        (void)buf_puts(out, "‹password›");
        done = start + password.len;
        at = done;
    }
    (void)buf_append(out, text.ptr + done, text.len - done);
}

void secret_mask(const char *name, const char *value, struct buf *out)
{
    if (secret_name(name) && secret_value(span_of(value))) {
        (void)buf_printf(out, "‹%s›", name);
        return;
    }
    secret_mask_passwords(span_of(value), out);
}
