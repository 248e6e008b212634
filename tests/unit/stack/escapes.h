/* \n \t \r \\ \xNN in the tables of tests/cases. */
#ifndef ROADIE_TESTS_STACK_ESCAPES_H
#define ROADIE_TESTS_STACK_ESCAPES_H

#include "base/bytes.h"

/* Appends the bytes that the field stands for. */
void unescape_into(struct buf *out, const char *field, size_t len);
/* Appends text as a field. */
void escape_into(struct buf *out, struct span text);
/* The next row of a table, without comments and blank lines: its fields. 0 at the end. */
size_t table_row(char **at, char *fields[], size_t most);

#endif
