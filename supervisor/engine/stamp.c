/*
 * Tasks with inputs: a stamp of what they looked at when they last succeeded. Content decides, not times; the
 * stamp is ours, since a folder that exists proves nothing. STATE/stamps/NAME holds one hash.
 */
#include "engine/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAMP_TEXT = 17, STAMP_BLOCK = 64 * 1024 };

static uint64_t fnv(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3U;
    }
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return fnv(hash, text, strlen(text) + 1);
}

static uint64_t hash_file(uint64_t hash, const char *path)
{
    hash = hash_text(hash, path);
    struct stat st;
    if (lstat(path, &st) != 0) {
        return hash_text(hash, "absent");
    }
    if (S_ISLNK(st.st_mode)) {
        char target[4096];
        ssize_t len = readlink(path, target, sizeof target);
        hash = len > 0 ? fnv(hash, target, (size_t)len) : hash;
        return stat(path, &st) == 0 ? hash : hash_text(hash, "dangling");
    }
    if (!S_ISREG(st.st_mode)) {
        return hash;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return hash_text(hash, "unreadable");
    }
    static char block[STAMP_BLOCK];
    ssize_t len = 0;
    while ((len = read(fd, block, sizeof block)) > 0) {
        hash = fnv(hash, block, (size_t)len);
    }
    (void)close(fd);
    return hash;
}

static uint64_t hash_glob(uint64_t hash, const char *root, const char *pattern)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", root, pattern);
    glob_t found = {0};
    hash = hash_text(hash, pattern);
    if (glob(path, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            hash = hash_file(hash, found.gl_pathv[i]);
        }
    } else {
        hash = hash_text(hash, "nothing");
    }
    globfree(&found);
    return hash;
}

static void stamp_of(const struct run *run, char out[STAMP_TEXT])
{
    const struct spec_service *spec = run->spec;
    uint64_t hash = hash_text(0xcbf29ce484222325U, spec->directory);
    for (size_t i = 0; spec->argv != NULL && spec->argv[i] != NULL; i++) {
        hash = hash_text(hash, spec->argv[i]);
    }
    for (size_t i = 0; spec->inputs[i] != NULL; i++) {
        hash = hash_glob(hash, run->ref->spec->root, spec->inputs[i]);
    }
    (void)snprintf(out, STAMP_TEXT, "%016llx", (unsigned long long)hash);
}

static void stamp_path(const struct run *run, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/stamps/%s", run->svc->engine->opts.state_dir, run->svc->name);
}

bool stamp_is_fresh(const struct run *run)
{
    if (run->spec->inputs[0] == NULL) {
        return false;
    }
    char path[4096];
    stamp_path(run, path, sizeof path);
    char stored[STAMP_TEXT] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    ssize_t len = read(fd, stored, STAMP_TEXT - 1);
    (void)close(fd);
    char now[STAMP_TEXT];
    stamp_of(run, now);
    return len == STAMP_TEXT - 1 && strcmp(stored, now) == 0;
}

/* After success: what it looked at may have been written by the task itself (a lock file), so now counts. */
void stamp_write(const struct run *run)
{
    if (run->spec->inputs[0] == NULL) {
        return;
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/stamps", run->svc->engine->opts.state_dir);
    (void)mkdir(path, 0700);
    stamp_path(run, path, sizeof path);
    char text[STAMP_TEXT];
    stamp_of(run, text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text, STAMP_TEXT - 1) != STAMP_TEXT - 1) {
        events_news(run->svc->engine, run->svc, NEWS_WARN,
                    "its success could not be noted (%s): it runs again next time", strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}
