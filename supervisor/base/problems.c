/* A list of problems (see problems.h). */
#include "base/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void problems_add(struct problems *p, const char *file, unsigned line, unsigned column,
                  const char *hint, const char *fmt, ...)
{
    if (p->count >= PROBLEMS_MAX) {
        p->dropped++;
        return;
    }
    char message[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    p->items = arena_grow(&p->arena, p->items, p->count, sizeof *p->items);
    p->items[p->count++] = (struct problem){
        .file = arena_strdup(&p->arena, file),
        .line = line,
        .column = column,
        .message = arena_strdup(&p->arena, message),
        .hint = arena_strdup(&p->arena, hint),
    };
}

static size_t file_rank(const struct problems *p, const char *file)
{
    for (size_t i = 0; i < p->count; i++) {
        const char *other = p->items[i].file;
        if (file == other || (file != NULL && other != NULL && strcmp(file, other) == 0)) {
            return i;
        }
    }
    return p->count;
}

static int compare(const struct problems *p, const struct problem *a, const struct problem *b)
{
    size_t rank_a = file_rank(p, a->file);
    size_t rank_b = file_rank(p, b->file);
    if (rank_a != rank_b) {
        return rank_a < rank_b ? -1 : 1;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->column < b->column ? -1 : a->column > b->column;
}

void problems_sort(struct problems *p)
{
    if (p->count < 2) {
        return;
    }
    /* Ranks come from the unsorted list, so sort a copy: insertion sort, at most PROBLEMS_MAX rows. */
    struct problem *sorted = arena_alloc(&p->arena, p->count * sizeof *sorted);
    for (size_t i = 0; i < p->count; i++) {
        size_t at = i;
        while (at > 0 && compare(p, &p->items[i], &sorted[at - 1]) < 0) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = p->items[i];
    }
    memcpy(p->items, sorted, p->count * sizeof *sorted);
}

void problems_print(const struct problems *p, struct buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *item = &p->items[i];
        if (item->file != NULL) {
            (void)buf_puts(out, item->file);
            if (item->line > 0) {
                (void)buf_printf(out, ":%u:%u", item->line, item->column > 0 ? item->column : 1);
            }
            (void)buf_puts(out, ": ");
        }
        (void)buf_puts(out, item->message);
        if (item->hint != NULL) {
            (void)buf_printf(out, "; %s", item->hint);
        }
        (void)buf_putc(out, '\n');
    }
    if (p->dropped > 0) {
        (void)buf_printf(out, "(and %zu more)\n", p->dropped);
    }
}

void problems_fini(struct problems *p)
{
    arena_fini(&p->arena);
    *p = (struct problems){0};
}
