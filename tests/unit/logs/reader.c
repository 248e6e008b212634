/* Reading: framing at every split, pieces of long lines, filters, resuming by seq, following. */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "logs/frame.h"

static void put(int fd, const char *text)
{
    write_all(fd, text, strlen(text));
}

static void lines_of(const struct harness *h, struct logreader_opts opts, struct buf *out)
{
    opts.dir = h->dir;
    buf_clear(out);
    read_lines(&opts, out);
}

static void test_a_text_cut_at_every_byte_gives_the_same_lines(void **state)
{
    (void)state;
    static const char text[] = "one\n\ntwo\r\n\r\nthr\ree\nfour";
    for (size_t cut = 0; cut + 1 < sizeof(text); cut++) {
        struct harness h;
        struct run r;
        struct buf got = {0};
        harness_init(&h);
        harness_open(&h);
        run_open(&h, &r, "web", NULL);
        write_all(r.out_fd, text, cut);
        wait_stored(&h, cut);
        write_all(r.out_fd, text + cut, sizeof(text) - 1 - cut);
        run_finish(&r);
        harness_close(&h);
        lines_of(&h, (struct logreader_opts){0}, &got);
        assert_string_equal(got.ptr,
                            "web:out:one\nweb:out:\nweb:out:two\nweb:out:\nweb:out:thr\ree\n"
                            "web:out:four…\n");
        buf_fini(&got);
        harness_fini(&h);
    }
}

/* Random lines through frames in random chunks: pieces and newlines give back the input. */
static void test_frames_give_back_what_they_were_given(void **state)
{
    (void)state;
    uint64_t rng = 7;
    for (int round = 0; round < 40; round++) {
        struct frame f = {0};
        struct buf in = {0};
        struct buf out = {0};
        struct frame_piece piece;
        size_t len = (size_t)(rng_next(&rng) % (round < 30 ? 300 : 3500000));
        while (in.len < len) {
            (void)buf_putc(&in, (char)('a' + rng_next(&rng) % 26));
        }
        for (size_t at = 0; at < len;) {
            size_t part = (size_t)(1 + rng_next(&rng) % 200000);
            part = part < len - at ? part : len - at;
            part = part < frame_room(&f) ? part : frame_room(&f);
            frame_add(&f, (struct span){.ptr = in.ptr + at, .len = part}, 1);
            at += part;
            while (frame_next(&f, false, &piece)) {
                assert_true(piece.partial);
                assert_int_equal(piece.text.len, FRAME_PIECE);
                assert_int_equal(piece.continued, out.len > 0);
                size_t around = out.len < FRAME_AROUND ? out.len : FRAME_AROUND;
                assert_int_equal(piece.before.len, around);
                assert_true(around == 0 ||
                            memcmp(piece.before.ptr, out.ptr + out.len - around, around) == 0);
                (void)buf_append(&out, piece.text.ptr, piece.text.len);
            }
        }
        frame_complete(&f);
        bool last = false;
        while (!last) {
            assert_true(frame_next(&f, false, &piece));
            (void)buf_append(&out, piece.text.ptr, piece.text.len);
            last = !piece.partial;
        }
        assert_false(frame_next(&f, true, &piece));
        assert_true(frame_is_empty(&f));
        assert_true(span_eq(buf_span(&in), buf_span(&out)));
        frame_fini(&f);
        buf_fini(&in);
        buf_fini(&out);
    }
}

struct big_writer {
    pthread_t thread;
    int fd;
    const struct buf *text;
};

static void *big_main(void *arg)
{
    const struct big_writer *w = arg;
    write_all(w->fd, w->text->ptr, w->text->len);
    (void)close(w->fd);
    return NULL;
}

static void test_a_megabyte_line_is_whole_and_a_longer_one_comes_in_pieces(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    struct buf text = {0};
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    for (size_t i = 0; i < FRAME_PIECE; i++) {
        (void)buf_putc(&text, (char)('a' + i % 23));
    }
    (void)buf_putc(&text, '\n');
    for (size_t i = 0; i < 2 * FRAME_PIECE + 5; i++) {
        (void)buf_putc(&text, (char)('A' + i % 23));
    }
    (void)buf_puts(&text, "\nend\n");
    struct big_writer w = {.fd = r.out_fd, .text = &text};
    r.out_fd = -1;
    assert_int_equal(pthread_create(&w.thread, NULL, big_main, &w), 0);
    run_finish(&r);
    (void)pthread_join(w.thread, NULL);
    harness_close(&h);

    static const struct {
        size_t len;
        bool partial;
        bool continued;
    } want[] = {{FRAME_PIECE, false, false},
                {FRAME_PIECE, true, false},
                {FRAME_PIECE, true, true},
                {5, false, true},
                {3, false, false}};
    struct logreader *reader = NULL;
    struct log_line line;
    struct buf got = {0};
    uint64_t seq = 0;
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h.dir}, &reader, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_int_equal(logreader_next(reader, &line), 1);
        assert_int_equal(line.text.len, want[i].len);
        assert_int_equal(line.partial, want[i].partial);
        assert_int_equal(line.continued, want[i].continued);
        assert_true(line.seq > seq);
        seq = line.seq;
        (void)buf_append(&got, line.text.ptr, line.text.len);
        (void)buf_puts(&got, line.partial ? "" : "\n");
    }
    assert_int_equal(logreader_next(reader, &line), 0);
    assert_true(span_eq(buf_span(&got), buf_span(&text)));
    logreader_close(reader);
    buf_fini(&got);
    buf_fini(&text);
    harness_fini(&h);
}

