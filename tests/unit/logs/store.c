/* The store with real pipes, threads and a loop: nothing lost, torn or reordered; ends, patterns,
 * PTYs. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { SERVICES = 3, LINES = 334000 };

struct writer {
    pthread_t thread;
    int fd;
    unsigned id;
    unsigned lines;
};

/* Numbered lines of different lengths, cut into random chunks without regard to newlines. */
static void *writer_main(void *arg)
{
    const struct writer *w = arg;
    uint64_t rng = 0x1234567 + w->id;
    struct buf pending = {0};
    for (unsigned i = 0; i < w->lines; i++) {
        (void)buf_printf(&pending, "%u %u %.*s\n", w->id, i, (int)(rng_next(&rng) % 60),
                         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij");
        uint64_t when = rng_next(&rng) % 64;
        if (when == 0 || pending.len > 60000) {
            write_all(w->fd, pending.ptr, pending.len);
            buf_clear(&pending);
        } else if (when < 24 && pending.len > 10) {
            size_t part = (size_t)(rng_next(&rng) % pending.len);
            write_all(w->fd, pending.ptr, part);
            buf_consume(&pending, part);
        }
    }
    write_all(w->fd, pending.ptr, pending.len);
    buf_fini(&pending);
    (void)close(w->fd);
    return NULL;
}

static void put(int fd, const char *text)
{
    write_all(fd, text, strlen(text));
}

/* Follows while it is being written; returns how many lines were seen in order. */
struct follower {
    pthread_t thread;
    const char *dir;
    unsigned seen[SERVICES];
    bool wrong;
};

static void line_check(struct follower *f, const struct log_line *line)
{
    unsigned id = 0;
    unsigned number = 0;
    char text[128];
    (void)snprintf(text, sizeof(text), "%.*s", (int)line->text.len, line->text.ptr);
    if (sscanf(text, "%u %u", &id, &number) != 2 || id >= SERVICES || number != f->seen[id]) {
        f->wrong = true;
        return;
    }
    f->seen[id]++;
}

static void *follower_main(void *arg)
{
    struct follower *f = arg;
    struct logreader *reader = NULL;
    struct log_line line;
    uint64_t deadline = clock_mono_ns() + 40000000000u;
    if (logreader_open(&(struct logreader_opts){.dir = f->dir, .follow = true}, &reader, NULL) !=
        0) {
        f->wrong = true;
        return NULL;
    }
    uint64_t seq = 0;
    while (!f->wrong && clock_mono_ns() < deadline &&
           f->seen[0] + f->seen[1] + f->seen[2] < SERVICES * LINES) {
        int got = logreader_next(reader, &line);
        if (got == 1) {
            f->wrong = f->wrong || line.seq <= seq;
            seq = line.seq;
            line_check(f, &line);
        } else {
            logreader_refresh(reader);
        }
    }
    logreader_close(reader);
    return NULL;
}

static void test_a_million_lines_of_three_services_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct harness h;
    struct run runs[SERVICES];
    struct writer writers[SERVICES];
    harness_init(&h);
    harness_open(&h);
    struct follower live = {.dir = h.dir};
    assert_int_equal(pthread_create(&live.thread, NULL, follower_main, &live), 0);
    for (unsigned i = 0; i < SERVICES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "s%u", i);
        run_open(&h, &runs[i], name, NULL);
        writers[i] = (struct writer){.fd = runs[i].out_fd, .id = i, .lines = LINES};
        runs[i].out_fd = -1;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        run_finish(&runs[i]);
        (void)pthread_join(writers[i].thread, NULL);
        assert_int_equal(runs[i].lost, 0);
    }
    harness_close(&h);
    (void)pthread_join(live.thread, NULL);
    assert_false(live.wrong);

    struct follower after = {.dir = h.dir};
    struct logreader *reader = NULL;
    struct log_line line;
    assert_int_equal(logreader_open(&(struct logreader_opts){.dir = h.dir}, &reader, NULL), 0);
    while (logreader_next(reader, &line) == 1) {
        line_check(&after, &line);
    }
    logreader_close(reader);
    assert_false(after.wrong);
    for (unsigned i = 0; i < SERVICES; i++) {
        assert_int_equal(live.seen[i], LINES);
        assert_int_equal(after.seen[i], LINES);
    }
    harness_fini(&h);
}

