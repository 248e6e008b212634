/*
 * What this room is for.      What people want to know of a process: who, what, where, since when;
 * sums over a tree; strays. What it may touch.          /proc, read only, and the user database.
 * Who calls it.               engine, ui
 * The one invariant.          What is not visible stays empty or zero; nothing here fails because
 * of another user's process.
 */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "process/listeners.h"
#include "process/tree.h"

enum { TREE_MAX = 16384, ENVIRON_MAX = 4 << 20 };

/* The fields of /proc/PID/stat that are used here; times in clock ticks. */
struct stat_line {
    pid_t ppid;
    uint64_t utime;
    uint64_t stime;
    uint64_t children_time;
    uint64_t start_time;
    uint64_t rss_pages;
};

/* Reads at most max bytes of /proc/PID/name; -errno, or the length. out is terminated. */
static int read_proc(pid_t pid, const char *name, struct buf *out, size_t max)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = 0;
    do {
        buf_reserve(out, 4096);
        got = read(fd, out->ptr + out->len, 4096);
        if (got > 0) {
            out->len += (size_t)got;
        }
    } while (got > 0 && out->len < max);
    int status = got < 0 ? -errno : 0;
    (void)close(fd);
    buf_reserve(out, 1);
    out->ptr[out->len] = '\0';
    return status;
}

static int read_stat(pid_t pid, struct stat_line *out)
{
    struct buf text = {0};
    int status = read_proc(pid, "stat", &text, 4096);
    const char *rest = status == 0 ? strrchr(text.ptr, ')') : NULL;
    unsigned long long utime = 0;
    unsigned long long stime = 0;
    unsigned long long start = 0;
    long long cutime = 0;
    long long cstime = 0;
    long long rss = 0;
    int ppid = 0;
    if (rest == NULL ||
        sscanf(rest + 1,
               " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d %*d "
               "%llu %*u %lld",
               &ppid, &utime, &stime, &cutime, &cstime, &start, &rss) != 7) {
        buf_fini(&text);
        return -ESRCH;
    }
    buf_fini(&text);
    *out = (struct stat_line){
        .ppid = ppid,
        .utime = utime,
        .stime = stime,
        .children_time = (uint64_t)(cutime + cstime),
        .start_time = start,
        .rss_pages = rss > 0 ? (uint64_t)rss : 0,
    };
    return 0;
}

static uint64_t ticks_to_ms(uint64_t ticks)
{
    return ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void fill_command(pid_t pid, char *out, size_t size)
{
    struct buf text = {0};
    (void)read_proc(pid, "cmdline", &text, size);
    size_t len = text.len < size - 1 ? text.len : size - 1;
    while (len > 0 && text.ptr[len - 1] == '\0') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        out[i] = c == '\0' ? ' ' : (c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
    out[len] = '\0';
    buf_fini(&text);
}

/* Kernel threads and zombies have no arguments, but a name. */
static void fill_name(pid_t pid, char *out, size_t size)
{
    struct buf text = {0};
    if (read_proc(pid, "comm", &text, size) == 0) {
        struct span name = span_trim(buf_span(&text));
        (void)fmt_into(out, size, "[%.*s]", (int)name.len, name.ptr);
    }
    buf_fini(&text);
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)fmt_into(out, size, "%s", text);
}

/* The value of name in an environ block, or NULL. */
static const char *environ_get(const struct buf *block, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at < block->len;) {
        const char *entry = block->ptr + at;
        if (strncmp(entry, name, name_len) == 0 && entry[name_len] == '=') {
            return entry + name_len + 1;
        }
        at += strlen(entry) + 1;
    }
    return NULL;
}

static void fill_cookies(pid_t pid, struct process_facts *out)
{
    struct buf block = {0};
    if (read_proc(pid, "environ", &block, ENVIRON_MAX) == 0) {
        const char *stack = environ_get(&block, "ROADIE_STACK");
        const char *service = environ_get(&block, "ROADIE_SERVICE");
        copy_text(out->stack_id, sizeof out->stack_id, stack != NULL ? stack : "");
        copy_text(out->service, sizeof out->service, service != NULL ? service : "");
    }
    if (block.ptr != NULL) {
        mem_wipe(block.ptr, block.len);
    }
    buf_fini(&block);
}

static void fill_user(pid_t pid, struct process_facts *out)
{
    char path[64];
    char bytes[4096];
    struct stat info;
    struct passwd entry;
    struct passwd *found = NULL;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (stat(path, &info) != 0) {
        return;
    }
    out->uid = info.st_uid;
    if (getpwuid_r(info.st_uid, &entry, bytes, sizeof bytes, &found) == 0 && found != NULL) {
        copy_text(out->user, sizeof out->user, entry.pw_name);
    } else {
        (void)fmt_into(out->user, sizeof out->user, "%u", (unsigned)info.st_uid);
    }
}

int process_facts(pid_t pid, struct process_facts *out)
{
    struct stat_line line;
    char path[64];
    *out = (struct process_facts){.pid = pid};
    if (read_stat(pid, &line) != 0) {
        return -ESRCH;
    }
    out->parent = line.ppid;
    out->start_time = line.start_time;
    uint64_t age_ns = clock_boot_ns() - ticks_to_ms(line.start_time) * 1000000U;
    out->started_wall_ns = clock_wall_ns() - age_ns;
    fill_user(pid, out);
    fill_command(pid, out->command, sizeof out->command);
    if (out->command[0] == '\0') {
        fill_name(pid, out->command, sizeof out->command);
    }
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    ssize_t len = readlink(path, out->directory, sizeof out->directory - 1);
    out->directory[len > 0 ? len : 0] = '\0';
    fill_cookies(pid, out);
    return 0;
}

static void usage_add(pid_t pid, bool self, struct tree_usage *out)
{
    struct stat_line line;
    if (read_stat(pid, &line) != 0) {
        return;
    }
    out->cpu_ms += ticks_to_ms(line.children_time);
    if (self) {
        out->processes++;
        out->cpu_ms += ticks_to_ms(line.utime + line.stime);
        out->rss_bytes += line.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
}

void tree_usage(pid_t root, bool skip_root, struct tree_usage *out)
{
    pid_t *pids = mem_calloc(TREE_MAX, sizeof *pids);
    int count = tree_list(root, pids, TREE_MAX);
    *out = (struct tree_usage){0};
    usage_add(root, !skip_root, out);
    for (int i = 0; i < count; i++) {
        usage_add(pids[i], true, out);
    }
    mem_free(pids);
}

static bool is_stray(pid_t pid, const char *stack_id)
{
    struct buf block = {0};
    bool stray = false;
    if (read_proc(pid, "environ", &block, ENVIRON_MAX) == 0) {
        const char *stack = environ_get(&block, "ROADIE_STACK");
        stray = stack != NULL && strcmp(stack, stack_id) == 0 &&
                environ_get(&block, "ROADIE_RUN") != NULL;
    }
    if (block.ptr != NULL) {
        mem_wipe(block.ptr, block.len);
    }
    buf_fini(&block);
    return stray;
}

int strays_find(const char *stack_id, pid_t *out, int max)
{
    DIR *proc = opendir("/proc");
    int count = 0;
    if (proc == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(proc); entry != NULL && count < max;
         entry = readdir(proc)) {
        struct stat info;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        bool candidate = pid > 0 && pid != getpid() &&
                         fstatat(dirfd(proc), entry->d_name, &info, 0) == 0 &&
                         info.st_uid == geteuid();
        if (candidate && is_stray(pid, stack_id)) {
            out[count++] = pid;
        }
    }
    (void)closedir(proc);
    return count;
}
