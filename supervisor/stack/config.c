/*
 * What this room is for.      Shows the effective definition with the origin of each line (see
 * config.h). What it may touch.          base and this room; pure. Who calls it.               ui's
 * `config`; spec.c for collecting. The one invariant.          What is printed loads again, and
 * holds no secret.
 */
#include "stack/config.h"

#include <string.h>

#include "stack/collect.h"
#include "stack/expand.h"
#include "stack/secrets.h"
#include "stack/words.h"

/* ${…} and $$ of a value that was expanded already must not be expanded again. */
static const char *protect(struct load *l, const char *text)
{
    struct buf out = {0};
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '$' && (c[1] == '$' || c[1] == '{')) {
            (void)buf_putc(&out, '$');
        }
        (void)buf_putc(&out, *c);
    }
    const char *copy = arena_copy(l->arena, buf_span(&out));
    buf_fini(&out);
    return copy;
}

static bool is_words(const char *key)
{
    return strcmp(key, "command") == 0 || strcmp(key, "fallback") == 0 ||
           strcmp(key, "container-option") == 0;
}

/* Whether the value takes a secret from the shell: then the reference itself is shown, never its
 * text. */
static bool takes_secret(struct load *l, const char *value)
{
    for (const char *at = value; (at = strstr(at, "${env:")) != NULL; at++) {
        struct span name = {at + 6, strcspn(at + 6, ":}")};
        if (secret_name(arena_copy(l->arena, name))) {
            return true;
        }
    }
    return false;
}

/* The value with its references replaced; problems were reported when it was compiled. */
static const char *effective(struct load *l, int service, const struct ini_entry *entry)
{
    struct span text = span_of(entry->value);
    bool verbatim = strcmp(entry->key, "hint") == 0 || memchr(text.ptr, '$', text.len) == NULL ||
                    takes_secret(l, entry->value);
    if (verbatim) {
        return entry->value;
    }
    struct problems ignored = {0};
    struct problems *real = l->problems;
    const char *result = NULL;
    l->problems = &ignored;
    bool exec = span_starts(text, "exec ");
    if (is_words(entry->key) || exec) {
        size_t skip = exec ? 5 : 0;
        char **argv = expand_words(l, service, (struct span){text.ptr + skip, text.len - skip},
                                   entry->value_at);
        struct buf joined = {0};
        if (argv != NULL) {
            (void)buf_puts(&joined, exec ? "exec " : "");
            words_join(argv, &joined);
            result = arena_copy(l->arena, buf_span(&joined));
        }
        buf_fini(&joined);
    } else {
        result = expand_entry(l, service, entry);
        result = result != NULL ? protect(l, result) : NULL;
    }
    l->problems = real;
    problems_fini(&ignored);
    return result != NULL ? result : entry->value;
}

static int service_of(const struct load *l, const struct ini_section *section)
{
    for (size_t i = 0; i < l->spec->service_count; i++) {
        if (l->sources[i] == section) {
            return (int)i;
        }
    }
    return LOAD_NO_SERVICE;
}

static bool is_free(const char *kind)
{
    return strcmp(kind, "check") == 0 || strcmp(kind, "guard") == 0 ||
           strcmp(kind, "promotion") == 0;
}

void config_collect(struct load *l)
{
    struct spec *spec = l->spec;
    spec->sections = arena_alloc(l->arena, (l->def.count + 1) * sizeof *spec->sections);
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        struct spec_section *out = &spec->sections[spec->section_count++];
        int service = service_of(l, section);
        *out = (struct spec_section){section->kind, section->name, section->at, NULL, 0};
        out->lines = arena_alloc(l->arena, (section->count + 1) * sizeof *out->lines);
        for (size_t k = 0; k < section->count; k++) {
            const struct ini_entry *entry = &section->entries[k];
            if (strcmp(section->kind, "stack") == 0 && strcmp(entry->key, "include") == 0) {
                continue; /* its lines are here already */
            }
            out->lines[out->count++] = (struct spec_line){
                .key = entry->key,
                .value = entry->value,
                .effective = is_free(section->kind) ? entry->value : effective(l, service, entry),
                .at = entry->at,
            };
        }
    }
}

