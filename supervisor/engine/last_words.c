/*
 * The last words of a run, straight from its log: for sentences about an end that only its output explains.
 * Asked when the streams have been drained; at most 4 KiB of what was written since the run began.
 */
#include "engine/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAST_WORDS_MAX = 4096, PATH_SIZE = 4096 };

/* The newest segment of the service; its number, 0 when there is none. */
static unsigned long newest(const struct run *run, char *path)
{
    char directory[PATH_SIZE - 32];
    (void)snprintf(directory, sizeof directory, "%s/logs/%s", run->svc->engine->opts.state_dir,
                   run->svc->name);
    DIR *dir = opendir(directory);
    unsigned long best = 0;
    struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *end = NULL;
        unsigned long number = strtoul(entry->d_name, &end, 10);
        if (end != entry->d_name && strcmp(end, ".log") == 0 && number >= best) {
            best = number;
            (void)snprintf(path, PATH_SIZE, "%s/%.32s", directory, entry->d_name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return best;
}

void run_note_words(struct run *run)
{
    char path[PATH_SIZE] = "";
    struct stat st;
    run->log_segment = newest(run, path);
    run->log_offset = path[0] != '\0' && stat(path, &st) == 0 ? st.st_size : 0;
}

void run_last_words(const struct run *run, struct buf *out)
{
    char path[PATH_SIZE] = "";
    struct stat st;
    off_t from = newest(run, path) == run->log_segment ? run->log_offset : 0;
    int fd = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > from) {
        off_t begin = st.st_size - from > LAST_WORDS_MAX ? st.st_size - LAST_WORDS_MAX : from;
        char bytes[LAST_WORDS_MAX];
        ssize_t got = pread(fd, bytes, sizeof bytes, begin);
        if (got > 0) {
            (void)buf_append(out, bytes, (size_t)got);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}
