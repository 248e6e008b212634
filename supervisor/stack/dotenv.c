/*
 * What this room is for.      python-dotenv's grammar (see dotenv.h).
 * What it may touch.          base only.
 * Who calls it.               environ.c; checks of `env-owned` files.
 * The one invariant.          What it yields is what python-dotenv yields; a broken statement is
 * skipped by the same rule and never quoted.
 */
#include "stack/dotenv.h"

#include <string.h>

struct scanner {
    struct span text; /* line ends are LF */
    size_t at;
    size_t counted; /* up to where lines were counted */
    unsigned line;
    size_t line_start;
    struct arena *arena;
    dotenv_lookup_fn lookup;
    void *ctx;
    struct dotenv *out;
};

/* Length of the white space (as Python's str knows it) at that place, 0 when there is none. */
static size_t space_length(struct span text, size_t at)
{
    static const char *const wide[] = {
        "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
        "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
    };
    struct span rest = {text.ptr + at, text.len - at};
    unsigned char c = rest.len > 0 ? (unsigned char)rest.ptr[0] : 0;
    if (rest.len == 0 || (c > 0x20 && c < 0x80)) {
        return 0;
    }
    if (c < 0x80) {
        return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) ? 1 : 0;
    }
    for (size_t i = 0; i < COUNT_OF(wide); i++) {
        if (span_starts(rest, wide[i])) {
            return strlen(wide[i]);
        }
    }
    bool general = span_starts(rest, "\xE2\x80") && rest.len > 2;
    unsigned char third = general ? (unsigned char)rest.ptr[2] : 0;
    return third >= 0x80 && third <= 0x8A ? 3 : 0;
}

static char peek(const struct scanner *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static bool at_end(const struct scanner *s)
{
    return s->at >= s->text.len;
}

static void skip_space(struct scanner *s, bool across_lines)
{
    size_t len = 0;
    while (!at_end(s) && (across_lines || peek(s) != '\n') &&
           (len = space_length(s->text, s->at)) > 0) {
        s->at += len;
    }
}

static void skip_line_rest(struct scanner *s)
{
    while (!at_end(s) && peek(s) != '\n') {
        s->at++;
    }
}

/* The line and column of a place at or behind the last one that was asked for. */
static void locate(struct scanner *s, size_t at, unsigned *line, unsigned *column)
{
    for (; s->counted < at; s->counted++) {
        if (s->text.ptr[s->counted] == '\n') {
            s->line++;
            s->line_start = s->counted + 1;
        }
    }
    *line = s->line;
    *column = (unsigned)(at - s->line_start) + 1;
}

static bool take_key(struct scanner *s, struct span *key, const char **what)
{
    size_t start = s->at;
    if (peek(s) == '\'') {
        size_t end = start + 1;
        while (end < s->text.len && s->text.ptr[end] != '\'') {
            end++;
        }
        if (end >= s->text.len || end == start + 1) {
            *what = "a quoted name without its end";
            return false;
        }
        *key = (struct span){s->text.ptr + start + 1, end - start - 1};
        s->at = end + 1;
        return true;
    }
    while (!at_end(s) && peek(s) != '=' && peek(s) != '#' && space_length(s->text, s->at) == 0) {
        s->at++;
    }
    *key = (struct span){s->text.ptr + start, s->at - start};
    *what = "no name before \"=\"";
    return key->len > 0;
}

/* Where the quoted value that starts at s->at ends: an escaped quote does not end it, unless no
 * other quote follows in the file (so does the regular expression of the original, by going back).
 * 0: nowhere. */
static size_t closing_quote(const struct scanner *s, char quote)
{
    size_t fallback = 0;
    for (size_t i = s->at + 1; i < s->text.len; i++) {
        if (s->text.ptr[i] == '\\' && i + 1 < s->text.len && s->text.ptr[i + 1] == quote) {
            fallback = i + 1;
            i++;
        } else if (s->text.ptr[i] == quote) {
            return i;
        }
    }
    return fallback;
}

static char unescape(char c, char quote)
{
    static const char from[] = "\\'\"abfnrtv";
    static const char to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known == NULL || (quote == '\'' && c != '\\' && c != '\'')) {
        return '\0';
    }
    return to[known - from];
}

static bool take_quoted(struct scanner *s, struct buf *value, const char **what)
{
    char quote = peek(s);
    size_t end = closing_quote(s, quote);
    if (end == 0) {
        *what = "a quote without its end";
        return false;
    }
    for (size_t i = s->at + 1; i < end; i++) {
        char c = s->text.ptr[i];
        char plain = c == '\\' && i + 1 < end ? unescape(s->text.ptr[i + 1], quote) : '\0';
        (void)buf_putc(value, plain != '\0' ? plain : c);
        i += plain != '\0' ? 1 : 0;
    }
    s->at = end + 1;
    return true;
}

/* Up to the line's end, without a comment that white space precedes. */
static void take_plain(struct scanner *s, struct buf *value)
{
    size_t start = s->at;
    skip_line_rest(s);
    struct span line = {s->text.ptr + start, s->at - start};
    size_t kept = 0; /* behind the last byte that is no white space */
    for (size_t i = 0; i < line.len;) {
        size_t space = space_length(line, i);
        if (space > 0) {
            i += space;
            continue;
        }
        if (line.ptr[i] == '#' && i > kept) {
            break;
        }
        kept = ++i;
    }
    (void)buf_append(value, line.ptr, kept);
}

