/*
 * bench-store [--rounds N] [--scale PERCENT] [LOAD…]: the log store against its limits,
 * interleaved, medians as ratios. Every stored byte is read back and checked: lines lost or torn
 * are counted.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/reader.h"
#include "logs/store.h"
#include "logs/view.h"
#include "rivals.h"

enum { ROUNDS_MAX = 25 };

static const struct load LOADS[] = {
    {.name = "big", .services = 1, .bytes = 400u << 20, .a_write = 65536},
    {.name = "line", .services = 1, .bytes = 120u << 20, .a_write = LINE_BYTES},
    {.name = "big20", .services = 20, .bytes = 20u << 20, .a_write = 65536},
    {.name = "line20", .services = 20, .bytes = 5u << 20, .a_write = LINE_BYTES},
    {.name = "pty", .services = 1, .bytes = 60u << 20, .a_write = 65536, .tty = true},
};

struct bench {
    uv_loop_t loop;
    struct logstore *store;
    char dir[256];
    unsigned drained;
    uint64_t matched_ns;
};

static void fail(const char *what, const struct fault *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, fault_text(why));
    exit(1);
}

static void on_drained(void *ctx, uint64_t lost)
{
    struct bench *b = ctx;
    b->drained++;
    if (lost > 0) {
        (void)fprintf(stderr, "%llu bytes lost\n", (unsigned long long)lost);
    }
}

static void on_match(void *ctx, unsigned pattern, const char *line)
{
    struct bench *b = ctx;
    (void)pattern;
    (void)line;
    b->matched_ns = clock_mono_ns();
}

static void tree_remove(const char *path)
{
    DIR *dir = opendir(path);
    for (const struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        char inner[512];
        if (e->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        if (unlink(inner) < 0) {
            tree_remove(inner);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

/* Lines that are missing or torn among those stored. */
static uint64_t damage(const struct bench *b, const struct load *load)
{
    struct logreader *reader = NULL;
    struct log_line line;
    struct fault why = {0};
    uint64_t next[SERVICES_MAX] = {0};
    uint64_t bad = 0;
    if (logreader_open(&(struct logreader_opts){.dir = b->dir}, &reader, &why) < 0) {
        fail("read", &why);
    }
    size_t in_chunk = load->a_write < 65536 ? load->a_write : 65536 / LINE_BYTES * LINE_BYTES;
    uint64_t want = (load->bytes + in_chunk - 1) / in_chunk * (in_chunk / LINE_BYTES);
    while (logreader_next(reader, &line) == 1) {
        unsigned service = (unsigned)strtoul(line.service + 1, NULL, 10);
        uint64_t number = 0;
        for (size_t i = 0; i < 10 && i < line.text.len; i++) {
            number = number * 10 + (uint64_t)(line.text.ptr[i] - '0');
        }
        bad += number != next[service] || line.text.len != LINE_BYTES - 1 || line.partial ? 1 : 0;
        next[service] = number + 1;
    }
    logreader_close(reader);
    for (unsigned i = 0; i < load->services; i++) {
        bad += want - next[i];
    }
    return bad;
}

static void store_open(struct bench *b)
{
    struct fault why = {0};
    (void)uv_loop_init(&b->loop);
    if (logstore_open(&b->loop, b->dir, &b->store, &why) < 0) {
        fail("open", &why);
    }
    b->drained = 0;
}

static void store_close(struct bench *b)
{
    logstore_close(b->store, NULL, NULL);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&b->loop);
}

