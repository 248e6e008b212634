/* Helps for the tests of the stack room: a directory of their own, files in it, one load. */
#ifndef ROADIE_TESTS_STACK_SUPPORT_H
#define ROADIE_TESTS_STACK_SUPPORT_H

#include "stack/spec.h"

struct bench {
    char directory[64];
    struct spec *spec; /* of the last load, or NULL */
    struct problems problems;
    struct fault why;
    int rc;
};

void bench_init(struct bench *b);
void bench_fini(struct bench *b);
/* Writes a file below the directory, making its folders. */
void bench_write(const struct bench *b, const char *name, const char *text);
void bench_write_bytes(const struct bench *b, const char *name, const void *bytes, size_t len);
/* Loads with request; directory and environ are filled in when NULL. The last load is forgotten. */
int bench_load(struct bench *b, struct spec_request request);
/* Writes roadie.ini and loads it. */
int bench_load_text(struct bench *b, const char *text);
/* The problems as printed, malloc'd. */
char *bench_problems(const struct bench *b);
/* A whole file, malloc'd and NUL-terminated; aborts the test when it cannot be read. */
char *read_whole(const char *path, size_t *len);

#endif
