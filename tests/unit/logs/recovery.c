/* What a crash leaves: files cut at random places are put in order, and nothing that was stored is
 * lost. */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/format.h"

static void file_path(const struct harness *h, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/web/%s", h->dir, name);
}

static void store_some(struct harness *h)
{
    struct run r;
    harness_open(h);
    run_open(h, &r, "web", NULL);
    for (int i = 0; i < 50; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "line %d of the first run\n", i);
        uint64_t before = logstore_head(h->store);
        write_all(i % 5 == 0 ? r.err_fd : r.out_fd, text, strlen(text));
        wait_stored(h, before + strlen(text));
    }
    write_all(r.out_fd, "unfinished", 10);
    run_finish(&r);
    harness_close(h);
}

static void raw_read(const struct harness *h, struct buf *out)
{
    struct logreader *reader = NULL;
    buf_clear(out);
    buf_reserve(out, 1);
    if (logreader_open(&(struct logreader_opts){.dir = h->dir, .from = LOG_FROM_START}, &reader,
                       NULL) != 0) {
        return;
    }
    while (logreader_raw(reader, out, 1000) > 0) {
        continue;
    }
    logreader_close(reader);
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_an_index_cut_anywhere_loses_no_byte_and_run_numbers_go_on(void **state)
{
    (void)state;
    uint64_t rng = 17;
    for (int round = 0; round < 25; round++) {
        struct harness h;
        struct run r;
        char idx[256];
        char log[256];
        struct buf before = {0};
        struct buf after = {0};
        harness_init(&h);
        store_some(&h);
        raw_read(&h, &before);
        file_path(&h, "00000001.idx", idx, sizeof(idx));
        file_path(&h, "00000001.log", log, sizeof(log));
        off_t cut = (off_t)(rng_next(&rng) % (uint64_t)(size_of(idx) + 1));
        assert_int_equal(truncate(idx, cut), 0);
        if (round % 3 == 0) {
            int fd = open(idx, O_WRONLY | O_APPEND);
            write_all(fd, "garbage that is no record at all, longer than one of them", 57);
            (void)close(fd);
        }
        harness_open(&h);
        raw_read(&h, &after);
        assert_true(span_eq(buf_span(&before), buf_span(&after)));
        assert_int_equal(logstore_next_run(h.store, "web"), 2);
        run_open(&h, &r, "web", &(struct logrun_opts){.run = 2});
        write_all(r.out_fd, "second\n", 7);
        run_finish(&r);
        harness_close(&h);
        struct buf lines = {0};
        read_lines(&(struct logreader_opts){.dir = h.dir}, &lines);
        assert_string_equal(lines.ptr, "web:out:second\n");
        buf_clear(&lines);
        read_lines(&(struct logreader_opts){.dir = h.dir, .from = LOG_FROM_START}, &lines);
        assert_non_null(strstr(lines.ptr, "web:out:second\n"));
        buf_fini(&lines);
        buf_fini(&before);
        buf_fini(&after);
        harness_fini(&h);
    }
}

static void test_data_cut_anywhere_keeps_what_is_there_in_order(void **state)
{
    (void)state;
    uint64_t rng = 23;
    for (int round = 0; round < 25; round++) {
        struct harness h;
        char log[256];
        struct buf before = {0};
        struct buf after = {0};
        harness_init(&h);
        store_some(&h);
        raw_read(&h, &before);
        file_path(&h, "00000001.log", log, sizeof(log));
        off_t cut = (off_t)(rng_next(&rng) % (uint64_t)(size_of(log) + 1));
        assert_int_equal(truncate(log, cut), 0);
        harness_open(&h);
        raw_read(&h, &after);
        assert_int_equal(after.len, (size_t)cut);
        assert_memory_equal(after.ptr, before.ptr, after.len);
        harness_close(&h);
        buf_fini(&before);
        buf_fini(&after);
        harness_fini(&h);
    }
}

static void test_a_line_that_a_crash_left_unfinished_is_ended(void **state)
{
    (void)state;
    struct harness h;
    char idx[256];
    harness_init(&h);
    store_some(&h);
    file_path(&h, "00000001.idx", idx, sizeof(idx));
    /* Without its last two records: ends, and perhaps the bytes, whose stream must then be guessed.
     */
    assert_int_equal(truncate(idx, size_of(idx) - 2 * (off_t)sizeof(struct index_record)), 0);
    harness_open(&h);
    harness_close(&h);
    struct buf lines = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir, .from = LOG_FROM_START, .follow = true},
               &lines);
    assert_non_null(strstr(lines.ptr, "web:out:unfinished…\n"));
    buf_fini(&lines);
    harness_fini(&h);
}

static void test_a_lost_head_file_is_rebuilt(void **state)
{
    (void)state;
    struct harness h;
    char head[256];
    struct buf before = {0};
    struct buf after = {0};
    harness_init(&h);
    store_some(&h);
    raw_read(&h, &before);
    (void)snprintf(head, sizeof(head), "%s/head", h.dir);
    assert_int_equal(unlink(head), 0);
    harness_open(&h);
    raw_read(&h, &after);
    assert_true(span_eq(buf_span(&before), buf_span(&after)));
    harness_close(&h);
    buf_fini(&before);
    buf_fini(&after);
    harness_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_index_cut_anywhere_loses_no_byte_and_run_numbers_go_on),
        cmocka_unit_test(test_data_cut_anywhere_keeps_what_is_there_in_order),
        cmocka_unit_test(test_a_line_that_a_crash_left_unfinished_is_ended),
        cmocka_unit_test(test_a_lost_head_file_is_rebuilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
