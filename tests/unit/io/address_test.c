/* Which hosts are this machine. */
#include "base/attr.h"
#include "io/address.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_hosts_are_placed_without_asking_anybody(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        enum address_place place;
    } cases[] = {
        {"localhost", ADDRESS_LOOPBACK},
        {"LOCALHOST.", ADDRESS_LOOPBACK},
        {"app.localhost", ADDRESS_LOOPBACK},
        {"127.0.0.1", ADDRESS_LOOPBACK},
        {"127.9.9.9", ADDRESS_LOOPBACK},
        {"[::1]", ADDRESS_LOOPBACK},
        {"::1", ADDRESS_LOOPBACK},
        {"0.0.0.0", ADDRESS_LOOPBACK},
        {"::", ADDRESS_LOOPBACK},
        {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
        {"10.255.255.1", ADDRESS_PRIVATE},
        {"172.16.0.9", ADDRESS_PRIVATE},
        {"192.168.255.254", ADDRESS_PRIVATE},
        {"fd12::1", ADDRESS_PRIVATE},
        {"fe80::1%eth0", ADDRESS_PRIVATE},
        {"postgres", ADDRESS_PRIVATE},
        {"nas.local", ADDRESS_PRIVATE},
        {"172.32.0.1", ADDRESS_ELSEWHERE},
        {"8.8.8.8", ADDRESS_ELSEWHERE},
        {"2001:db8::1", ADDRESS_ELSEWHERE},
        {"ep-x.neon.tech", ADDRESS_ELSEWHERE},
        {"notlocalhost.example", ADDRESS_ELSEWHERE},
        {"127.0.0.1.example", ADDRESS_ELSEWHERE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        print_message("%s\n", cases[i].host);
        assert_int_equal(address_place(cases[i].host), cases[i].place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_are_placed_without_asking_anybody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