static void add_line(struct load *l, struct spec_section *section, const char *key,
                     const char *value)
{
    section->lines = arena_grow(l->arena, section->lines, section->count, sizeof *section->lines);
    section->lines[section->count++] = (struct spec_line){key, value, value, section->at};
}

void config_collect_procfile(struct load *l)
{
    struct spec *spec = l->spec;
    spec->sections = arena_alloc(l->arena, (spec->service_count + 1) * sizeof *spec->sections);
    for (size_t i = 0; i < spec->service_count; i++) {
        const struct spec_service *service = &spec->services[i];
        struct spec_section *out = &spec->sections[spec->section_count++];
        *out = (struct spec_section){"service", service->name, service->at, NULL, 0};
        add_line(l, out, "shell", protect(l, service->shell));
        add_line(l, out, "stdin", "open");
    }
}

struct replacement {
    struct buf *text;
};

static void replace_all(struct buf *text, const char *name, struct span secret)
{
    struct buf out = {0};
    for (size_t i = 0; i < text->len;) {
        if (text->len - i >= secret.len && memcmp(text->ptr + i, secret.ptr, secret.len) == 0) {
            (void)buf_printf(&out, "‹%s›", name);
            i += secret.len;
        } else {
            (void)buf_putc(&out, text->ptr[i++]);
        }
    }
    buf_fini(text);
    *text = out;
}

static void on_secret(void *ctx, const char *name, struct span secret)
{
    struct replacement *r = ctx;
    replace_all(r->text, name, secret);
}

/* The definition's own secrets, wherever they stand. */
static void mask_own(void *ctx, struct span text, struct buf *out)
{
    const struct spec *spec = *(const struct spec *const *)ctx;
    struct buf masked = {0};
    (void)buf_append(&masked, text.ptr, text.len);
    struct replacement r = {&masked};
    for (size_t i = 0; i < spec->var_count; i++) {
        secret_texts(spec->vars[i].name, spec->vars[i].value, on_secret, &r);
    }
    for (size_t i = 0; i < spec->service_count; i++) {
        for (size_t k = 0; k < spec->services[i].var_count; k++) {
            const struct spec_var *var = &spec->services[i].vars[k];
            secret_texts(var->name, var->value, on_secret, &r);
        }
    }
    secret_mask_passwords(buf_span(&masked), out);
    buf_fini(&masked);
}

void config_each(const struct spec *spec, config_mask_fn mask, void *mask_ctx, config_line_fn each,
                 void *ctx)
{
    config_mask_fn apply = mask != NULL ? mask : mask_own;
    void *apply_ctx = mask != NULL ? mask_ctx : &spec;
    for (size_t i = 0; i < spec->section_count; i++) {
        const struct spec_section *section = &spec->sections[i];
        struct config_line line = {.kind = section->kind, .name = section->name, .at = section->at};
        each(ctx, &line);
        for (size_t k = 0; k < section->count; k++) {
            struct buf value = {0};
            line.key = section->lines[k].key;
            struct span text = span_of(section->lines[k].effective);
            if (secret_name(line.key) && secret_value(text)) {
                (void)buf_printf(&value, "‹%s›",
                                 line.key); /* a key of [environment …] or [check …] */
            } else {
                apply(apply_ctx, text, &value);
            }
            line.value = value.ptr != NULL ? value.ptr : "";
            line.at = section->lines[k].at;
            each(ctx, &line);
            buf_fini(&value);
        }
    }
}

static void on_line(void *ctx, const struct config_line *line)
{
    struct buf *out = ctx;
    if (line->key == NULL) {
        (void)buf_printf(out, "%s# %s:%u\n[%s%s%s]\n", out->len > 0 ? "\n" : "", line->at.file,
                         line->at.line, line->kind, *line->name ? " " : "", line->name);
        return;
    }
    (void)buf_printf(out, "# %s:%u\n%s = %s\n", line->at.file, line->at.line, line->key,
                     line->value);
}

void config_print(const struct spec *spec, config_mask_fn mask, void *mask_ctx, struct buf *out)
{
    config_each(spec, mask, mask_ctx, on_line, out);
}
