/*
 * What this room is for.      Turns the text of a value into data, or says how to write it (see
 * values.h). What it may touch.          base and this room. Who calls it.               service.c,
 * stack.c The one invariant.          No value is rounded, cut or guessed: what is not understood
 * is reported.
 */
#include "stack/values.h"

#include <signal.h>
#include <string.h>

#include "base/numbers.h"
#include "base/table.h"
#include "stack/expand.h"
#include "stack/text.h"

#define SHOWN(l, text) text_quote((l)->arena, (text))

enum { STOP_WAIT_DEFAULT_MS = 10000 };

bool next_item(struct span *rest, struct span *item)
{
    while (rest->len > 0 && strchr(" \t,", rest->ptr[0]) != NULL) {
        rest->ptr++;
        rest->len--;
    }
    size_t end = 0;
    while (end < rest->len && strchr(" \t,", rest->ptr[end]) == NULL) {
        end++;
    }
    *item = (struct span){rest->ptr, end};
    rest->ptr += end;
    rest->len -= end;
    return end > 0;
}

char **list_append(struct arena *arena, char **list, const char *item)
{
    size_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    char **longer = arena_alloc(arena, (count + 2) * sizeof *longer);
    if (count > 0) {
        memcpy(longer, list, count * sizeof *longer);
    }
    if (item != NULL) {
        longer[count] = arena_strdup(arena, item);
    }
    return longer;
}

bool value_duration(struct load *l, const struct ini_entry *e, const char *text, uint64_t min_ms,
                    uint64_t *out)
{
    if (parse_duration_ms(span_of(text), out) != 0) {
        load_problem(l, e->value_at, "write it like 500ms, 3s, 2m or 1h",
                     "%s: \"%s\" is not a duration", e->key, SHOWN(l, span_of(text)));
        return false;
    }
    if (*out < min_ms) {
        load_problem(l, e->value_at, NULL, "%s: \"%s\" is too short", e->key,
                     SHOWN(l, span_of(text)));
        return false;
    }
    return true;
}

bool value_size(struct load *l, const struct ini_entry *e, const char *text, uint64_t *out)
{
    if (parse_size(span_of(text), out) != 0 || *out == 0) {
        load_problem(l, e->value_at, "write it like 64k, 10m or 1g", "%s: \"%s\" is not a size",
                     e->key, SHOWN(l, span_of(text)));
        return false;
    }
    return true;
}

bool value_count(struct load *l, const struct ini_entry *e, const char *text, unsigned max,
                 unsigned *out)
{
    uint64_t count = 0;
    if (parse_u64(span_of(text), 1, max, &count) != 0) {
        load_problem(l, e->value_at, NULL, "%s: \"%s\" is not a number from 1 to %u", e->key,
                     SHOWN(l, span_of(text)), max);
        return false;
    }
    *out = (unsigned)count;
    return true;
}

bool value_bool(struct load *l, const struct ini_entry *e, const char *text, bool *out)
{
    if (parse_bool(span_of(text), out) != 0) {
        load_problem(l, e->value_at, NULL, "%s: \"%s\" is neither yes nor no", e->key,
                     SHOWN(l, span_of(text)));
        return false;
    }
    return true;
}

bool value_choice(struct load *l, const struct ini_entry *e, const char *text,
                  const char *const *names, int *out)
{
    struct buf all = {0};
    const char *near = NULL;
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            buf_fini(&all);
            return true;
        }
        (void)buf_printf(&all, "%s%s", i > 0 ? ", " : "one of ", names[i]);
        size_t distance = edit_distance(span_of(names[i]), span_of(text), 2);
        near = distance < 3 && distance * 2 <= strlen(text) ? names[i] : near;
    }
    load_problem(l, e->value_at, near != NULL ? load_did_you_mean(l, near) : all.ptr,
                 "%s: unknown value \"%s\"", e->key, SHOWN(l, span_of(text)));
    buf_fini(&all);
    return false;
}

/* "INT 4s" or "KILL". */
static bool parse_rung(struct load *l, const struct ini_entry *e, struct span text, bool last,
                       struct spec_stop *out)
{
    struct span rest = text;
    struct span name = {0};
    struct span wait = {0};
    struct span more = {0};
    bool named = next_item(&rest, &name);
    bool waits = next_item(&rest, &wait);
    if (!named || parse_signal(name, &out->signal) != 0) {
        load_problem(l, e->value_at, "write it like TERM 10s, KILL", "stop: unknown signal \"%s\"",
                     SHOWN(l, name));
        return false;
    }
    bool fine = !waits || (parse_duration_ms(wait, &out->wait_ms) == 0 && !next_item(&rest, &more));
    if (!fine) {
        load_problem(l, e->value_at, "write it like TERM 10s, KILL",
                     "stop: \"%s\" is not a signal and a duration", SHOWN(l, text));
        return false;
    }
    if (!waits && !(last && out->signal == SIGKILL)) {
        out->wait_ms = STOP_WAIT_DEFAULT_MS;
    }
    return true;
}

