/* Internal to the room: one load in progress, shared by the files that turn sections into a spec.
 */
#ifndef ROADIE_STACK_LOAD_H
#define ROADIE_STACK_LOAD_H

#include "stack/ini.h"
#include "stack/spec.h"

enum { LOAD_NO_SERVICE = -1 };

/* A port or URL of a service that others may refer to before its own turn comes. */
enum lazy_state { LAZY_NEW, LAZY_BUSY, LAZY_DONE, LAZY_BAD };

struct lazy {
    enum lazy_state port_state;
    enum lazy_state url_state;
    uint16_t port;   /* 0: none */
    const char *url; /* NULL: none */
};

/* `gives`: applied once it is known who is selected. */
struct load_gift {
    size_t giver;
    size_t receiver;
    struct spec_var var;
};

/* Owned by spec_load's frame; everything that outlives it is in spec->arena. */
struct load {
    const struct spec_request *request;
    struct spec *spec;
    struct arena *arena; /* spec->arena */
    struct problems *problems;
    struct ini_file def;          /* the effective sections */
    struct ini_section **sources; /* of each service of the spec */
    struct lazy *lazy;            /* likewise */
    struct load_gift *gifts;
    size_t gift_count;
    unsigned depth; /* of references within references */
    bool endless;   /* they never end: reported, and nothing more is replaced */
};

/* Adds a problem at a place. */
void load_problem(struct load *l, struct origin at, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
void load_warning(struct load *l, struct origin at, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
/* The index of the service or task of that name, or LOAD_NO_SERVICE. */
int load_find(const struct load *l, struct span name);
/* Reports an unknown service; what says where it was named, as in `in "depends-on"`. */
void load_unknown(struct load *l, struct origin at, struct span name, const char *what);
/* "did you mean …?" in the arena, or NULL for NULL. */
const char *load_did_you_mean(struct load *l, const char *nearest);
/* The first entry of that key, or NULL. */
const struct ini_entry *load_entry(const struct ini_section *section, const char *key);

#endif
