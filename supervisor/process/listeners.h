/*
 * Who listens on a TCP port of this machine, cheaply and without connecting; and whose process that is.
 * Linux: sock_diag (or /proc/net/tcp), inode → pid by the descriptors under /proc. macOS: libproc.
 */
#ifndef ROADIE_PROCESS_LISTENERS_H
#define ROADIE_PROCESS_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct listener {
    char address[46];   /* numeric: "127.0.0.1", "::1", "0.0.0.0", "::" */
    bool v6;
    bool loopback;      /* reachable only, or also, by loopback is told by wildcard */
    bool wildcard;
    uint16_t port;
    uid_t uid;
    uint64_t inode;
};

enum { LISTENERS_MAX = 16 };

/* The listening sockets of port, v4 and v6; returns how many were written (at most max), or negative errno.
 * Costs some 50 µs (a walk over the kernel's table of listeners); called every 2 ms while something starts. */
int listeners_find(uint16_t port, struct listener *out, int max);
/* True when the process tree under root (root included; by ppid and, on Linux, through subreaping) holds the
 * socket. *pid (may be NULL) gets the holder. */
bool listener_in_tree(const struct listener *l, pid_t root, pid_t *pid);
/* The process that holds the socket, by looking at every process that this user may look at; 0 when it is
 * not visible. Slow (milliseconds): only for error messages and `port`. */
pid_t listener_owner(const struct listener *l);

/* Facts about a process for people; empty strings and zeros where not visible. */
struct process_facts {
    pid_t pid;
    pid_t parent;
    uid_t uid;
    char user[64];
    char command[256];      /* argv joined by blanks, control characters replaced; may hold secrets: mask */
    char directory[512];
    char stack_id[128];     /* ROADIE_STACK of its environment */
    char service[64];       /* ROADIE_SERVICE */
    uint64_t start_time;    /* opaque: equal for the same process, differs after a pid was used again */
    uint64_t started_wall_ns;
};
/* -ESRCH when there is no such process. */
int process_facts(pid_t pid, struct process_facts *out);

/* Sums over the tree under root, root itself left out when skip_root (the shim). */
struct tree_usage {
    unsigned processes;
    uint64_t cpu_ms;        /* used by those that live and by their reaped children */
    uint64_t rss_bytes;     /* proportional where cheap, else resident */
};
void tree_usage(pid_t root, bool skip_root, struct tree_usage *out);

/* Pids of the processes of this user whose environment has ROADIE_STACK=id and a ROADIE_RUN: what servers
 * and shims that were all killed have left. Returns the count written. */
int strays_find(const char *stack_id, pid_t *out, int max);

#endif