bool value_stop(struct load *l, const struct ini_entry *e, const char *text,
                struct spec_service *out)
{
    struct span rest = span_of(text);
    bool more = true;
    out->stop_count = 0;
    while (more) {
        struct span rung = {0};
        struct span tail = {0};
        more = span_split(rest, ',', &rung, &tail);
        struct spec_stop stop = {0};
        if (!parse_rung(l, e, span_trim(rung), !more, &stop)) {
            return false;
        }
        bool kills = stop.signal == SIGKILL;
        if (out->stop_count + (kills ? 1 : 2) > SPEC_STOP_MAX) {
            load_problem(l, e->value_at, NULL, "stop: more than %d signals", SPEC_STOP_MAX);
            return false;
        }
        if (kills && more) {
            load_problem(l, e->value_at, NULL, "stop: nothing can come after KILL");
            return false;
        }
        out->stop[out->stop_count++] = stop;
        rest = tail;
    }
    struct spec_stop *end = &out->stop[out->stop_count - 1];
    if (end->signal != SIGKILL) {
        out->stop[out->stop_count++] = (struct spec_stop){.signal = SIGKILL};
    } else {
        end->wait_ms = 0;
    }
    return true;
}

bool value_restart_limit(struct load *l, const struct ini_entry *e, const char *text,
                         struct spec_service *out)
{
    struct span rest = span_of(text);
    struct span count = {0};
    struct span in = {0};
    struct span window = {0};
    struct span more = {0};
    uint64_t limit = 0;
    if (strcmp(text, "none") == 0) {
        out->restart_limit = 0;
        return true;
    }
    bool fine = next_item(&rest, &count) && parse_u64(count, 1, 1000000, &limit) == 0 &&
                next_item(&rest, &in) && span_is(in, "in") && next_item(&rest, &window) &&
                parse_duration_ms(window, &out->restart_window_ms) == 0 &&
                out->restart_window_ms > 0 && !next_item(&rest, &more);
    if (!fine) {
        load_problem(l, e->value_at, "write it like 5 in 60s, or none",
                     "restart-limit: \"%s\" is not a limit", SHOWN(l, span_of(text)));
        return false;
    }
    out->restart_limit = (unsigned)limit;
    return true;
}

bool value_success_codes(struct load *l, const struct ini_entry *e, const char *text,
                         struct spec_service *out)
{
    struct span rest = span_of(text);
    struct span item = {0};
    memset(out->success_codes, 0, sizeof out->success_codes);
    while (next_item(&rest, &item)) {
        uint64_t code = 0;
        if (parse_u64(item, 0, 255, &code) != 0) {
            load_problem(l, e->value_at, "0 to 255, separated by blanks or commas",
                         "success-codes: \"%s\" is not an exit code", SHOWN(l, item));
            return false;
        }
        out->success_codes[code] = true;
    }
    return true;
}

static bool is_variable_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  (i > 0 && ((c >= '0' && c <= '9') || c == '-' || c == '.'));
        if (!ok) {
            return false;
        }
    }
    return name.len > 0;
}

bool value_variable(struct load *l, int service, struct span line, struct origin at,
                    const char *label, struct spec_var *out)
{
    struct span name = {0};
    struct span value = {0};
    if (!span_split(line, '=', &name, &value)) {
        load_problem(l, at, "write it like NAME=value", "%s: no \"=\" in it", label);
        return false; /* what stands there may be a secret: not quoted */
    }
    name = span_trim(name);
    if (!is_variable_name(name)) {
        load_problem(l, at, "write it like NAME=value", "%s: \"%s\" is not the name of a variable",
                     label, SHOWN(l, name));
        return false;
    }
    struct origin value_at = at;
    value_at.column += (unsigned)(value.ptr - line.ptr);
    out->name = arena_copy(l->arena, name);
    out->value = expand_text(l, service, value, value_at);
    out->at = at;
    return out->value != NULL;
}

bool value_env_file(struct load *l, const struct ini_entry *e, const char *text,
                    struct spec_env_file *out)
{
    struct span path = span_of(text);
    out->optional = path.len > 0 && path.ptr[path.len - 1] == '?';
    path.len -= out->optional ? 1 : 0;
    path = span_trim(path);
    if (path.len == 0) {
        load_problem(l, e->value_at, NULL, "%s: no file named", e->key);
        return false;
    }
    out->shown = arena_copy(l->arena, path);
    out->path = path_join(l->arena, l->spec->root, out->shown);
    out->at = e->value_at;
    return true;
}