/* A viewer in a process of its own, as `up` is: follows and renders everything into a file. */
static pid_t viewer_start(const struct bench *b, const struct load *load, const char *path)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    struct logreader *reader = NULL;
    struct log_line line;
    bool block = false;
    struct buf out = {0};
    struct redactor *redactor = redactor_new();
    redactor_add(redactor, "TOKEN", SPAN_LIT("some-long-secret-token"));
    redactor_add(redactor, "KEY", SPAN_LIT("0f9a8b7c6d5e4f"));
    const struct view_opts opts = {.prefix = true, .name_width = 9, .redactor = redactor};
    FILE *file = fopen(path, "w");
    (void)setvbuf(file, NULL, _IONBF, 0);
    if (logreader_open(&(struct logreader_opts){.dir = b->dir, .follow = true}, &reader, NULL) <
        0) {
        _exit(1);
    }
    uint64_t bytes = 0;
    while (bytes < (uint64_t)load->bytes * load->services) {
        int got = logreader_next_block(reader, &line, &block);
        if (got == 1 && block) {
            view_block(&opts, &line, 0, &out);
            bytes += line.text.len;
        } else if (got == 1) {
            view_line(&opts, &line, 0, &out);
            bytes += line.text.len + 1;
        }
        if (out.len > 128 * 1024 || (got == 0 && out.len > 0)) {
            (void)fwrite(out.ptr, 1, out.len, file);
            buf_clear(&out);
        }
        if (got == 0) {
            const struct timespec step = {.tv_nsec = 1000000};
            (void)nanosleep(&step, NULL); /* stands in for inotify */
            logreader_refresh(reader);
        }
    }
    (void)fwrite(out.ptr, 1, out.len, file);
    _exit(0);
}

static double store_measure(struct bench *b, const struct load *load, const char *viewer_path,
                            uint64_t *bad)
{
    pid_t pids[SERVICES_MAX];
    pid_t viewer = 0;
    store_open(b);
    double began = now_s();
    if (viewer_path != NULL) {
        viewer = viewer_start(b, load, viewer_path);
    }
    for (unsigned i = 0; i < load->services; i++) {
        char name[16];
        int out = -1;
        int err = -1;
        struct logrun *run = NULL;
        struct fault why = {0};
        (void)snprintf(name, sizeof(name), "s%02u", i);
        const struct logrun_opts opts = {.service = name,
                                         .run = 1,
                                         .tty = load->tty,
                                         .keep_bytes = 4ull << 30,
                                         .callbacks = {.on_drained = on_drained},
                                         .ctx = b};
        if (logrun_open(b->store, &opts, &out, &err, &run, &why) < 0) {
            fail("run", &why);
        }
        pids[i] = writer_start(load, out);
        (void)close(out);
        if (err >= 0) {
            (void)close(err);
        }
    }
    while (b->drained < load->services) {
        (void)uv_run(&b->loop, UV_RUN_ONCE);
    }
    if (viewer != 0) {
        (void)waitpid(viewer, NULL, 0);
    }
    double took = now_s() - began;
    for (unsigned i = 0; i < load->services; i++) {
        (void)waitpid(pids[i], NULL, 0);
    }
    store_close(b);
    if (bad != NULL) {
        *bad += damage(b, load);
    }
    return took;
}

