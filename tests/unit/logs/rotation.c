/* Rotation, pruning, viewers that lag, full disks. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/mount.h>
#endif

struct counted {
    uint64_t lines;
    uint64_t first;
    uint64_t bytes;
    uint64_t lost;
    bool gap;
    bool torn;
};

static void numbered_put(int fd, uint64_t from, uint64_t count)
{
    struct buf text = {0};
    for (uint64_t i = from; i < from + count; i++) {
        (void)buf_printf(&text, "%08llu abcdefghijklmnopqrstuvwxyz 0123456789\n",
                         (unsigned long long)i);
    }
    write_all(fd, text.ptr, text.len);
    buf_fini(&text);
}

static void count_some(struct logreader *reader, struct counted *c, uint64_t max)
{
    struct log_line line;
    while (max-- > 0 && logreader_next(reader, &line) == 1) {
        if (line.lost) {
            unsigned long long n = 0;
            assert_int_equal(sscanf(line.text.ptr, "roadie: %llu bytes lost: ", &n), 1);
            c->lost += n;
            continue;
        }
        uint64_t number = strtoull(line.text.ptr, NULL, 10);
        c->torn = c->torn || line.text.len != 46;
        c->first = c->lines == 0 ? number : c->first;
        c->gap = c->gap || number != c->first + c->lines;
        c->lines++;
        c->bytes += line.text.len + (line.partial ? 0 : 1);
    }
}

static uint64_t directory_bytes(const struct harness *h, const char *service)
{
    char path[256];
    uint64_t sum = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", h->dir, service);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        struct stat st;
        char inner[512];
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        sum += stat(inner, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    }
    (void)closedir(dir);
    return sum;
}

static void test_the_oldest_go_when_more_than_keep_is_stored(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    struct counted c = {0};
    struct logreader *reader = NULL;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", &(struct logrun_opts){.keep_bytes = 1u << 20});
    for (uint64_t i = 0; i < 200; i++) {
        numbered_put(r.out_fd, i * 1000, 1000); /* 9.4 MB */
    }
    run_finish(&r);
    harness_close(&h);
    assert_true(directory_bytes(&h, "web") <= (1u << 20) + 8192);
    assert_true(directory_bytes(&h, "web") > 700000);
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h.dir}, &reader, NULL), 0);
    struct log_line line;
    assert_int_equal(logreader_next(reader, &line), 1); /* the end of a line whose start is gone */
    count_some(reader, &c, UINT64_MAX);
    logreader_close(reader);
    assert_false(c.gap);
    assert_false(c.torn);
    assert_int_equal(c.first + c.lines, 200000);
    harness_fini(&h);
}

static void test_a_viewer_that_lags_loses_nothing_and_its_segments_go_when_it_has_gone(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    struct counted c = {0};
    struct logreader *reader = NULL;
    const struct logrun_opts small = {.keep_bytes = 512 * 1024};
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", &small);
    numbered_put(r.out_fd, 0, 1000);
    wait_stored(&h, 47000);
    assert_int_equal(
        logreader_open(&(struct logreader_opts){.dir = h.dir, .follow = true}, &reader, NULL), 0);
    count_some(reader, &c, 500); /* stops in the middle, as one that is stuck in a write */
    for (uint64_t i = 1; i < 100; i++) {
        numbered_put(r.out_fd, i * 1000, 1000);
    }
    run_finish(&r);
    assert_true(directory_bytes(&h, "web") > 4000000);
    logreader_refresh(reader);
    count_some(reader, &c, UINT64_MAX);
    assert_false(c.gap);
    assert_false(c.torn);
    assert_int_equal(c.lines, 100000);
    logreader_close(reader);
    run_open(&h, &r, "web", &small);
    numbered_put(r.out_fd, 0, 1000);
    run_finish(&r);
    harness_close(&h);
    assert_true(directory_bytes(&h, "web") < 600 * 1024);
    harness_fini(&h);
}

static void test_an_index_of_single_bytes_rotates_as_well(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", &(struct logrun_opts){.keep_bytes = 128 * 1024});
    for (int i = 0; i < 20000; i++) {
        write_all(i % 2 == 0 ? r.out_fd : r.err_fd, "x", 1);
    }
    run_finish(&r);
    harness_close(&h);
    assert_true(directory_bytes(&h, "web") <= 160 * 1024);
    harness_fini(&h);
}

