/*
 * What this room is for.      The last lines of a service, and the last exception among them.
 * What it may touch.          The log store, reading.
 * Who calls it.               cmd_why.c
 * The one invariant.          A service that printed gigabytes is answered as quickly as one that printed a line.
 */
#include "ui/last_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "logs/reader.h"
#include "logs/view.h"

/* How far back the first look goes, in bytes of the whole stack; a service that was silent for longer costs a
 * second look, at all that it has stored. */
enum { LAST_LINES = 5, LOOK_BACK = 1024 * 1024, SHOWN_MAX = 400 };

struct words {
    const struct redactor *mask;
    struct buf lines[LAST_LINES];
    uint64_t times[LAST_LINES];
    size_t count;
    struct buf exception;
    uint64_t exception_wall_ns;
};

static bool ends_with(struct span text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

/* "ValueError: …", "sqlalchemy.exc.OperationalError: …", "thread 'main' panicked at …" */
static bool is_exception(struct span text)
{
    static const char panicked[] = " panicked at ";
    struct span word = {text.ptr, 0};
    while (word.len < text.len &&
           (isalnum((unsigned char)text.ptr[word.len]) || strchr("._", text.ptr[word.len]) != NULL)) {
        word.len++;
    }
    bool ended = word.len == text.len || text.ptr[word.len] == ':';
    if (ended && word.len > 0 && (ends_with(word, "Error") || ends_with(word, "Exception"))) {
        return true;
    }
    for (size_t i = 0; i + sizeof panicked - 1 <= text.len; i++) {
        if (memcmp(text.ptr + i, panicked, sizeof panicked - 1) == 0) {
            return true;
        }
    }
    return false;
}

static void take(struct words *w, const struct log_line *line)
{
    struct buf *kept = &w->lines[w->count % LAST_LINES];
    struct buf masked = {0};
    /* Masked before it is cut: half a secret is one too. */
    redactor_mask(w->mask, line->text, &masked);
    buf_clear(kept);
    sanitise(buf_span(&masked), false, kept);
    buf_fini(&masked);
    if (kept->len > SHOWN_MAX) {
        size_t end = SHOWN_MAX;
        while (end > 0 && ((unsigned char)kept->ptr[end] & 0xC0U) == 0x80U) {
            end--;
        }
        kept->len = end;
        (void)buf_puts(kept, " …");
    }
    w->times[w->count++ % LAST_LINES] = line->wall_ns;
    if (is_exception(buf_span(kept))) {
        buf_clear(&w->exception);
        (void)buf_append(&w->exception, kept->ptr, kept->len);
        w->exception_wall_ns = line->wall_ns;
    }
}

/* The newest published seq of the store; 0 when it cannot be told. */
static uint64_t newest_seq(const char *logs)
{
    char path[4096];
    uint64_t seq = 0;
    FILE *file = fmt_into(path, sizeof path, "%s/head", logs) == 0 ? fopen(path, "rbe") : NULL;
    if (file != NULL) {
        if (fread(&seq, sizeof seq, 1, file) != 1) {
            seq = 0;
        }
        (void)fclose(file);
    }
    return seq;
}

static void read_words(struct words *w, const char *logs, char *service, uint64_t after)
{
    char *services[] = {service, NULL};
    struct logreader_opts opts = {.dir = logs, .services = services, .from = LOG_FROM_SEQ, .seq = after,
                                  .run = logreader_last_run(logs, service)};
    struct logreader *reader = NULL;
    struct fault why = {0};
    if (opts.run == 0 || logreader_open(&opts, &reader, &why) != 0) {
        return;
    }
    struct log_line line;
    while (logreader_next(reader, &line) == 1) {
        take(w, &line);
    }
    logreader_close(reader);
}

static void add(json_t *chain, uint64_t wall_ns, const char *what, struct span detail)
{
    char time[CLOCK_RFC3339_SIZE];
    (void)clock_rfc3339(wall_ns, time);
    json_t *text = json_stringn(detail.ptr, detail.len);
    (void)json_array_append_new(chain, json_pack("{s:s,s:s,s:o}", "t", time, "what", what, "detail",
                                                 text != NULL ? text : json_string("")));
}

void last_words_add(json_t *chain, const char *logs, const char *service, const struct redactor *mask)
{
    struct words w = {.mask = mask};
    char name[256];
    uint64_t newest = newest_seq(logs);
    if (fmt_into(name, sizeof name, "%s", service) != 0) {
        return;
    }
    read_words(&w, logs, name, newest > LOOK_BACK ? newest - LOOK_BACK : 0);
    if (w.count == 0 && newest > LOOK_BACK) {
        read_words(&w, logs, name, 0);
    }
    struct buf text = {0};
    size_t known = w.count < LAST_LINES ? w.count : LAST_LINES;
    for (size_t i = 0; i < known; i++) {
        const struct buf *line = &w.lines[(w.count - known + i) % LAST_LINES];
        (void)buf_append(&text, line->ptr, line->len);
        if (i + 1 < known) {
            (void)buf_putc(&text, '\n');
        }
    }
    if (known > 0) {
        add(chain, w.times[(w.count - 1) % LAST_LINES], "last lines", buf_span(&text));
    }
    if (w.exception.len > 0) {
        add(chain, w.exception_wall_ns, "last exception", buf_span(&w.exception));
    }
    buf_fini(&text);
    buf_fini(&w.exception);
    for (size_t i = 0; i < LAST_LINES; i++) {
        buf_fini(&w.lines[i]);
    }
}
