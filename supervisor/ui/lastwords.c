/*
 * What this room is for.      The last lines of a service, and the one that names the error.
 * What it may touch.          The log store, read only.
 * Who calls it.               cmd_why.c, cmd_up.c
 * The one invariant.          Nothing leaves unmasked or with an escape in it.
 */
#include "ui/lastwords.h"

#include <string.h>

#include "base/mem.h"
#include "logs/reader.h"
#include "logs/view.h"

enum { LASTWORDS_MAX = 32, LINE_SHOWN_MAX = 400 };

static bool ends_with(struct span word, const char *tail)
{
    size_t len = strlen(tail);
    return word.len >= len && memcmp(word.ptr + word.len - len, tail, len) == 0;
}

static bool holds(struct span line, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= line.len; i++) {
        if (memcmp(line.ptr + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_name(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.') {
            return false;
        }
    }
    return word.len > 0;
}

bool lastwords_names_error(struct span line)
{
    static const char *const words[] = {"error", "Error", "ERROR", "fatal", "FATAL", "panic", "fatal error"};
    struct span head = {0};
    struct span rest = {0};
    line = span_trim(line);
    if (span_starts(line, "thread '") && holds(line, "' panicked at")) {
        return true;
    }
    bool colon = span_split(line, ':', &head, &rest);
    for (size_t i = 0; colon && i < COUNT_OF(words); i++) {
        if (span_is(head, words[i])) {
            return true;
        }
    }
    return is_name(head) && (ends_with(head, "Error") || ends_with(head, "Exception")) &&
           (colon || head.len == line.len);
}

/* One line, masked, without escapes, cut to what a person reads. */
static void clean(const struct app *app, struct span text, struct buf *out)
{
    struct buf plain = {0};
    struct buf masked = {0};
    strip_escapes(text, &plain);
    if (app->redactor != NULL) {
        redactor_mask(app->redactor, buf_span(&plain), &masked);
    } else {
        (void)buf_append(&masked, plain.ptr, plain.len);
    }
    struct span shown = buf_span(&masked);
    shown.len = shown.len > LINE_SHOWN_MAX ? LINE_SHOWN_MAX : shown.len;
    buf_clear(out);
    sanitise(shown, false, out);
    buf_fini(&plain);
    buf_fini(&masked);
}

void lastwords_read(const struct app *app, const struct target *t, const char *service, size_t max_lines,
                    struct lastwords *out)
{
    char *name = mem_strdup(service);
    char *services[] = {name, NULL};
    struct logreader *reader = NULL;
    struct logreader_opts opts = {.dir = t->place.logs,
                                  .services = services,
                                  .from = LOG_FROM_UP,
                                  .run = logreader_last_run(t->place.logs, service)};
    struct buf ring[LASTWORDS_MAX] = {{0}};
    struct log_line line;
    size_t count = 0;
    max_lines = max_lines < LASTWORDS_MAX ? max_lines : LASTWORDS_MAX;
    if (logreader_open(&opts, &reader, NULL) == 0) {
        while (logreader_next(reader, &line) == 1) {
            struct buf *slot = &ring[count++ % max_lines];
            clean(app, line.text, slot);
            out->wall_ns = line.wall_ns;
            if (lastwords_names_error(buf_span(slot))) {
                buf_clear(&out->exception);
                (void)buf_append(&out->exception, slot->ptr, slot->len);
            }
        }
        logreader_close(reader);
    }
    for (size_t i = count > max_lines ? count - max_lines : 0; i < count; i++) {
        (void)buf_append(&out->lines, ring[i % max_lines].ptr, ring[i % max_lines].len);
        (void)buf_putc(&out->lines, '\n');
    }
    for (size_t i = 0; i < LASTWORDS_MAX; i++) {
        buf_fini(&ring[i]);
    }
    mem_free(name);
}

void lastwords_fini(struct lastwords *words)
{
    buf_fini(&words->lines);
    buf_fini(&words->exception);
}
