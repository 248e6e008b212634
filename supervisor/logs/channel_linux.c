/*
 * What this room is for.      Pipes, PTYs and splice on Linux.
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

int channel_pipe(int *our_fd, int *child_fd)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    int flags = fcntl(ends[0], F_GETFL);
    if (flags < 0 || fcntl(ends[0], F_SETFL, flags | O_NONBLOCK) < 0) {
        int code = -errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return code;
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
    const struct winsize size = {.ws_row = CHANNEL_ROWS, .ws_col = CHANNEL_COLUMNS};
    if (tcsetattr(fd, TCSANOW, &modes) < 0 || ioctl(fd, TIOCSWINSZ, &size) < 0) {
        return -errno;
    }
    return 0;
}

int channel_pty(int *our_fd, int *child_fd)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) {
        return -errno;
    }
    char name[64];
    int slave = -1;
    int code = 0;
    if (grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0) {
        code = -errno;
    } else {
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        code = slave < 0 ? -errno : terminal_prepare(slave);
    }
    if (code < 0) {
        (void)close(master);
        if (slave >= 0) {
            (void)close(slave);
        }
        return code;
    }
    *our_fd = master;
    *child_fd = slave;
    return 0;
}

size_t channel_grow(int our_fd, size_t want)
{
    int now = fcntl(our_fd, F_GETPIPE_SZ);
    if (now > 0 && (size_t)now < want && fcntl(our_fd, F_SETPIPE_SZ, (int)want) >= 0) {
        now = fcntl(our_fd, F_GETPIPE_SZ);
    }
    return now > 0 ? (size_t)now : 4096;
}

int channel_relay(int relay[2])
{
    if (pipe2(relay, O_CLOEXEC | O_NONBLOCK) < 0) {
        return -errno;
    }
    (void)fcntl(relay[0], F_SETPIPE_SZ, CHANNEL_RELAY);
    return 0;
}

static ssize_t splice_on(int from, int to, loff_t *offset, size_t len)
{
    ssize_t n;
    do {
        n = splice(from, NULL, to, offset, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return n;
}

int64_t channel_take(int our_fd, const int relay[2], size_t len)
{
    ssize_t n = splice_on(our_fd, relay[1], NULL, len);
    return n < 0 ? -errno : n;
}

int64_t channel_put(const int relay[2], int file_fd, uint64_t offset, size_t len)
{
    loff_t at = (loff_t)offset;
    ssize_t n = splice_on(relay[0], file_fd, &at, len);
    return n >= 0 ? n : errno == EINVAL ? -ENOSYS : -errno;
}
