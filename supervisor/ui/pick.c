/*
 * What this room is for.      Matching names and globs.
 * What it may touch.          base.
 * Who calls it.               ps, logs, wait, events, port
 * The one invariant.          A name that fits nothing is never silently dropped.
 */
#include "ui/pick.h"

#include <fnmatch.h>
#include <string.h>

#include "base/table.h"
#include "control/protocol.h"
#include "ui/print.h"

bool pick_wanted(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->name_count; i++) {
        if (fnmatch(args->names[i], name, 0) == 0) {
            return true;
        }
    }
    return args->name_count == 0;
}

int pick_check(const struct app *app, const char *const *known)
{
    size_t count = 0;
    while (known[count] != NULL) {
        count++;
    }
    for (size_t i = 0; i < app->args->name_count; i++) {
        const char *wanted = app->args->names[i];
        bool fits = false;
        for (size_t j = 0; j < count && !fits; j++) {
            fits = fnmatch(wanted, known[j], 0) == 0;
        }
        if (!fits) {
            char hint[128] = "roadie ps -a lists the services";
            const char *nearest = table_nearest(known, count, sizeof known[0], span_of(wanted));
            if (nearest != NULL) {
                (void)fmt_into(hint, sizeof hint, "did you mean \"%s\"?", nearest);
            }
            return print_failure(app, EXIT_USAGE, hint, "there is no service \"%s\"", wanted);
        }
    }
    return EXIT_DONE;
}

void pick_matching(const struct app *app, const json_t *services, bool with_off, json_t *out)
{
    for (size_t i = 0; i < json_array_size(services); i++) {
        json_t *service = json_array_get(services, i);
        /* A server that does not tell counts all of them as selected. */
        bool selected = !json_is_false(json_object_get(service, "selected"));
        if (pick_wanted(app->args, member_text(service, "name")) &&
            (app->args->name_count > 0 || with_off || selected)) {
            (void)json_array_append(out, service);
        }
    }
}

int pick_services(const struct app *app, const json_t *services, bool with_off, json_t *out)
{
    size_t count = json_array_size(services);
    struct arena arena = {0};
    const char **known = arena_alloc(&arena, (count + 1) * sizeof *known);
    for (size_t i = 0; i < count; i++) {
        known[i] = member_text(json_array_get(services, i), "name");
    }
    int code = pick_check(app, known);
    if (code == EXIT_DONE) {
        pick_matching(app, services, with_off, out);
    }
    arena_fini(&arena);
    return code;
}
