/* Frames: round trips at every split, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/protocol.h"

static json_t *sample(size_t text_len)
{
    char *text = malloc(text_len + 1);
    assert_non_null(text);
    memset(text, 'x', text_len);
    text[text_len] = '\0';
    json_t *message = json_pack("{s:s, s:i}", "text", text, "n", 42);
    free(text);
    return message;
}

static void feed(struct message_reader *r, const char *bytes, size_t len)
{
    assert_int_equal(buf_append(&r->in, bytes, len), 0);
}

static void test_a_message_survives_every_split(void **state)
{
    (void)state;
    json_t *message = sample(40);
    struct buf wire = {0};
    message_encode(message, &wire);
    for (size_t cut = 0; cut <= wire.len; cut++) {
        struct message_reader r = {.max = 1024};
        json_t *out = NULL;
        feed(&r, wire.ptr, cut);
        int rc = message_next(&r, &out, NULL);
        if (rc == 0) {
            feed(&r, wire.ptr + cut, wire.len - cut);
            rc = message_next(&r, &out, NULL);
        }
        assert_int_equal(rc, 1);
        assert_true(json_equal(message, out));
        json_decref(out);
        message_reader_fini(&r);
    }
    buf_fini(&wire);
    json_decref(message);
}

static void test_a_long_message_goes_in_several_frames(void **state)
{
    (void)state;
    json_t *message = sample(200000);
    struct buf wire = {0};
    message_encode(message, &wire);
    assert_true(wire.len > 200000 + 3 * 4);
    struct message_reader r = {.max = 1024 * 1024};
    json_t *out = NULL;
    feed(&r, wire.ptr, wire.len);
    assert_int_equal(message_next(&r, &out, NULL), 1);
    assert_true(json_equal(message, out));
    json_decref(out);
    assert_int_equal(message_next(&r, &out, NULL), 0);
    message_reader_fini(&r);
    buf_fini(&wire);
    json_decref(message);
}

static void test_a_frame_over_the_limit_is_refused_before_it_has_come(void **state)
{
    (void)state;
    struct message_reader r = {.max = 1024};
    json_t *out = NULL;
    feed(&r, "\x7f\xff\xff\xff", 4);
    assert_int_equal(message_next(&r, &out, NULL), -EPROTO);
    message_reader_fini(&r);
}

static void test_a_message_over_the_limit_is_refused(void **state)
{
    (void)state;
    json_t *message = sample(5000);
    struct buf wire = {0};
    message_encode(message, &wire);
    struct message_reader r = {.max = 1024};
    json_t *out = NULL;
    feed(&r, wire.ptr, wire.len);
    assert_int_equal(message_next(&r, &out, NULL), -EPROTO);
    message_reader_fini(&r);
    buf_fini(&wire);
    json_decref(message);
}

static void test_what_is_no_json_object_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {"[1]", "{", "nonsense", "{\"a\":1}{", "\xff\xfe"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct message_reader r = {.max = 1024};
        json_t *out = NULL;
        char header[4] = {0, 0, 0, (char)strlen(bodies[i])};
        feed(&r, header, 4);
        feed(&r, bodies[i], strlen(bodies[i]));
        assert_int_equal(message_next(&r, &out, NULL), -EPROTO);
        message_reader_fini(&r);
    }
}

static void test_random_bytes_never_crash_the_reader(void **state)
{
    (void)state;
    unsigned seed = 99;
    for (int round = 0; round < 20000; round++) {
        struct message_reader r = {.max = 4096};
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1103515245U + 12345U;
            bytes[i] = i < 3 ? 0 : (char)(seed >> 16);
        }
        feed(&r, bytes, sizeof bytes);
        json_t *out = NULL;
        while (message_next(&r, &out, NULL) == 1) {
            json_decref(out);
        }
        message_reader_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_survives_every_split),
        cmocka_unit_test(test_a_long_message_goes_in_several_frames),
        cmocka_unit_test(test_a_frame_over_the_limit_is_refused_before_it_has_come),
        cmocka_unit_test(test_a_message_over_the_limit_is_refused),
        cmocka_unit_test(test_what_is_no_json_object_is_refused),
        cmocka_unit_test(test_random_bytes_never_crash_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
