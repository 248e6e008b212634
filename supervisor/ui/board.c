/*
 * What this room is for.      The live picture of starting and stopping.
 * What it may touch.          base, state.h.
 * Who calls it.               session.c (up), cmd_control.c (down, stop, …), tests
 * The one invariant.          A painted line never wraps: erasing counts lines.
 */
#include "ui/board.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/numbers.h"
#include "logs/view.h"
#include "ui/print.h"
#include "ui/state.h"
#include "ui/when.h"
#include "ui/width.h"

enum { NAME_MAX_SHOWN = 32 };

static struct board_row *row_of(struct board *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->rows[i].name, name) == 0) {
            return &b->rows[i];
        }
    }
    b->rows = mem_realloc(b->rows, (b->count + 1) * sizeof *b->rows);
    b->rows[b->count] = (struct board_row){
        .name = mem_strdup(name), .state = mem_strdup("off"), .text = mem_strdup(""), .needs = mem_strdup("")};
    size_t width = width_of(span_of(name));
    width = width < NAME_MAX_SHOWN ? width : NAME_MAX_SHOWN;
    b->name_width = width > b->name_width ? width : b->name_width;
    return &b->rows[b->count++];
}

static bool replace(char **old, const char *text)
{
    if (strcmp(*old, text) == 0) {
        return false;
    }
    mem_free(*old);
    *old = mem_strdup(text);
    return true;
}

static bool replace_clean(const struct board *b, char **old, const char *text)
{
    struct buf masked = {0};
    struct buf clean = {0};
    if (b->mask != NULL) {
        redactor_mask(b->mask, span_of(text), &masked);
    } else {
        (void)buf_puts(&masked, text);
    }
    sanitise(buf_span(&masked), false, &clean);
    bool changed = replace(old, clean.ptr != NULL ? clean.ptr : "");
    buf_fini(&masked);
    buf_fini(&clean);
    return changed;
}

bool board_event(struct board *b, const json_t *event, uint64_t now_wall_ms)
{
    const char *name = member_text(event, "service");
    if (strcmp(member_text(event, "event"), "state") != 0 || name[0] == '\0') {
        return false;
    }
    struct board_row *row = row_of(b, name);
    bool changed = replace_clean(b, &row->text, state_event_text(event));
    if (replace(&row->state, member_text(event, "to"))) {
        uint64_t at = when_rfc3339(member_text(event, "t")) / 1000000;
        row->since_wall_ms = at > 0 && at < now_wall_ms ? at : now_wall_ms;
        row->until_wall_ms = 0;
        row->leaving = false;
        changed = true;
    }
    row->run = (unsigned)member_number(event, "run");
    return changed;
}

static void fill_needs(struct board_row *row, const json_t *needs)
{
    struct buf names = {0};
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *name = json_string_value(json_array_get(needs, i));
        (void)buf_printf(&names, "%s\n", name != NULL ? name : "?");
    }
    (void)replace(&row->needs, names.ptr != NULL ? names.ptr : "");
    buf_fini(&names);
}

void board_fill(struct board *b, const json_t *services, uint64_t now_wall_ms)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        if (json_is_false(json_object_get(service, "selected"))) {
            continue;
        }
        struct board_row *row = row_of(b, member_text(service, "name"));
        fill_needs(row, json_object_get(service, "needs"));
        bool known = !replace(&row->state, member_text(service, "state"));
        if (known && row->text[0] != '\0') {
            continue; /* its event said it already, in words for people */
        }
        bool starting = strcmp(row->state, "starting") == 0;
        bool waiting = strcmp(row->state, "waiting") == 0; /* for what: painted from the needs */
        (void)replace_clean(b, &row->text,
                            waiting ? "" : member_text(service, starting ? "answer" : "cause"));
        uint64_t at = when_rfc3339(member_text(service, "since")) / 1000000;
        row->since_wall_ms = at > 0 && at < now_wall_ms ? at : now_wall_ms;
        row->run = (unsigned)member_number(service, "run");
    }
}

bool board_progress(struct board *b, const json_t *progress, uint64_t now_wall_ms)
{
    const char *name = member_text(progress, "name");
    if (name[0] == '\0') {
        return false;
    }
    struct board_row *row = row_of(b, name);
    const char *state = member_text(progress, "state");
    bool changed = !row->leaving;
    changed = replace_clean(b, &row->text, member_text(progress, "what")) || changed;
    changed = (state[0] != '\0' && replace(&row->state, state)) || changed;
    row->leaving = true;
    row->processes = (unsigned)member_number(progress, "processes");
    row->until_wall_ms = member_null(progress, "left_ms")
                             ? 0
                             : now_wall_ms + member_number(progress, "left_ms");
    return changed;
}

const struct board_row *board_find(const struct board *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->rows[i].name, name) == 0) {
            return &b->rows[i];
        }
    }
    return NULL;
}

static bool is_gone(const struct board_row *row)
{
    return strcmp(row->state, "off") == 0 || strcmp(row->state, "done") == 0 ||
           strcmp(row->state, "failed") == 0;
}

static bool is_shown(const struct board_row *row)
{
    /* A service without health stands there for hours: it is news, not something under way. */
    bool pending = state_look(row->state)->pending && strcmp(row->state, "unhealthy") != 0;
    return pending || (row->leaving && !is_gone(row));
}

