/* The inside of a redactor, for redact.c and secrets_file.c; everybody else uses view.h. */
#ifndef ROADIE_LOGS_REDACT_H
#define ROADIE_LOGS_REDACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logs/view.h"

enum { REDACT_HEADS = 1024, REDACT_FILTER = 8192 };

struct redactor_text {
    char *name;
    char *bytes;
    size_t len;
};

struct redactor_gram {
    uint32_t text;
    uint32_t next; /* index + 1 of the next with the same head; 0: none */
    size_t offset; /* of the gram in its text */
};

struct redactor {
    struct redactor_text *texts;
    size_t count;
    size_t cap;
    struct redactor_gram *grams;
    size_t gram_count;
    size_t gram_cap;
    size_t stride;   /* of the positions that are looked up */
    bool has_short;  /* some text is shorter than the filter can find */
    bool has_escape; /* some text holds an ESC itself */
    uint64_t loaded; /* bytes of the secrets file that were read */
    dev_t device;
    ino_t inode;
    uint32_t heads[REDACT_HEADS];
    unsigned char filter[REDACT_FILTER];
};

/* False: nothing in text needs masking. Quick; may be true for nothing. */
bool redactor_may_match(const struct redactor *r, struct span text);

#endif
