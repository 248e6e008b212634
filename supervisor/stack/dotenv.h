/*
 * Reads dotenv files exactly as python-dotenv does (it is what reads them in the projects roadie
 * serves): quotes, escapes, comments, `export`, ${NAME} and ${NAME:-default}, several lines in
 * quotes. Pure.
 */
#ifndef ROADIE_STACK_DOTENV_H
#define ROADIE_STACK_DOTENV_H

#include "base/arena.h"
#include "base/bytes.h"

struct dotenv_item {
    const char *name;
    const char *value; /* NULL: a name without "=", which sets nothing */
    unsigned line;
    unsigned column; /* of the name */
};

/* A statement that the grammar does not know. Its text is nowhere: it may be a secret. */
struct dotenv_error {
    unsigned line;
    unsigned column;
    const char *what; /* static text */
};

/* In order of the file; a name may occur again, and then the later one holds. */
struct dotenv {
    struct dotenv_item *items;
    size_t count;
    struct dotenv_error *errors;
    size_t error_count;
};

/* The value of NAME in the environment, or NULL. Names set earlier in the file win over it. */
typedef const char *(*dotenv_lookup_fn)(void *ctx, const char *name);

/* Reads text (UTF-8 without NUL, else one error and nothing more). Strings live in the arena. */
void dotenv_parse(struct span text, dotenv_lookup_fn lookup, void *ctx, struct arena *arena,
                  struct dotenv *out);

#endif
