/*
 * What this room is for.      Listening sockets of one port and who holds them, through libproc, on macOS.
 * What it may touch.          libproc, read only: the descriptors of this user's processes.
 * Who calls it.               engine (readiness, conflicts), ui (`port`)
 * The one invariant.          inode is the kernel's name of the socket. Other users' listeners are not visible here.
 */
#include "process/listeners.h"

#include <libproc.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/proc_info.h>

#include "base/mem.h"
#include "process/tree.h"

enum { PIDS_MAX = 16384, FDS_MAX = 4096 };

/* Looks at each TCP listener of a process; true ends the walk. */
typedef bool (*listener_fn)(void *arg, pid_t pid, const struct socket_info *socket);

static bool each_listener(pid_t pid, struct proc_fdinfo *fds, listener_fn fn, void *arg)
{
    int size = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, fds, FDS_MAX * (int)sizeof *fds);
    for (int i = 0; size > 0 && i < size / (int)sizeof *fds; i++) {
        struct socket_fdinfo info;
        if (fds[i].proc_fdtype != PROX_FDTYPE_SOCKET ||
            proc_pidfdinfo(pid, fds[i].proc_fd, PROC_PIDFDSOCKETINFO, &info, sizeof info) !=
                (int)sizeof info) {
            continue;
        }
        bool listens = info.psi.soi_kind == SOCKINFO_TCP &&
                       info.psi.soi_proto.pri_tcp.tcpsi_state == TSI_S_LISTEN;
        if (listens && fn(arg, pid, &info.psi)) {
            return true;
        }
    }
    return false;
}

struct search {
    uint16_t port;
    struct listener *items;
    int count;
    int max;
    uint64_t inode;
    pid_t holder;
};

static bool known(const struct search *s, uint64_t inode)
{
    for (int i = 0; i < s->count; i++) {
        if (s->items[i].inode == inode) {
            return true;
        }
    }
    return false;
}

static bool add_if_port(void *arg, pid_t pid, const struct socket_info *socket)
{
    struct search *s = arg;
    const struct in_sockinfo *in = &socket->soi_proto.pri_tcp.tcpsi_ini;
    if (ntohs((uint16_t)in->insi_lport) != s->port || known(s, socket->soi_so)) {
        return false;
    }
    struct listener *l = &s->items[s->count++];
    struct proc_bsdinfo owner = {0};
    *l = (struct listener){.port = s->port, .inode = socket->soi_so, .v6 = in->insi_vflag != INI_IPV4};
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &owner, sizeof owner) == (int)sizeof owner) {
        l->uid = owner.pbi_uid;
    }
    if (l->v6) {
        const struct in6_addr *at = &in->insi_laddr.ina_6;
        (void)inet_ntop(AF_INET6, at, l->address, sizeof l->address);
        l->wildcard = memcmp(at, &in6addr_any, sizeof *at) == 0;
        l->loopback = memcmp(at, &in6addr_loopback, sizeof *at) == 0;
    } else {
        const struct in_addr *at = &in->insi_laddr.ina_46.i46a_addr4;
        (void)inet_ntop(AF_INET, at, l->address, sizeof l->address);
        l->wildcard = at->s_addr == htonl(INADDR_ANY);
        l->loopback = (ntohl(at->s_addr) >> 24) == 127;
    }
    return s->count == s->max;
}

static bool is_inode(void *arg, pid_t pid, const struct socket_info *socket)
{
    struct search *s = arg;
    s->holder = socket->soi_so == s->inode ? pid : 0;
    return s->holder != 0;
}

/* fn over the listeners of pids[from] … pids[0], youngest first. */
static void walk(const pid_t *pids, int count, listener_fn fn, void *arg)
{
    struct proc_fdinfo *fds = mem_calloc(FDS_MAX, sizeof *fds);
    while (count > 0 && !each_listener(pids[count - 1], fds, fn, arg)) {
        count--;
    }
    mem_free(fds);
}

static void walk_all(listener_fn fn, void *arg)
{
    pid_t *pids = mem_calloc(PIDS_MAX, sizeof *pids);
    int count = proc_listallpids(pids, PIDS_MAX * (int)sizeof *pids);
    walk(pids, count < PIDS_MAX ? count : PIDS_MAX, fn, arg);
    mem_free(pids);
}

int listeners_find(uint16_t port, struct listener *out, int max)
{
    struct search s = {.port = port, .items = out, .max = max};
    if (max > 0) {
        walk_all(add_if_port, &s);
    }
    return s.count;
}

bool listener_in_tree(const struct listener *l, pid_t root, pid_t *pid)
{
    struct search s = {.inode = l->inode};
    pid_t *pids = mem_calloc(PIDS_MAX, sizeof *pids);
    pids[0] = root;
    int count = 1 + tree_list(root, pids + 1, PIDS_MAX - 1);
    walk(pids, count, is_inode, &s);
    mem_free(pids);
    if (pid != NULL) {
        *pid = s.holder;
    }
    return s.holder != 0;
}

pid_t listener_owner(const struct listener *l)
{
    struct search s = {.inode = l->inode};
    walk_all(is_inode, &s);
    return s.holder;
}
