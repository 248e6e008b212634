/*
 * What this room is for.      Merges files into one effective definition and checks sections and
 * keys. What it may touch.          base, this room; reads the files that it is told. Who calls it.
 * spec.c, discover.c The one invariant.          Afterwards every section is of a known kind and
 * every key in the table; each line still knows its file, line and column.
 */
#include "stack/layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stack/expand.h"
#include "stack/keys.h"
#include "stack/text.h"

enum { INCLUDE_DEPTH_MAX = 8 };

struct layer {
    struct load *load;
    bool is_override;
    const char *directory;
    const char *dir_shown;
    const char *paths[INCLUDE_DEPTH_MAX + 1]; /* being read: an include of one of them is a loop */
    unsigned depth;
};

static const char *section_title(struct load *l, const struct ini_section *section)
{
    return arena_printf(l->arena, "[%s%s%s]", section->kind, *section->name ? " " : "",
                        section->name);
}

/* Reports what is wrong with the section's line; NULL: an unknown kind, whose keys say nothing. */
static const struct section_row *check_section(struct load *l, struct ini_section *section)
{
    const struct section_row *row = section_find(span_of(section->kind));
    if (row == NULL) {
        load_problem(l, section->at, load_did_you_mean(l, section_nearest(span_of(section->kind))),
                     "unknown section %s", section_title(l, section));
        return NULL;
    }
    bool named = *section->name != '\0';
    if (row->kind == SECTION_STACK && named) {
        load_problem(l, section->name_at, "write [stack] and name = …", "[stack] takes no name");
        section->repeated = true;
        return row;
    }
    if (row->kind != SECTION_STACK && !named) {
        load_problem(l, section->at,
                     arena_printf(l->arena, "write it like [%s NAME]", section->kind),
                     "[%s] needs a name", section->kind);
        section->repeated = true;
        return row;
    }
    bool strict = !row->free_keys;
    if (named && strict && !name_is_valid(span_of(section->name))) {
        load_problem(l, section->name_at, "names are [a-z0-9][a-z0-9_-]{0,31}",
                     "bad name \"%s\" in %s", section->name, section_title(l, section));
    }
    bool reserved =
        strcmp(section->name, "stack") == 0 || strcmp(section->name, "environment") == 0;
    if (strict && reserved) {
        load_problem(l, section->name_at, NULL, "the name \"%s\" is reserved", section->name);
    }
    return row;
}

static void complain_unknown(struct load *l, const struct ini_section *section,
                             enum section_kind kind, const struct ini_entry *entry)
{
    struct span key = span_of(entry->key);
    enum section_kind home = key_home(key);
    const char *hint = NULL;
    if (home != SECTION_KIND_COUNT) {
        hint = arena_printf(l->arena, "it is a key of [%s%s]", section_row(home)->name,
                            home == SECTION_STACK ? "" : " NAME");
    } else {
        hint = load_did_you_mean(l, key_nearest(kind, key));
    }
    load_problem(l, entry->at, hint, "unknown key \"%s\" in %s", entry->key,
                 section_title(l, section));
}

static const struct ini_entry *earlier(const struct ini_section *section, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(section->entries[i].key, section->entries[at].key) == 0 &&
            section->entries[i].add == section->entries[at].add) {
            return &section->entries[i];
        }
    }
    return NULL;
}

static void check_key(struct layer *y, struct ini_section *section, const struct section_row *row,
                      size_t i)
{
    struct load *l = y->load;
    const struct ini_entry *entry = &section->entries[i];
    const struct key_row *key = key_find(row->kind, span_of(entry->key));
    if (key == NULL && !row->free_keys) {
        complain_unknown(l, section, row->kind, entry);
        return;
    }
    bool list = key != NULL ? key->list : row->kind != SECTION_ENVIRONMENT;
    if (key != NULL && key->later) {
        load_problem(l, entry->at, NULL, "key \"%s\" is not supported yet", entry->key);
    }
    if (entry->add && !y->is_override) {
        load_problem(l, entry->at, "write the key without +, once for each line of a list",
                     "\"+%s\" is for override files (roadie.local.ini)", entry->key);
    } else if (entry->add && !list) {
        load_problem(l, entry->at, NULL, "\"+%s\": %s is no list", entry->key, entry->key);
    }
    const struct ini_entry *first = list ? NULL : earlier(section, i);
    if (first != NULL) {
        load_problem(l, entry->at,
                     arena_printf(l->arena, "the first is at line %u", first->at.line),
                     "duplicate key \"%s\" in %s", entry->key, section_title(l, section));
    }
    bool may_be_empty = row->free_keys || y->is_override;
    if (*entry->value == '\0' && !may_be_empty) {
        load_problem(l, entry->at, NULL, "%s has no value", entry->key);
    }
}

