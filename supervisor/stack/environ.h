/*
 * The effective environment of a service, with the source of every variable and what it shadows
 * (INTERFACE §5 `environment`: shell, env-file ([stack], service, -e), PORT, environment ([stack],
 * service), ROADIE_*; a container gets no shell variables).
 */
#ifndef ROADIE_STACK_ENVIRON_H
#define ROADIE_STACK_ENVIRON_H

#include "stack/spec.h"

enum env_source { ENV_SHELL, ENV_FILE, ENV_DEFINITION, ENV_ROADIE };

struct env_shadow {
    enum env_source source;
    struct origin at;
};

struct env_var {
    const char *name;
    const char *value;
    enum env_source source;
    struct origin at;
    bool secret;                 /* its value is masked on every way out */
    struct env_shadow *shadows;  /* nearest first */
    size_t shadow_count;
};

struct env {
    struct env_var *items;       /* sorted by name */
    size_t count;
};

/* Builds it for one service; reads the env-files now. service may be NULL: the stack's own environment
 * (`run` without a name). run 0: no ROADIE_RUN. Strings live in the arena. -EINVAL with problems when an
 * env-file is missing or has a broken line. shell is a NULL-terminated NAME=value list. */
int env_build(const struct spec *spec, const struct spec_service *service, uint32_t run,
              char *const *shell, struct arena *arena, struct env *out, struct problems *problems)
    ATTR_MUST_CHECK;
/* The same for an image's `fallback`, which runs here and so gets the shell's variables and PORT. */
int env_build_fallback(const struct spec *spec, const struct spec_service *service, uint32_t run,
                       char *const *shell, struct arena *arena, struct env *out,
                       struct problems *problems) ATTR_MUST_CHECK;
/* Builds and drops the environment of every selected service, to report missing and broken env-files before
 * anything starts: each problem once, sorted. 0 or -EINVAL. */
int env_check(const struct spec *spec, char *const *shell, struct problems *problems) ATTR_MUST_CHECK;
/* As a NULL-terminated NAME=value list for execve, in the arena. */
char **env_vector(const struct env *env, struct arena *arena);
const struct env_var *env_find(const struct env *env, const char *name);
const char *env_source_name(enum env_source source);

#endif
