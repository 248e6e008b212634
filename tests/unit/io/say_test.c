/* Sentences about peers. */
#include <string.h>

#include "base/attr.h"
#include "io/say.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_foreign_text_becomes_one_printable_line(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"plain", "plain"},
        {"  two \r\n\t lines.  ", "two lines"},
        {"\x1b[31mred\x07", "[31mred"},
        {"caf\xc3\xa9 \xff\xfe", "caf\xc3\xa9 ??"},
        {"c1 \xc2\x9b"
         "31m",
         "c1 31m"},
        {"", ""},
        {"...", ""},
        {"0123456789012345678901234567890123456789", "01234567890123456789012345678..."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[33];
        assert_string_equal(say_clean(out, sizeof out, span_of(cases[i].in)), cases[i].out);
    }
}

static void test_deadlines_read_naturally(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(say_no_answer(out, sizeof out, 2000), "no answer in 2s");
    assert_string_equal(say_no_answer(out, sizeof out, 1500), "no answer in 1500ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_text_becomes_one_printable_line),
        cmocka_unit_test(test_deadlines_read_naturally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
