/* What only Linux has: subreaper, the OOM killer's preference (see shim.h). libc only,
 * async-signal-safe. */
#include <errno.h>
#include <fcntl.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "process/shim/shim.h"

enum { OOM_RAISE = 200, OOM_MAX = 1000 };

void system_become_subreaper(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int system_claim_tty(int fd)
{
    return ioctl(fd, TIOCSCTTY, 0) == 0 ? 0 : errno;
}

static int read_number(int fd)
{
    char text[16] = {0};
    int n = 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    const char *digit = text[0] == '-' ? text + 1 : text;
    for (; got > 0 && *digit >= '0' && *digit <= '9'; digit++) {
        n = n * 10 + (*digit - '0');
    }
    return text[0] == '-' ? -n : n;
}

/* A kernel short of memory shall rather end a service, which roadie reports and restarts, than
 * roadie. */
void system_prefer_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    int score = read_number(fd) + OOM_RAISE;
    if (score > 0 && score <= OOM_MAX) {
        char text[4];
        int at = (int)sizeof text;
        for (int n = score; n > 0; n /= 10) {
            text[--at] = (char)('0' + n % 10);
        }
        (void)!pwrite(fd, text + at, sizeof text - (size_t)at, 0);
    }
    (void)close(fd);
}

void system_drop_pages(void *from, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)from + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)from + size) & ~(page - 1);
    for (char *p = from; (uintptr_t)p < first; p++) {
        *p = 0;
    }
    (void)madvise((void *)first, end - first, MADV_DONTNEED);
    for (char *p = (char *)end; p < (char *)from + size; p++) {
        *p = 0;
    }
}

void *system_map_private(int fd, size_t size)
{
    int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    return base == MAP_FAILED ? NULL : base;
}
