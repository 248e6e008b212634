/* macOS: getpeereid, LOCAL_PEERPID (see peer.h). The terminal is not looked up. */
#include "control/peer.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool peer_is_me(int fd)
{
    uid_t uid = 0;
    gid_t gid = 0;
    return getpeereid(fd, &uid, &gid) == 0 && uid == getuid();
}

void peer_describe(int fd, pid_t *pid, char *tty, size_t size)
{
    socklen_t len = sizeof *pid;
    *pid = 0;
    if (size > 0) {
        tty[0] = '\0';
    }
    (void)getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, pid, &len);
}
