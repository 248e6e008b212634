/* The command line, by tests/cases/args.tsv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ui/commands.h"

enum { WORDS_MAX = 32 };

static void add_list(struct buf *out, const char *name, char *const *items)
{
    if (items == NULL) {
        return;
    }
    (void)buf_printf(out, " %s=", name);
    for (size_t i = 0; items[i] != NULL; i++) {
        (void)buf_printf(out, "%s%s", i > 0 ? "," : "", items[i]);
    }
}

/* What was understood, in one line. */
static void describe(const struct args *args, struct buf *out)
{
    (void)buf_puts(out, args->command != NULL ? args->command->name : "");
    (void)buf_puts(out, args->echo ? " echo" : "");
    for (size_t i = 0; i < args->count; i++) {
        (void)buf_printf(out, "%s%s", out->len > 0 ? " " : "", args->rows[i]->name);
        if (args->texts[i] != NULL) {
            (void)buf_printf(out, "=%s", args->texts[i]);
        }
    }
    add_list(out, "names", args->name_count > 0 ? args->names : NULL);
    add_list(out, "words", args->words);
}

static void check_line(char *line)
{
    char *tab = strchr(line, '\t');
    assert_non_null(tab);
    *tab = '\0';
    char *argv[WORDS_MAX] = {line};
    int argc = 1;
    for (char *word = line; word != NULL && argc < WORDS_MAX; argc++) {
        argv[argc] = word;
        word = strchr(word, ' ');
        if (word != NULL) {
            *word++ = '\0';
        }
    }
    struct arena arena = {0};
    struct args args;
    struct fault why = {0};
    struct buf got = {0};
    if (args_parse(command_rows, command_row_count, argc, argv, &arena, &args, &why) == 0) {
        describe(&args, &got);
    } else {
        (void)buf_printf(&got, "error: %s%s%s", why.text, why.hint[0] != '\0' ? " | " : "", why.hint);
    }
    assert_string_equal(got.ptr, tab + 1);
    buf_fini(&got);
    arena_fini(&arena);
}

static void test_every_case_of_the_table_is_understood(void **state)
{
    (void)state;
    FILE *cases = fopen(ROADIE_CASES "/args.tsv", "r");
    char line[512];
    size_t count = 0;
    assert_non_null(cases);
    while (fgets(line, sizeof line, cases) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#' && line[0] != '\0') {
            check_line(line);
            count++;
        }
    }
    (void)fclose(cases);
    assert_true(count > 40);
}

static void test_json_is_seen_before_parsing_but_not_behind_the_dashes(void **state)
{
    (void)state;
    char words[][8] = {"roadie", "upp", "--json", "run", "--", "ls"};
    char *const with[] = {words[0], words[1], words[2], NULL};
    char *const behind[] = {words[0], words[3], words[4], words[5], words[2], NULL};
    assert_true(args_want_json(3, with));
    assert_false(args_want_json(5, behind));
}

static void test_every_command_has_a_summary_and_a_runner_or_is_marked_later(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_row_count; i++) {
        const struct command_row *row = &command_rows[i];
        assert_true(row->summary[0] != '\0');
        assert_int_equal(row->run == NULL, (row->traits & COMMAND_LATER) != 0);
        for (size_t j = 0; j < row->option_count; j++) {
            assert_int_equal(row->options[j].kind == OPTION_FLAG, row->options[j].value == NULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_of_the_table_is_understood),
        cmocka_unit_test(test_json_is_seen_before_parsing_but_not_behind_the_dashes),
        cmocka_unit_test(test_every_command_has_a_summary_and_a_runner_or_is_marked_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
