/*
 * What this room is for.      One setter a key: from the lines of [service] and [task] to the spec.
 * What it may touch.          base and this room.
 * Who calls it.               service.c
 * The one invariant.          Every key of the table has a setter here; a broken value never stops
 * the reading of the others.
 */
#include "stack/setters.h"

#include <signal.h>
#include <string.h>

#include "base/numbers.h"
#include "base/table.h"
#include "stack/expand.h"
#include "stack/keys.h"
#include "stack/ready.h"
#include "stack/text.h"
#include "stack/values.h"

/* The entry being read, and where it goes. */
struct setting {
    struct load *load;
    int service;
    struct spec_service *out;
    const struct ini_entry *entry;
    const char *text; /* expanded; NULL for setters that expand by themselves */
};

typedef void (*set_fn)(struct setting *s);

static void set_command(struct setting *s)
{
    s->out->argv = expand_words(s->load, s->service, span_of(s->entry->value), s->entry->value_at);
    static const char *const shellish[] = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>&1"};
    for (size_t i = 0; s->out->argv != NULL && s->out->argv[i] != NULL; i++) {
        for (size_t k = 0; k < COUNT_OF(shellish); k++) {
            if (strcmp(s->out->argv[i], shellish[k]) == 0) {
                load_warning(s->load, s->entry->value_at, "use shell = … for a line of the shell",
                             "command: \"%s\" is passed on as a word; no shell runs", shellish[k]);
                return;
            }
        }
    }
}

static void set_shell(struct setting *s)
{
    size_t len = strlen(s->text);
    if (len > 0 && s->text[len - 1] == '\\') {
        load_problem(s->load, s->entry->value_at, "write one line",
                     "shell: ends in a backslash, but continuation lines are not supported");
        return;
    }
    s->out->shell = s->text;
}

static void set_image(struct setting *s)
{
    if (strpbrk(s->text, " \t") != NULL || s->text[0] == '-') {
        load_problem(s->load, s->entry->value_at, NULL, "image: \"%s\" is not an image",
                     text_quote(s->load->arena, span_of(s->text)));
        return;
    }
    s->out->image = s->text;
}

static void set_container_port(struct setting *s)
{
    if (parse_port(span_of(s->text), &s->out->container_port) != 0) {
        load_problem(s->load, s->entry->value_at, "1 to 65535",
                     "container-port: \"%s\" is not a port",
                     text_quote(s->load->arena, span_of(s->text)));
    }
}

static void set_volume(struct setting *s)
{
    struct arena *arena = s->load->arena;
    struct span source = {0};
    struct span target = {0};
    bool pair = span_split(span_of(s->text), ':', &source, &target);
    const char *volume = s->text;
    if (pair && (source.len == 0 || target.len == 0)) {
        load_problem(s->load, s->entry->value_at, "write it like SOURCE:TARGET",
                     "volume: \"%s\" lacks a side", text_quote(arena, span_of(s->text)));
        return;
    }
    if (pair && source.ptr[0] == '.') {
        volume = arena_printf(arena, "%s:%.*s",
                              path_join(arena, s->load->spec->root, arena_copy(arena, source)),
                              (int)target.len, target.ptr);
    }
    s->out->volumes = list_append(arena, s->out->volumes, volume);
}

static void set_container_option(struct setting *s)
{
    char **words = expand_words(s->load, s->service, span_of(s->entry->value), s->entry->value_at);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        s->out->container_options =
            list_append(s->load->arena, s->out->container_options, words[i]);
    }
}

static void set_fallback(struct setting *s)
{
    s->out->fallback =
        expand_words(s->load, s->service, span_of(s->entry->value), s->entry->value_at);
}

static void set_directory(struct setting *s)
{
    s->out->directory = path_join(s->load->arena, s->load->spec->root, s->text);
}

static void warn_twice(struct load *l, const struct spec_var *vars, size_t count,
                       const struct spec_var *var)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(vars[i].name, var->name) == 0) {
            load_warning(l, var->at, NULL, "variable %s is set twice; the later one holds",
                         var->name);
            return;
        }
    }
}

