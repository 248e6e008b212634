/*
 * What should run: the definition, read, checked, selected and expanded into plain structs. Pure but for
 * reading files. Everything of one load lives in one arena and is immutable; a reload makes a new one.
 * The rules are INTERFACE §1 (which stack), §5 (roadie.ini) and §6 (Procfile).
 */
#ifndef ROADIE_STACK_SPEC_H
#define ROADIE_STACK_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/problems.h"

enum spec_kind { SPEC_SERVICE, SPEC_TASK };

/* Where a value was written. file as in problems; line 0: not from a file. */
struct origin {
    const char *file;
    unsigned line;
    unsigned column;
};

enum need_condition { NEED_STARTED, NEED_READY, NEED_DONE };

struct spec_need {
    size_t service; /* index into spec.services */
    enum need_condition condition;
    struct origin at;
};

enum ready_kind {
    READY_TCP,
    READY_HTTP,
    READY_REDIS,
    READY_DOCKET,
    READY_POSTGRES,
    READY_LOG,
    READY_EXEC,
    READY_NOTIFY,
    READY_DELAY,
};

/* One line of `ready` or `alive`. Members not of its kind are zero. */
struct spec_ready {
    enum ready_kind kind;
    const char *text;       /* as written after expansion, for people: "http /health contains=ok" */
    const char *host;       /* tcp, http, redis, docket, postgres: "localhost" when left out */
    uint16_t port;          /* likewise; 0 where the kind has none */
    const char *url;        /* http: absolute; redis, docket, postgres: as given or derived */
    const char *contains;   /* http: substring of the body, or NULL */
    uint16_t statuses[16];  /* http: accepted, default {200} */
    size_t status_count;
    const char *docket;     /* docket: its name */
    const char *regex;      /* log */
    char **argv;            /* exec: NULL-terminated */
    uint64_t delay_ms;      /* delay */
};

enum { SPEC_STOP_MAX = 8 };

/* One rung of the stop ladder: send signal, then wait so long (0 on the last). */
struct spec_stop {
    int signal;
    uint64_t wait_ms;
};

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };
enum alive_action { ALIVE_MARK, ALIVE_RESTART };
enum stdin_mode { STDIN_NONE, STDIN_OPEN };

/* NAME=value with its origin; the value is expanded. */
struct spec_var {
    const char *name;
    const char *value;
    struct origin at;
};

struct spec_env_file {
    const char *path;  /* absolute */
    const char *shown; /* as written, for messages */
    bool optional;
    struct origin at;
};

/* `hint = REGEX => text`. */
struct spec_hint {
    const char *regex;
    const char *text;
    struct origin at;
};

struct spec_service {
    const char *name;
    enum spec_kind kind;
    struct origin at;          /* its section line */
    bool selected;             /* part of the stack as selected (profiles, --with, --except, names) */
    bool excluded;             /* by -x: a dependency on it counts as met */

    char **argv;               /* `command`, or {"/bin/sh","-c",LINE}; for an image its arguments; may be NULL */
    const char *shell;         /* the line of `shell`, or NULL */
    const char *image;         /* or NULL */
    uint16_t container_port;   /* 0: same as port */
    char **volumes;            /* NULL-terminated lists; never NULL themselves */
    char **container_options;  /* one word each */
    char **fallback;           /* words, or NULL */
    const char *directory;     /* absolute */
    struct spec_var *vars;     /* `environment` of the service, then what other services give it */
    size_t var_count;
    struct spec_env_file *env_files;
    size_t env_file_count;
    struct spec_env_file *env_owned;
    size_t env_owned_count;
    uint16_t port;             /* 0: none */
    struct origin port_at;     /* its line; line 0 for a Procfile's */
    bool port_export_only;     /* Procfile: exported as PORT, neither checked nor waited for */
    struct spec_need *needs;
    size_t need_count;
    struct spec_ready *ready;
    size_t ready_count;
    uint64_t ready_timeout_ms;
    struct spec_ready *alive;
    size_t alive_count;
    uint64_t alive_interval_ms;
    unsigned alive_failures;
    enum alive_action alive_action;
    enum restart_policy restart;
    uint64_t restart_delay_ms;
    unsigned restart_limit;    /* restarts in restart_window_ms; 0: no limit */
    uint64_t restart_window_ms;
    struct spec_stop stop[SPEC_STOP_MAX];
    size_t stop_count;
    bool success_codes[256];
    char **profiles;
    bool adopt;
    bool tty;
    enum stdin_mode stdin_mode;
    char **inputs;             /* task: globs relative to the root */
    char **stale_on;           /* globs relative to the root */
    struct spec_hint *hints;
    size_t hint_count;
    const char *url;           /* as written or derived (see ${NAME.url}); may be NULL */
    const char *description;   /* may be NULL */
    uint64_t log_keep;         /* bytes */
    bool can_die;              /* Procfile: its end does not end the others */
};

