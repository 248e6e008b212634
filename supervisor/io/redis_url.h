/* redis:// and rediss:// as redis-py reads them. Pure. */
#ifndef ROADIE_IO_REDIS_URL_H
#define ROADIE_IO_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"

struct redis_url {
    char host[256];
    uint16_t port; /* 6379 when left out */
    bool tls;
    unsigned db;
    char *user;     /* percent-decoded, or NULL */
    char *password; /* likewise */
};

/* -EINVAL with why (which never quotes the URL). Free with redis_url_fini also after an error. */
int redis_url_parse(struct redis_url *u, const char *url, struct fault *why) ATTR_MUST_CHECK;
/* Wipes the password. */
void redis_url_fini(struct redis_url *u);

#endif