/* web: "a1\n" "a2" … "a3\n"; db: "b1\n" in between; stderr of web: "e1\n". */
static void mixed_write(struct harness *h, struct run *web, struct run *db)
{
    run_open(h, web, "web", NULL);
    run_open(h, db, "db", NULL);
    put(web->out_fd, "a1\na2");
    wait_stored(h, 5);
    put(db->out_fd, "b1\n");
    wait_stored(h, 8);
    put(web->err_fd, "e1\n");
    wait_stored(h, 11);
    put(web->out_fd, "x\na3\n");
    wait_stored(h, 16);
}

static void test_services_are_merged_in_the_order_in_which_lines_became_complete(void **state)
{
    (void)state;
    struct harness h;
    struct run web;
    struct run db;
    struct buf got = {0};
    harness_init(&h);
    harness_open(&h);
    mixed_write(&h, &web, &db);
    lines_of(&h, (struct logreader_opts){0}, &got);
    assert_string_equal(got.ptr, "web:out:a1\ndb:out:b1\nweb:err:e1\nweb:out:a2x\nweb:out:a3\n");
    lines_of(&h, (struct logreader_opts){.streams = LOG_ERR}, &got);
    assert_string_equal(got.ptr, "web:err:e1\n");
    char *only_db[] = {(char[]){"db"}, (char[]){"not-yet"}, NULL};
    lines_of(&h, (struct logreader_opts){.services = only_db}, &got);
    assert_string_equal(got.ptr, "db:out:b1\n");
    lines_of(&h, (struct logreader_opts){.until_wall_ns = 1}, &got);
    assert_string_equal(got.ptr, "");
    run_finish(&web);
    run_finish(&db);
    harness_close(&h);
    buf_fini(&got);
    harness_fini(&h);
}

static void test_resuming_after_any_seq_misses_and_repeats_nothing(void **state)
{
    (void)state;
    struct harness h;
    struct run web;
    struct run db;
    struct buf all = {0};
    struct buf rest = {0};
    harness_init(&h);
    harness_open(&h);
    mixed_write(&h, &web, &db);
    run_finish(&web);
    run_finish(&db);
    harness_close(&h);
    struct logreader *reader = NULL;
    struct log_line line;
    lines_of(&h, (struct logreader_opts){0}, &all);
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h.dir}, &reader, NULL), 0);
    size_t skipped = 0;
    while (logreader_next(reader, &line) == 1) {
        skipped = (size_t)(strchr(all.ptr + skipped, '\n') - all.ptr) + 1;
        lines_of(&h, (struct logreader_opts){.from = LOG_FROM_SEQ, .seq = line.seq}, &rest);
        assert_string_equal(rest.ptr, all.ptr + skipped);
    }
    logreader_close(reader);
    buf_fini(&all);
    buf_fini(&rest);
    harness_fini(&h);
}

static void next_is(struct logreader *reader, const char *service, const char *text)
{
    struct log_line line;
    logreader_refresh(reader);
    assert_int_equal(logreader_next(reader, &line), 1);
    assert_string_equal(line.service, service);
    assert_true(span_is(line.text, text));
}