/* A service and a task share one space of names, across files. */
static const struct ini_section *same_name(const struct load *l, const struct ini_section *section)
{
    bool runs = strcmp(section->kind, "service") == 0 || strcmp(section->kind, "task") == 0;
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *other = &l->def.sections[i];
        bool other_runs = strcmp(other->kind, "service") == 0 || strcmp(other->kind, "task") == 0;
        bool same_space = strcmp(other->kind, section->kind) == 0 || (runs && other_runs);
        if (same_space && !other->repeated && strcmp(other->name, section->name) == 0 &&
            strcmp(section->kind, "stack") != 0) {
            return other;
        }
    }
    return NULL;
}

static void define_section(struct load *l, struct ini_section section)
{
    const struct ini_section *other = section.repeated ? NULL : same_name(l, &section);
    if (other != NULL) {
        load_problem(l, section.at,
                     arena_printf(l->arena, "[%s %s] is at %s:%u", other->kind, other->name,
                                  other->at.file, other->at.line),
                     "the name of [%s %s] is taken", section.kind, section.name);
        section.repeated = true;
    }
    l->def.sections = arena_grow(l->arena, l->def.sections, l->def.count, sizeof section);
    l->def.sections[l->def.count++] = section;
}

static void read_text(struct layer *y, const char *shown, struct span text);

static void include_file(struct layer *y, const struct ini_entry *entry)
{
    struct load *l = y->load;
    const char *name = expand_entry(l, LOAD_NO_SERVICE, entry);
    if (name == NULL) {
        return;
    }
    const char *path = path_join(l->arena, y->directory, name);
    for (unsigned i = 0; i < y->depth; i++) {
        if (y->paths[i] != NULL && strcmp(y->paths[i], path) == 0) {
            load_problem(l, entry->value_at, NULL, "include \"%s\" includes itself", name);
            return;
        }
    }
    if (y->depth >= INCLUDE_DEPTH_MAX) {
        load_problem(l, entry->value_at, NULL, "more than %d files include each other",
                     INCLUDE_DEPTH_MAX);
        return;
    }
    struct span text = {0};
    struct fault why = {0};
    int rc = text_read(path, l->arena, &text, &why);
    if (rc != 0) {
        load_problem(l, entry->value_at, NULL, "include \"%s\": %s",
                     text_quote(l->arena, span_of(name)), strerror(-rc));
        return;
    }
    struct layer inner = *y;
    const char *shown = name[0] == '/' ? name : arena_printf(l->arena, "%s%s", y->dir_shown, name);
    const char *slash = strrchr(shown, '/');
    inner.dir_shown = slash == NULL
                          ? ""
                          : arena_copy(l->arena, (struct span){shown, (size_t)(slash + 1 - shown)});
    inner.directory = path_join(l->arena, path, "..");
    inner.paths[inner.depth++] = path;
    read_text(&inner, shown, text);
}

static void stack_includes(struct layer *y, const struct ini_section *section)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct ini_entry *entry = &section->entries[i];
        if (strcmp(entry->key, "include") == 0 && *entry->value != '\0') {
            include_file(y, entry);
        }
    }
}

/* One file: its sections in order; what [stack] includes comes before it, so that the file wins. */
static void read_text(struct layer *y, const char *shown, struct span text)
{
    struct load *l = y->load;
    struct ini_file file = {0};
    ini_read(shown, text, l->arena, &file, l->problems);
    for (size_t i = 0; i < file.count; i++) {
        struct ini_section *section = &file.sections[i];
        const struct section_row *row = check_section(l, section);
        if (row == NULL) {
            continue;
        }
        for (size_t k = 0; k < section->count; k++) {
            check_key(y, section, row, k);
        }
        if (row->kind == SECTION_STACK && !section->repeated) {
            stack_includes(y, section);
        }
        define_section(l, *section);
    }
}

static void merge_entries(struct load *l, struct ini_section *merged,
                          const struct ini_section *section)
{
    struct ini_entry *entries = NULL;
    size_t count = 0;
    for (size_t i = 0; i < merged->count; i++) {
        const struct key_row *row = key_find(SECTION_STACK, span_of(merged->entries[i].key));
        bool replaced =
            row != NULL && !row->list && load_entry(section, merged->entries[i].key) != NULL;
        if (!replaced) {
            entries = arena_grow(l->arena, entries, count, sizeof *entries);
            entries[count++] = merged->entries[i];
        }
    }
    for (size_t i = 0; i < section->count; i++) {
        entries = arena_grow(l->arena, entries, count, sizeof *entries);
        entries[count++] = section->entries[i];
    }
    merged->entries = entries;
    merged->count = count;
}

/* Makes one [stack] of those of several files: a plain key of an includer replaces that of what it
 * includes, lists add up. */
