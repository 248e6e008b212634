/*
 * The segments of one service, writing end: append, rotate, prune, account for what could not be
 * stored. Used by the log thread only. Bytes are written by the caller at (segments_fd,
 * segments_offset), then noted; noted records reach the index with segments_flush.
 */
#ifndef ROADIE_LOGS_SEGMENTS_H
#define ROADIE_LOGS_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "logs/format.h"

struct segments;

struct segment_mark {
    uint32_t run;
    uint8_t stream;
    uint8_t flags;
    uint64_t mono_ns;
    uint64_t wall_ns;
};

/* Creates nothing on disk yet. dir is borrowed for the object's life, service copied. */
struct segments *segments_new(const char *dir, const char *service, uint64_t keep_bytes);
const char *segments_service(const struct segments *s);
void segments_keep(struct segments *s, uint64_t keep_bytes);
/* Makes the current segment ready for writing: opens or makes it, rotates when it is full, makes it
 * again when somebody has removed it. 0, or why bytes cannot be stored now. */
int segments_ready(struct segments *s, uint64_t mono_ns) ATTR_MUST_CHECK;
int segments_fd(const struct segments *s);
uint64_t segments_offset(const struct segments *s);
/* How many bytes may be appended before the next segments_ready; at least 1 after it gave 0. */
size_t segments_room(const struct segments *s);
/* Notes len bytes (0 with INDEX_END) that stand at segments_offset now; takes their seq from *head.
 * At most one note after each segments_ready. */
void segments_note(struct segments *s, const struct segment_mark *mark, uint32_t len,
                   uint64_t *head);
bool segments_dirty(const struct segments *s);
/* Writes noted records. What the index has no room for counts as lost. */
void segments_flush(struct segments *s);
/* After a failed write: makes room where that can help. True: worth another try now. */
bool segments_make_room(struct segments *s, int error);
/* Removes the oldest closed segment unless a viewer holds it. */
bool segments_evict(struct segments *s);
/* Counts bytes that could not be stored; a record says so as soon as one can be written. */
void segments_lose(struct segments *s, uint64_t bytes, int error);
/* Bytes lost since segments_new, and those of them that no record tells of yet. */
uint64_t segments_lost(const struct segments *s);
uint64_t segments_unsaid(const struct segments *s);
/* Remembers a run number, best effort. */
void segments_save_run(const struct segments *s, uint32_t run);
/* Closes the files of the current segment; the next segments_ready opens it again. */
void segments_rest(struct segments *s);
void segments_free(struct segments *s);

/* Creates path and its missing parents, 0700. */
int dirs_make(const char *path);

struct recovery {
    uint32_t run;  /* newest run number seen */
    uint64_t last; /* newest seq */
};
/* Puts a service's newest segment in order after a crash: cuts torn records, writes records for
 * bytes without one and ends for streams without one; takes seqs from *head (raised first by
 * recovery_look); run is for bytes without any record. */
int recovery_look(const char *dir, const char *service, struct recovery *out);
int recovery_mend(const char *dir, const char *service, uint32_t run, uint64_t *head);

#endif
