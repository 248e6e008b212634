/* Which stack a command is about: found, loaded, connected to. */
#ifndef ROADIE_UI_TARGET_H
#define ROADIE_UI_TARGET_H

#include <jansson.h>

#include "control/client.h"
#include "control/place.h"
#include "stack/spec.h"
#include "ui/app.h"

struct target {
    struct spec_place where;
    struct place place;
    struct spec *spec;          /* after target_load, else NULL */
    struct client *client;      /* after target_connect, else NULL */
};

/* All of these report what went wrong and return an exit code; 0 is fine. Zero-initialise, target_fini at the
 * end in every case. */

/* Finds the stack (-f, -p, --stack ID or the nearest definition) without reading it; loads what must be masked. */
int target_locate(struct app *app, struct target *t);
/* Reads the definition (after target_locate). */
int target_load(struct app *app, struct target *t);
/* As target_load, but a broken or missing definition is no error: spec stays NULL. */
void target_load_quietly(struct app *app, struct target *t);
/* Connects to the server; none: EXIT_NO_STACK, said when required, else client stays NULL and 0. */
int target_connect(struct app *app, struct target *t, bool required);
/* Starts a server when none runs. */
int target_boot(struct app *app, struct target *t, bool own, bool *started);
/* target_locate and target_connect(required). */
int target_open(struct app *app, struct target *t);
/* Sends and waits; a reply with another code than 0 is reported and returned. *reply (may be NULL) is a new
 * reference, also with an error code, NULL only when the connection failed. */
int target_call(struct app *app, struct target *t, json_t *request, client_fn each, void *ctx,
                json_t **reply);
void target_fini(struct target *t);

/* A request: {"op":op}, with "names" from the command line when there are any. */
json_t *request_new(const struct app *app, const char *op);
json_t *request_list(char *const *items);
/* Adds what selects services and variables: profiles, with, except, env_files (absolute), lan. */
void request_selection(struct app *app, json_t *request);
/* Reads a duration option into *out (0 when it was not given); EXIT_USAGE when it is none. */
int target_duration(const struct app *app, const char *option, uint64_t *out_ms);

#endif
