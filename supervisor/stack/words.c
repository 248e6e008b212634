/*
 * What this room is for.      Shell-like words (see words.h).
 * What it may touch.          base only.
 * Who calls it.               expand.c for `command`, `fallback`, `exec`; config.c to write them.
 * The one invariant.          Each byte of a word knows where in the line it came from.
 */
#include "stack/words.h"

#include <string.h>

struct splitter {
    struct span line;
    size_t at;
    struct arena *arena;
    struct buf text;   /* of the word being built */
    unsigned *offsets; /* likewise; one array for the whole line, since words never grow much */
    size_t base;       /* where in offsets this word starts */
    struct words *out;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void put(struct splitter *s, char c, size_t offset)
{
    s->offsets[s->base + s->text.len] = (unsigned)offset;
    (void)buf_putc(&s->text, c);
}

static void finish_word(struct splitter *s)
{
    struct words *out = s->out;
    out->items = arena_grow(s->arena, out->items, out->count, sizeof *out->items);
    out->items[out->count++] = (struct word){
        .text = {arena_copy(s->arena, buf_span(&s->text)), s->text.len},
        .offsets = s->offsets + s->base,
    };
    s->base += s->text.len;
    buf_clear(&s->text);
}

static bool fail(struct splitter *s, const char *error, size_t offset)
{
    s->out->error = error;
    s->out->error_offset = offset;
    return false;
}

size_t reference_length(struct span text)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') {
            depth++;
            i++;
        } else if (text.ptr[i] == '}' && depth > 0 && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* At a `$`: copies $$ and ${…} as they are. */
static bool take_dollar(struct splitter *s)
{
    struct span rest = {s->line.ptr + s->at, s->line.len - s->at};
    size_t len = 1;
    if (span_starts(rest, "$$")) {
        len = 2;
    } else if (span_starts(rest, "${")) {
        len = reference_length(rest);
        if (len == 0) {
            return fail(s, "\"${\" without \"}\"", s->at);
        }
    }
    for (size_t i = 0; i < len; i++, s->at++) {
        put(s, s->line.ptr[s->at], s->at);
    }
    return true;
}

/* At a backslash outside '…'. quoted: inside "…", where only some characters can be escaped. */
static bool take_backslash(struct splitter *s, bool quoted)
{
    if (s->at + 1 >= s->line.len) {
        return fail(s, "a backslash at the end", s->at);
    }
    char next = s->line.ptr[s->at + 1];
    if (quoted && strchr("$`\"\\", next) == NULL) {
        put(s, '\\', s->at);
        s->at++;
        return true;
    }
    put(s, next, s->at + 1);
    if (next == '$') {
        put(s, '$', s->at + 1); /* stays a dollar when references are replaced */
    }
    s->at += 2;
    return true;
}

static bool take_quoted(struct splitter *s, char quote)
{
    size_t start = s->at++;
    while (s->at < s->line.len && s->line.ptr[s->at] != quote) {
        char c = s->line.ptr[s->at];
        if (c == '$') {
            if (!take_dollar(s)) {
                return false;
            }
        } else if (c == '\\' && quote == '"') {
            if (!take_backslash(s, true)) {
                return fail(s, "a \" without its end", start);
            }
        } else {
            put(s, c, s->at++);
        }
    }
    if (s->at >= s->line.len) {
        return fail(s, quote == '"' ? "a \" without its end" : "a ' without its end", start);
    }
    s->at++;
    return true;
}

static bool take_word(struct splitter *s)
{
    while (s->at < s->line.len && !is_blank(s->line.ptr[s->at])) {
        char c = s->line.ptr[s->at];
        bool fine = true;
        if (c == '\'' || c == '"') {
            fine = take_quoted(s, c);
        } else if (c == '\\') {
            fine = take_backslash(s, false);
        } else if (c == '$') {
            fine = take_dollar(s);
        } else {
            put(s, c, s->at++);
        }
        if (!fine) {
            return false;
        }
    }
    return true;
}

bool words_split(struct span line, struct arena *arena, struct words *out)
{
    *out = (struct words){0};
    struct splitter s = {
        .line = line,
        .arena = arena,
        .offsets = arena_alloc(arena, (line.len + 1) * sizeof *s.offsets),
        .out = out,
    };
    bool fine = true;
    while (fine) {
        while (s.at < line.len && is_blank(line.ptr[s.at])) {
            s.at++;
        }
        if (s.at >= line.len) {
            break;
        }
        fine = take_word(&s);
        if (fine) {
            finish_word(&s);
        }
    }
    buf_fini(&s.text);
    return fine;
}

static void join_one(const char *word, struct buf *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=:,./@%^~*?[]{}!#|&;<>()";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        (void)buf_puts(out, word);
        return;
    }
    (void)buf_putc(out, '\'');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'') {
            (void)buf_puts(out, "'\\''");
        } else if (*c == '$' && (c[1] == '$' || c[1] == '{')) {
            (void)buf_puts(out, "$$");
        } else {
            (void)buf_putc(out, *c);
        }
    }
    (void)buf_putc(out, '\'');
}

void words_join(char *const *argv, struct buf *out)
{
    for (size_t i = 0; argv[i] != NULL; i++) {
        if (i > 0) {
            (void)buf_putc(out, ' ');
        }
        join_one(argv[i], out);
    }
}
