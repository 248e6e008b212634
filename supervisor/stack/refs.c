/*
 * What this room is for.      Says what ${…} stands for (see refs.h), also before its owner's turn
 * came. What it may touch.          base and this room. Who calls it.               expand.c The
 * one invariant.          Nothing unknown or unset passes as an empty string.
 */
#include "stack/refs.h"

#include <string.h>

#include "base/numbers.h"
#include "base/table.h"
#include "stack/expand.h"
#include "stack/ready.h"
#include "stack/text.h"

#define SHOWN(l, name) text_quote((l)->arena, (name))

/* Simple references: their names, for lookup and "did you mean". */
static const struct {
    const char *name;
} simple[] = {{"port"}, {"bind"}, {"lan"}, {"slot"}, {"stack.root"}, {"stack.name"}};

const char *ref_shell(const struct load *l, struct span name)
{
    for (char *const *var = l->request->environ; var != NULL && *var != NULL; var++) {
        if (strncmp(*var, name.ptr, name.len) == 0 && (*var)[name.len] == '=') {
            return *var + name.len + 1;
        }
    }
    return NULL;
}

static bool is_variable(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  (i > 0 && c >= '0' && c <= '9');
        if (!ok) {
            return false;
        }
    }
    return name.len > 0;
}

/* ${env:VAR} and ${env:VAR:-default}; the default may hold references. */
static bool resolve_env(struct load *l, int service, struct span rest, struct origin at,
                        struct buf *out)
{
    size_t end = 0;
    while (end + 1 < rest.len && !(rest.ptr[end] == ':' && rest.ptr[end + 1] == '-')) {
        end++;
    }
    bool has_default = end + 1 < rest.len;
    struct span name = has_default ? (struct span){rest.ptr, end} : rest;
    if (!is_variable(name)) {
        load_problem(l, at, "write it like ${env:NAME} or ${env:NAME:-default}",
                     "\"%s\" is not the name of a variable", SHOWN(l, name));
        return false;
    }
    const char *value = ref_shell(l, name);
    if (value != NULL && (*value != '\0' || !has_default)) {
        (void)buf_puts(out, value);
        return true;
    }
    if (has_default) {
        struct span text = {rest.ptr + end + 2, rest.len - end - 2};
        at.column += (unsigned)(2 + 4 + end + 2); /* behind ${env:NAME:- */
        const char *expanded = expand_text(l, service, text, at);
        if (expanded != NULL) {
            (void)buf_puts(out, expanded);
        }
        return expanded != NULL;
    }
    load_problem(l, at, "give it a default: ${env:NAME:-default}",
                 "variable %.*s is not set in the shell's environment", (int)name.len, name.ptr);
    return false;
}

static const struct ini_section *environment_named(const struct load *l, struct span name)
{
    const struct ini_section *only = NULL;
    size_t count = 0;
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        if (strcmp(section->kind, "environment") != 0) {
            continue;
        }
        if (span_is(name, section->name)) {
            return section;
        }
        only = section;
        count++;
    }
    return count == 1 && span_is(name, "development") ? only : NULL;
}

/* ${environment.KEY} of the development environment, ${environment.NAME.KEY} of another. */
static bool resolve_environment(struct load *l, int service, struct span rest, struct origin at,
                                struct buf *out)
{
    const struct ini_section *section = environment_named(l, SPAN_LIT("development"));
    struct span key = rest;
    struct span head = {0};
    struct span tail = {0};
    if (span_split(rest, '.', &head, &tail) && environment_named(l, head) != NULL) {
        section = environment_named(l, head);
        key = tail;
    }
    if (section == NULL) {
        load_problem(l, at, NULL, "no [environment development] for \"${environment.%s}\"",
                     SHOWN(l, rest));
        return false;
    }
    const struct ini_entry *entry = load_entry(section, arena_copy(l->arena, key));
    if (entry == NULL) {
        load_problem(l, at, NULL, "no key \"%s\" in [environment %s]", SHOWN(l, key),
                     section->name);
        return false;
    }
    const char *value = expand_entry(l, service, entry);
    if (value != NULL) {
        (void)buf_puts(out, value);
    }
    return value != NULL;
}

static bool resolve_port(struct load *l, int service, struct span shown, struct origin at,
                         struct buf *out)
{
    uint16_t port = 0;
    if (l->lazy[service].port_state == LAZY_BUSY) {
        load_problem(l, at, NULL, "\"${%s}\" refers to itself", SHOWN(l, shown));
        return false;
    }
    if (!expand_port(l, service, &port)) {
        return false;
    }
    if (port == 0) {
        load_problem(l, at, "give it a port = …", "\"${%s}\": [%s %s] has no port", SHOWN(l, shown),
                     l->sources[service]->kind, l->sources[service]->name);
        return false;
    }
    (void)buf_printf(out, "%u", port);
    return true;
}

static bool resolve_url(struct load *l, int service, struct span shown, struct origin at,
                        struct buf *out)
{
    const char *url = NULL;
    if (l->lazy[service].url_state == LAZY_BUSY) {
        load_problem(l, at, NULL, "\"${%s}\" refers to itself", SHOWN(l, shown));
        return false;
    }
    if (!expand_url(l, service, &url)) {
        return false;
    }
    if (url == NULL) {
        load_problem(l, at, "give it a port = … or url = …", "\"${%s}\": [%s %s] has no URL",
                     SHOWN(l, shown), l->sources[service]->kind, l->sources[service]->name);
        return false;
    }
    (void)buf_puts(out, url);
    return true;
}