/* Rendering what is stored to nowhere: the viewer's own speed. */
static double render_measure(const struct bench *b, const struct load *load)
{
    double began = now_s();
    (void)waitpid(viewer_start(b, load, "/dev/null"), NULL, 0);
    return now_s() - began;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

struct samples {
    const char *name;
    double took[ROUNDS_MAX];
    unsigned count;
};

static double median(struct samples *s)
{
    qsort(s->took, s->count, sizeof(s->took[0]), compare_doubles);
    return s->took[s->count / 2];
}

static void report(const struct load *load, struct samples *store, struct samples *others,
                   unsigned count)
{
    double bytes = (double)load->bytes * load->services;
    double ours = median(store);
    (void)printf("%-8s %-8s %8.0f MB/s (%.0f-%.0f)\n", load->name, store->name, bytes / ours / 1e6,
                 bytes / store->took[store->count - 1] / 1e6, bytes / store->took[0] / 1e6);
    for (unsigned i = 0; i < count; i++) {
        if (others[i].count > 0) {
            double theirs = median(&others[i]);
            (void)printf("%-8s %-8s %8.0f MB/s   %s / %s = %.2f\n", "", others[i].name,
                         bytes / theirs / 1e6, store->name, others[i].name, theirs / ours);
        }
    }
}

static void load_run(struct bench *b, const struct load *load, unsigned rounds)
{
    struct samples store = {.name = "store"};
    struct samples view = {.name = "view"};
    struct samples render = {.name = "render"};
    struct samples others[] = {{.name = "cat"}, {.name = "limit"}, {.name = "bare"}};
    char path[300];
    char copy[300];
    uint64_t bad = 0;
    (void)snprintf(path, sizeof(path), "%s.rival", b->dir);
    (void)snprintf(copy, sizeof(copy), "%s.view", b->dir);
    for (unsigned i = 0; i < rounds; i++) {
        store.took[store.count++] = store_measure(b, load, NULL, &bad);
        render.took[render.count++] = render_measure(b, load);
        tree_remove(b->dir);
        if (!load->tty) {
            view.took[view.count++] = store_measure(b, load, copy, NULL);
            (void)unlink(copy);
            tree_remove(b->dir);
            others[1].took[others[1].count++] = limit_measure(load, path);
            (void)unlink(path);
        }
        if (load->services == 1 && !load->tty) {
            others[0].took[others[0].count++] = cat_measure(load, path);
            (void)unlink(path);
        }
        if (load->tty) {
            others[2].took[others[2].count++] = bare_measure(load);
        }
    }
    report(load, &store, others, 3);
    if (view.count > 0) {
        report(load, &view, &others[1], 1);
    }
    report(load, &render, NULL, 0);
    (void)printf("%-8s lost or torn lines: %llu\n", "", (unsigned long long)bad);
}

/* A line that matches a pattern, to its callback on the main loop. */
static void match_run(struct bench *b)
{
    enum { TIMES = 200 };
    double took[TIMES];
    char *patterns[] = {(char[]){"ready [0-9]+"}, NULL};
    store_open(b);
    for (unsigned i = 0; i < TIMES; i++) {
        int out = -1;
        int err = -1;
        struct logrun *run = NULL;
        const struct logrun_opts opts = {
            .service = "s00",
            .run = i + 1,
            .patterns = patterns,
            .callbacks = {.on_drained = on_drained, .on_match = on_match},
            .ctx = b};
        if (logrun_open(b->store, &opts, &out, &err, &run, NULL) < 0) {
            exit(1);
        }
        const struct timespec step = {.tv_nsec = 2000000};
        (void)nanosleep(&step, NULL);
        b->matched_ns = 0;
        b->drained = 0;
        uint64_t began = clock_mono_ns();
        if (write(out, "ready 1\n", 8) != 8) {
            exit(1);
        }
        while (b->matched_ns == 0) {
            (void)uv_run(&b->loop, UV_RUN_ONCE);
        }
        took[i] = (double)(b->matched_ns - began) / 1e6;
        (void)close(out);
        (void)close(err);
        while (b->drained == 0) {
            (void)uv_run(&b->loop, UV_RUN_ONCE);
        }
    }
    store_close(b);
    tree_remove(b->dir);
    qsort(took, TIMES, sizeof(took[0]), compare_doubles);
    (void)printf("%-8s line to callback: p50 %.3f ms, p99 %.3f ms\n", "match", took[TIMES / 2],
                 took[TIMES * 99 / 100]);
}

static bool is_wanted(int argc, char **argv, int from, const char *name)
{
    for (int i = from; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return from >= argc;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    unsigned rounds = 5;
    size_t scale = 100;
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        unsigned value = (unsigned)strtoul(argv[at + 1], NULL, 10);
        rounds =
            strcmp(argv[at], "--rounds") == 0 && value > 0 && value < ROUNDS_MAX ? value : rounds;
        scale = strcmp(argv[at], "--scale") == 0 && value > 0 ? value : scale;
    }
    const char *base = getenv("TMPDIR");
    (void)snprintf(b.dir, sizeof(b.dir), "%s/bench-store-%d", base != NULL ? base : "/tmp",
                   (int)getpid());
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(LOADS) / sizeof(LOADS[0]); i++) {
        struct load load = LOADS[i];
        load.bytes = load.bytes / 100 * scale;
        if (is_wanted(argc, argv, at, load.name)) {
            load_run(&b, &load, rounds);
        }
    }
    if (is_wanted(argc, argv, at, "match")) {
        match_run(&b);
    }
    return 0;
}