static void set_environment(struct setting *s)
{
    struct spec_service *out = s->out;
    struct spec_var var = {0};
    if (value_variable(s->load, s->service, span_of(s->entry->value), s->entry->value_at,
                       "environment", &var)) {
        warn_twice(s->load, out->vars, out->var_count, &var);
        out->vars = arena_grow(s->load->arena, out->vars, out->var_count, sizeof *out->vars);
        out->vars[out->var_count++] = var;
    }
}

static void set_env_file(struct setting *s)
{
    struct spec_service *out = s->out;
    struct spec_env_file file = {0};
    if (value_env_file(s->load, s->entry, s->text, &file)) {
        out->env_files =
            arena_grow(s->load->arena, out->env_files, out->env_file_count, sizeof file);
        out->env_files[out->env_file_count++] = file;
    }
}

static void set_env_owned(struct setting *s)
{
    struct spec_service *out = s->out;
    struct spec_env_file file = {0};
    if (value_env_file(s->load, s->entry, s->text, &file)) {
        out->env_owned =
            arena_grow(s->load->arena, out->env_owned, out->env_owned_count, sizeof file);
        out->env_owned[out->env_owned_count++] = file;
    }
}

static void set_port(struct setting *s)
{
    (void)expand_port(s->load, s->service, &s->out->port);
    s->out->port_at = s->entry->at;
}

/* NAME or NAME:condition. */
static void add_need(struct setting *s, struct span item, struct origin at)
{
    static const struct {
        const char *name;
        enum need_condition condition;
    } conditions[] = {{"started", NEED_STARTED}, {"ready", NEED_READY}, {"done", NEED_DONE}};
    struct span name = {0};
    struct span word = {0};
    struct load *l = s->load;
    bool given = span_split(item, ':', &name, &word);
    int other = load_find(l, name);
    if (other < 0) {
        load_unknown(l, at, name, " in depends-on");
        return;
    }
    struct spec_need need = {.service = (size_t)other, .at = at};
    need.condition = l->spec->services[other].kind == SPEC_TASK ? NEED_DONE : NEED_READY;
    if (given) {
        const void *row = TABLE_FIND(conditions, word);
        if (row == NULL) {
            const char *near = load_did_you_mean(l, TABLE_NEAREST(conditions, word));
            load_problem(l, at, near != NULL ? near : "one of started, ready, done",
                         "depends-on: unknown condition \"%s\"", text_quote(l->arena, word));
            return;
        }
        need.condition = span_is(word, "started") ? NEED_STARTED
                         : span_is(word, "ready") ? NEED_READY
                                                  : NEED_DONE;
    }
    struct spec_service *out = s->out;
    out->needs = arena_grow(l->arena, out->needs, out->need_count, sizeof need);
    out->needs[out->need_count++] = need;
}

static void set_depends_on(struct setting *s)
{
    struct span rest = span_of(s->text);
    struct span item = {0};
    while (next_item(&rest, &item)) {
        struct origin at = s->entry->value_at;
        if (strcmp(s->text, s->entry->value) == 0) {
            at.column += (unsigned)(item.ptr - s->text);
        }
        add_need(s, item, at);
    }
}

static void set_ready_timeout(struct setting *s)
{
    (void)value_duration(s->load, s->entry, s->text, 1, &s->out->ready_timeout_ms);
}

static void set_alive_interval(struct setting *s)
{
    (void)value_duration(s->load, s->entry, s->text, 1, &s->out->alive_interval_ms);
}

static void set_alive_failures(struct setting *s)
{
    (void)value_count(s->load, s->entry, s->text, 1000, &s->out->alive_failures);
}

static void set_alive_action(struct setting *s)
{
    static const char *const names[] = {"mark", "restart", NULL};
    int choice = 0;
    if (value_choice(s->load, s->entry, s->text, names, &choice)) {
        s->out->alive_action = choice == 0 ? ALIVE_MARK : ALIVE_RESTART;
    }
}

static void set_restart(struct setting *s)
{
    static const char *const names[] = {"no", "on-failure", "always", NULL};
    static const enum restart_policy policies[] = {RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS};
    int choice = 0;
    if (value_choice(s->load, s->entry, s->text, names, &choice)) {
        s->out->restart = policies[choice];
    }
}

static void set_restart_delay(struct setting *s)
{
    (void)value_duration(s->load, s->entry, s->text, 0, &s->out->restart_delay_ms);
}

