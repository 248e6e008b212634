/* Allocation that aborts on exhaustion (see mem.h). */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *ptr)
{
    if (ptr == NULL) {
        (void)fputs("roadie: out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *mem_calloc(size_t count, size_t size)
{
    return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mem_realloc(void *ptr, size_t size)
{
    return checked(realloc(ptr, size > 0 ? size : 1));
}

char *mem_strdup(const char *text)
{
    return text == NULL ? NULL : mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = checked(malloc(len + 1));
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    char *text = checked(malloc(size));
    va_start(args, fmt);
    if (vsnprintf(text, size, fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    return text;
}

void mem_free(void *ptr)
{
    free(ptr);
}

void mem_wipe(void *ptr, size_t len)
{
    volatile unsigned char *bytes = ptr;
    while (len-- > 0) {
        *bytes++ = 0;
    }
}
