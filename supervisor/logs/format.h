/*
 * What the store looks like on disk; both ends include it. A segment is a pair of files:
 * NNNNNNNN.log holds raw bytes, NNNNNNNN.idx fixed-size records that say what they are. Native byte
 * order: logs do not travel.
 *
 * Every record uses up at least one seq, so that all records of a stack have a total order and a
 * reader can tell from the head alone which are complete: a record is readable once
 * index_last(record) <= head.
 */
#ifndef ROADIE_LOGS_FORMAT_H
#define ROADIE_LOGS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum index_flag {
    INDEX_END = 1, /* no bytes: this stream of this run has ended */
    INDEX_RECOVERY =
        2, /* written by the next server for what a crashed one left; wall_ns is the file's mtime */
    INDEX_LOST =
        4, /* no bytes: `offset` holds how many could not be stored, `error` why (an errno) */
};

struct index_record {
    uint64_t seq; /* of the first byte, counted over the whole stack from 1 */
    uint64_t mono_ns;
    uint64_t wall_ns;
    uint64_t offset; /* of the first byte in the .log file */
    uint32_t len;
    uint32_t run;
    uint8_t stream; /* enum log_stream */
    uint8_t flags;
    uint16_t error;
    uint32_t check; /* over all before it: a torn record is recognised */
};

_Static_assert(sizeof(struct index_record) == 48, "the index record has a fixed size");

enum { SEGMENT_NAME_SIZE = 16, SERVICE_NAME_MAX = 64 };

/* The last seq that the record uses. */
uint64_t index_last(const struct index_record *record);
void index_seal(struct index_record *record);
bool index_valid(const struct index_record *record);

/* "00000042.log" into out (SEGMENT_NAME_SIZE); returns out. */
const char *segment_name(uint32_t number, const char *ext, char *out);
/* The numbers of all .idx files of an open directory, ascending; *numbers is for mem_free. */
int segment_list(int dir_fd, uint32_t **numbers, size_t *count);
/* Opens a regular file without following a link and without ever blocking; flags as for openat(2).
 * -EINVAL when something else stands there. */
int file_open(int dir_fd, const char *name, int flags);
/* Opens DIR/SERVICE; -errno. */
int service_dir_open(const char *dir, const char *service);
bool service_name_ok(const char *name);

/* pread and pwrite that go on after a short count; the number of bytes done, or a negative errno
 * when none was. */
int64_t file_read(int fd, void *out, size_t len, uint64_t offset);
int64_t file_write(int fd, const void *bytes, size_t len, uint64_t offset);
/* The 8 bytes of DIR/head and DIR/up; 0 when there are none yet. */
uint64_t number_read(int fd);

#endif
