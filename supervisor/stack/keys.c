/*
 * What this room is for.      Says which sections and keys a definition may have (see keys.h).
 * What it may touch.          base only; constant tables.
 * Who calls it.               layers.c, service.c, the stack's own compile step; ui for `help
 * keys`. The one invariant.          A key that is not in this table is an error, and one in it has
 * a setter.
 */
#include "stack/keys.h"

#include <string.h>

#include "base/table.h"

#define S (1U << SECTION_STACK)
#define V (1U << SECTION_SERVICE)
#define T (1U << SECTION_TASK)
#define P (1U << SECTION_PROFILE)

static const struct section_row sections[SECTION_KIND_COUNT] = {
    [SECTION_STACK] = {"stack", SECTION_STACK, false, "the whole stack (optional)"},
    [SECTION_SERVICE] = {"service", SECTION_SERVICE, false, "something that keeps running"},
    [SECTION_TASK] = {"task", SECTION_TASK, false, "something that runs to its end"},
    [SECTION_CHECK] = {"check", SECTION_CHECK, true, "a row of `roadie check`"},
    [SECTION_ENVIRONMENT] = {"environment", SECTION_ENVIRONMENT, true,
                             "what differs by environment"},
    [SECTION_GUARD] = {"guard", SECTION_GUARD, true, "what must never be touched"},
    [SECTION_PROMOTION] = {"promotion", SECTION_PROMOTION, true, "how to promote"},
    [SECTION_PROFILE] = {"profile", SECTION_PROFILE, false, "a named part of the stack"},
};

static const struct key_row keys[] = {
    {"name", S, false, false, "the directory's", "NAME", "name of the stack"},
    {"include", S, true, false, NULL, "FILE", "more of the definition, relative to this file"},
    {"log-keep", S, false, false, "256m", "SIZE", "logs to keep, a service"},
    {"start-limit", S, false, false, "none", "N|none", "services starting at a time"},
    {"shutdown-timeout", S, false, false, "30s", "DURATION", "time for everything to stop"},

    {"command", V | T, false, false, NULL, "WORDS", "program and arguments; no shell runs"},
    {"shell", V | T, false, false, NULL, "LINE", "a line for /bin/sh -c, instead of command"},
    {"image", V | T, false, false, NULL, "IMAGE", "a container image, run by docker"},
    {"container-port", V | T, false, false, "port", "PORT", "port inside the container"},
    {"volume", V | T, true, false, NULL, "SOURCE:TARGET", "docker run --volume"},
    {"container-option", V | T, true, false, NULL, "WORDS", "more words for docker run"},
    {"fallback", V | T, false, false, NULL, "WORDS", "to run when no container engine answers"},
    {"directory", V | T, false, false, ".", "DIR", "working directory, relative to the root"},
    {"environment", S | V | T, true, false, NULL, "NAME=value", "a variable; verbatim after the ="},
    {"env-file", S | V | T, true, false, NULL, "FILE[?]",
     "dotenv file to export; ? if it may be missing"},
    {"env-owned", V | T, true, false, NULL, "FILE[?]",
     "dotenv file that the service reads by itself"},
    {"port", V | T, false, false, NULL, "PORT", "its port; exported as PORT"},
    {"depends-on", V | T, true, false, NULL, "NAME[:started|:ready|:done]", "what must come first"},
    {"ready", V | T, true, false, NULL, "PROBE",
     "tcp, http, redis, docket, postgres, log, exec, notify, delay; all must hold"},
    {"ready-timeout", V | T, false, false, "60s", "DURATION", "then it has failed"},
    {"alive", V | T, true, false, NULL, "PROBE", "as ready, while it runs"},
    {"alive-interval", V | T, false, false, "10s", "DURATION", "between two looks"},
    {"alive-failures", V | T, false, false, "3", "N", "misses in a row that count"},
    {"alive-action", V | T, false, false, "mark", "mark|restart", "what they lead to"},
    {"restart", V | T, false, false, "no", "no|on-failure|always", "when it ends by itself"},
    {"restart-delay", V | T, false, false, "500ms", "DURATION",
     "before the second restart; doubles to 30s"},
    {"restart-limit", V | T, false, false, "5 in 60s", "N in DURATION|none", "then it has failed"},
    {"stop", V | T, false, false, "TERM 10s, KILL", "LADDER", "signals and how long each may take"},
    {"success-codes", V | T, false, false, "0", "CODES", "exit codes that are success"},
    {"profile", V | T, true, false, NULL, "NAME", "only with --profile, --with or by name"},
    {"adopt", V | T, false, false, "no", "yes|no", "use what already listens on its port"},
    {"gives", V | T, true, false, NULL, "NAME…: VAR=value",
     "a variable for others while this is selected"},
    {"stale-on", V | T, true, false, NULL, "GLOB", "files newer than its start make it stale"},
    {"hint", V | T, true, false, NULL, "REGEX => TEXT", "text to show when a line matches"},
    {"tty", V | T, false, false, "no", "yes|no", "a pseudo-terminal instead of two pipes"},
    {"stdin", V | T, false, false, "none", "none|open", "/dev/null, or a pipe that never ends"},
    {"watch", V | T, true, true, NULL, "GLOB", "files whose change restarts it (later)"},
    {"url", V | T, false, false, NULL, "URL", "where it is"},
    {"inputs", T, true, false, NULL, "GLOB", "unchanged since the last success: done at once"},
    {"description", V | T | P, false, false, NULL, "TEXT", "shown"},
    {"services", P, true, false, NULL, "NAME…", "what the profile selects"},
};

