/* macOS has no subreaper, no death signal and no OOM preference: best effort (see shim.h). */
#include <errno.h>
#include <string.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/shim/shim.h"

void system_become_subreaper(void)
{
}

int system_claim_tty(int fd)
{
    return ioctl(fd, TIOCSCTTY, 0) == 0 ? 0 : errno;
}

void system_prefer_oom(void)
{
}

void system_drop_pages(void *from, size_t size)
{
    memset(from, 0, size);
}

void *system_map_private(int fd, size_t size)
{
    int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANON : 0);
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    return base == MAP_FAILED ? NULL : base;
}