/* ${NAME.port}, ${NAME.url}, ${NAME.host}. */
static bool resolve_service(struct load *l, struct span name, struct span head, struct span tail,
                            struct origin at, struct buf *out)
{
    static const struct {
        const char *name;
    } parts[] = {{"port"}, {"url"}, {"host"}};
    if (TABLE_FIND(parts, tail) == NULL) {
        load_problem(l, at, load_did_you_mean(l, TABLE_NEAREST(parts, tail)),
                     "unknown reference \"${%s}\"", SHOWN(l, name));
        return false;
    }
    int other = load_find(l, head);
    if (other < 0) {
        load_unknown(l, at, head, arena_printf(l->arena, " in \"${%s}\"", SHOWN(l, name)));
        return false;
    }
    if (span_is(tail, "host")) {
        (void)buf_puts(out, "localhost");
        return true;
    }
    return span_is(tail, "port") ? resolve_port(l, other, name, at, out)
                                 : resolve_url(l, other, name, at, out);
}

static bool resolve_simple(struct load *l, int service, struct span name, struct origin at,
                           struct buf *out)
{
    const struct spec_request *request = l->request;
    if (span_is(name, "bind")) {
        (void)buf_puts(out, request->lan ? "0.0.0.0" : "127.0.0.1");
    } else if (span_is(name, "lan")) {
        (void)buf_puts(out, request->lan_address != NULL ? request->lan_address : "127.0.0.1");
    } else if (span_is(name, "slot")) {
        (void)buf_putc(out, '0');
    } else if (span_is(name, "stack.root")) {
        (void)buf_puts(out, l->spec->root);
    } else if (span_is(name, "stack.name")) {
        (void)buf_puts(out, l->spec->name);
    } else if (service < 0) {
        load_problem(l, at, "name the service: ${NAME.port}", "\"${port}\" outside a service");
        return false;
    } else {
        return resolve_port(l, service, name, at, out);
    }
    return true;
}

bool ref_resolve(struct load *l, int service, struct span name, struct origin at, struct buf *out)
{
    struct span head = {0};
    struct span tail = {0};
    if (TABLE_FIND(simple, name) != NULL) {
        return resolve_simple(l, service, name, at, out);
    }
    if (span_starts(name, "env:")) {
        return resolve_env(l, service, (struct span){name.ptr + 4, name.len - 4}, at, out);
    }
    if (span_starts(name, "environment.")) {
        return resolve_environment(l, service, (struct span){name.ptr + 12, name.len - 12}, at,
                                   out);
    }
    if (!span_starts(name, "stack.") && span_split(name, '.', &head, &tail)) {
        return resolve_service(l, name, head, tail, at, out);
    }
    const char *hint = load_did_you_mean(l, TABLE_NEAREST(simple, name));
    if (hint == NULL && is_variable(name) && ref_shell(l, name) != NULL) {
        hint = arena_printf(l->arena, "a variable of the shell is ${env:%s}", SHOWN(l, name));
    }
    load_problem(l, at, hint != NULL ? hint : "a dollar is written $$",
                 "unknown reference \"${%s}\"", SHOWN(l, name));
    return false;
}

bool expand_port(struct load *l, int service, uint16_t *port)
{
    struct lazy *lazy = &l->lazy[service];
    if (lazy->port_state == LAZY_NEW) {
        const struct ini_entry *entry = load_entry(l->sources[service], "port");
        lazy->port_state = LAZY_BUSY;
        const char *text = entry != NULL ? expand_entry(l, service, entry) : "";
        bool fine = text != NULL;
        if (fine && entry != NULL && parse_port(span_of(text), &lazy->port) != 0) {
            load_problem(l, entry->value_at, "1 to 65535", "port: \"%s\" is not a port",
                         SHOWN(l, span_of(text)));
            fine = false;
        }
        lazy->port_state = fine ? LAZY_DONE : LAZY_BAD;
    }
    *port = lazy->port;
    return lazy->port_state == LAZY_DONE;
}

/* From the first http, redis or postgres `ready`; NULL when there is none. Problems of it are
 * reported when its own turn comes. */
static const char *url_of_ready(struct load *l, int service)
{
    const struct ini_section *section = l->sources[service];
    struct problems scratch = {0};
    struct problems *real = l->problems;
    const char *url = NULL;
    l->problems = &scratch;
    for (size_t i = 0; url == NULL && i < section->count; i++) {
        const struct ini_entry *entry = &section->entries[i];
        if (strcmp(entry->key, "ready") == 0 && ready_has_url(span_of(entry->value))) {
            struct spec_ready ready = {0};
            if (ready_parse(l, service, entry, &ready)) {
                url = ready_base_url(l, &ready);
            }
        }
    }
    l->problems = real;
    problems_fini(&scratch);
    return url;
}

bool expand_url(struct load *l, int service, const char **url)
{
    struct lazy *lazy = &l->lazy[service];
    uint16_t port = 0;
    if (lazy->url_state == LAZY_NEW) {
        const struct ini_entry *entry = load_entry(l->sources[service], "url");
        lazy->url_state = LAZY_BUSY;
        bool fine = true;
        if (entry != NULL) {
            lazy->url = expand_entry(l, service, entry);
            fine = lazy->url != NULL;
        } else {
            lazy->url = url_of_ready(l, service);
        }
        if (fine && lazy->url == NULL) {
            fine = expand_port(l, service, &port);
            lazy->url = port > 0 ? arena_printf(l->arena, "http://localhost:%u", port) : NULL;
        }
        lazy->url_state = fine ? LAZY_DONE : LAZY_BAD;
    }
    *url = lazy->url;
    return lazy->url_state == LAZY_DONE;
}