static void set_restart_limit(struct setting *s)
{
    (void)value_restart_limit(s->load, s->entry, s->text, s->out);
}

static void set_stop(struct setting *s)
{
    (void)value_stop(s->load, s->entry, s->text, s->out);
}

static void set_success_codes(struct setting *s)
{
    (void)value_success_codes(s->load, s->entry, s->text, s->out);
}

static void set_profile(struct setting *s)
{
    struct span rest = span_of(s->text);
    struct span item = {0};
    while (next_item(&rest, &item)) {
        if (!name_is_valid(item)) {
            load_problem(s->load, s->entry->value_at, "names are [a-z0-9][a-z0-9_-]{0,31}",
                         "profile: bad name \"%s\"", text_quote(s->load->arena, item));
            continue;
        }
        s->out->profiles =
            list_append(s->load->arena, s->out->profiles, arena_copy(s->load->arena, item));
    }
}

static void set_adopt(struct setting *s)
{
    (void)value_bool(s->load, s->entry, s->text, &s->out->adopt);
}

static void add_gift(struct setting *s, struct span name, const struct spec_var *var)
{
    struct load *l = s->load;
    int receiver = load_find(l, name);
    if (receiver < 0) {
        load_unknown(l, s->entry->value_at, name, " in gives");
        return;
    }
    l->gifts = arena_grow(l->arena, l->gifts, l->gift_count, sizeof *l->gifts);
    l->gifts[l->gift_count++] = (struct load_gift){(size_t)s->service, (size_t)receiver, *var};
}

/* NAME…: VAR=value */
static void set_gives(struct setting *s)
{
    struct load *l = s->load;
    struct span whole = span_of(s->entry->value);
    struct span names = {0};
    struct span variable = {0};
    struct span name = {0};
    struct spec_var var = {0};
    bool fine = span_split(whole, ':', &names, &variable);
    struct span rest = names;
    if (!fine || !next_item(&rest, &name)) {
        load_problem(l, s->entry->value_at, "write it like gives = web worker: NAME=value",
                     "gives: expected the names of services, a colon and NAME=value");
        return;
    }
    variable = span_trim(variable);
    struct origin at = s->entry->value_at;
    at.column += (unsigned)(variable.ptr - whole.ptr);
    if (!value_variable(l, s->service, variable, at, "gives", &var)) {
        var.value = NULL;
    }
    rest = names;
    while (next_item(&rest, &name)) {
        if (var.value != NULL) {
            add_gift(s, name, &var);
        } else if (load_find(l, name) < 0) {
            load_unknown(l, s->entry->value_at, name, " in gives");
        }
    }
}

static void set_stale_on(struct setting *s)
{
    s->out->stale_on = list_append(s->load->arena, s->out->stale_on, s->text);
}

static void set_inputs(struct setting *s)
{
    s->out->inputs = list_append(s->load->arena, s->out->inputs, s->text);
}

/* Where the arrow of a hint is: the first " => ", else the first "=>"; the length when there is
 * none. */
static size_t arrow(struct span whole)
{
    for (size_t i = 1; i + 2 < whole.len; i++) {
        if (memcmp(whole.ptr + i - 1, " => ", 4) == 0) {
            return i;
        }
    }
    for (size_t i = 0; i + 1 < whole.len; i++) {
        if (memcmp(whole.ptr + i, "=>", 2) == 0) {
            return i;
        }
    }
    return whole.len;
}

/* REGEX => text */
static void set_hint(struct setting *s)
{
    struct load *l = s->load;
    struct span whole = span_of(s->entry->value);
    size_t cut = arrow(whole);
    struct span regex = {0};
    struct span text = {0};
    if (cut < whole.len) {
        regex = span_trim((struct span){whole.ptr, cut});
        text = span_trim((struct span){whole.ptr + cut + 2, whole.len - cut - 2});
    }
    if (regex.len == 0 || text.len == 0) {
        load_problem(l, s->entry->value_at, "write it like hint = REGEX => text",
                     "hint: expected a regular expression, \"=>\" and a text");
        return;
    }
    size_t offset = 0;
    const char *wrong = regex_complaint(regex, &offset);
    if (wrong != NULL) {
        struct origin at = s->entry->value_at;
        at.column += (unsigned)offset;
        load_problem(l, at, NULL, "hint: in the regular expression: %s", wrong);
        return;
    }
    struct spec_service *out = s->out;
    out->hints = arena_grow(l->arena, out->hints, out->hint_count, sizeof *out->hints);
    out->hints[out->hint_count++] =
        (struct spec_hint){arena_copy(l->arena, regex), arena_copy(l->arena, text), s->entry->at};
}

