/* No subreaper, an unlinked temporary file, SOCK_STREAM with messages of fixed size (see host.h).
 */
#include "process/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void host_become_subreaper(void)
{
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
    char path[1024];
    const char *dir = getenv("TMPDIR");
    int size = snprintf(path, sizeof path, "%s/roadie.XXXXXX", dir != NULL ? dir : "/tmp");
    if (size < 0 || (size_t)size >= sizeof path) {
        return -ENAMETOOLONG;
    }
    int fd = mkstemp(path); /* 0600 */
    if (fd < 0) {
        return -errno;
    }
    (void)unlink(path);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    int status = write_all(fd, bytes, len);
    if (status < 0) {
        (void)close(fd);
        return status;
    }
    return fd;
}

int host_socketpair(int ends[2])
{
    int on = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        (void)setsockopt(ends[i], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
    }
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int host_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        return -errno;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int host_send_flags(void)
{
    return MSG_DONTWAIT;
}
