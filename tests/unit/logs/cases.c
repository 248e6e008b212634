/* See cases.h. */
#include "cases.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void unescape(struct span text, struct buf *out)
{
    buf_reserve(out, text.len);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len) {
            c = text.ptr[++i];
            if (c == 'x' && i + 2 < text.len) {
                const char hex[3] = {text.ptr[i + 1], text.ptr[i + 2], '\0'};
                c = (char)strtoul(hex, NULL, 16);
                i += 2;
            } else if (strchr("etrn", c) != NULL) {
                static const char meant[] = {0x1B, '\t', '\r', '\n'};
                c = meant[strcspn("etrn", (const char[]){c, '\0'})];
            }
        }
        (void)buf_putc(out, c);
    }
}

void cases_run(const char *name, void (*each)(void *ctx, const struct case_row *row), void *ctx)
{
    char path[512];
    char line[8192];
    unsigned rows = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", ROADIE_CASES, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0') {
            continue;
        }
        struct case_row row = {0};
        struct span rest = span_of(line);
        for (bool more = true; more && row.count < CASE_COLUMNS; row.count++) {
            struct span column;
            more = span_split(rest, '\t', &column, &rest);
            unescape(column, &row.columns[row.count]);
        }
        each(ctx, &row);
        rows++;
        for (unsigned i = 0; i < CASE_COLUMNS; i++) {
            buf_fini(&row.columns[i]);
        }
    }
    (void)fclose(file);
    assert_true(rows > 0);
}
