/*
 * Allocation that cannot fail for callers: exhaustion aborts, and the shims then clean up. Sizes that
 * another party chooses are bounded before they get here. libc only; anyone may call it.
 */
#ifndef ROADIE_BASE_MEM_H
#define ROADIE_BASE_MEM_H

#include <stddef.h>

/* Returns zeroed storage of count × size bytes, owned by the caller (free with mem_free). */
void *mem_calloc(size_t count, size_t size);
/* Grows or shrinks; the old pointer is dead afterwards. */
void *mem_realloc(void *ptr, size_t size);
/* Copies a C string, or the first len bytes of one (NUL-terminated result). NULL stays NULL. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
/* printf into fresh storage. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* free(3); NULL is fine. */
void mem_free(void *ptr);
/* Overwrites len bytes so that the compiler cannot leave it out: for secrets. */
void mem_wipe(void *ptr, size_t len);

#endif
