/*
 * Whole definitions against what roadie says of them: tests/cases/stack/definitions.txt. A block is
 *     === title
 *     the roadie.ini …
 *     --- NAME          (another file, as often as needed)
 *     --- problems      (or: warnings)
 *     what is printed, to the letter; nothing when it loads
 * \xNN in a file is that byte; a line `\repeat N TEXT` is TEXT N times without line ends.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support.h"

static void add_line(struct buf *out, const char *line, bool raw)
{
    unsigned long count = 1;
    if (!raw && strncmp(line, "\\repeat ", 8) == 0) {
        char *end = NULL;
        count = strtoul(line + 8, &end, 10);
        line = end + 1;
        for (unsigned long i = 0; i < count; i++) {
            (void)buf_puts(out, line);
        }
        return;
    }
    for (; *line != '\0'; line++) {
        unsigned byte = 0;
        if (!raw && line[0] == '\\' && line[1] == 'x' && sscanf(line + 2, "%2x", &byte) == 1) {
            (void)buf_putc(out, (char)byte);
            line += 3;
        } else {
            (void)buf_putc(out, *line);
        }
    }
    (void)buf_putc(out, '\n');
}

static unsigned run_block(const char *title, char *block)
{
    struct bench b;
    bench_init(&b);
    char part[64] = "roadie.ini";
    struct buf text = {0};
    struct buf expected = {0};
    bool warnings = false;
    for (char *line = block, *next = NULL; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        } else if (*line == '\0') {
            break;
        }
        bool expecting = strcmp(part, "problems") == 0 || strcmp(part, "warnings") == 0;
        if (strncmp(line, "--- ", 4) == 0) {
            if (!expecting) {
                bench_write_bytes(&b, part, text.ptr != NULL ? text.ptr : "", text.len);
                buf_clear(&text);
            }
            (void)snprintf(part, sizeof part, "%s", line + 4);
            warnings = strcmp(part, "warnings") == 0;
        } else {
            add_line(expecting ? &expected : &text, line, expecting);
        }
    }
    (void)bench_load(&b, (struct spec_request){0});
    struct buf got = {0};
    problems_print(&b.problems, &got);
    if (warnings && b.spec != NULL) {
        problems_print(&b.spec->warnings, &got);
    }
    const char *want = expected.ptr != NULL ? expected.ptr : "";
    const char *have = got.ptr != NULL ? got.ptr : "";
    unsigned failed = strcmp(want, have) != 0;
    if (failed) {
        (void)fprintf(stderr, "%s\n  expected:\n%s  got:\n%s", title, want, have);
    }
    if (!failed && *want == '\0' && b.rc != 0) {
        (void)fprintf(stderr, "%s: %s\n", title, b.why.text);
        failed = 1;
    }
    buf_fini(&got);
    buf_fini(&text);
    buf_fini(&expected);
    bench_fini(&b);
    return failed;
}

static void test_every_definition_of_the_table_says_what_it_should(void **state)
{
    (void)state;
    size_t len = 0;
    char *all = read_whole(ROADIE_CASES "/stack/definitions.txt", &len);
    unsigned failed = 0;
    unsigned count = 0;
    char *at = strstr(all, "=== ");
    while (at != NULL) {
        char *title = at + 4;
        char *block = strchr(title, '\n');
        assert_non_null(block);
        *block++ = '\0';
        char *next = strncmp(block, "=== ", 4) == 0 ? block : strstr(block, "\n=== ");
        if (next != NULL && next != block) {
            *next++ = '\0';
        }
        failed += run_block(title, block);
        count++;
        at = next;
    }
    mem_free(all);
    assert_int_equal(failed, 0);
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_definition_of_the_table_says_what_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
