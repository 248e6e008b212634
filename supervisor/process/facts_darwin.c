/*
 * What this room is for.      Facts about processes, sums over trees, strays, through libproc and KERN_PROCARGS2, on macOS.
 * What it may touch.          libproc and sysctl, read only.
 * Who calls it.               engine, ui
 * The one invariant.          What is not visible (another user's, a protected binary's) stays empty or zero.
 */
#include <errno.h>
#include <libproc.h>
#include <pwd.h>
#include <string.h>

#include <mach/mach_time.h>
#include <sys/proc_info.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "process/listeners.h"
#include "process/tree.h"

enum { PIDS_MAX = 16384 };

/* argc, the path, padding, argc words, then the environment: all NUL-terminated. */
struct proc_args {
    char *bytes;
    size_t len;
    size_t words_at;
    size_t environ_at;
};

static size_t skip_word(const struct proc_args *a, size_t at)
{
    return at + strnlen(a->bytes + at, a->len - at) + 1;
}

static bool args_read(pid_t pid, struct proc_args *a)
{
    int limit_name[] = {CTL_KERN, KERN_ARGMAX};
    int name[] = {CTL_KERN, KERN_PROCARGS2, pid};
    int limit = 0;
    size_t size = sizeof limit;
    *a = (struct proc_args){0};
    if (sysctl(limit_name, 2, &limit, &size, NULL, 0) != 0 || limit <= 0) {
        return false;
    }
    a->len = (size_t)limit;
    a->bytes = mem_calloc(1, a->len + 1);
    if (sysctl(name, 3, a->bytes, &a->len, NULL, 0) != 0 || a->len < sizeof(int)) {
        mem_free(a->bytes);
        a->bytes = NULL;
        return false;
    }
    int argc = 0;
    memcpy(&argc, a->bytes, sizeof argc);
    size_t at = skip_word(a, sizeof argc);
    while (at < a->len && a->bytes[at] == '\0') {
        at++;
    }
    a->words_at = at;
    for (int i = 0; i < argc && at < a->len; i++) {
        at = skip_word(a, at);
    }
    a->environ_at = at < a->len ? at : a->len;
    return true;
}

static void args_free(struct proc_args *a)
{
    if (a->bytes != NULL) {
        mem_wipe(a->bytes, a->len);
    }
    mem_free(a->bytes);
}

static const char *args_getenv(const struct proc_args *a, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t at = a->environ_at; at < a->len && a->bytes[at] != '\0'; at = skip_word(a, at)) {
        if (strncmp(a->bytes + at, name, name_len) == 0 && a->bytes[at + name_len] == '=') {
            return a->bytes + at + name_len + 1;
        }
    }
    return NULL;
}

static void copy_text(char *out, size_t size, const char *text)
{
    (void)fmt_into(out, size, "%s", text != NULL ? text : "");
}

static void fill_command(const struct proc_args *a, char *out, size_t size)
{
    size_t len = 0;
    for (size_t at = a->words_at; at < a->environ_at && len + 1 < size; at++) {
        unsigned char c = (unsigned char)a->bytes[at];
        out[len++] = c == '\0' ? ' ' : (c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
    while (len > 0 && out[len - 1] == ' ') {
        len--;
    }
    out[len] = '\0';
}

static void fill_user(struct process_facts *out)
{
    char bytes[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(out->uid, &entry, bytes, sizeof bytes, &found) == 0 && found != NULL) {
        copy_text(out->user, sizeof out->user, entry.pw_name);
    } else {
        (void)fmt_into(out->user, sizeof out->user, "%u", (unsigned)out->uid);
    }
}

int process_facts(pid_t pid, struct process_facts *out)
{
    struct proc_bsdinfo info;
    struct proc_vnodepathinfo paths;
    struct proc_args args;
    *out = (struct process_facts){.pid = pid};
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != (int)sizeof info) {
        return -ESRCH;
    }
    out->parent = (pid_t)info.pbi_ppid;
    out->uid = info.pbi_uid;
    out->start_time = info.pbi_start_tvsec * 1000000U + info.pbi_start_tvusec;
    out->started_wall_ns = out->start_time * 1000U;
    fill_user(out);
    if (proc_pidinfo(pid, PROC_PIDVNODEPATHINFO, 0, &paths, sizeof paths) == (int)sizeof paths) {
        copy_text(out->directory, sizeof out->directory, paths.pvi_cdir.vip_path);
    }
    if (args_read(pid, &args)) {
        fill_command(&args, out->command, sizeof out->command);
        copy_text(out->stack_id, sizeof out->stack_id, args_getenv(&args, "ROADIE_STACK"));
        copy_text(out->service, sizeof out->service, args_getenv(&args, "ROADIE_SERVICE"));
        args_free(&args);
    } else {
        (void)fmt_into(out->command, sizeof out->command, "[%s]", info.pbi_comm);
    }
    return 0;
}

static uint64_t mach_to_ms(uint64_t ticks)
{
    mach_timebase_info_data_t base = {0};
    (void)mach_timebase_info(&base);
    return base.denom == 0 ? 0 : ticks / base.denom * base.numer / 1000000U;
}

static void usage_add(pid_t pid, struct tree_usage *out)
{
    struct proc_taskinfo info;
    if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &info, sizeof info) == (int)sizeof info) {
        out->processes++;
        out->cpu_ms += mach_to_ms(info.pti_total_user + info.pti_total_system);
        out->rss_bytes += info.pti_resident_size;
    }
}

void tree_usage(pid_t root, bool skip_root, struct tree_usage *out)
{
    pid_t *pids = mem_calloc(PIDS_MAX, sizeof *pids);
    int count = tree_list(root, pids, PIDS_MAX);
    *out = (struct tree_usage){0};
    if (!skip_root) {
        usage_add(root, out);
    }
    for (int i = 0; i < count; i++) {
        usage_add(pids[i], out);
    }
    mem_free(pids);
}

static bool is_stray(pid_t pid, const char *stack_id)
{
    struct proc_args args;
    if (!args_read(pid, &args)) {
        return false;
    }
    const char *stack = args_getenv(&args, "ROADIE_STACK");
    bool stray = stack != NULL && strcmp(stack, stack_id) == 0 &&
                 args_getenv(&args, "ROADIE_RUN") != NULL;
    args_free(&args);
    return stray;
}

int strays_find(const char *stack_id, pid_t *out, int max)
{
    pid_t *pids = mem_calloc(PIDS_MAX, sizeof *pids);
    int total = proc_listpids(PROC_UID_ONLY, geteuid(), pids, PIDS_MAX * (int)sizeof *pids) /
                (int)sizeof *pids;
    int count = 0;
    for (int i = 0; i < total && count < max; i++) {
        if (pids[i] > 0 && pids[i] != getpid() && is_stray(pids[i], stack_id)) {
            out[count++] = pids[i];
        }
    }
    mem_free(pids);
    return count;
}
