/*
 * What this room is for.      Descendants of a process from /proc/PID/task/TID/children, else by a
 * scan of ppids. What it may touch.          libc only, stack buffers only: the shim has no
 * allocator. Who calls it.               shim/sweep.c, reaper.c, listeners_linux.c, facts_linux.c
 */
#include "process/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_SIZE = 64, READ_SIZE = 4096 };

struct pids {
    pid_t *items;
    int count;
    int max;
};

/* What getdents64 writes; the system's header has no name for it. */
struct raw_dirent {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

typedef void (*entry_fn)(void *arg, int dir, pid_t pid);

static void pids_add(struct pids *p, pid_t pid)
{
    if (p->count < p->max) {
        p->items[p->count++] = pid;
    }
}

/* Appends text, then the digits of n unless negative, then rest; no printf without an allocator. */
static void path_build(char out[PATH_SIZE], const char *text, pid_t n, const char *rest)
{
    char digits[16];
    size_t len = 0;
    size_t at = strlen(text);
    memcpy(out, text, at);
    do {
        digits[len++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    while (len > 0) {
        out[at++] = digits[--len];
    }
    memcpy(out + at, rest, strlen(rest) + 1);
}

static pid_t parse_pid(const char *text)
{
    pid_t n = 0;
    if (*text == '\0') {
        return -1;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return -1;
        }
        n = n * 10 + (*text - '0');
    }
    return n;
}

/* Calls fn for each entry of dir whose name is a number. */
static void each_number(int dir, entry_fn fn, void *arg)
{
    _Alignas(struct raw_dirent) char bytes[READ_SIZE];
    for (;;) {
        long got = syscall(SYS_getdents64, dir, bytes, sizeof bytes);
        if (got <= 0) {
            return;
        }
        for (long at = 0; at < got;) {
            const struct raw_dirent *entry = (const void *)(bytes + at);
            pid_t pid = parse_pid(entry->name);
            if (pid > 0) {
                fn(arg, dir, pid);
            }
            at += entry->reclen;
        }
    }
}

/* The numbers of one children file; a number may be cut by the end of a read. */
static void read_children(int fd, struct pids *out)
{
    char bytes[READ_SIZE];
    pid_t n = 0;
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got <= 0) {
            return;
        }
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                n = n * 10 + (bytes[i] - '0');
            } else if (n > 0) {
                pids_add(out, n);
                n = 0;
            }
        }
    }
}

static void add_thread_children(void *arg, int dir, pid_t tid)
{
    char path[PATH_SIZE];
    path_build(path, "", tid, "/children");
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        read_children(fd, arg);
        (void)close(fd);
    }
}

static void add_children(pid_t pid, struct pids *out)
{
    char path[PATH_SIZE];
    path_build(path, "/proc/", pid, "/task");
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        each_number(dir, add_thread_children, out);
        (void)close(dir);
    }
}

/* Kernels without CONFIG_PROC_CHILDREN have no such file. */
static bool has_children_files(void)
{
    char path[PATH_SIZE];
    char name[PATH_SIZE];
    path_build(path, "/proc/self/task/", getpid(), "/children");
    path_build(name, "/proc/", getpid(), "/task");
    return access(path, R_OK) == 0 || access(name, R_OK) != 0;
}

/* The field after the command's closing parenthesis and the state letter. */
static pid_t read_ppid(int proc, pid_t pid)
{
    char path[PATH_SIZE];
    char text[512];
    path_build(path, "", pid, "/stat");
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (got <= 0) {
        return -1;
    }
    text[got] = '\0';
    const char *end = strrchr(text, ')');
    if (end == NULL || strlen(end) < 5) {
        return -1;
    }
    pid_t ppid = 0;
    for (end += 4; *end >= '0' && *end <= '9'; end++) {
        ppid = ppid * 10 + (*end - '0');
    }
    return ppid;
}

struct ppid_scan {
    struct pids *found;
    pid_t root;
    bool deep;
    bool grew;
};

static bool pids_has(const struct pids *p, pid_t pid)
{
    for (int i = 0; i < p->count; i++) {
        if (p->items[i] == pid) {
            return true;
        }
    }
    return false;
}

static void add_by_ppid(void *arg, int proc, pid_t pid)
{
    struct ppid_scan *scan = arg;
    pid_t ppid = read_ppid(proc, pid);
    bool ours = ppid == scan->root || (scan->deep && pids_has(scan->found, ppid));
    if (ours && !pids_has(scan->found, pid) && scan->found->count < scan->found->max) {
        pids_add(scan->found, pid);
        scan->grew = true;
    }
}

static void scan_ppids(pid_t root, bool deep, struct pids *out)
{
    struct ppid_scan scan = {.found = out, .root = root, .deep = deep};
    do {
        scan.grew = false;
        int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0) {
            return;
        }
        each_number(proc, add_by_ppid, &scan);
        (void)close(proc);
    } while (scan.grew && deep);
}

static int list(pid_t root, bool deep, pid_t *out, int max)
{
    struct pids found = {.items = out, .max = max};
    add_children(root, &found);
    if (found.count == 0 && !has_children_files()) {
        scan_ppids(root, deep, &found);
        return found.count;
    }
    for (int i = 0; deep && i < found.count; i++) {
        add_children(found.items[i], &found);
    }
    return found.count;
}

int tree_list(pid_t root, pid_t *out, int max)
{
    return list(root, true, out, max);
}

int tree_children(pid_t root, pid_t *out, int max)
{
    return list(root, false, out, max);
}
