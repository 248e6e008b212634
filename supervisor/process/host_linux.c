/* Subreaper, memfd, SEQPACKET (see host.h). */
#include "process/host.h"

#include <errno.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

void host_become_subreaper(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int write_all(int fd, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t put = pwrite(fd, bytes + at, len - at, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put == 0 ? -EIO : -errno;
        }
        at += (size_t)put;
    }
    return 0;
}

int host_blob_open(const void *bytes, size_t len)
{
    int fd = memfd_create("roadie", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int status = write_all(fd, bytes, len);
    if (status < 0) {
        (void)close(fd);
        return status;
    }
    return fd;
}

int host_socketpair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int host_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int host_send_flags(void)
{
    return MSG_NOSIGNAL | MSG_DONTWAIT;
}
