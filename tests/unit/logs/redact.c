/* Masking: the table, the property that no secret gets out at any split, and the secrets file. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "logs/view.h"

static void on_redact_row(void *ctx, const struct case_row *row)
{
    struct buf got = {0};
    buf_reserve(&got, 1);
    assert_int_equal(row->count, 3);
    redactor_mask(ctx, buf_span(&row->columns[1]), &got);
    if (!span_eq(buf_span(&got), buf_span(&row->columns[2]))) {
        fail_msg("%s: got \"%s\", want \"%s\"", row->columns[0].ptr, got.ptr, row->columns[2].ptr);
    }
    buf_fini(&got);
}

static void test_the_table_of_secrets(void **state)
{
    (void)state;
    struct redactor *r = redactor_new();
    redactor_add(r, "TOKEN", SPAN_LIT("hunter2-token"));
    redactor_add(r, "TOKEN", SPAN_LIT("hunter2-token"));
    redactor_add(r, "KEY", SPAN_LIT("abcdefgh"));
    redactor_add(r, "LONG", SPAN_LIT("abcdefghijkl"));
    redactor_add(r, "AA", SPAN_LIT("aaaaaa"));
    redactor_add(r, "DATABASE_URL", SPAN_LIT("postgresql://u:topsecret@db/x"));
    cases_run("redact.tsv", on_redact_row, r);
    redactor_free(r);
}

static bool contains(const struct buf *text, struct span what)
{
    for (size_t i = 0; i + what.len <= text->len; i++) {
        if (memcmp(text->ptr + i, what.ptr, what.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Secrets and text over a small alphabet, so that they overlap and nearly match all the time. */
static void random_text(uint64_t *rng, size_t len, struct buf *out)
{
    buf_clear(out);
    for (; len > 0; len--) {
        (void)buf_putc(out, (char)('a' + rng_next(rng) % 3));
    }
}

static void test_no_secret_is_in_any_output_at_any_split(void **state)
{
    (void)state;
    uint64_t rng = 0xDEADBEEF;
    for (int round = 0; round < 400; round++) {
        struct redactor *r = redactor_new();
        struct buf secrets[6] = {0};
        struct buf line = {0};
        for (size_t i = 0; i < COUNT_OF(secrets); i++) {
            random_text(&rng, (round % 5 == 0 ? 2 : 6) + rng_next(&rng) % 6, &secrets[i]);
            redactor_add(r, "S", buf_span(&secrets[i]));
        }
        random_text(&rng, 200, &line);
        for (size_t cut = 0; cut <= line.len; cut += 1 + rng_next(&rng) % 7) {
            struct buf out = {0};
            struct span head = {.ptr = line.ptr, .len = cut};
            struct span tail = {.ptr = line.ptr + cut, .len = line.len - cut};
            redactor_mask_piece(r, (struct span){0}, head, tail, &out);
            redactor_mask_piece(r, head, tail, (struct span){0}, &out);
            for (size_t i = 0; i < COUNT_OF(secrets); i++) {
                assert_false(contains(&out, buf_span(&secrets[i])));
            }
            struct buf whole = {0};
            redactor_mask(r, buf_span(&line), &whole);
            assert_true(span_eq(buf_span(&whole), buf_span(&out)));
            buf_fini(&whole);
            buf_fini(&out);
        }
        for (size_t i = 0; i < COUNT_OF(secrets); i++) {
            buf_fini(&secrets[i]);
        }
        buf_fini(&line);
        redactor_free(r);
    }
}

static void test_every_position_and_length_is_found(void **state)
{
    (void)state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < 20; at++) {
            struct redactor *r = redactor_new();
            char secret[40];
            struct buf line = {0};
            struct buf out = {0};
            for (size_t i = 0; i < len; i++) {
                secret[i] = (char)('A' + (i * 7 + len) % 26);
            }
            redactor_add(r, "S", (struct span){.ptr = secret, .len = len});
            for (size_t i = 0; i < at; i++) {
                (void)buf_putc(&line, '.');
            }
            (void)buf_append(&line, secret, len);
            redactor_mask(r, buf_span(&line), &out);
            assert_int_equal(out.len, at + strlen("‹S›"));
            redactor_free(r);
            buf_fini(&line);
            buf_fini(&out);
        }
    }
}