/* A line of the effective definition: overrides applied, includes merged. */
struct spec_line {
    const char *key;
    const char *value;         /* as written */
    const char *effective;     /* references replaced, such that it loads again; may be the same */
    struct origin at;
};

/* A section of it, of every kind: what `config` shows, and where `[check]`, `[guard]`, `[environment]` and
 * `[promotion]` keep their lines. */
struct spec_section {
    const char *kind;          /* "service" */
    const char *name;          /* "" for [stack] */
    struct origin at;
    struct spec_line *lines;
    size_t count;
};

struct spec {
    struct arena arena;
    const char *id;            /* NAME-HASH */
    const char *name;
    const char *root;          /* real path, absolute */
    const char *file;          /* absolute path of the definition; "builtin:plyr.fm" for a built-in one */
    const char *file_shown;    /* as users know it */
    bool is_procfile;
    struct spec_service *services; /* in order of the definition */
    size_t service_count;
    struct spec_var *vars;     /* [stack] environment */
    size_t var_count;
    struct spec_env_file *env_files; /* [stack] env-file, then those of -e */
    size_t env_file_count;
    size_t env_file_cli;       /* how many of them, at the end, came from -e (later than a service's own) */
    unsigned start_limit;      /* services starting at a time; 0: no limit */
    uint64_t shutdown_timeout_ms;
    struct problems warnings;
    struct spec_section *sections;
    size_t section_count;
};

/* What decides which stack and which part of it. All strings borrowed for the call. Lists are
 * NULL-terminated or NULL. */
struct spec_request {
    const char *directory;     /* where to look from: -C, else the current directory */
    const char *file;          /* -f, or NULL */
    const char *project;       /* -p, or NULL */
    char *const *profiles;     /* --profile */
    char *const *with;         /* --with */
    char *const *except;       /* -x */
    char *const *names;        /* services named on the command line (they are selected as well) */
    char *const *env_files;    /* -e */
    char *const *can_die;      /* --can-die */
    bool lan;                  /* --lan: ${bind} is 0.0.0.0 */
    const char *lan_address;   /* ${lan}; NULL: not known */
    char *const *environ;      /* the shell's environment, for ${env:VAR} and PORT of a Procfile */
};

/* Finds, reads, checks and expands. 0 and *out (free with spec_free), or -ENOENT (no definition found; why
 * says where was looked), -EINVAL (problems has at least one entry, sorted), other negative errno (why). */
int spec_load(const struct spec_request *request, struct spec **out, struct problems *problems,
              struct fault *why) ATTR_MUST_CHECK;
/* Only finds: root, file and id without reading the definition's services (so that `down`, `ps` and `logs`
 * work while the definition is broken). Strings in the arena. Same errors as spec_load but never -EINVAL. */
struct spec_place {
    const char *id;
    const char *name;
    const char *root;
    const char *file;
    const char *file_shown;
};
int spec_locate(const struct spec_request *request, struct arena *arena, struct spec_place *out,
                struct fault *why) ATTR_MUST_CHECK;
void spec_free(struct spec *spec);

/* The service of that name, or NULL. */
const struct spec_service *spec_find(const struct spec *spec, const char *name);
/* Expands globs and checks names against the spec: an index list in the arena (each once, in order of the
 * definition). -EINVAL with why and "did you mean" for a name or glob that matches nothing. No names: every
 * service with `all_selected_only` ? selected : any. */
int spec_match(const struct spec *spec, char *const *names, bool all_selected_only, struct arena *arena,
               size_t **out, size_t *count, struct fault *why) ATTR_MUST_CHECK;
/* The nearest service name, or NULL. */
const char *spec_nearest(const struct spec *spec, const char *name);

#endif