static void test_a_follower_sees_new_services_runs_and_ups(void **state)
{
    (void)state;
    struct harness h;
    struct run web;
    struct run db;
    struct log_line line;
    struct logreader *reader = NULL;
    harness_init(&h);
    harness_open(&h);
    const struct logreader_opts opts = {.dir = h.dir, .follow = true};
    assert_int_equal(logreader_open(&opts, &reader, NULL), 0);
    assert_int_equal(logreader_next(reader, &line), 0);
    run_open(&h, &web, "web", NULL);
    put(web.out_fd, "one\ntw");
    wait_stored(&h, 6);
    next_is(reader, "web", "one");
    assert_int_equal(logreader_next(reader, &line), 0); /* held back */
    run_open(&h, &db, "db", NULL);
    put(db.out_fd, "late\n");
    wait_stored(&h, 11);
    next_is(reader, "db", "late");
    run_finish(&web);
    next_is(reader, "web", "tw"); /* its stream has ended */
    run_finish(&db);
    harness_close(&h);
    harness_open(&h);
    run_open(&h, &web, "web", NULL);
    uint64_t before = logstore_head(h.store);
    put(web.out_fd, "again\nrest");
    wait_stored(&h, before + 10);
    next_is(reader, "web", "again");
    assert_int_equal(logreader_next(reader, &line), 0);
    logreader_finish(reader);
    next_is(reader, "web", "rest");
    run_finish(&web);
    harness_close(&h);
    logreader_close(reader);
    harness_fini(&h);
}

static void test_a_follower_from_the_end_starts_with_the_whole_unfinished_line(void **state)
{
    (void)state;
    struct harness h;
    struct run web;
    struct logreader *reader = NULL;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &web, "web", NULL);
    put(web.out_fd, "old\nhalf ");
    wait_stored(&h, 9);
    const struct logreader_opts opts = {.dir = h.dir, .from = LOG_FROM_END, .follow = true};
    assert_int_equal(logreader_open(&opts, &reader, NULL), 0);
    put(web.out_fd, "whole\nnew\n");
    wait_stored(&h, 19);
    next_is(reader, "web", "half whole");
    next_is(reader, "web", "new");
    logreader_close(reader);
    run_finish(&web);
    harness_close(&h);
    harness_fini(&h);
}

static void test_no_directory_is_enoent(void **state)
{
    (void)state;
    struct logreader *reader = NULL;
    struct fault why = {0};
    assert_int_equal(
        logreader_open(&(struct logreader_opts){.dir = "/nonexistent/x"}, &reader, &why), -ENOENT);
    assert_int_equal(logreader_last_run("/nonexistent/x", "web"), 0);
}

static void test_blocks_hold_the_same_lines(void **state)
{
    (void)state;
    struct harness h;
    struct run web;
    struct run db;
    harness_init(&h);
    harness_open(&h);
    mixed_write(&h, &web, &db);
    uint64_t rng = 5;
    struct buf text = {0};
    for (int i = 0; i < 3000; i++) {
        (void)buf_printf(&text, "%d %.*s\n", i, (int)(rng_next(&rng) % 30),
                         "..............................");
    }
    write_all(web.out_fd, text.ptr, 30000);
    write_all(db.out_fd, text.ptr, 30001);
    write_all(web.out_fd, text.ptr + 30000, text.len - 30000);
    run_finish(&web);
    run_finish(&db);
    harness_close(&h);
    for (uint64_t seq = 0; seq < 60; seq += 3) {
        struct logreader *single = NULL;
        struct logreader *many = NULL;
        struct log_line one;
        struct log_line block;
        bool is_block = false;
        const struct logreader_opts opts = {.dir = h.dir, .from = LOG_FROM_SEQ, .seq = seq};
        assert_int_equal(logreader_open(&opts, &single, NULL), 0);
        assert_int_equal(logreader_open(&opts, &many, NULL), 0);
        while (logreader_next_block(many, &block, &is_block) == 1) {
            for (struct span left = block.text; !is_block || left.len > 0;) {
                struct span want = left;
                if (is_block) {
                    assert_true(span_split(left, '\n', &want, &left));
                }
                assert_int_equal(logreader_next(single, &one), 1);
                assert_string_equal(one.service, block.service);
                assert_true(span_eq(one.text, want));
                if (!is_block) {
                    break;
                }
            }
            assert_int_equal(one.seq, block.seq);
        }
        assert_int_equal(logreader_next(single, &one), 0);
        logreader_close(single);
        logreader_close(many);
    }
    buf_fini(&text);
    harness_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_cut_at_every_byte_gives_the_same_lines),
        cmocka_unit_test(test_frames_give_back_what_they_were_given),
        cmocka_unit_test(test_a_megabyte_line_is_whole_and_a_longer_one_comes_in_pieces),
        cmocka_unit_test(test_services_are_merged_in_the_order_in_which_lines_became_complete),
        cmocka_unit_test(test_resuming_after_any_seq_misses_and_repeats_nothing),
        cmocka_unit_test(test_a_follower_sees_new_services_runs_and_ups),
        cmocka_unit_test(test_a_follower_from_the_end_starts_with_the_whole_unfinished_line),
        cmocka_unit_test(test_no_directory_is_enoent),
        cmocka_unit_test(test_blocks_hold_the_same_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
