/* Compiler attributes under readable names. Anyone may use them. */
#ifndef ROADIE_BASE_ATTR_H
#define ROADIE_BASE_ATTR_H

#include <stddef.h>

#define ATTR_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define ATTR_MUST_CHECK __attribute__((warn_unused_result))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_FALLTHROUGH __attribute__((fallthrough))
#define ATTR_UNUSED __attribute__((unused))

/* The owner of an embedded member. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