/* Sent = stored + reported as lost, and everything that was stored is whole. */
static void losses_check(struct harness *h, const struct run *r, uint64_t sent)
{
    struct logreader *reader = NULL;
    struct log_line line;
    uint64_t stored = 0;
    uint64_t said = 0;
    struct buf raw = {0};
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h->dir}, &reader, NULL), 0);
    while (logreader_raw(reader, &raw, 1 << 20) > 0) {
        stored += raw.len;
        buf_clear(&raw);
    }
    logreader_close(reader);
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h->dir}, &reader, NULL), 0);
    while (logreader_next(reader, &line) == 1) {
        unsigned long long n = 0;
        if (line.lost) {
            assert_int_equal(sscanf(line.text.ptr, "roadie: %llu bytes lost: ", &n), 1);
            said += n;
        }
    }
    logreader_close(reader);
    assert_true(r->lost > 0);
    assert_int_equal(said, r->lost);
    assert_int_equal(stored + r->lost, sent);
    buf_fini(&raw);
}

static void test_a_file_size_limit_only_makes_segments_smaller(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    struct counted c = {0};
    struct rlimit kept;
    struct logreader *reader = NULL;
    harness_init(&h);
    harness_open(&h);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    run_open(&h, &r, "web", NULL);
    const struct rlimit tight = {.rlim_cur = 300000, .rlim_max = kept.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (uint64_t i = 0; i < 60; i++) {
        numbered_put(r.out_fd, i * 1000, 1000);
    }
    run_finish(&r);
    harness_close(&h);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    assert_int_equal(r.lost, 0);
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h.dir}, &reader, NULL), 0);
    count_some(reader, &c, UINT64_MAX);
    logreader_close(reader);
    assert_int_equal(c.lines, 60000);
    assert_false(c.gap || c.torn);
    harness_fini(&h);
}

#ifdef __linux__
/* Fills what is left of the file system; returns a path to remove. */
static void disk_fill(const char *path)
{
    static const char zeros[65536];
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)setvbuf(file, NULL, _IONBF, 0);
    while (fwrite(zeros, 1, sizeof(zeros), file) == sizeof(zeros)) {
        continue;
    }
    (void)fclose(file);
}

static void test_a_full_disk_never_blocks_a_service_and_every_byte_is_accounted_for(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    char mount_point[160];
    char filler[192];
    uint64_t sent = 0;
    harness_init(&h);
    (void)snprintf(mount_point, sizeof(mount_point), "%s-disk", h.dir);
    assert_int_equal(mkdir(mount_point, 0700), 0);
    if (mount("none", mount_point, "tmpfs", 0, "size=4m") < 0) {
        print_message("skipped: mounting a tmpfs needs root: %s\n", strerror(errno));
        (void)rmdir(mount_point);
        harness_fini(&h);
        skip();
    }
    char kept[128];
    (void)snprintf(kept, sizeof(kept), "%s", h.dir);
    (void)snprintf(h.dir, sizeof(h.dir), "%.120s/s", mount_point);
    (void)snprintf(filler, sizeof(filler), "%s/filler", mount_point);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    numbered_put(r.out_fd, 0, 10000);
    sent += 470000;
    wait_stored(&h, sent);
    disk_fill(filler);
    numbered_put(r.out_fd, 10000, 40000);
    sent += 40000 * 47;
    uint64_t deadline_ns = 0;
    while (logstore_lost(h.store) == 0) {
        wait_step(&h, &deadline_ns);
    }
    assert_int_equal(unlink(filler), 0);
    numbered_put(r.out_fd, 50000, 10000);
    sent += 470000;
    run_finish(&r);
    harness_close(&h);
    losses_check(&h, &r, sent);
    assert_int_equal(umount2(mount_point, MNT_DETACH), 0);
    (void)rmdir(mount_point);
    (void)snprintf(h.dir, sizeof(h.dir), "%s", kept);
    harness_fini(&h);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest_go_when_more_than_keep_is_stored),
        cmocka_unit_test(
            test_a_viewer_that_lags_loses_nothing_and_its_segments_go_when_it_has_gone),
        cmocka_unit_test(test_an_index_of_single_bytes_rotates_as_well),
        cmocka_unit_test(test_a_file_size_limit_only_makes_segments_smaller),
#ifdef __linux__
        cmocka_unit_test(test_a_full_disk_never_blocks_a_service_and_every_byte_is_accounted_for),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