const struct section_row *section_find(struct span kind)
{
    return TABLE_FIND(sections, kind);
}

const struct section_row *section_row(enum section_kind kind)
{
    return &sections[kind];
}

const char *section_nearest(struct span kind)
{
    return TABLE_NEAREST(sections, kind);
}

const struct key_row *key_find(enum section_kind kind, struct span name)
{
    const struct key_row *row = TABLE_FIND(keys, name);
    return row != NULL && (row->sections & 1U << kind) != 0 ? row : NULL;
}

const char *key_nearest(enum section_kind kind, struct span name)
{
    struct key_row mine[COUNT_OF(keys)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if ((keys[i].sections & 1U << kind) != 0 && !keys[i].later) {
            mine[count++] = keys[i];
        }
    }
    return table_nearest(mine, count, sizeof mine[0], name);
}

enum section_kind key_home(struct span name)
{
    const struct key_row *row = TABLE_FIND(keys, name);
    for (unsigned kind = 0; row != NULL && kind < SECTION_KIND_COUNT; kind++) {
        if ((row->sections & 1U << kind) != 0) {
            return (enum section_kind)kind;
        }
    }
    return SECTION_KIND_COUNT;
}

const struct key_row *key_table(size_t *count)
{
    *count = COUNT_OF(keys);
    return keys;
}

static void key_print(const struct key_row *row, struct buf *out)
{
    (void)buf_printf(out, "  %-16s  %-28s  %s", row->name, row->value, row->help);
    if (row->list) {
        (void)buf_puts(out, " (list)");
    }
    if (row->standard != NULL) {
        (void)buf_printf(out, " [%s]", row->standard);
    }
    (void)buf_putc(out, '\n');
}

void key_table_print(struct buf *out)
{
    for (unsigned kind = 0; kind < SECTION_KIND_COUNT; kind++) {
        const struct section_row *section = &sections[kind];
        (void)buf_printf(out, "%s[%s%s]  %s%s\n", kind > 0 ? "\n" : "", section->name,
                         kind == SECTION_STACK ? "" : " NAME", section->help,
                         kind == SECTION_TASK ? "; keys as [service], and:" : "");
        if (section->free_keys) {
            (void)buf_puts(out, "  (keys are taken as they are)\n");
        }
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            bool shown = (keys[i].sections & 1U << kind) != 0 &&
                         (kind != SECTION_TASK || (keys[i].sections & V) == 0);
            if (shown) {
                key_print(&keys[i], out);
            }
        }
    }
}

bool name_is_valid(struct span name)
{
    if (name.len == 0 || name.len > 32) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '_' && c != '-'))) {
            return false;
        }
    }
    return true;
}