static const char *variable(const struct scanner *s, struct span name, const char *standard)
{
    for (size_t i = s->out->count; i > 0; i--) {
        const struct dotenv_item *item = &s->out->items[i - 1];
        if (span_is(name, item->name)) {
            return item->value != NULL ? item->value : "";
        }
    }
    char *copy = arena_copy(s->arena, name);
    const char *value = s->lookup != NULL ? s->lookup(s->ctx, copy) : NULL;
    return value != NULL ? value : standard;
}

/* At "${": the length of ${NAME} or ${NAME:-default}, 0 when it is neither. */
static size_t reference(struct span rest, struct span *name, struct span *standard)
{
    size_t end = 2;
    while (end < rest.len && rest.ptr[end] != '}' && rest.ptr[end] != ':') {
        end++;
    }
    *name = (struct span){rest.ptr + 2, end - 2};
    *standard = (struct span){0};
    if (end + 1 < rest.len && rest.ptr[end] == ':' && rest.ptr[end + 1] == '-') {
        size_t start = end + 2;
        end = start;
        while (end < rest.len && rest.ptr[end] != '}') {
            end++;
        }
        *standard = (struct span){rest.ptr + start, end - start};
    }
    return end < rest.len && rest.ptr[end] == '}' ? end + 1 : 0;
}

static const char *interpolate(struct scanner *s, struct span value)
{
    struct buf out = {0};
    for (size_t i = 0; i < value.len;) {
        struct span rest = {value.ptr + i, value.len - i};
        struct span name = {0};
        struct span standard = {0};
        size_t len = span_starts(rest, "${") ? reference(rest, &name, &standard) : 0;
        if (len == 0) {
            (void)buf_putc(&out, rest.ptr[0]);
            i++;
            continue;
        }
        (void)buf_puts(&out, variable(s, name, arena_copy(s->arena, standard)));
        i += len;
    }
    const char *text = arena_copy(s->arena, buf_span(&out));
    buf_fini(&out);
    return text;
}

/* A comment may follow what was read, then the line must end. */
static bool take_end(struct scanner *s)
{
    skip_space(s, false);
    if (peek(s) == '#') {
        skip_line_rest(s);
    }
    if (!at_end(s) && peek(s) != '\n') {
        return false;
    }
    s->at += at_end(s) ? 0 : 1;
    return true;
}

static bool take_value(struct scanner *s, struct buf *value, const char **what)
{
    s->at++;
    skip_space(s, false);
    if (peek(s) == '\'' || peek(s) == '"') {
        return take_quoted(s, value, what);
    }
    take_plain(s, value);
    return true;
}

/* One statement; false: broken, and s->at is where. */
static bool take_statement(struct scanner *s, struct dotenv_item *item, const char **what)
{
    struct span rest = {s->text.ptr + s->at, s->text.len - s->at};
    if (span_starts(rest, "export") && rest.len > 6 && rest.ptr[6] != '\n' &&
        space_length(rest, 6) > 0) {
        s->at += 6;
        skip_space(s, false);
    }
    if (peek(s) == '#') {
        return take_end(s);
    }
    struct span key = {0};
    locate(s, s->at, &item->line, &item->column);
    if (!take_key(s, &key, what)) {
        return false;
    }
    item->name = arena_copy(s->arena, key);
    skip_space(s, false);
    *what = "expected \"=\" after the name";
    if (peek(s) == '=') {
        struct buf value = {0};
        bool fine = take_value(s, &value, what);
        if (fine) {
            item->value = interpolate(s, buf_span(&value));
            *what = "text after the closing quote";
        }
        buf_fini(&value);
        if (!fine) {
            return false;
        }
    }
    return take_end(s);
}

static void add_error(struct scanner *s, size_t at, const char *what)
{
    struct dotenv *out = s->out;
    struct dotenv_error error = {.what = what};
    locate(s, at, &error.line, &error.column);
    out->errors = arena_grow(s->arena, out->errors, out->error_count, sizeof error);
    out->errors[out->error_count++] = error;
}

/* As Python opens text: CRLF and CR are line ends like LF. */
static struct span unify_line_ends(struct span text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool cr = text.ptr[i] == '\r';
        copy[len++] = cr ? '\n' : text.ptr[i];
        i += cr && i + 1 < text.len && text.ptr[i + 1] == '\n' ? 1 : 0;
    }
    return (struct span){copy, len};
}

static bool is_text(struct scanner *s)
{
    size_t bad = 0;
    const char *nul = s->text.len > 0 ? memchr(s->text.ptr, '\0', s->text.len) : NULL;
    if (nul != NULL) {
        add_error(s, (size_t)(nul - s->text.ptr), "a NUL byte");
        return false;
    }
    if (!span_is_utf8(s->text, &bad)) {
        add_error(s, bad, "invalid UTF-8");
        return false;
    }
    return true;
}

void dotenv_parse(struct span text, dotenv_lookup_fn lookup, void *ctx, struct arena *arena,
                  struct dotenv *out)
{
    *out = (struct dotenv){0};
    struct scanner s = {.line = 1, .arena = arena, .lookup = lookup, .ctx = ctx, .out = out};
    if (span_starts(text, "\xEF\xBB\xBF")) {
        text = (struct span){text.ptr + 3, text.len - 3};
    }
    s.text = unify_line_ends(text, arena);
    if (!is_text(&s)) {
        return;
    }
    for (;;) {
        skip_space(&s, true);
        if (at_end(&s)) {
            return;
        }
        struct dotenv_item item = {0};
        const char *what = NULL;
        if (!take_statement(&s, &item, &what)) {
            add_error(&s, s.at, what);
            skip_line_rest(&s);
        } else if (item.name != NULL) {
            out->items = arena_grow(arena, out->items, out->count, sizeof item);
            out->items[out->count++] = item;
        }
    }
}
