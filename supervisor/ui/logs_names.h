/* The services that a stack has logs of, and those that its definition names. */
#ifndef ROADIE_UI_LOGS_NAMES_H
#define ROADIE_UI_LOGS_NAMES_H

#include "base/arena.h"
#include "stack/spec.h"
#include "ui/args.h"

struct logs_names {
    struct arena arena;
    const char *dir;
    const char **all;      /* NULL-terminated: the definition's in its order, then stored ones by name */
    size_t count;
    size_t width;          /* of the longest that is selected or stored */
    const char *run_of;    /* the last answer of logs_names_last_run */
    uint32_t run;
};

/* spec may be NULL (broken or gone). dir is borrowed. */
void logs_names_read(struct logs_names *n, const char *dir, const struct spec *spec);
/* Those that the command line means, NULL-terminated, in the arena. */
char **logs_names_pick(struct logs_names *n, const struct args *args);
/* The newest run of a service; remembered for the next call with the same pointer. */
uint32_t logs_names_last_run(struct logs_names *n, const char *service);
void logs_names_fini(struct logs_names *n);

#endif
