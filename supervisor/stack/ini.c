/*
 * What this room is for.      Reads `[section]` and `key = value` with exact places (see ini.h).
 * What it may touch.          base and inih, which frames and splits what was checked here.
 * Who calls it.               layers.c, discover.c
 * The one invariant.          inih sees only `[kind name]` and `key = LINE-NUMBER`: no value of a
 * user ever meets its limits, its inline comments or its continuation lines.
 */
#include "stack/ini.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <ini.h>

#include "stack/text.h"

struct reader {
    const char *shown;
    struct span rest;
    unsigned line;
    struct arena *arena;
    struct ini_file *out;
    struct problems *problems;
    bool in_section;          /* a section line has been seen */
    bool skipping;            /* and it was broken: its keys have nowhere to go */
    struct ini_entry pending; /* the entry whose line inih was handed last */
};

static void complain(struct reader *r, size_t column, const char *hint, const char *message)
{
    problems_add(r->problems, r->shown, r->line, (unsigned)column, hint, "%s", message);
}

static struct origin place(const struct reader *r, const char *line, const char *at)
{
    return (struct origin){r->shown, r->line, (unsigned)(at - line) + 1};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static bool is_word(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
        if (!ok) {
            return false;
        }
    }
    return text.len > 0;
}

static const struct ini_section *find_section(const struct ini_file *file, struct span kind,
                                              struct span name)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct ini_section *section = &file->sections[i];
        if (span_is(kind, section->kind) && span_is(name, section->name)) {
            return section;
        }
    }
    return NULL;
}

static void section_add(struct reader *r, struct span kind, struct span name, const char *line,
                        const char *bracket)
{
    struct ini_file *file = r->out;
    const struct ini_section *first = find_section(file, kind, name);
    if (first != NULL) {
        char hint[64];
        (void)snprintf(hint, sizeof hint, "the first is at line %u", first->at.line);
        problems_add(r->problems, r->shown, r->line, (unsigned)(bracket - line) + 1, hint,
                     "section [%s%s%s] is given twice", first->kind, *first->name ? " " : "",
                     first->name);
    }
    file->sections = arena_grow(r->arena, file->sections, file->count, sizeof *file->sections);
    file->sections[file->count++] = (struct ini_section){
        .kind = arena_copy(r->arena, kind),
        .name = arena_copy(r->arena, name),
        .at = place(r, line, bracket),
        .name_at = place(r, line, name.len > 0 ? name.ptr : bracket),
        .repeated = first != NULL,
    };
}

/* True when the section is well-formed and inih shall see it. */
static bool read_section(struct reader *r, struct span line, struct span text)
{
    r->in_section = true;
    r->skipping = true;
    const char *close = memchr(text.ptr, ']', text.len);
    size_t column = (size_t)(text.ptr - line.ptr) + 1;
    if (close == NULL) {
        complain(r, column, NULL, "a section without \"]\"");
        return false;
    }
    if (close != text.ptr + text.len - 1) {
        complain(r, (size_t)(close + 1 - line.ptr) + 1, "a comment stands on a line of its own",
                 "text after the section's \"]\"");
        return false;
    }
    struct span inner = span_trim((struct span){text.ptr + 1, text.len - 2});
    struct span kind = inner;
    struct span name = {inner.ptr + inner.len, 0};
    for (size_t i = 0; i < inner.len; i++) {
        if (is_blank(inner.ptr[i])) {
            kind = (struct span){inner.ptr, i};
            name = span_trim((struct span){inner.ptr + i, inner.len - i});
            break;
        }
    }
    if (inner.len == 0) {
        complain(r, column, "write it like [service web]", "a section without a kind");
        return false;
    }
    if (!is_word(kind) || kind.len > 16 || (name.len > 0 && (!is_word(name) || name.len > 32))) {
        problems_add(r->problems, r->shown, r->line, (unsigned)column,
                     "write it like [service web]; names are [a-z0-9][a-z0-9_-]{0,31}",
                     "bad section [%s]", text_quote(r->arena, inner));
        return false;
    }
    r->skipping = false;
    section_add(r, kind, name, line.ptr, text.ptr);
    return true;
}