bool board_pending(const struct board *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (is_shown(&b->rows[i])) {
            return true;
        }
    }
    return false;
}

static bool is_met(const struct board_row *row)
{
    return strcmp(row->state, "ready") == 0 || strcmp(row->state, "done") == 0;
}

/* " for db (starting), cache (waiting)": what of its needs is not there yet. */
static void add_missing(const struct board *b, const struct board_row *row, struct buf *line)
{
    struct span rest = span_of(row->needs);
    const char *before = " for ";
    while (rest.len > 0) {
        struct span name;
        (void)span_split(rest, '\n', &name, &rest);
        for (size_t i = 0; i < b->count; i++) {
            if (span_is(name, b->rows[i].name) && !is_met(&b->rows[i])) {
                (void)buf_printf(line, "%s%s (%s)", before, b->rows[i].name, b->rows[i].state);
                before = ", ";
            }
        }
    }
}

static void paint_line(const struct board *b, const struct board_row *row,
                       const struct board_look *look, struct buf *line)
{
    const struct state_look *state = state_look(row->state);
    char took[32];
    uint64_t since = look->now_wall_ms > row->since_wall_ms ? look->now_wall_ms - row->since_wall_ms : 0;
    if (look->colour) {
        (void)buf_printf(line, "\033[%sm%s\033[0m ", state->colour, state->symbol);
    } else {
        (void)buf_printf(line, "%s ", state->symbol);
    }
    sanitise(span_of(row->name), false, line);
    for (size_t width = width_of(span_of(row->name)); width < b->name_width; width++) {
        (void)buf_putc(line, ' ');
    }
    (void)buf_printf(line, " %s", row->state);
    if (row->leaving) {
        (void)buf_printf(line, "%s%s", row->text[0] != '\0' ? " " : "", row->text);
        if (row->processes > 0) {
            (void)buf_printf(line, "  %u process%s", row->processes, row->processes == 1 ? "" : "es");
        }
        if (row->until_wall_ms > look->now_wall_ms) {
            uint64_t left = row->until_wall_ms - look->now_wall_ms;
            (void)buf_printf(line, ", %llus left", (unsigned long long)((left + 999) / 1000));
        }
        return;
    }
    (void)buf_printf(line, " %s%s%s", format_duration(since, took, sizeof took),
                     row->text[0] != '\0' ? " " : "", row->text);
    if (strcmp(row->state, "waiting") == 0 && row->text[0] == '\0') {
        add_missing(b, row, line);
    }
}

unsigned board_paint(const struct board *b, const struct board_look *look, struct buf *out)
{
    unsigned shown = 0;
    unsigned hidden = 0;
    size_t columns = look->columns > 1 ? look->columns - 1 : 1;
    struct buf line = {0};
    size_t pending = 0;
    for (size_t i = 0; i < b->count; i++) {
        pending += is_shown(&b->rows[i]) ? 1 : 0;
    }
    unsigned most = pending > look->rows && look->rows > 0 ? look->rows - 1 : look->rows;
    for (size_t i = 0; i < b->count; i++) {
        if (!is_shown(&b->rows[i])) {
            continue;
        }
        if (shown >= most) {
            hidden++;
            continue;
        }
        buf_clear(&line);
        paint_line(b, &b->rows[i], look, &line);
        (void)buf_append(out, line.ptr, width_fit(buf_span(&line), columns));
        (void)buf_puts(out, look->colour ? "\033[0m\n" : "\n");
        shown++;
    }
    buf_fini(&line);
    if (hidden > 0) {
        (void)buf_printf(out, "  … and %u more\n", hidden);
        shown++;
    }
    return shown;
}

void board_summary(const struct board *b, struct buf *out)
{
    static const char *const states[] = {"ready",    "done",     "starting", "waiting", "backoff",
                                         "unhealthy", "stopping", "killing",  "failed",  "off"};
    bool first = true;
    for (size_t s = 0; s < COUNT_OF(states); s++) {
        size_t count = 0;
        for (size_t i = 0; i < b->count; i++) {
            count += strcmp(b->rows[i].state, states[s]) == 0 ? 1 : 0;
        }
        if (count == 0) {
            continue;
        }
        (void)buf_printf(out, "%s%zu %s", first ? "" : ", ", count, states[s]);
        first = false;
        bool told = strcmp(states[s], "ready") != 0 && strcmp(states[s], "done") != 0;
        const char *between = " (";
        for (size_t i = 0; told && i < b->count; i++) {
            if (strcmp(b->rows[i].state, states[s]) == 0) {
                (void)buf_printf(out, "%s%s", between, b->rows[i].name);
                between = ", ";
            }
        }
        (void)buf_puts(out, told ? ")" : "");
    }
}

void board_fini(struct board *b)
{
    for (size_t i = 0; i < b->count; i++) {
        mem_free(b->rows[i].name);
        mem_free(b->rows[i].state);
        mem_free(b->rows[i].text);
        mem_free(b->rows[i].needs);
    }
    mem_free(b->rows);
    *b = (struct board){0};
}

void painter_erase(struct painter *p, struct buf *out)
{
    if (p->lines > 0) {
        (void)buf_printf(out, "\r\033[%uA\033[J", p->lines);
        p->lines = 0;
    }
}

void painter_redraw(struct painter *p, const struct board *b, const struct board_look *look,
                    struct buf *out)
{
    painter_erase(p, out);
    p->lines = board_paint(b, look, out);
}