static void merge_stacks(struct load *l)
{
    struct ini_section merged = {0};
    size_t kept = 0;
    size_t place = 0;
    for (size_t i = 0; i < l->def.count; i++) {
        const struct ini_section *section = &l->def.sections[i];
        if (strcmp(section->kind, "stack") != 0 || section->repeated) {
            l->def.sections[kept++] = *section;
            continue;
        }
        if (merged.kind == NULL) {
            place = kept++;
        }
        struct ini_section below = merged;
        merged = *section;
        merged.entries = below.entries;
        merged.count = below.count;
        merge_entries(l, &merged, section);
    }
    l->def.count = kept;
    if (merged.kind != NULL) {
        l->def.sections[place] = merged;
    }
}

void layers_read(struct load *l, const char *shown, struct span text, const char *directory,
                 const char *dir_shown)
{
    struct layer y = {.load = l, .directory = directory, .dir_shown = dir_shown};
    y.paths[y.depth++] = l->spec->file;
    read_text(&y, shown, text);
    merge_stacks(l);
}

static bool same_variable(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strncmp(a, b, len) == 0 && b[len] == '=';
}

static bool replaces(const struct ini_entry *mine, const struct ini_entry *theirs)
{
    bool either = (strcmp(mine->key, "command") == 0 && strcmp(theirs->key, "shell") == 0) ||
                  (strcmp(mine->key, "shell") == 0 && strcmp(theirs->key, "command") == 0);
    if (mine->add || (strcmp(mine->key, theirs->key) != 0 && !either)) {
        return false;
    }
    if (strcmp(mine->key, "environment") == 0 && *mine->value != '\0') {
        return same_variable(mine->value, theirs->value);
    }
    return true;
}

/* Lays the override's lines over the section's: what they replace goes, what has a value comes. */
static void override_section(struct load *l, struct ini_section *base,
                             const struct ini_section *over)
{
    struct ini_entry *entries = NULL;
    size_t count = 0;
    for (size_t i = 0; i < base->count; i++) {
        bool gone = false;
        for (size_t k = 0; k < over->count && !gone; k++) {
            gone = replaces(&over->entries[k], &base->entries[i]);
        }
        if (!gone) {
            entries = arena_grow(l->arena, entries, count, sizeof *entries);
            entries[count++] = base->entries[i];
        }
    }
    for (size_t k = 0; k < over->count; k++) {
        if (*over->entries[k].value != '\0') {
            entries = arena_grow(l->arena, entries, count, sizeof *entries);
            entries[count++] = over->entries[k];
        }
    }
    base->entries = entries;
    base->count = count;
}

static struct ini_section *last_of(struct load *l, const char *kind, const char *name)
{
    for (size_t i = l->def.count; i > 0; i--) {
        struct ini_section *section = &l->def.sections[i - 1];
        if (!section->repeated && strcmp(section->kind, kind) == 0 &&
            strcmp(section->name, name) == 0) {
            return section;
        }
    }
    return NULL;
}

static void override_one(struct layer *y, struct ini_section *over)
{
    struct load *l = y->load;
    const struct section_row *row = check_section(l, over);
    if (row == NULL) {
        return;
    }
    for (size_t k = 0; k < over->count; k++) {
        check_key(y, over, row, k);
        if (row->kind == SECTION_STACK && strcmp(over->entries[k].key, "include") == 0) {
            load_problem(l, over->entries[k].at, NULL, "an override file cannot include others");
        }
    }
    if (over->repeated) {
        return;
    }
    struct ini_section *base = last_of(l, over->kind, over->name);
    if (base != NULL) {
        override_section(l, base, over);
        return;
    }
    struct ini_section fresh = *over;
    fresh.entries = NULL;
    fresh.count = 0;
    override_section(l, &fresh, over);
    define_section(l, fresh);
}

void layers_override(struct load *l, const char *path, const char *shown)
{
    struct span text = {0};
    struct fault why = {0};
    int rc = text_read(path, l->arena, &text, &why);
    if (rc == -ENOENT || rc == -ENOTDIR) {
        return;
    }
    if (rc != 0) {
        problems_add(l->problems, shown, 0, 0, NULL, "%s", strerror(-rc));
        return;
    }
    struct layer y = {.load = l, .is_override = true};
    struct ini_file file = {0};
    ini_read(shown, text, l->arena, &file, l->problems);
    for (size_t i = 0; i < file.count; i++) {
        override_one(&y, &file.sections[i]);
    }
}

const char *layers_stack_name(struct span text, struct arena *arena)
{
    struct ini_file file = {0};
    struct problems ignored = {0};
    const char *name = NULL;
    ini_read("", text, arena, &file, &ignored);
    problems_fini(&ignored);
    for (size_t i = 0; i < file.count; i++) {
        const struct ini_entry *entry = load_entry(&file.sections[i], "name");
        if (strcmp(file.sections[i].kind, "stack") == 0 && entry != NULL) {
            name = entry->value;
            break;
        }
    }
    return name;
}