static void set_tty(struct setting *s)
{
    (void)value_bool(s->load, s->entry, s->text, &s->out->tty);
}

static void set_stdin(struct setting *s)
{
    static const char *const names[] = {"none", "open", NULL};
    int choice = 0;
    if (value_choice(s->load, s->entry, s->text, names, &choice)) {
        s->out->stdin_mode = choice == 0 ? STDIN_NONE : STDIN_OPEN;
    }
}

static void set_url(struct setting *s)
{
    (void)expand_url(s->load, s->service, &s->out->url);
}

static void set_description(struct setting *s)
{
    s->out->description = s->text;
}

static void set_ready(struct setting *s)
{
    struct spec_service *out = s->out;
    struct spec_ready ready = {0};
    if (ready_parse(s->load, s->service, s->entry, &ready)) {
        out->ready = arena_grow(s->load->arena, out->ready, out->ready_count, sizeof ready);
        out->ready[out->ready_count++] = ready;
    }
}

static void set_alive(struct setting *s)
{
    struct spec_service *out = s->out;
    struct spec_ready ready = {0};
    if (!ready_parse(s->load, s->service, s->entry, &ready)) {
        return;
    }
    if (ready.kind == READY_LOG || ready.kind == READY_NOTIFY || ready.kind == READY_DELAY) {
        load_warning(s->load, s->entry->value_at, NULL,
                     "alive: log, notify and delay say nothing about a running service");
    }
    out->alive = arena_grow(s->load->arena, out->alive, out->alive_count, sizeof ready);
    out->alive[out->alive_count++] = ready;
}

/* raw: the setter replaces references by itself, or they were replaced before. late: needs the
 * other services' variables and needs, so it waits for a second round. */
static const struct setter {
    const char *name;
    set_fn set;
    bool raw;
    bool late;
} setters[] = {
    {"command", set_command, true, false},
    {"shell", set_shell, false, false},
    {"image", set_image, false, false},
    {"container-port", set_container_port, false, false},
    {"volume", set_volume, false, false},
    {"container-option", set_container_option, true, false},
    {"fallback", set_fallback, true, false},
    {"directory", set_directory, false, false},
    {"environment", set_environment, true, false},
    {"env-file", set_env_file, false, false},
    {"env-owned", set_env_owned, false, false},
    {"port", set_port, true, false},
    {"depends-on", set_depends_on, false, false},
    {"ready", set_ready, true, true},
    {"ready-timeout", set_ready_timeout, false, false},
    {"alive", set_alive, true, true},
    {"alive-interval", set_alive_interval, false, false},
    {"alive-failures", set_alive_failures, false, false},
    {"alive-action", set_alive_action, false, false},
    {"restart", set_restart, false, false},
    {"restart-delay", set_restart_delay, false, false},
    {"restart-limit", set_restart_limit, false, false},
    {"stop", set_stop, false, false},
    {"success-codes", set_success_codes, false, false},
    {"profile", set_profile, false, false},
    {"adopt", set_adopt, false, false},
    {"gives", set_gives, true, true},
    {"stale-on", set_stale_on, false, false},
    {"inputs", set_inputs, false, false},
    {"hint", set_hint, true, false},
    {"tty", set_tty, false, false},
    {"stdin", set_stdin, false, false},
    {"url", set_url, true, true},
    {"description", set_description, false, false},
};

bool service_key_is_known(struct span key)
{
    return TABLE_FIND(setters, key) != NULL;
}

void service_set(struct load *l, int service, const struct ini_entry *entry, bool late)
{
    const struct setter *setter = TABLE_FIND(setters, span_of(entry->key));
    if (setter == NULL || setter->late != late) {
        return;
    }
    struct setting s = {
        .load = l,
        .service = service,
        .out = &l->spec->services[service],
        .entry = entry,
    };
    if (!setter->raw) {
        s.text = expand_entry(l, service, entry);
        if (s.text == NULL) {
            return;
        }
    }
    setter->set(&s);
}
