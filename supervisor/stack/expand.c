/*
 * What this room is for.      Replaces references in values and words (see expand.h).
 * What it may touch.          base and this room. No file, no clock; the shell's variables come by
 * the request. Who calls it.               service.c, ready.c, layers.c The one invariant. A
 * reference that cannot be replaced is a problem at its own line and column.
 */
#include "stack/expand.h"

#include <string.h>

#include "stack/refs.h"

/* Longer than this no program can be given an argument (Linux: 128 KiB). */
enum { EXPAND_DEPTH_MAX = 16, EXPAND_BYTES_MAX = 128 * 1024 };

struct expansion {
    struct load *load;
    int service;
    struct span text;
    const unsigned *offsets; /* of each byte in the line; NULL: as it stands */
    struct origin at;
    struct buf out;
    bool bad;
};

static struct origin place(const struct expansion *e, size_t i)
{
    struct origin at = e->at;
    at.column += e->offsets != NULL ? e->offsets[i] : (unsigned)i;
    return at;
}

/* At ${: returns its length. */
static size_t take_reference(struct expansion *e, size_t i)
{
    struct span rest = {e->text.ptr + i, e->text.len - i};
    size_t len = reference_length(rest);
    if (len == 0) {
        load_problem(e->load, place(e, i), "a dollar is written $$", "\"${\" without \"}\"");
        e->bad = true;
        return rest.len;
    }
    struct span name = {rest.ptr + 2, len - 3};
    if (!ref_resolve(e->load, e->service, name, place(e, i), &e->out)) {
        e->bad = true;
    }
    return len;
}

static const char *expand(struct expansion *e)
{
    struct load *l = e->load;
    if (l->endless) {
        return NULL; /* reported; going on could take for ever */
    }
    if (l->depth >= EXPAND_DEPTH_MAX) {
        l->endless = true;
        load_problem(l, e->at, NULL, "references that refer to each other without an end");
        return NULL;
    }
    l->depth++;
    for (size_t i = 0; i < e->text.len && !l->endless;) {
        struct span rest = {e->text.ptr + i, e->text.len - i};
        if (span_starts(rest, "$$")) {
            (void)buf_putc(&e->out, '$');
            i += 2;
        } else if (span_starts(rest, "${")) {
            i += take_reference(e, i);
        } else {
            (void)buf_putc(&e->out, rest.ptr[0]);
            i++;
        }
    }
    l->depth--;
    if (!e->bad && !l->endless && e->out.len > EXPAND_BYTES_MAX) {
        load_problem(l, e->at, NULL,
                     "a value of %zu bytes once its references are replaced; at most %d",
                     e->out.len, EXPAND_BYTES_MAX);
        e->bad = true;
    }
    e->bad = e->bad || l->endless;
    const char *text = e->bad ? NULL : arena_copy(l->arena, buf_span(&e->out));
    buf_fini(&e->out);
    return text;
}

const char *expand_text(struct load *l, int service, struct span text, struct origin at)
{
    struct expansion e = {.load = l, .service = service, .text = text, .at = at};
    return expand(&e);
}

const char *expand_entry(struct load *l, int service, const struct ini_entry *entry)
{
    return expand_text(l, service, span_of(entry->value), entry->value_at);
}

char **expand_words(struct load *l, int service, struct span line, struct origin at)
{
    struct words words = {0};
    if (!words_split(line, l->arena, &words)) {
        struct origin bad = at;
        bad.column += (unsigned)words.error_offset;
        load_problem(l, bad, NULL, "%s", words.error);
        return NULL;
    }
    if (words.count == 0) {
        load_problem(l, at, NULL, "no words here");
        return NULL;
    }
    char **argv = arena_alloc(l->arena, (words.count + 1) * sizeof *argv);
    bool bad = false;
    for (size_t i = 0; i < words.count; i++) {
        struct expansion e = {
            .load = l,
            .service = service,
            .text = words.items[i].text,
            .offsets = words.items[i].offsets,
            .at = at,
        };
        const char *text = expand(&e);
        if (text == NULL) {
            bad = true;
        } else {
            argv[i] = arena_strdup(l->arena, text);
        }
    }
    return bad ? NULL : argv;
}
