/* See escapes.h. */
#include "escapes.h"

#include <stdio.h>
#include <string.h>

void unescape_into(struct buf *out, const char *field, size_t len)
{
    static const char names[] = "ntr\\";
    static const char bytes[] = "\n\t\r\\";
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        const char *known = i + 1 < len && field[i] == '\\' ? strchr(names, field[i + 1]) : NULL;
        if (known != NULL) {
            (void)buf_putc(out, bytes[known - names]);
            i++;
        } else if (i + 3 < len && field[i] == '\\' && field[i + 1] == 'x' &&
                   sscanf(field + i + 2, "%2x", &byte) == 1) {
            (void)buf_putc(out, (char)byte);
            i += 3;
        } else {
            (void)buf_putc(out, field[i]);
        }
    }
}

void escape_into(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        switch (c) {
        case '\n':
            (void)buf_puts(out, "\\n");
            break;
        case '\t':
            (void)buf_puts(out, "\\t");
            break;
        case '\r':
            (void)buf_puts(out, "\\r");
            break;
        case '\\':
            (void)buf_puts(out, "\\\\");
            break;
        default:
            if (c < 0x20) {
                (void)buf_printf(out, "\\x%02X", c);
            } else {
                (void)buf_putc(out, (char)c);
            }
        }
    }
}

size_t table_row(char **at, char *fields[], size_t most)
{
    while (*at != NULL && **at != '\0') {
        char *line = *at;
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        *at = end != NULL ? end + 1 : NULL;
        if (*line == '\0' || strncmp(line, "# ", 2) == 0) {
            continue;
        }
        size_t count = 0;
        while (line != NULL && count < most) {
            char *tab = strchr(line, '\t');
            if (tab != NULL) {
                *tab = '\0';
            }
            fields[count++] = line;
            line = tab != NULL ? tab + 1 : NULL;
        }
        return count;
    }
    return 0;
}
