/* libpq's errors as a negative errno and one clean sentence. Pure. */
#ifndef ROADIE_IO_POSTGRES_ERROR_H
#define ROADIE_IO_POSTGRES_ERROR_H

#include <stddef.h>

/* message: libpq's, in verbose form where a server spoke ("FATAL:  28P01: password …"). password
 * (may be NULL) is masked wherever it appears. Returns the errno of postgres.h. */
int postgres_error(const char *message, const char *password, char *text, size_t size);

#endif
