/* Sanitising: the table, random mutation against the allow-list; rendering and JSON. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cases.h"
#include "logs/escape.h"
#include "logs/view.h"

static void expect(const struct buf *what, const struct buf *want, const struct buf *got)
{
    if (!span_eq(buf_span(want), buf_span(got))) {
        fail_msg("%s: got \"%s\", want \"%s\"", what->ptr, got->ptr, want->ptr);
    }
}

static void on_sanitise_row(void *ctx, const struct case_row *row)
{
    (void)ctx;
    struct buf plain = {0};
    struct buf coloured = {0};
    buf_reserve(&plain, 1);
    buf_reserve(&coloured, 1);
    assert_int_equal(row->count, 4);
    sanitise(buf_span(&row->columns[1]), false, &plain);
    sanitise(buf_span(&row->columns[1]), true, &coloured);
    bool same = span_is(buf_span(&row->columns[3]), "=");
    expect(&row->columns[0], &row->columns[2], &plain);
    expect(&row->columns[0], same ? &row->columns[2] : &row->columns[3], &coloured);
    buf_fini(&plain);
    buf_fini(&coloured);
}

static void test_the_table_of_hostile_text(void **state)
{
    (void)state;
    cases_run("sanitise.tsv", on_sanitise_row, NULL);
}

/* An independent judge: printable UTF-8, tabs, and ESC [ digits ; : m. */
static bool is_allowed(struct span text, bool colour)
{
    for (size_t at = 0; at < text.len;) {
        if (colour && text.ptr[at] == 0x1B) {
            size_t end = at + 1;
            if (end >= text.len || text.ptr[end] != '[') {
                return false;
            }
            for (end++; end < text.len && strchr("0123456789;:", text.ptr[end]) != NULL; end++) {
                if (text.ptr[end] == '\0' || end - at > 70) {
                    return false;
                }
            }
            if (end >= text.len || text.ptr[end] != 'm') {
                return false;
            }
            at = end + 1;
            continue;
        }
        uint32_t code = 0;
        size_t len = utf8_decode(text.ptr + at, text.len - at, &code);
        bool control = code < 0x20 ? code != '\t' : code >= 0x7F && code < 0xA0;
        bool bidi = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
        if (len == 0 || control || bidi || code == 0x200B || code == 0xFEFF) {
            return false;
        }
        at += len;
    }
    return true;
}

static void mutant_make(uint64_t *rng, struct buf *out)
{
    static const char *const parts[] = {
        "\x1b[",    "\x1b]",    "\x1bP", "\x1b", "m",     ";",          "31",
        "\x07",     "\x1b\\",   "text",  "\xc2", "\x9b",  "\xe2\x80",   "\xae",
        "\xf0\x9f", "\x9a\x80", "\r",    "\t",   "?",     "38;2;1;2;3", "]0;",
        "\x18",     "\x7f",     " ",     "(",    "52;c;",
    };
    buf_clear(out);
    for (uint64_t left = 1 + rng_next(rng) % 24; left > 0; left--) {
        uint64_t pick = rng_next(rng) % (COUNT_OF(parts) + 4);
        if (pick < COUNT_OF(parts)) {
            (void)buf_puts(out, parts[pick]);
        } else {
            (void)buf_putc(out, (char)(rng_next(rng) & 0xFF));
        }
    }
}

static void test_no_mutation_gets_past_the_allow_list_and_twice_is_once(void **state)
{
    (void)state;
    uint64_t rng = 88172645463325252u;
    struct buf mutant = {0};
    struct buf once = {0};
    struct buf twice = {0};
    for (int i = 0; i < 400000; i++) {
        bool colour = (i & 1) != 0;
        mutant_make(&rng, &mutant);
        buf_clear(&once);
        buf_clear(&twice);
        sanitise(buf_span(&mutant), colour, &once);
        if (!is_allowed(buf_span(&once), colour)) {
            fail_msg("mutation %d: \"%s\"", i, once.ptr);
        }
        sanitise(buf_span(&once), colour, &twice);
        assert_true(span_eq(buf_span(&once), buf_span(&twice)));
    }
    buf_fini(&mutant);
    buf_fini(&once);
    buf_fini(&twice);
}

static void test_a_megabyte_of_openings_costs_linear_time(void **state)
{
    (void)state;
    struct buf line = {0};
    struct buf out = {0};
    struct redactor *r = redactor_new();
    while (line.len < 1000000) {
        (void)buf_puts(&line, "\x1b]0;x://");
    }
    redactor_add(r, "KEY", SPAN_LIT("xxxxxx"));
    sanitise(buf_span(&line), true, &out);
    buf_clear(&out);
    redactor_mask(r, buf_span(&line), &out); /* ctest's time limit is the judge */
    assert_int_equal(out.len, line.len);
    redactor_free(r);
    buf_fini(&line);
    buf_fini(&out);
}

static struct log_line line_of(const char *text)
{
    return (struct log_line){.seq = 7,
                             .wall_ns = 1000000000123456789u,
                             .service = "web",
                             .run = 2,
                             .stream = LOG_ERR,
                             .text = span_of(text)};
}