static void test_stdout_and_stderr_keep_their_names_and_an_unfinished_line_is_kept(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    write_all(r.out_fd, "one\r\n", 5);
    (void)close(r.out_fd);
    r.out_fd = -1;
    /* The order across two pipes is that of reading: wait until the first is stored. */
    wait_stored(&h, 5);
    write_all(r.err_fd, "two", 3);
    run_finish(&r);
    harness_close(&h);
    struct buf got = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir}, &got);
    assert_string_equal(got.ptr, "web:out:one\nweb:err:two…\n");
    buf_fini(&got);
    harness_fini(&h);
}

static void test_the_childs_end_is_a_blocking_pipe_closed_on_exec(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    struct stat st;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    assert_int_equal(fstat(r.out_fd, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(fcntl(r.out_fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(r.out_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    run_finish(&r);
    harness_close(&h);
    harness_fini(&h);
}

static void test_a_terminal_is_read_to_its_end(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    harness_open(&h);
    struct buf text = {0};
    for (int i = 0; i < 6000; i++) {
        (void)buf_printf(&text, "line %d of a terminal, which has no newline translation\n", i);
    }
    for (int round = 0; round < 10; round++) {
        struct run r;
        char name[16];
        (void)snprintf(name, sizeof(name), "t%d", round);
        run_open(&h, &r, name, &(struct logrun_opts){.tty = true});
        assert_int_equal(r.err_fd, -1);
        assert_true(isatty(r.out_fd));
        write_all(r.out_fd, text.ptr, text.len);
        run_finish(&r);
    }
    harness_close(&h);
    for (int round = 0; round < 10; round++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%d", round);
        struct logreader *reader = NULL;
        struct buf got = {0};
        char *only[] = {name, NULL};
        assert_int_equal(
            logreader_open(&(struct logreader_opts){.dir = h.dir, .services = only}, &reader, NULL),
            0);
        while (logreader_raw(reader, &got, 100000) > 0) {
            continue;
        }
        logreader_close(reader);
        assert_int_equal(got.len, text.len);
        assert_memory_equal(got.ptr, text.ptr, text.len);
        buf_fini(&got);
    }
    buf_fini(&text);
    harness_fini(&h);
}

static void test_a_pattern_matches_once_across_chunks_colours_and_prompts(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    char *patterns[] = {(char[]){"listening on \\d+$"}, (char[]){"^ready>"}, (char[]){"never"},
                        NULL};
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", &(struct logrun_opts){.patterns = patterns});
    put(r.out_fd, "noise\nlisten");
    put(r.out_fd, "ing on \x1b[1m80");
    put(r.out_fd, "80\x1b[0m\r\nlistening on 90\n");
    while (r.matches == 0) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_string_equal(r.matched_line, "listening on 8080");
    put(r.out_fd, "ready> ");
    while (r.matches == 1) {
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    }
    assert_string_equal(r.matched_line, "ready> ");
    run_finish(&r);
    assert_int_equal(r.matches, 2);
    harness_close(&h);
    harness_fini(&h);
}

static void test_a_broken_pattern_is_refused_with_its_text(void **state)
{
    (void)state;
    struct harness h;
    struct fault why = {0};
    struct logrun *run = NULL;
    int fds[2];
    char *patterns[] = {(char[]){"a(b"}, NULL};
    harness_init(&h);
    harness_open(&h);
    const struct logrun_opts opts = {.service = "web", .run = 1, .patterns = patterns};
    assert_int_equal(logrun_open(h.store, &opts, &fds[0], &fds[1], &run, &why), -EINVAL);
    assert_non_null(strstr(fault_text(&why), "a(b"));
    const struct logrun_opts evil = {.service = "../x", .run = 1};
    assert_int_equal(logrun_open(h.store, &evil, &fds[0], &fds[1], &run, &why), -EINVAL);
    harness_close(&h);
    harness_fini(&h);
}

static void test_a_cut_run_ends_though_a_stranger_holds_the_pipe(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    int stranger = dup(r.out_fd);
    write_all(r.out_fd, "late\n", 5);
    (void)close(r.out_fd);
    (void)close(r.err_fd);
    uint64_t began = clock_mono_ns();
    logrun_cut(r.logrun);
    wait_flag(&h, &r.drained);
    uint64_t took = clock_mono_ns() - began;
    assert_in_range(took, 1900000000u, 4000000000u);
    harness_close(&h);
    struct buf got = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir}, &got);
    assert_string_equal(got.ptr, "web:out:late\n");
    buf_fini(&got);
    (void)close(stranger);
    harness_fini(&h);
}

static void test_closing_the_store_keeps_what_is_in_the_pipes_and_drains_every_run(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    write_all(r.out_fd, "last words\n", 11);
    harness_close(&h);
    assert_true(r.drained);
    (void)close(r.out_fd);
    (void)close(r.err_fd);
    struct buf got = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir}, &got);
    assert_string_equal(got.ptr, "web:out:last words\n");
    buf_fini(&got);
    harness_fini(&h);
}

static void test_run_numbers_go_on_and_up_shows_only_the_new_lines(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    for (unsigned i = 1; i <= 3; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "run %u\n", i);
        harness_open(&h);
        run_open(&h, &r, "web", NULL);
        write_all(r.out_fd, text, strlen(text));
        run_finish(&r);
        harness_close(&h);
        assert_int_equal(logreader_last_run(h.dir, "web"), i);
    }
    struct buf got = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir}, &got);
    assert_string_equal(got.ptr, "web:out:run 3\n");
    buf_clear(&got);
    read_lines(&(struct logreader_opts){.dir = h.dir, .from = LOG_FROM_START}, &got);
    assert_string_equal(got.ptr, "web:out:run 1\nweb:out:run 2\nweb:out:run 3\n");
    buf_clear(&got);
    read_lines(&(struct logreader_opts){.dir = h.dir, .from = LOG_FROM_START, .run = 2}, &got);
    assert_string_equal(got.ptr, "web:out:run 2\n");
    buf_fini(&got);
    harness_fini(&h);
}

