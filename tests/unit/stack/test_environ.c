/* The environment of a service: order of layers, what is hidden, broken env-files. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stack/environ.h"
#include "support.h"

static char path[] = "PATH=/bin";
static char shell_x[] = "X=shell";
static char shell_port[] = "PORT=1";
static char *shell[] = {path, shell_x, shell_port, NULL};

static const char *value(const struct env *env, const char *name)
{
    const struct env_var *var = env_find(env, name);
    return var != NULL ? var->value : NULL;
}

static void test_later_layers_win_and_remember_what_they_hide(void **state)
{
    (void)state;
    struct bench b;
    struct arena arena = {0};
    struct env env;
    bench_init(&b);
    static char cli[] = "cli.env";
    char *files[] = {cli, NULL};
    bench_write(&b, "stack.env", "X=stack\nS=stack\nREF=${X}\n");
    bench_write(&b, "sub/web.env", "# note\n  X=web\nS=web\nAPI_KEY=abcdefgh\nPORT=2\n");
    bench_write(&b, "cli.env", "S=cli\n");
    bench_write(
        &b, "roadie.ini",
        "[stack]\nenv-file = stack.env\nenvironment = E=stack\nenvironment = ROADIE_RUN=9\n"
        "[service web]\ncommand = x\nenv-file = sub/web.env\nenv-file = gone.env?\nport = 3\n"
        "environment = X=definition\nenvironment = E=service\n");
    assert_int_equal(bench_load(&b, (struct spec_request){.env_files = files}), 0);
    const struct spec_service *web = spec_find(b.spec, "web");
    assert_int_equal(env_build(b.spec, web, 7, shell, &arena, &env, &b.problems), 0);
    const struct env_var *x = env_find(&env, "X");
    assert_string_equal(x->value, "definition");
    assert_int_equal(x->source, ENV_DEFINITION);
    assert_int_equal(x->at.line, 10);
    assert_int_equal(x->shadow_count, 3);
    assert_string_equal(x->shadows[0].at.file, "sub/web.env");
    assert_int_equal(x->shadows[0].at.line, 2);
    assert_int_equal(x->shadows[0].at.column, 3);
    assert_int_equal(x->shadows[2].source, ENV_SHELL);
    assert_string_equal(value(&env, "S"), "cli");
    assert_string_equal(value(&env, "E"), "service");
    assert_string_equal(value(&env, "PORT"), "3");
    assert_string_equal(value(&env, "PATH"), "/bin");
    assert_string_equal(value(&env, "REF"), "stack");
    assert_string_equal(value(&env, "ROADIE_RUN"), "7");
    assert_string_equal(value(&env, "ROADIE_SERVICE"), "web");
    assert_string_equal(value(&env, "ROADIE_STACK"), b.spec->id);
    assert_true(env_find(&env, "API_KEY")->secret);
    assert_false(x->secret);
    char **vector = env_vector(&env, &arena);
    for (size_t i = 0; i < env.count; i++) {
        assert_non_null(strchr(vector[i], '='));
        assert_true(i == 0 || strcmp(env.items[i - 1].name, env.items[i].name) < 0);
    }
    assert_null(vector[env.count]);
    arena_fini(&arena);
    bench_fini(&b);
}

static void test_a_container_gets_nothing_of_the_shell_but_its_fallback_does(void **state)
{
    (void)state;
    struct bench b;
    struct arena arena = {0};
    struct env env;
    bench_init(&b);
    assert_int_equal(
        bench_load_text(&b, "[service r]\nimage = x\nport = 3\nfallback = y\nenvironment = A=1\n"),
        0);
    const struct spec_service *r = spec_find(b.spec, "r");
    assert_int_equal(env_build(b.spec, r, 1, shell, &arena, &env, &b.problems), 0);
    assert_null(value(&env, "PATH"));
    assert_null(value(&env, "PORT"));
    assert_string_equal(value(&env, "A"), "1");
    assert_int_equal(env.count, 4);
    assert_int_equal(env_build_fallback(b.spec, r, 1, shell, &arena, &env, &b.problems), 0);
    assert_string_equal(value(&env, "PATH"), "/bin");
    assert_string_equal(value(&env, "PORT"), "3");
    assert_int_equal(env_build(b.spec, NULL, 0, shell, &arena, &env, &b.problems), 0);
    assert_null(value(&env, "ROADIE_SERVICE"));
    assert_null(value(&env, "ROADIE_RUN"));
    arena_fini(&arena);
    bench_fini(&b);
}

static void test_missing_and_broken_env_files_are_problems_without_their_text(void **state)
{
    (void)state;
    struct bench b;
    bench_init(&b);
    bench_write(&b, "bad.env", "A=1\nhunter2 hunter2\nB=\"x\n");
    assert_int_equal(
        bench_load_text(
            &b,
            "[stack]\nenv-file = bad.env\n[service a]\ncommand = x\nenv-file = gone\n"
            "[service b]\ncommand = x\n[service c]\ncommand = x\nprofile = p\nenv-file = also\n"),
        0);
    assert_int_equal(env_check(b.spec, shell, &b.problems), -EINVAL);
    char *problems = bench_problems(&b);
    assert_string_equal(
        problems, "bad.env:2:9: expected \"=\" after the name (the text of the line is not shown)\n"
                  "bad.env:3:3: a quote without its end (the text of the line is not shown)\n"
                  "roadie.ini:5:12: env-file \"gone\": No such file or directory; end it in ? if "
                  "it may be missing\n");
    mem_free(problems);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_layers_win_and_remember_what_they_hide),
        cmocka_unit_test(test_a_container_gets_nothing_of_the_shell_but_its_fallback_does),
        cmocka_unit_test(test_missing_and_broken_env_files_are_problems_without_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
