/*
 * What this room is for.      Reads a Procfile into the same spec as a roadie.ini (see procfile.h).
 * What it may touch.          base and this room; reads `.env` for the base of PORT.
 * Who calls it.               spec.c
 * The one invariant.          A line is a process, a comment, blank, or an error with its number.
 */
#include "stack/procfile.h"

#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "stack/dotenv.h"
#include "stack/refs.h"
#include "stack/service.h"
#include "stack/text.h"
#include "stack/values.h"

enum { PROC_NAME_MAX = 64, PORT_BASE = 5000, PORT_STEP = 100 };

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
        if (!ok) {
            return false;
        }
    }
    return name.len > 0;
}

static void add_process(struct load *l, struct span name, struct span command, struct origin at)
{
    struct spec *spec = l->spec;
    struct spec_service service = {
        .name = arena_copy(l->arena, name),
        .kind = SPEC_SERVICE,
        .at = at,
        .shell = arena_copy(l->arena, command),
        .stdin_mode = STDIN_OPEN,
        .port_export_only = true,
    };
    const struct spec_service *same = spec_find(spec, service.name);
    if (same != NULL) {
        load_problem(l, at, arena_printf(l->arena, "the first is at line %u", same->at.line),
                     "duplicate process \"%s\"", service.name);
        return;
    }
    service_defaults(l, &service);
    char **argv = list_append(l->arena, NULL, "/bin/sh");
    argv = list_append(l->arena, argv, "-c");
    service.argv = list_append(l->arena, argv, service.shell);
    spec->services =
        arena_grow(l->arena, spec->services, spec->service_count, sizeof *spec->services);
    spec->services[spec->service_count++] = service;
}

static void read_line(struct load *l, const char *shown, unsigned number, struct span line)
{
    struct span text = span_trim(line);
    if (!text_check(line, shown, number, l->problems) || text.len == 0 || text.ptr[0] == '#') {
        return;
    }
    struct origin at = {shown, number, (unsigned)(text.ptr - line.ptr) + 1};
    struct span name = {0};
    struct span command = {0};
    bool fine = span_split(text, ':', &name, &command);
    if (!fine || !is_name(name)) {
        load_problem(l, at, "names are [A-Za-z0-9_-]+", "expected \"NAME: command\"");
        return;
    }
    if (name.len > PROC_NAME_MAX) {
        load_problem(l, at, NULL, "a name of %zu bytes; at most %d", name.len, PROC_NAME_MAX);
        return;
    }
    command = span_trim(command);
    struct origin end = {shown, number, (unsigned)(text.ptr + text.len - line.ptr)};
    if (command.len == 0) {
        load_problem(l, end, NULL, "process \"%.*s\" has no command", (int)name.len, name.ptr);
        return;
    }
    if (command.ptr[command.len - 1] == '\\') {
        load_problem(l, end, "write one line",
                     "a backslash at the end, but continuation lines are not supported");
        return;
    }
    add_process(l, name, command, at);
}

static const char *on_lookup(void *ctx, const char *name)
{
    return ref_shell(ctx, span_of(name));
}

/* PORT of `.env`, else of the shell; NULL when neither sets it. */
static const char *base_port(struct load *l, const char *env_path, const char *env_shown,
                             struct origin *at)
{
    struct span text = {0};
    struct dotenv parsed = {0};
    const char *port = NULL;
    *at = (struct origin){0};
    if (text_read(env_path, l->arena, &text, NULL) == 0) {
        dotenv_parse(text, on_lookup, l, l->arena, &parsed);
    }
    for (size_t i = 0; i < parsed.count; i++) {
        if (strcmp(parsed.items[i].name, "PORT") == 0 && parsed.items[i].value != NULL) {
            port = parsed.items[i].value;
            *at = (struct origin){env_shown, parsed.items[i].line, parsed.items[i].column};
        }
    }
    return port != NULL ? port : ref_shell(l, SPAN_LIT("PORT"));
}

static void give_ports(struct load *l, const char *env_path, const char *env_shown)
{
    struct spec *spec = l->spec;
    struct origin at = {0};
    uint16_t base = PORT_BASE;
    const char *text = base_port(l, env_path, env_shown, &at);
    if (text != NULL && *text != '\0' && parse_port(span_of(text), &base) != 0) {
        load_problem(l, at, "1 to 65535", "PORT: \"%s\" is not a port",
                     text_quote(l->arena, span_of(text)));
        return;
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        size_t port = base + i * PORT_STEP;
        if (port > UINT16_MAX) {
            load_problem(l, spec->services[i].at, "a smaller PORT leaves room",
                         "PORT of \"%s\" would be %zu", spec->services[i].name, port);
            return;
        }
        spec->services[i].port = (uint16_t)port;
    }
}

static void mark_can_die(struct load *l)
{
    char *const *names = l->request->can_die;
    for (; names != NULL && *names != NULL; names++) {
        bool found = false;
        for (size_t i = 0; i < l->spec->service_count; i++) {
            if (strcmp(l->spec->services[i].name, *names) == 0) {
                l->spec->services[i].can_die = true;
                found = true;
            }
        }
        if (!found) {
            problems_add(l->problems, NULL, 0, 0,
                         load_did_you_mean(l, spec_nearest(l->spec, *names)), "there is no service \"%s\"",
                         *names);
        }
    }
}

void procfile_load(struct load *l, const char *shown, struct span text)
{
    struct spec *spec = l->spec;
    struct span rest = text_skip_bom(text);
    struct span line = {0};
    size_t before = l->problems->count;
    for (unsigned number = 1; text_line(&rest, &line); number++) {
        read_line(l, shown, number, line);
    }
    if (spec->service_count == 0 && l->problems->count == before) {
        problems_add(l->problems, shown, 0, 0, "write a line like web: COMMAND",
                     "no process in it");
    }
    struct spec_env_file *file = arena_alloc(l->arena, sizeof *file);
    const char *slash = strrchr(shown, '/');
    int prefix = slash == NULL ? 0 : (int)(slash + 1 - shown);
    *file = (struct spec_env_file){
        .path = path_join(l->arena, spec->root, ".env"),
        .shown = arena_printf(l->arena, "%.*s.env", prefix, shown),
        .optional = true,
    };
    spec->env_files = file;
    spec->env_file_count = 1;
    spec->shutdown_timeout_ms = 30000;
    give_ports(l, file->path, file->shown);
    mark_can_die(l);
}
