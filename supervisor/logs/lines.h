/* The inside of a reader, for reader.c (opening, services, raw bytes) and lines.c (merging,
 * framing). */
#ifndef ROADIE_LOGS_LINES_H
#define ROADIE_LOGS_LINES_H

#include "logs/cursor.h"
#include "logs/reader.h"

enum { READER_CHUNK = 256 * 1024 };

struct logreader {
    char *dir;
    char *head_path;
    int head_fd;
    char **services; /* NULL-terminated; NULL: all */
    uint32_t run;
    unsigned streams;
    uint64_t from_seq; /* only lines whose seq is greater */
    uint64_t since_wall_ns;
    uint64_t until_wall_ns;
    bool follow;
    bool preload; /* from the middle: unfinished lines have a beginning */
    bool finishing;
    uint64_t head;
    uint64_t dir_mtime_ns;
    struct cursor *cursors;

    struct cursor *current; /* whose record is being framed; NULL: none */
    struct index_record record;
    uint64_t record_done; /* bytes of it that were framed or skipped */
    char *chunk;          /* READER_CHUNK bytes at most: record bytes from chunk_from on */
    size_t chunk_len;
    size_t chunk_at;
    bool ending; /* the record ended the stream: its frame's rest is to be given out */
    char lost_text[96];
};

/* Takes the oldest readable record of all services; false when there is none. */
bool lines_record(struct logreader *r);

#endif
