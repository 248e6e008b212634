/* Words, URLs, secrets, regular expressions, names, paths: the pure small parts. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "escapes.h"
#include "stack/keys.h"
#include "stack/ready.h"
#include "stack/secrets.h"
#include "stack/setters.h"
#include "stack/text.h"
#include "stack/url.h"
#include "stack/words.h"
#include "support.h"

static void describe_words(const struct words *words, struct buf *out)
{
    for (size_t i = 0; words->error == NULL && i < words->count; i++) {
        (void)buf_puts(out, i > 0 ? "\t" : "");
        escape_into(out, words->items[i].text);
    }
    if (words->error != NULL) {
        (void)buf_printf(out, "!%zu %s", words->error_offset + 1, words->error);
    }
}

static void test_every_line_of_the_table_splits_into_its_words(void **state)
{
    (void)state;
    size_t len = 0;
    char *all = read_whole(ROADIE_CASES "/stack/words.tsv", &len);
    char *at = all;
    char *fields[16];
    unsigned failed = 0;
    size_t columns = 0;
    while ((columns = table_row(&at, fields, COUNT_OF(fields))) > 0) {
        struct arena arena = {0};
        struct buf line = {0};
        struct buf want = {0};
        struct buf got = {0};
        struct words words;
        unescape_into(&line, fields[0], strlen(fields[0]));
        for (size_t i = 1; i < columns; i++) {
            (void)buf_printf(&want, "%s%s", i > 1 ? "\t" : "", fields[i]);
        }
        (void)words_split(buf_span(&line), &arena, &words);
        describe_words(&words, &got);
        if (!span_eq(buf_span(&want), buf_span(&got))) {
            (void)fprintf(stderr, "%s\n  expected %s\n  got      %s\n", fields[0], want.ptr,
                          got.ptr != NULL ? got.ptr : "");
            failed++;
        }
        buf_fini(&line);
        buf_fini(&want);
        buf_fini(&got);
        arena_fini(&arena);
    }
    mem_free(all);
    assert_int_equal(failed, 0);
}

static void test_joined_words_split_into_the_same_words(void **state)
{
    (void)state;
    static const char *const lists[][4] = {
        {"a b", "it's", "", NULL}, {"x\\y", "\"q\"", "$HOME", NULL}, {"a", "b;c|d", "ü\n", NULL}};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct arena arena = {0};
        struct buf line = {0};
        struct words words;
        char *argv[4] = {0};
        for (size_t k = 0; k < 3; k++) {
            argv[k] = arena_strdup(&arena, lists[i][k]);
        }
        words_join(argv, &line);
        assert_true(words_split(buf_span(&line), &arena, &words));
        assert_int_equal(words.count, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_string_equal(words.items[k].text.ptr, argv[k]);
        }
        buf_fini(&line);
        arena_fini(&arena);
    }
}

static void test_words_know_where_their_bytes_came_from(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct words words;
    assert_true(words_split(SPAN_LIT("ab 'c d'e \"${x}\""), &arena, &words));
    assert_int_equal(words.count, 3);
    assert_int_equal(words.items[1].offsets[0], 4);
    assert_int_equal(words.items[1].offsets[3], 8);
    assert_int_equal(words.items[2].offsets[0], 11);
    arena_fini(&arena);
}

static void test_urls_come_apart(void **state)
{
    (void)state;
    struct url url;
    assert_true(url_parse(SPAN_LIT("postgresql://u:p%40w@[::1]:5433/db?x=1"), &url));
    assert_true(span_is(url.scheme, "postgresql"));
    assert_true(span_is(url.user, "u"));
    assert_true(span_is(url.password, "p%40w"));
    assert_true(span_is(url.host, "::1"));
    assert_int_equal(url.port, 5433);
    assert_true(span_is(url.rest, "/db?x=1"));
    assert_true(url_parse(SPAN_LIT("http://a@b"), &url));
    assert_null(url.password.ptr);
    assert_true(span_is(url.host, "b"));
    assert_true(url_parse(SPAN_LIT("postgres:///db"), &url));
    assert_int_equal(url.host.len, 0);
    assert_true(url_parse(SPAN_LIT("redis://[::1]/0"), &url));
    assert_true(span_is(url.host, "::1"));
    assert_false(url_parse(SPAN_LIT("localhost:6379"), &url));
    assert_false(url_parse(SPAN_LIT("http://h:99999/"), &url));
    assert_false(url_parse(SPAN_LIT("://x"), &url));
}

static void test_secret_names_are_those_of_the_interface(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "GH_TOKEN",      "token",          "MY_SECRET_X", "PASSWORD",
        "private_thing", "AWS_CREDENTIAL", "API_KEY",     "AWS_ACCESS_KEY_ID",
        "OAUTH_JWK",     "SENTRY_DSN",     "DATABASE_URL"};
    static const char *const plain[] = {
        "PATH", "KEY", "KEYBOARD", "KEY_ID", "REDIS_URL", "MY_DATABASE_URLS", ""};
    for (size_t i = 0; i < COUNT_OF(secret); i++) {
        assert_true(secret_name(secret[i]));
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        assert_false(secret_name(plain[i]));
    }
}

static void test_short_and_numeric_values_are_no_secrets(void **state)
{
    (void)state;
    assert_false(secret_value(SPAN_LIT("12345")));
    assert_false(secret_value(SPAN_LIT("1234567890")));
    assert_false(secret_value(SPAN_LIT("abcde")));
    assert_true(secret_value(SPAN_LIT("abcdef")));
    assert_true(secret_value(SPAN_LIT("12345x")));
}

static void on_secret(void *ctx, const char *name, struct span text)
{
    (void)buf_printf(ctx, "%s:%.*s|", name, (int)text.len, text.ptr);
}

static void check_texts(const char *name, const char *value, const char *want)
{
    struct buf got = {0};
    secret_texts(name, value, on_secret, &got);
    assert_string_equal(got.ptr != NULL ? got.ptr : "", want);
    buf_fini(&got);
}

static void test_secret_texts_are_values_lines_and_passwords(void **state)
{
    (void)state;
    check_texts("API_KEY", "abcdefgh", "API_KEY:abcdefgh|");
    check_texts("PATH", "abcdefgh", "");
    check_texts("MY_PRIVATE", "line-one\nxy\r\nline-two",
                "MY_PRIVATE:line-one\nxy\r\nline-two|"
                "MY_PRIVATE:line-one|MY_PRIVATE:line-two|");
    check_texts("REDIS_URL", "redis://u:p%40ssword@h/0", "password:p%40ssword|password:p@ssword|");
    check_texts("X", "see http://localhost:5173/@vite/client and ftp://a:secret1@b",
                "password:secret1|");
    check_texts("X", "redis://u:pw@h", "");
    check_texts("X", "http://localhost:8000/", "");
}

static void test_masked_values_show_no_secret(void **state)
{
    (void)state;
    struct buf out = {0};
    secret_mask("API_KEY", "abcdefgh", &out);
    (void)buf_putc(&out, ' ');
    secret_mask("URL", "redis://u:pw@h and x://:abc@y/", &out);
    assert_string_equal(out.ptr, "‹API_KEY› redis://u:‹password›@h and x://:‹password›@y/");
    buf_fini(&out);
}

static void test_broken_regular_expressions_are_noticed(void **state)
{
    (void)state;
    static const char *const bad[] = {"(", "a)", "[a", "*a", "a|+b", "a\\", "(?:x", "[]"};
    static const char *const good[] = {"",        "a(b)c", "[]a]",       "[^]a]*",       "\\(",
                                       "a|b",     "(?i)x", "(?<n>x)+",   "[[:alpha:]]+", "\\Q(((",
                                       "x{2,3}?", "(a|)",  "(?x) # (\n", "^$",           "(*UTF)a"};
    size_t offset = 0;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_non_null(regex_complaint(span_of(bad[i]), &offset));
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_null(regex_complaint(span_of(good[i]), &offset));
    }
}

static void test_paths_join(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_string_equal(path_join(&arena, "/a/b", "c"), "/a/b/c");
    assert_string_equal(path_join(&arena, "/a/b", "../c/./d//e/"), "/a/c/d/e");
    assert_string_equal(path_join(&arena, "/a", "/x"), "/x");
    assert_string_equal(path_join(&arena, "/a", "../../.."), "/");
    arena_fini(&arena);
}

static void test_every_key_of_services_has_a_setter(void **state)
{
    (void)state;
    size_t count = 0;
    const struct key_row *rows = key_table(&count);
    for (size_t i = 0; i < count; i++) {
        bool of_service = (rows[i].sections & (1U << SECTION_SERVICE | 1U << SECTION_TASK)) != 0;
        if (of_service && !rows[i].later && !service_key_is_known(span_of(rows[i].name))) {
            fail_msg("key %s has no setter", rows[i].name);
        }
    }
}

static void test_the_printed_table_has_every_key(void **state)
{
    (void)state;
    size_t count = 0;
    const struct key_row *rows = key_table(&count);
    struct buf out = {0};
    key_table_print(&out);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(strstr(out.ptr, rows[i].name));
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line_of_the_table_splits_into_its_words),
        cmocka_unit_test(test_joined_words_split_into_the_same_words),
        cmocka_unit_test(test_words_know_where_their_bytes_came_from),
        cmocka_unit_test(test_urls_come_apart),
        cmocka_unit_test(test_secret_names_are_those_of_the_interface),
        cmocka_unit_test(test_short_and_numeric_values_are_no_secrets),
        cmocka_unit_test(test_secret_texts_are_values_lines_and_passwords),
        cmocka_unit_test(test_masked_values_show_no_secret),
        cmocka_unit_test(test_broken_regular_expressions_are_noticed),
        cmocka_unit_test(test_paths_join),
        cmocka_unit_test(test_every_key_of_services_has_a_setter),
        cmocka_unit_test(test_the_printed_table_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