static void path_make(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(out, size, "%s/roadie-secrets-XXXXXX", base != NULL ? base : "/tmp");
    int fd = mkstemp(out);
    assert_true(fd >= 0);
    (void)close(fd);
    (void)unlink(out);
}

static void test_the_secrets_file_is_private_and_picked_up_while_it_grows(void **state)
{
    (void)state;
    char path[256];
    struct secrets_file *f = NULL;
    struct fault why = {0};
    struct stat st;
    struct buf out = {0};
    path_make(path, sizeof(path));
    struct redactor *r = redactor_new();
    assert_int_equal(redactor_load(r, path), -ENOENT);
    assert_int_equal(secrets_open(path, &f, &why), 0);
    assert_int_equal(secrets_append(f, "API_TOKEN", "first-secret"), 0);
    assert_int_equal(redactor_load(r, path), 0);
    redactor_mask(r, SPAN_LIT("first-secret second-secret"), &out);
    assert_string_equal(out.ptr, "‹API_TOKEN› second-secret");
    assert_int_equal(stat(path, &st), 0);
    off_t size = st.st_size;
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(secrets_append(f, "API_TOKEN", "first-secret"), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_int_equal(secrets_append(f, "B_TOKEN", "second-secret"), 0);
    assert_int_equal(redactor_load(r, path), 0);
    buf_clear(&out);
    redactor_mask(r, SPAN_LIT("first-secret second-secret"), &out);
    assert_string_equal(out.ptr, "‹API_TOKEN› ‹B_TOKEN›");
    secrets_close(f);
    redactor_free(r);
    buf_fini(&out);
    (void)unlink(path);
}

static void test_a_torn_record_is_cut_off_by_the_next_writer(void **state)
{
    (void)state;
    char path[256];
    struct secrets_file *f = NULL;
    struct buf out = {0};
    path_make(path, sizeof(path));
    assert_int_equal(secrets_open(path, &f, NULL), 0);
    assert_int_equal(secrets_append(f, "A_TOKEN", "first-secret"), 0);
    secrets_close(f);
    int fd = open(path, O_WRONLY | O_APPEND);
    write_all(fd, "\x07\x00\x00\x00\xff", 5);
    (void)close(fd);
    assert_int_equal(secrets_open(path, &f, NULL), 0);
    assert_int_equal(secrets_append(f, "B_TOKEN", "second-secret"), 0);
    secrets_close(f);
    struct redactor *r = redactor_new();
    assert_int_equal(redactor_load(r, path), 0);
    redactor_mask(r, SPAN_LIT("first-secret second-secret"), &out);
    assert_string_equal(out.ptr, "‹A_TOKEN› ‹B_TOKEN›");
    redactor_free(r);
    buf_fini(&out);
    (void)unlink(path);
}

static void test_several_writers_share_the_file(void **state)
{
    (void)state;
    enum { WRITERS = 4, EACH = 100 };
    char path[256];
    path_make(path, sizeof(path));
    for (int w = 0; w < WRITERS; w++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct secrets_file *f = NULL;
            int bad = secrets_open(path, &f, NULL);
            for (int i = 0; bad == 0 && i < EACH; i++) {
                char value[64];
                (void)snprintf(value, sizeof(value), "secret-%d-of-%d", i, i % 2 == 0 ? w : 99);
                bad = secrets_append(f, "X_TOKEN", value);
            }
            _exit(bad == 0 ? 0 : 1);
        }
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct redactor *r = redactor_new();
    assert_int_equal(redactor_load(r, path), 0);
    for (int w = 0; w < WRITERS; w++) {
        for (int i = 0; i < EACH; i++) {
            char value[64];
            struct buf out = {0};
            (void)snprintf(value, sizeof(value), "secret-%d-of-%d", i, i % 2 == 0 ? w : 99);
            redactor_mask(r, span_of(value), &out);
            assert_string_equal(out.ptr, "‹X_TOKEN›");
            buf_fini(&out);
        }
    }
    redactor_free(r);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_of_secrets),
        cmocka_unit_test(test_no_secret_is_in_any_output_at_any_split),
        cmocka_unit_test(test_every_position_and_length_is_found),
        cmocka_unit_test(test_the_secrets_file_is_private_and_picked_up_while_it_grows),
        cmocka_unit_test(test_a_torn_record_is_cut_off_by_the_next_writer),
        cmocka_unit_test(test_several_writers_share_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
