/* Which variables are secret, and what of their values must be masked (INTERFACE §3 "Secrets"). Pure. */
#ifndef ROADIE_STACK_SECRETS_H
#define ROADIE_STACK_SECRETS_H

#include <stdbool.h>

#include "base/bytes.h"

/* By name, case-insensitively: *TOKEN*, *SECRET*, *PASSWORD*, *PRIVATE*, *CREDENTIAL*, *_KEY, *_KEY_ID,
 * *_JWK, *_DSN, DATABASE_URL. */
bool secret_name(const char *name);
/* Whether a value counts: at least 6 bytes and not all digits. */
bool secret_value(struct span value);
/* Calls each() for every text to mask in NAME=value: the value, each line of a multi-line value, and the
 * password of any scheme://user:password@host in it (as written and percent-decoded; for those name is
 * "password", also when NAME itself is not secret). Passwords for which secret_value is false are left out:
 * they are masked in their URLs only (secret_mask_passwords). */
typedef void (*secret_fn)(void *ctx, const char *name, struct span text);
void secret_texts(const char *name, const char *value, secret_fn each, void *ctx);
/* Appends text with the password of every scheme://user:password@host, of any length, as ‹password›. */
void secret_mask_passwords(struct span text, struct buf *out);
/* Appends the value of NAME as it may be shown: ‹NAME›, or with masked passwords. */
void secret_mask(const char *name, const char *value, struct buf *out);

#endif
