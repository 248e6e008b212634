/*
 * What this room is for.      Pipes and PTYs on macOS; nothing moves bytes without a copy there.
 * What it may touch.          Descriptors that it makes or is given.
 * Who calls it.               store.c (making), stream.c (moving).
 * The one invariant.          The child's end stays blocking.
 */
#include "logs/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int ends_close(int ours, int theirs, int code)
{
    (void)close(ours);
    if (theirs >= 0) {
        (void)close(theirs);
    }
    return code;
}

/* There is no pipe2: a fork in another thread between the calls would leak the ends, so the server
 * spawns from the same thread that calls this. */
static int end_prepare(int fd, int more_flags)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(fd, F_SETFL, flags | more_flags) < 0) {
        return -errno;
    }
    return 0;
}

int channel_pipe(int *our_fd, int *child_fd)
{
    int ends[2];
    if (pipe(ends) < 0) {
        return -errno;
    }
    int code = end_prepare(ends[0], O_NONBLOCK);
    code = code < 0 ? code : end_prepare(ends[1], 0);
    if (code < 0) {
        return ends_close(ends[0], ends[1], code);
    }
    *our_fd = ends[0];
    *child_fd = ends[1];
    return 0;
}

static int terminal_prepare(int fd)
{
    struct termios modes;
    if (tcgetattr(fd, &modes) < 0) {
        return -errno;
    }
    modes.c_oflag &= ~(tcflag_t)OPOST;
    modes.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    modes.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
    modes.c_lflag |= ISIG | ICANON;
    struct winsize size = {.ws_row = CHANNEL_ROWS, .ws_col = CHANNEL_COLUMNS};
    return tcsetattr(fd, TCSANOW, &modes) < 0 || ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int channel_pty(int *our_fd, int *child_fd)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) {
        return -errno;
    }
    int code = end_prepare(master, O_NONBLOCK);
    const char *name = NULL;
    if (code == 0 && grantpt(master) == 0 && unlockpt(master) == 0) {
        name = ptsname(master);
    }
    int slave = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return ends_close(master, -1, code < 0 ? code : -errno);
    }
    code = terminal_prepare(slave);
    if (code < 0) {
        return ends_close(master, slave, code);
    }
    *our_fd = master;
    *child_fd = slave;
    return 0;
}

size_t channel_grow(int our_fd, size_t want)
{
    (void)our_fd;
    (void)want;
    return 64 * 1024; /* what a busy pipe grows to by itself there */
}

int channel_relay(int relay[2])
{
    relay[0] = -1;
    relay[1] = -1;
    return -ENOSYS;
}

int64_t channel_take(int our_fd, const int relay[2], size_t len)
{
    (void)our_fd;
    (void)relay;
    (void)len;
    return -ENOSYS;
}

int64_t channel_put(const int relay[2], int file_fd, uint64_t offset, size_t len)
{
    (void)relay;
    (void)file_fd;
    (void)offset;
    (void)len;
    return -ENOSYS;
}
