/* Linux: SO_PEERCRED, /proc (see peer.h). */
#include "control/peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool peer(int fd, struct ucred *out)
{
    socklen_t len = sizeof *out;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &len) == 0 && len == sizeof *out;
}

bool peer_is_me(int fd)
{
    struct ucred who;
    return peer(fd, &who) && who.uid == getuid();
}

void peer_describe(int fd, pid_t *pid, char *tty, size_t size)
{
    struct ucred who;
    *pid = 0;
    tty[0] = '\0';
    if (!peer(fd, &who)) {
        return;
    }
    *pid = who.pid;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd/0", (int)who.pid);
    ssize_t len = readlink(path, tty, size - 1);
    tty[len > 0 ? len : 0] = '\0';
    if (strncmp(tty, "/dev/pts/", 9) != 0 && strncmp(tty, "/dev/tty", 8) != 0) {
        tty[0] = '\0';
    }
}