static void test_a_removed_directory_is_made_again(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    harness_init(&h);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    write_all(r.out_fd, "before\n", 7);
    wait_stored(&h, 7);
    tree_remove(h.dir);
    struct buf got = {0};
    struct stat st;
    char head[160];
    (void)snprintf(head, sizeof(head), "%s/head", h.dir);
    /* Looked at once a second of writing. */
    uint64_t deadline_ns = 0;
    while (stat(head, &st) < 0) {
        wait_step(&h, &deadline_ns);
        write_all(r.out_fd, "on\n", 3);
    }
    write_all(r.out_fd, "after\n", 6);
    run_finish(&r);
    harness_close(&h);
    read_lines(&(struct logreader_opts){.dir = h.dir, .from = LOG_FROM_START}, &got);
    assert_non_null(strstr(got.ptr, "web:out:after\n"));
    buf_fini(&got);
    harness_fini(&h);
}

static void test_links_and_fifos_in_the_way_are_never_followed(void **state)
{
    (void)state;
    struct harness h;
    struct run r;
    char path[192];
    char victim[192];
    harness_init(&h);
    (void)snprintf(victim, sizeof(victim), "%s-victim", h.dir);
    FILE *file = fopen(victim, "w");
    assert_non_null(file);
    (void)fputs("mine", file);
    (void)fclose(file);
    assert_int_equal(mkdir(h.dir, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/head", h.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/web", h.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/web/00000001.log", h.dir);
    assert_int_equal(symlink(victim, path), 0);
    harness_open(&h);
    run_open(&h, &r, "web", NULL);
    write_all(r.out_fd, "text\n", 5);
    run_finish(&r);
    assert_int_equal(r.lost, 0);
    harness_close(&h);
    struct stat st;
    assert_int_equal(stat(victim, &st), 0);
    assert_int_equal(st.st_size, 4);
    struct buf got = {0};
    read_lines(&(struct logreader_opts){.dir = h.dir}, &got);
    assert_string_equal(got.ptr, "web:out:text\n");
    buf_fini(&got);
    (void)unlink(victim);
    harness_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_lines_of_three_services_arrive_whole_and_in_order),
        cmocka_unit_test(test_stdout_and_stderr_keep_their_names_and_an_unfinished_line_is_kept),
        cmocka_unit_test(test_the_childs_end_is_a_blocking_pipe_closed_on_exec),
        cmocka_unit_test(test_a_terminal_is_read_to_its_end),
        cmocka_unit_test(test_a_pattern_matches_once_across_chunks_colours_and_prompts),
        cmocka_unit_test(test_a_broken_pattern_is_refused_with_its_text),
        cmocka_unit_test(test_a_cut_run_ends_though_a_stranger_holds_the_pipe),
        cmocka_unit_test(test_closing_the_store_keeps_what_is_in_the_pipes_and_drains_every_run),
        cmocka_unit_test(test_run_numbers_go_on_and_up_shows_only_the_new_lines),
        cmocka_unit_test(test_a_removed_directory_is_made_again),
        cmocka_unit_test(test_links_and_fifos_in_the_way_are_never_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
