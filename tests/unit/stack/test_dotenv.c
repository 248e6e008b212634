/* dotenv files: tests/cases/stack/dotenv.tsv, and that broken lines stay unsaid. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "escapes.h"
#include "stack/dotenv.h"
#include "support.h"

static const char *lookup(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "OTHER") == 0 ? "osval" : NULL;
}

/* Everything that was read, in order of its place, as the table writes it. */
static void describe(const struct dotenv *env, struct buf *out)
{
    size_t i = 0;
    size_t e = 0;
    while (i < env->count || e < env->error_count) {
        bool item_next =
            e >= env->error_count || (i < env->count && (env->items[i].line < env->errors[e].line));
        (void)buf_puts(out, out->len > 0 ? "\t" : "");
        if (item_next) {
            (void)buf_puts(out, env->items[i].name);
            if (env->items[i].value != NULL) {
                (void)buf_putc(out, '=');
                escape_into(out, span_of(env->items[i].value));
            }
            i++;
        } else {
            (void)buf_printf(out, "!%u:%u %s", env->errors[e].line, env->errors[e].column,
                             env->errors[e].what);
            e++;
        }
    }
}

static void test_every_input_of_the_table_reads_as_python_dotenv_reads_it(void **state)
{
    (void)state;
    size_t len = 0;
    char *all = read_whole(ROADIE_CASES "/stack/dotenv.tsv", &len);
    char *at = all;
    char *fields[8];
    unsigned failed = 0;
    unsigned count = 0;
    size_t columns = 0;
    while ((columns = table_row(&at, fields, COUNT_OF(fields))) > 0) {
        struct arena arena = {0};
        struct buf text = {0};
        struct buf want = {0};
        struct buf got = {0};
        struct dotenv env;
        unescape_into(&text, fields[0], strlen(fields[0]));
        for (size_t i = 1; i < columns; i++) {
            (void)buf_printf(&want, "%s%s", i > 1 ? "\t" : "", fields[i]);
        }
        dotenv_parse(buf_span(&text), lookup, NULL, &arena, &env);
        describe(&env, &got);
        if (!span_eq(buf_span(&want), buf_span(&got))) {
            (void)fprintf(stderr, "%s\n  expected %s\n  got      %s\n", fields[0], want.ptr,
                          got.ptr != NULL ? got.ptr : "");
            failed++;
        }
        count++;
        buf_fini(&text);
        buf_fini(&want);
        buf_fini(&got);
        arena_fini(&arena);
    }
    mem_free(all);
    assert_int_equal(failed, 0);
    assert_true(count >= 60);
}

static void test_places_count_physical_lines(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct dotenv env;
    dotenv_parse(SPAN_LIT("\n# note\r\nA=\"x\r\ny\"\r\n  B=1\n"), NULL, NULL, &arena, &env);
    assert_int_equal(env.count, 2);
    assert_int_equal(env.items[0].line, 3);
    assert_int_equal(env.items[1].line, 5);
    assert_int_equal(env.items[1].column, 3);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_input_of_the_table_reads_as_python_dotenv_reads_it),
        cmocka_unit_test(test_places_count_physical_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