static void complain_no_equals(struct reader *r, struct span text, size_t column)
{
    if (column > 1) {
        complain(r, column, "repeat the key, or write one line",
                 "no \"=\" here: continuation lines are not supported");
    } else if (memchr(text.ptr, ':', text.len) != NULL) {
        complain(r, column, "write \"=\", not \":\"", "expected \"key = value\"");
    } else {
        complain(r, column, NULL, "expected \"key = value\"");
    }
}

/* True when the line is well-formed and stands in a section: then it is pending. */
static bool read_entry(struct reader *r, struct span line, struct span text)
{
    struct span key = {0};
    struct span value = {0};
    size_t column = (size_t)(text.ptr - line.ptr) + 1;
    if (!span_split(text, '=', &key, &value)) {
        complain_no_equals(r, text, column);
        return false;
    }
    key = span_trim(key);
    const char *key_start = text.ptr;
    struct span trimmed = span_trim(value);
    bool add = span_starts(key, "+");
    if (add) {
        key = span_trim((struct span){key.ptr + 1, key.len - 1});
    }
    if (key.len == 0) {
        complain(r, column, NULL, "no key before \"=\"");
        return false;
    }
    if (!is_word(key) || key.len > INI_KEY_MAX) {
        problems_add(r->problems, r->shown, r->line, (unsigned)column, NULL, "bad key \"%s\"",
                     text_quote(r->arena, key));
        return false;
    }
    if (!r->in_section) {
        problems_add(r->problems, r->shown, r->line, (unsigned)column,
                     "write a line like [service web] above it", "key \"%s\" outside a section",
                     text_quote(r->arena, key));
        return false;
    }
    if (r->skipping) {
        return false;
    }
    r->pending = (struct ini_entry){
        .key = arena_copy(r->arena, key),
        .value = arena_copy(r->arena, trimmed),
        .at = place(r, line.ptr, key_start),
        .value_at = place(r, line.ptr, trimmed.len > 0 ? trimmed.ptr : value.ptr),
        .add = add,
    };
    return true;
}

/* Checks one physical line and writes what inih shall see of it; false: nothing. */
static bool read_line(struct reader *r, struct span line, char *out, size_t size)
{
    if (line.len > INI_LINE_MAX) {
        problems_add(r->problems, r->shown, r->line, INI_LINE_MAX + 1, NULL,
                     "a line of %zu bytes; at most %d", line.len, INI_LINE_MAX);
        return false;
    }
    if (!text_check(line, r->shown, r->line, r->problems)) {
        return false;
    }
    struct span text = span_trim(line);
    if (text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == ';') {
        return false;
    }
    int rc = 0;
    if (text.ptr[0] == '[') {
        if (!read_section(r, line, text)) {
            return false;
        }
        const struct ini_section *now = &r->out->sections[r->out->count - 1];
        rc = fmt_into(out, size, "[%s %s]\n", now->kind, now->name);
    } else {
        if (!read_entry(r, line, text)) {
            return false;
        }
        rc = fmt_into(out, size, "%s = %u\n", r->pending.key, r->line);
    }
    assert(rc == 0); /* both are far shorter than inih's smallest line */
    return true;
}

/* inih's reader: one checked line a call. */
static char *on_line_wanted(char *out, int size, void *ctx)
{
    struct reader *r = ctx;
    struct span line = {0};
    while (text_line(&r->rest, &line)) {
        r->line++;
        if (read_line(r, line, out, (size_t)size)) {
            return out;
        }
    }
    return NULL;
}

/* inih's handler: the line that it was handed last is an entry of the current section. */
static int on_entry(void *ctx, const char *section, const char *name, const char *value)
{
    struct reader *r = ctx;
    struct ini_section *now = &r->out->sections[r->out->count - 1];
    (void)section;
    char expected[16];
    (void)snprintf(expected, sizeof expected, "%u", r->pending.at.line);
    assert(strcmp(name, r->pending.key) == 0 && strcmp(value, expected) == 0);
    now->entries = arena_grow(r->arena, now->entries, now->count, sizeof *now->entries);
    now->entries[now->count++] = r->pending;
    return 1;
}

void ini_read(const char *shown, struct span text, struct arena *arena, struct ini_file *out,
              struct problems *problems)
{
    struct reader r = {
        .shown = shown,
        .rest = text_skip_bom(text),
        .arena = arena,
        .out = out,
        .problems = problems,
    };
    *out = (struct ini_file){0};
    (void)ini_parse_stream(on_line_wanted, &r, on_entry, &r);
}
