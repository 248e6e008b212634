/* The limits in front of hiredis, fed whole and byte by byte. */
#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "io/resp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static int feed(const char *text, size_t step)
{
    struct resp_guard g = {0};
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += step) {
        size_t take = len - i < step ? len - i : step;
        int code = resp_guard_feed(&g, (struct span){.ptr = text + i, .len = take});
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

static void test_sizes_are_judged_however_the_bytes_arrive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"+PONG\r\n:1\r\n-ERR no\r\n$3\r\na\nb\r\n*2\r\n+a\r\n$-1\r\n*-1\r\n", 0},
        {"$0\r\n\r\n+OK\r\n", 0},
        {"$1048576\r\n", 0},
        {"$1048577\r\n", -EMSGSIZE},
        {"*65536\r\n", 0},
        {"*65537\r\n", -EMSGSIZE},
        {"$18446744073709551616\r\n", -EMSGSIZE},
        {"$12345678901234567890123456789\r\n", -EPROTO},
        {"$-2\r\n", -EPROTO},
        {"*\r\n", -EPROTO},
        {"$x\r\n", -EPROTO},
        {"HTTP/1.1 200\r\n", -EPROTO},
        {"\r\n", -EPROTO},
        {"$2\r\nabXX+PONG\r\n", 0}, /* hiredis skips these two bytes as well */
        {"%1\r\n", -EPROTO},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t step = 1; step < 40; step += 13) {
            print_message("%zu/%zu\n", i, step);
            assert_int_equal(feed(cases[i].text, step), cases[i].code);
        }
    }
}

static void test_an_endless_line_and_an_endless_stream_end(void **state)
{
    (void)state;
    struct resp_guard g = {0};
    char block[1024];
    int code = 0;
    memset(block, 'x', sizeof block);
    block[0] = '+';
    for (int i = 0; i < 80 && code == 0; i++) {
        code = resp_guard_feed(&g, (struct span){.ptr = block, .len = sizeof block});
        block[0] = 'x';
    }
    assert_int_equal(code, -EMSGSIZE);
    g = (struct resp_guard){0};
    code = 0;
    for (int i = 0; i < 10 * 1024 * 1024 / 7 && code == 0; i++) {
        code = resp_guard_feed(&g, SPAN_LIT("+PONG\r\n"));
    }
    assert_int_equal(code, -EMSGSIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_judged_however_the_bytes_arrive),
        cmocka_unit_test(test_an_endless_line_and_an_endless_stream_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
