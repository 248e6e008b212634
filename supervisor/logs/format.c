/*
 * What this room is for.      The on-disk format's small operations.
 * What it may touch.          Files; base only.
 * Who calls it.               Both ends of the store.
 * The one invariant.          Nothing but a regular file is ever opened, and opening never blocks.
 */
#include "logs/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/numbers.h"

uint64_t index_last(const struct index_record *record)
{
    return record->seq + (record->len > 0 ? record->len : 1) - 1;
}

static uint32_t record_check(const struct index_record *record)
{
    uint64_t words[6] = {0};
    memcpy(words, record, offsetof(struct index_record, check));
    uint64_t sum = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        sum = (sum ^ words[i]) * 0xFF51AFD7ED558CCDu;
        sum ^= sum >> 32;
    }
    return (uint32_t)sum;
}

void index_seal(struct index_record *record)
{
    record->check = record_check(record);
}

bool index_valid(const struct index_record *record)
{
    return record->check == record_check(record) && record->seq > 0;
}

const char *segment_name(uint32_t number, const char *ext, char *out)
{
    (void)snprintf(out, SEGMENT_NAME_SIZE, "%08u.%s", number % 100000000u, ext);
    return out;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static bool segment_number(const char *name, uint32_t *number)
{
    uint64_t value = 0;
    if (strlen(name) != 12 || strcmp(name + 8, ".idx") != 0 ||
        parse_u64((struct span){.ptr = name, .len = 8}, 0, 99999999, &value) < 0) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

int segment_list(int dir_fd, uint32_t **numbers, size_t *count)
{
    *numbers = NULL;
    *count = 0;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int code = -errno;
        (void)close(fd);
        return code;
    }
    size_t cap = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        uint32_t number = 0;
        if (!segment_number(entry->d_name, &number)) {
            continue;
        }
        if (*count == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            *numbers = mem_realloc(*numbers, cap * sizeof(**numbers));
        }
        (*numbers)[(*count)++] = number;
    }
    (void)closedir(dir);
    if (*count > 0) {
        qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    }
    return 0;
}

int file_open(int dir_fd, const char *name, int flags)
{
    int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) {
        return -errno;
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -EINVAL;
    }
    return fd;
}

int service_dir_open(const char *dir, const char *service)
{
    if (!service_name_ok(service)) {
        return -EINVAL;
    }
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return -errno;
    }
    int fd = openat(root, service, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code = fd < 0 ? -errno : fd;
    (void)close(root);
    return code;
}

bool service_name_ok(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > SERVICE_NAME_MAX || name[0] == '.') {
        return false;
    }
    return strchr(name, '/') == NULL && strcmp(name, "head") != 0 && strcmp(name, "up") != 0;
}

int64_t file_read(int fd, void *out, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, (char *)out + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && done == 0) {
            return -errno;
        }
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return (int64_t)done;
}

int64_t file_write(int fd, const void *bytes, size_t len, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && done == 0) {
            return -errno;
        }
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return (int64_t)done;
}

uint64_t number_read(int fd)
{
    uint64_t value = 0;
    return file_read(fd, &value, sizeof(value), 0) == (int64_t)sizeof(value) ? value : 0;
}
