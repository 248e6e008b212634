/*
 * The checking reader of definition files (INTERFACE §5): sections and entries with their places,
 * every mistake of the file at once. Values are verbatim. Which sections and keys exist is not its
 * business.
 */
#ifndef ROADIE_STACK_INI_H
#define ROADIE_STACK_INI_H

#include "base/arena.h"
#include "base/problems.h"
#include "stack/spec.h"

enum { INI_LINE_MAX = 8192, INI_KEY_MAX = 64 };

/* key = value. Strings live in the arena. */
struct ini_entry {
    const char *key;        /* without a leading + */
    const char *value;      /* trimmed, else verbatim; may be "" */
    struct origin at;       /* of the key */
    struct origin value_at; /* of the value's first byte */
    bool add;               /* written as +key */
};

/* [kind name]. */
struct ini_section {
    const char *kind;
    const char *name; /* "" when there is none */
    struct origin at; /* of the [ */
    struct origin name_at;
    bool repeated; /* an earlier section of the file has the same kind and name: reported */
    struct ini_entry *entries;
    size_t count;
};

struct ini_file {
    struct ini_section *sections;
    size_t count;
};

/* Reads text that users know as shown (borrowed for as long as the arena lives). Problems are added
 * in order of their lines; what is well-formed is in out even then. */
void ini_read(const char *shown, struct span text, struct arena *arena, struct ini_file *out,
              struct problems *problems);

#endif
