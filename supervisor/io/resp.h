/*
 * Limits in front of hiredis' reader, which believes the sizes that a peer announces: walks the
 * bytes of RESP2 without keeping them. Pure.
 */
#ifndef ROADIE_IO_RESP_H
#define ROADIE_IO_RESP_H

#include <stdint.h>

#include "base/bytes.h"

enum {
    RESP_LINE_MAX = 64 * 1024,        /* a status, error or number line */
    RESP_BULK_MAX = 1024 * 1024,      /* one string */
    RESP_ITEMS_MAX = 64 * 1024,       /* elements of one array */
    RESP_TOTAL_MAX = 4 * 1024 * 1024, /* everything of one conversation */
};

/* Zero-initialise. */
struct resp_guard {
    uint64_t total;
    uint64_t bulk_left; /* bytes of a string still to come, its CRLF included */
    size_t line_len;    /* of the line under way, type byte included */
    char line[24];      /* its beginning: enough for type and number */
};

/* 0, -EMSGSIZE when an announced or real size is past a limit, -EPROTO when it is not RESP2. After
 * an error nothing more may be fed. */
int resp_guard_feed(struct resp_guard *g, struct span bytes) ATTR_MUST_CHECK;

#endif
