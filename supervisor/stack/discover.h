/* Where the definition is, and what the stack is called (INTERFACE §1 "Which stack"). Internal. */
#ifndef ROADIE_STACK_DISCOVER_H
#define ROADIE_STACK_DISCOVER_H

#include "stack/spec.h"

struct discovery {
    const char *start; /* real path of the directory that the search began in */
    const char *root;  /* real path */
    const char *file;  /* absolute, or "builtin:NAME" */
    const char *shown;
    const char *prefix;    /* of the root, for names of other files in it: "" or "../" */
    const char *file_name; /* its last part: what the stack's id hashes */
    bool is_procfile;
    bool is_builtin;
    struct span builtin; /* its text */
};

/* -ENOENT (nothing found) or another negative errno, with why. Strings in the arena. */
int discover(const struct spec_request *request, struct arena *arena, struct discovery *out,
             struct fault *why) ATTR_MUST_CHECK;
/* A directory's name as a stack's: lower-cased, other characters dropped; "stack" when none is
 * left. */
const char *discover_name(const char *root, struct arena *arena);
/* NAME-HASH. */
const char *discover_id(const struct discovery *found, const char *name, struct arena *arena);

#endif
