/* Block arena (see arena.h). */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { ARENA_BLOCK_BYTES = 16 * 1024, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    _Alignas(ARENA_ALIGN) char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    size_t need = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct arena_block *block = a->head;
    if (block == NULL || block->size - block->used < need) {
        size_t bytes = need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES;
        block = mem_calloc(1, sizeof *block + bytes);
        block->size = bytes;
        block->next = a->head;
        a->head = block;
    }
    void *ptr = block->bytes + block->used;
    block->used += need;
    return ptr;
}

char *arena_copy(struct arena *a, struct span text)
{
    char *copy = arena_alloc(a, text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_copy(a, span_of(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    char *text = arena_alloc(a, size);
    va_start(args, fmt);
    (void)vsnprintf(text, size, fmt, args);
    va_end(args);
    return text;
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0) {
        return items;
    }
    void *bigger = arena_alloc(a, (count > 0 ? count * 2 : 1) * size);
    if (count > 0) {
        memcpy(bigger, items, count * size);
    }
    return bigger;
}

void arena_fini(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
}
