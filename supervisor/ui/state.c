/*
 * What this room is for.      States and events as people read them.
 * What it may touch.          base, logs/view.h for masking and sanitising.
 * Who calls it.               up, wait, events, ps, board
 * The one invariant.          What came from outside is masked, then sanitised, before it is appended.
 */
#include "ui/state.h"

#include <string.h>

#include "base/numbers.h"
#include "base/table.h"
#include "logs/view.h"
#include "ui/print.h"
#include "ui/width.h"

static const struct state_look looks[] = {
    {"off", "–", "2", false},      {"waiting", "●", "2", true},    {"starting", "●", "33", true},
    {"ready", "✓", "32", false},   {"unhealthy", "✗", "31", true}, {"stopping", "●", "33", true},
    {"killing", "●", "31", true},  {"backoff", "!", "33", true},   {"failed", "✗", "31", false},
    {"done", "✓", "32", false},
};

const struct state_look *state_look(const char *name)
{
    static const struct state_look plain = {"?", "●", "0", false};
    const struct state_look *look = TABLE_FIND(looks, span_of(name));
    return look != NULL ? look : &plain;
}

const char *state_event_text(const json_t *event)
{
    const char *text = member_text(event, "text");
    const char *to = member_text(event, "to");
    bool begun = strcmp(to, "waiting") == 0 || strcmp(to, "starting") == 0 ||
                 strcmp(to, "stopping") == 0;
    return text[0] != '\0' || begun ? text : member_text(event, "cause");
}

static void add_clean(const struct news_opts *opts, const char *text, struct buf *out)
{
    struct buf masked = {0};
    if (opts->mask != NULL) {
        redactor_mask(opts->mask, span_of(text), &masked);
    } else {
        (void)buf_puts(&masked, text);
    }
    sanitise(buf_span(&masked), false, out);
    buf_fini(&masked);
}

static void add_symbol(const struct news_opts *opts, const char *symbol, const char *colour,
                       struct buf *out)
{
    if (opts->colour) {
        (void)buf_printf(out, "\033[%sm%s\033[0m ", colour, symbol);
    } else {
        (void)buf_printf(out, "%s ", symbol);
    }
}

static void add_name(const struct news_opts *opts, const char *name, struct buf *out)
{
    sanitise(span_of(name), false, out);
    for (size_t width = width_of(span_of(name)); width < opts->name_width; width++) {
        (void)buf_putc(out, ' ');
    }
    (void)buf_putc(out, ' ');
}

/* ready, failed and done tell how long it took to get there. */
static bool tells_time(const char *to)
{
    return strcmp(to, "ready") == 0 || strcmp(to, "failed") == 0 || strcmp(to, "done") == 0;
}

static void state_line(const struct news_opts *opts, const json_t *event, struct buf *out)
{
    const char *to = member_text(event, "to");
    const struct state_look *look = state_look(to);
    add_symbol(opts, look->symbol, look->colour, out);
    add_name(opts, member_text(event, "service"), out);
    (void)buf_puts(out, to);
    uint64_t took_ms = member_number(event, "took_ms");
    if (tells_time(to) && took_ms > 0) {
        char took[32];
        (void)buf_printf(out, " %s", format_duration(took_ms, took, sizeof took));
    }
    const char *text = state_event_text(event);
    if (text[0] != '\0') {
        (void)buf_putc(out, ' ');
        add_clean(opts, text, out);
    } else if (strcmp(to, "starting") == 0 || strcmp(to, "waiting") == 0 ||
               strcmp(to, "stopping") == 0) {
        (void)buf_puts(out, " …");
    }
}

bool news_line(const struct news_opts *opts, const json_t *event, struct buf *out)
{
    const char *kind = member_text(event, "event");
    if (strcmp(kind, "state") == 0) {
        state_line(opts, event, out);
        return true;
    }
    if (strcmp(kind, "news") != 0 || member_text(event, "text")[0] == '\0') {
        return false;
    }
    const char *level = member_text(event, "level");
    bool error = strcmp(level, "error") == 0;
    if (member_text(event, "service")[0] != '\0') {
        bool warn = strcmp(level, "warn") == 0;
        add_symbol(opts, error ? "✗" : warn ? "!" : "●", error ? "31" : warn ? "33" : "2", out);
        add_name(opts, member_text(event, "service"), out);
    } else {
        add_name(opts, "roadie", out);
        (void)buf_puts(out, "| ");
    }
    add_clean(opts, member_text(event, "text"), out);
    return true;
}
