/* DATABASE_URL in the forms that projects write, made into what libpq takes (integrations.md §2.1,
 * §2.3). */
#ifndef ROADIE_IO_POSTGRES_URL_H
#define ROADIE_IO_POSTGRES_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

enum { POSTGRES_KEYS_MAX = 48 };

/* Keys and values for PQconnectStartParams; all owned. */
struct postgres_url {
    char *keys[POSTGRES_KEYS_MAX + 1]; /* NULL-terminated */
    char *values[POSTGRES_KEYS_MAX + 1];
    size_t count;
    char *host; /* to be resolved; NULL: a socket directory, or hostaddr was given */
    uint16_t port;
    char *password; /* decoded, for masking; or NULL */
    bool raised;    /* sslmode was raised to verify-full */
};

/* Reads url: a driver suffix (postgresql+psycopg://) goes, parameters of other clients and of newer
 * libpq go, `ssl=` of asyncpg becomes sslmode. TLS is never weakened; towards a host on the open
 * internet every mode but `disable` becomes verify-full with the system's certificates. -EINVAL
 * with why, which quotes nothing that might be part of a password. Free with postgres_url_fini also
 * after an error. */
int postgres_url_parse(struct postgres_url *u, const char *url, struct fault *why) ATTR_MUST_CHECK;
/* Sets or replaces one. */
void postgres_url_set(struct postgres_url *u, const char *key, const char *value);
const char *postgres_url_get(const struct postgres_url *u, const char *key);
void postgres_url_fini(struct postgres_url *u);

#endif