static void test_a_service_line_has_its_name_padded_and_its_colours_ended(void **state)
{
    (void)state;
    struct buf out = {0};
    struct log_line line = line_of("\x1b[31mred\x1b]0;x\x07");
    view_line(&(struct view_opts){.prefix = true, .name_width = 6}, &line, 0, &out);
    assert_string_equal(out.ptr, "web    | red\n");
    buf_clear(&out);
    view_line(&(struct view_opts){.prefix = true, .colour = true, .name_width = 3}, &line, 0, &out);
    assert_string_equal(out.ptr, "\x1b[36mweb |\x1b[0m \x1b[31mred\x1b[0m\n");
    buf_clear(&out);
    view_line(&(struct view_opts){.name_width = 3}, &line, 0, &out);
    assert_string_equal(out.ptr, "red\n");
    buf_fini(&out);
}

static void test_a_block_renders_as_its_lines_do(void **state)
{
    (void)state;
    uint64_t rng = 42;
    struct redactor *r = redactor_new();
    redactor_add(r, "TOKEN", SPAN_LIT("hunter2"));
    for (int round = 0; round < 300; round++) {
        struct buf text = {0};
        struct buf whole = {0};
        struct buf single = {0};
        struct log_line block = line_of("");
        const struct view_opts opts = {
            .prefix = true, .name_width = 5, .redactor = r, .colour = round % 2 == 0};
        for (uint64_t lines = 1 + rng_next(&rng) % 8; lines > 0; lines--) {
            struct buf one = {0};
            for (uint64_t n = rng_next(&rng) % 6; n > 0; n--) {
                static const char *const words[] = {"hello ",     "hunter2", "\x1b[1m",
                                                    "a://b:c@d ", "\t",      "\xc3\xa4"};
                (void)buf_puts(&one, words[rng_next(&rng) % (round < 100 ? 1 : 6)]);
            }
            struct log_line line = line_of("");
            line.text = buf_span(&one);
            view_line(&opts, &line, 1, &single);
            (void)buf_append(&text, one.ptr, one.len);
            (void)buf_puts(&text, rng_next(&rng) % 4 == 0 ? "\r\n" : "\n");
            buf_fini(&one);
        }
        block.text = buf_span(&text);
        view_block(&opts, &block, 1, &whole);
        assert_string_equal(whole.ptr, single.ptr);
        buf_fini(&text);
        buf_fini(&whole);
        buf_fini(&single);
    }
    redactor_free(r);
}

static void test_json_is_valid_whatever_the_line_holds(void **state)
{
    (void)state;
    uint64_t rng = 99;
    struct buf text = {0};
    struct buf out = {0};
    for (int i = 0; i < 20000; i++) {
        mutant_make(&rng, &text);
        struct log_line line = line_of("");
        line.text = buf_span(&text);
        line.partial = i % 2 == 0;
        buf_clear(&out);
        view_json(&(struct view_opts){0}, &line, &out);
        json_error_t error;
        json_t *object = json_loadb(out.ptr, out.len, JSON_ALLOW_NUL, &error);
        if (object == NULL) {
            fail_msg("%s: %s", error.text, out.ptr);
        }
        assert_int_equal(json_integer_value(json_object_get(object, "v")), 1);
        assert_int_equal(json_integer_value(json_object_get(object, "seq")), 7);
        assert_string_equal(json_string_value(json_object_get(object, "t")),
                            "2001-09-09T01:46:40.123Z");
        assert_string_equal(json_string_value(json_object_get(object, "service")), "web");
        assert_string_equal(json_string_value(json_object_get(object, "stream")), "err");
        assert_int_equal(json_is_true(json_object_get(object, "partial")), line.partial);
        bool utf8 = span_is_utf8(buf_span(&text), NULL);
        assert_int_equal(json_object_get(object, "raw") == NULL, utf8);
        if (utf8) {
            const json_t *back = json_object_get(object, "text");
            assert_int_equal(json_string_length(back), text.len);
            assert_memory_equal(json_string_value(back), text.ptr, text.len);
        }
        json_decref(object);
    }
    buf_fini(&text);
    buf_fini(&out);
}

static void test_raw_is_base64_of_the_masked_line(void **state)
{
    (void)state;
    struct buf out = {0};
    struct redactor *r = redactor_new();
    redactor_add(r, "TOKEN", SPAN_LIT("hunter2"));
    struct log_line line = line_of("\xff"
                                   "hunter2");
    view_json(&(struct view_opts){.redactor = r}, &line, &out);
    assert_non_null(strstr(out.ptr, "\"text\":\"\xEF\xBF\xBD‹TOKEN›\""));
    assert_non_null(strstr(out.ptr, "\"raw\":\"/+KAuVRPS0VO4oC6\"")); /* ff ‹TOKEN› */
    redactor_free(r);
    buf_fini(&out);
}

static void test_stripping_leaves_the_text(void **state)
{
    (void)state;
    struct buf out = {0};
    strip_escapes(SPAN_LIT("a\x1b[31mb\x1b]0;t\x07"
                           "c\x1b"),
                  &out);
    assert_string_equal(out.ptr, "abc\x1b");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_of_hostile_text),
        cmocka_unit_test(test_no_mutation_gets_past_the_allow_list_and_twice_is_once),
        cmocka_unit_test(test_a_megabyte_of_openings_costs_linear_time),
        cmocka_unit_test(test_a_service_line_has_its_name_padded_and_its_colours_ended),
        cmocka_unit_test(test_a_block_renders_as_its_lines_do),
        cmocka_unit_test(test_json_is_valid_whatever_the_line_holds),
        cmocka_unit_test(test_raw_is_base64_of_the_masked_line),
        cmocka_unit_test(test_stripping_leaves_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
