/*
 * What this room is for.      Small helps for one load: problems at places, names, entries (see
 * load.h). What it may touch.          base and this room. Who calls it.               Every file
 * of the room that turns sections into a spec. The one invariant.          A problem always names
 * file, line and column of what is wrong.
 */
#include "stack/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "stack/text.h"

enum { MESSAGE_MAX = 1024 };

void load_problem(struct load *l, struct origin at, const char *hint, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    problems_add(l->problems, at.file, at.line, at.column, hint, "%s", message);
}

void load_warning(struct load *l, struct origin at, const char *hint, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    problems_add(&l->spec->warnings, at.file, at.line, at.column, hint, "%s", message);
}

int load_find(const struct load *l, struct span name)
{
    for (size_t i = 0; i < l->spec->service_count; i++) {
        if (span_is(name, l->spec->services[i].name)) {
            return (int)i;
        }
    }
    return LOAD_NO_SERVICE;
}

void load_unknown(struct load *l, struct origin at, struct span name, const char *what)
{
    const char *near = spec_nearest(l->spec, arena_copy(l->arena, name));
    load_problem(l, at, load_did_you_mean(l, near), "unknown service \"%s\"%s",
                 text_quote(l->arena, name), what);
}

const char *load_did_you_mean(struct load *l, const char *nearest)
{
    return nearest == NULL ? NULL : arena_printf(l->arena, "did you mean \"%s\"?", nearest);
}

const struct ini_entry *load_entry(const struct ini_section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->entries[i].key, key) == 0) {
            return &section->entries[i];
        }
    }
    return NULL;
}
