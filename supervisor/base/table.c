/* Name tables (see table.h). */
#include "base/table.h"

#include <string.h>

enum { NAME_MAX_COMPARED = 63 };

static const char *row_name(const void *rows, size_t stride, size_t i)
{
    const char *name = NULL;
    memcpy(&name, (const char *)rows + i * stride, sizeof name);
    return name;
}

const void *table_find(const void *rows, size_t count, size_t stride, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(name, row_name(rows, stride, i))) {
            return (const char *)rows + i * stride;
        }
    }
    return NULL;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t edit_distance(struct span a, struct span b, size_t limit)
{
    if (a.len > NAME_MAX_COMPARED || b.len > NAME_MAX_COMPARED) {
        return limit + 1;
    }
    size_t rows[3][NAME_MAX_COMPARED + 1];
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t cost = a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1;
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
                before[j - 2] + 1 < now[j]) {
                now[j] = before[j - 2] + 1;
            }
        }
    }
    size_t distance = rows[a.len % 3][b.len];
    return distance > limit ? limit + 1 : distance;
}

const char *table_nearest(const void *rows, size_t count, size_t stride, struct span name)
{
    const char *best = NULL;
    size_t best_distance = 3;
    for (size_t i = 0; i < count; i++) {
        const char *candidate = row_name(rows, stride, i);
        size_t distance = edit_distance(name, span_of(candidate), 2);
        if (distance < best_distance && distance * 2 < name.len + 1) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}
