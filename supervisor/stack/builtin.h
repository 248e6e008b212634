/* Definitions that are compiled in, and the files by which their checkouts are recognised. The
 * array is generated from procfiles/ when roadie is built (CMakeLists.txt of this room). */
#ifndef ROADIE_STACK_BUILTIN_H
#define ROADIE_STACK_BUILTIN_H

#include <stddef.h>

struct builtin {
    const char *name;                 /* "plyr.fm" */
    const char *const *recognised_by; /* NULL-terminated paths below the root; all must be there */
    const unsigned char *text;
    size_t len;
};

extern const struct builtin builtins[];
extern const size_t builtin_count;

#endif
