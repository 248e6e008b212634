/* What a load yields: finding, selecting, expanding, overriding, Procfiles, the built-in
 * definition. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stack/config.h"
#include "support.h"

static char web[] = "web";
static char redis[] = "redis";
static char full[] = "full";
static char fulll[] = "fulll";
static char glob[] = "w*";
static char wbe[] = "wbe";

static const char three[] =
    "[service redis]\nimage = redis:7\nport = 6379\nready = redis\nprofile = data\n"
    "[service web]\ncommand = serve\ndepends-on = redis\n"
    "[task mig]\ncommand = migrate\nprofile = full\n";

static int bench_set(void **state)
{
    struct bench *b = mem_calloc(1, sizeof *b);
    bench_init(b);
    *state = b;
    return 0;
}

static int bench_unset(void **state)
{
    bench_fini(*state);
    mem_free(*state);
    return 0;
}

static void load_text(struct bench *b, const char *text)
{
    if (bench_load_text(b, text) != 0) {
        char *problems = bench_problems(b);
        fail_msg("does not load: %s\n%s", b->why.text, problems);
    }
}

static const struct spec_service *service(const struct bench *b, const char *name)
{
    const struct spec_service *found = spec_find(b->spec, name);
    assert_non_null(found);
    return found;
}

static void test_standard_values_are_those_of_the_interface(void **state)
{
    struct bench *b = *state;
    load_text(b, "[service web]\ncommand = a 'b c'\n");
    const struct spec_service *s = service(b, "web");
    assert_string_equal(s->argv[1], "b c");
    assert_null(s->argv[2]);
    assert_string_equal(s->directory, b->spec->root);
    assert_int_equal(s->ready_timeout_ms, 60000);
    assert_int_equal(s->alive_interval_ms, 10000);
    assert_int_equal(s->alive_failures, 3);
    assert_int_equal(s->restart, RESTART_NO);
    assert_int_equal(s->restart_delay_ms, 500);
    assert_int_equal(s->restart_limit, 5);
    assert_int_equal(s->restart_window_ms, 60000);
    assert_int_equal(s->stop_count, 2);
    assert_int_equal(s->stop[0].signal, SIGTERM);
    assert_int_equal(s->stop[0].wait_ms, 10000);
    assert_int_equal(s->stop[1].signal, SIGKILL);
    assert_true(s->success_codes[0] && !s->success_codes[1]);
    assert_int_equal(s->log_keep, 256 * 1024 * 1024);
    assert_int_equal(b->spec->shutdown_timeout_ms, 30000);
    assert_int_equal(b->spec->start_limit, 0);
    assert_true(s->selected);
    assert_null(s->profiles[0]);
}

static void test_every_key_reaches_the_spec(void **state)
{
    struct bench *b = *state;
    load_text(
        b,
        "[stack]\nname = demo\nlog-keep = 1m\nstart-limit = 3\nshutdown-timeout = 5s\n"
        "environment = A=1\n"
        "[task prep]\nshell = echo $HOME $$$$\ninputs = a\ninputs = b/**\n"
        "[service web]\nimage = x:1\ncommand = y ${port}\ncontainer-port = 80\n"
        "volume = ./data:/d\nvolume = named:/n\ncontainer-option = --cpus 2\nfallback = z 'q r'\n"
        "directory = sub\nport = 8080\ndepends-on = prep\nready = http /h status=200,204 "
        "contains=\"a\":\"b\"\n"
        "ready = tcp [::1]:99\nready = log up.*now\nready = exec test -f '${stack.name} x'\n"
        "ready = notify\nready = delay 2s\nready-timeout = 1m\nalive = redis redis://h:1/2\n"
        "alive-interval = 3s\nalive-failures = 4\nalive-action = restart\nrestart = always\n"
        "restart-delay = 1s\nrestart-limit = 2 in 10s\nstop = INT 4s, INT\nsuccess-codes = 0, 3 "
        "143\n"
        "adopt = yes\ntty = yes\nstdin = open\ndescription = d\nstale-on = s\nhint = a => b => "
        "c\n");
    const struct spec *spec = b->spec;
    const struct spec_service *s = service(b, "web");
    assert_string_equal(spec->name, "demo");
    assert_int_equal(spec->start_limit, 3);
    assert_int_equal(spec->shutdown_timeout_ms, 5000);
    assert_string_equal(service(b, "prep")->shell, "echo $HOME $$");
    assert_int_equal(service(b, "prep")->kind, SPEC_TASK);
    assert_string_equal(service(b, "prep")->inputs[1], "b/**");
    assert_string_equal(s->argv[1], "8080");
    assert_int_equal(s->container_port, 80);
    assert_int_equal(strncmp(s->volumes[0], spec->root, strlen(spec->root)), 0);
    assert_string_equal(s->volumes[0] + strlen(spec->root), "/data:/d");
    assert_string_equal(s->volumes[1], "named:/n");
    assert_string_equal(s->container_options[1], "2");
    assert_string_equal(s->fallback[1], "q r");
    assert_int_equal(s->log_keep, 1024 * 1024);
    assert_int_equal(s->needs[0].condition, NEED_DONE);
    assert_int_equal(s->ready_count, 6);
    assert_string_equal(s->ready[0].url, "http://localhost:8080/h");
    assert_string_equal(s->ready[0].contains, "\"a\":\"b\"");
    assert_int_equal(s->ready[0].status_count, 2);
    assert_string_equal(s->ready[1].host, "::1");
    assert_string_equal(s->ready[2].regex, "up.*now");
    assert_string_equal(s->ready[3].argv[2], "demo x");
    assert_int_equal(s->ready[5].delay_ms, 2000);
    assert_int_equal(s->alive[0].port, 1);
    assert_int_equal(s->alive_action, ALIVE_RESTART);
    assert_int_equal(s->restart, RESTART_ALWAYS);
    assert_int_equal(s->restart_limit, 2);
    assert_int_equal(s->stop_count, 3);
    assert_int_equal(s->stop[1].wait_ms, 10000);
    assert_int_equal(s->stop[2].signal, SIGKILL);
    assert_true(s->success_codes[143]);
    assert_true(s->adopt && s->tty);
    assert_int_equal(s->stdin_mode, STDIN_OPEN);
    assert_string_equal(s->url, "http://localhost:8080");
    assert_string_equal(s->stale_on[0], "s");
    assert_string_equal(s->hints[0].text, "b => c");
}

static void test_urls_come_from_url_then_ready_then_port(void **state)
{
    struct bench *b = *state;
    load_text(b,
              "[service a]\ncommand = x ${b.url} ${c.url} ${d.url} ${e.url} ${a.host}\nurl = "
              "http://a.test\n"
              "[service b]\ncommand = x\nready = tcp 1\nready = http https://b.test:8443/health?x\n"
              "[service c]\ncommand = x\nport = 7000\nready = redis\n"
              "[service d]\ncommand = x\nport = 7001\n"
              "[service e]\ncommand = x\nready = postgres postgresql+psycopg://u:p@h/db\n"
              "[service w]\ncommand = x\ndepends-on = d\ndepends-on = c\nready = docket plyr\n");
    const struct spec_service *a = service(b, "a");
    assert_string_equal(a->argv[1], "https://b.test:8443");
    assert_string_equal(a->argv[2], "redis://localhost:7000");
    assert_string_equal(a->argv[3], "http://localhost:7001");
    assert_string_equal(a->argv[4], "postgresql://u:p@h/db");
    assert_string_equal(a->argv[5], "localhost");
    assert_string_equal(a->url, "http://a.test");
    assert_string_equal(service(b, "w")->ready[0].url, "redis://localhost:7000");
    assert_null(service(b, "w")->url);
    assert_int_equal(service(b, "e")->ready[0].port, 5432);
}

static void test_a_replaced_blank_splits_no_word(void **state)
{
    struct bench *b = *state;
    static char spaced[] = "VALUE=a  'b";
    static char *environ_list[] = {spaced, NULL};
    bench_write(b, "roadie.ini", "[service web]\ncommand = x ${env:VALUE} \"${env:NO:-p q}\" y\n");
    assert_int_equal(bench_load(b, (struct spec_request){.environ = environ_list}), 0);
    assert_string_equal(service(b, "web")->argv[1], "a  'b");
    assert_string_equal(service(b, "web")->argv[2], "p q");
    assert_string_equal(service(b, "web")->argv[3], "y");
}

static void test_lan_changes_what_services_bind_to(void **state)
{
    struct bench *b = *state;
    bench_write(b, "roadie.ini", "[service web]\ncommand = x ${bind} ${lan}\n");
    assert_int_equal(bench_load(b, (struct spec_request){.lan = true, .lan_address = "10.0.0.7"}),
                     0);
    assert_string_equal(service(b, "web")->argv[1], "0.0.0.0");
    assert_string_equal(service(b, "web")->argv[2], "10.0.0.7");
    assert_int_equal(bench_load(b, (struct spec_request){0}), 0);
    assert_string_equal(service(b, "web")->argv[1], "127.0.0.1");
}

static void test_selection_follows_profiles_names_and_needs(void **state)
{
    struct bench *b = *state;
    char *profiles[] = {full, NULL};
    char *names[] = {web, NULL};
    char *globs[] = {glob, NULL};
    char *but[] = {redis, NULL};
    load_text(b, three);
    assert_true(service(b, "web")->selected);
    assert_true(service(b, "redis")->selected); /* needed, although it has a profile */
    assert_false(service(b, "mig")->selected);
    assert_int_equal(bench_load(b, (struct spec_request){.profiles = profiles}), 0);
    assert_true(service(b, "mig")->selected);
    assert_int_equal(bench_load(b, (struct spec_request){.except = but, .names = names}), 0);
    assert_true(service(b, "web")->selected);
    assert_true(service(b, "redis")->excluded);
    assert_false(service(b, "redis")->selected);
    assert_int_equal(bench_load(b, (struct spec_request){.with = globs}), 0);
    assert_true(service(b, "web")->selected);
}

static void test_unknown_names_get_a_suggestion(void **state)
{
    struct bench *b = *state;
    char *with[] = {wbe, NULL};
    char *profiles[] = {fulll, NULL};
    bench_write(b, "roadie.ini", three);
    assert_int_equal(bench_load(b, (struct spec_request){.with = with, .profiles = profiles}),
                     -EINVAL);
    char *problems = bench_problems(b);
    assert_string_equal(problems, "no profile \"fulll\"; did you mean \"full\"?\n"
                                  "there is no service \"wbe\"; did you mean \"web\"?\n");
    mem_free(problems);
    load_text(b, three);
    struct arena arena = {0};
    size_t *list = NULL;
    size_t count = 0;
    struct fault why = {0};
    assert_int_equal(spec_match(b->spec, with, false, &arena, &list, &count, &why), -EINVAL);
    assert_string_equal(why.text, "there is no service \"wbe\"");
    assert_string_equal(why.hint, "did you mean \"web\"?");
    assert_int_equal(spec_match(b->spec, NULL, true, &arena, &list, &count, &why), 0);
    assert_int_equal(count, 2);
    char *globs[] = {glob, redis, NULL};
    assert_int_equal(spec_match(b->spec, globs, true, &arena, &list, &count, &why), 0);
    assert_int_equal(count, 2);
    assert_int_equal(list[0], 0);
    arena_fini(&arena);
}

static void test_gifts_reach_receivers_only_while_the_giver_is_selected(void **state)
{
    struct bench *b = *state;
    static const char text[] =
        "[service api]\ncommand = x\nenvironment = T=own\n"
        "[service web]\ncommand = x\nport = 81\nprofile = more\ngives = api: T=http://h:${port}\n";
    char *with[] = {web, NULL};
    load_text(b, text);
    assert_int_equal(service(b, "api")->var_count, 1);
    assert_int_equal(bench_load(b, (struct spec_request){.with = with}), 0);
    assert_int_equal(service(b, "api")->var_count, 2);
    assert_string_equal(service(b, "api")->vars[1].value, "http://h:81");
    assert_int_equal(service(b, "api")->vars[1].at.line, 8);
}

static void test_overrides_replace_add_and_clear(void **state)
{
    struct bench *b = *state;
    static char home[128];
    (void)snprintf(home, sizeof home, "HOME=%s/home", b->directory);
    char *environ_list[] = {home, NULL};
    bench_write(b, "roadie.ini",
                "[stack]\nname = demo\n[service web]\ncommand = serve\nprofile = p\n"
                "environment = A=1\nenvironment = B=1\nenv-file = a?\nport = 80\n");
    bench_write(b, "home/.config/roadie/demo.ini",
                "[service web]\nport = 81\nenvironment = B=user\n");
    bench_write(b, "roadie.local.ini",
                "[service web]\nshell = serve --local\nprofile =\nenvironment = A=2\n"
                "+env-file = b?\n[service extra]\ncommand = e\n");
    assert_int_equal(bench_load(b, (struct spec_request){.environ = environ_list}), 0);
    const struct spec_service *s = service(b, "web");
    assert_int_equal(s->port, 81);
    assert_string_equal(s->shell, "serve --local");
    assert_null(s->profiles[0]);
    assert_int_equal(s->var_count, 2);
    assert_string_equal(s->vars[0].value, "user");
    assert_string_equal(s->vars[1].value, "2");
    assert_string_equal(s->vars[1].at.file, "roadie.local.ini");
    assert_int_equal(s->env_file_count, 2);
    assert_true(service(b, "extra")->selected);
}

static void test_the_definition_is_found_upwards(void **state)
{
    struct bench *b = *state;
    char deep[128];
    struct arena arena = {0};
    struct spec_place place = {0};
    bench_write(b, "Procfile", "web: true\n");
    bench_write(b, "sub/dir/file", "");
    (void)snprintf(deep, sizeof deep, "%s/sub/dir", b->directory);
    assert_int_equal(bench_load(b, (struct spec_request){.directory = deep}), 0);
    assert_true(b->spec->is_procfile);
    assert_string_equal(b->spec->file_shown, "../../Procfile");
    bench_write(b, "roadie.ini", "[service web]\ncomand = true\n");
    assert_int_equal(bench_load(b, (struct spec_request){.directory = deep}), -EINVAL);
    assert_string_equal(b->problems.items[0].file, "../../roadie.ini");
    struct spec_request request = {.directory = deep};
    assert_int_equal(spec_locate(&request, &arena, &place, NULL), 0);
    assert_non_null(strstr(place.id, place.name));
    arena_fini(&arena);
}

static void test_locating_gives_the_id_that_loading_gives(void **state)
{
    struct bench *b = *state;
    struct arena arena = {0};
    struct spec_place place = {0};
    static char other[] = "other";
    bench_write(b, "roadie.local.ini", "[stack]\nname = local-name\n");
    load_text(b, "[stack]\nname = demo\n[service web]\ncommand = x\n");
    struct spec_request request = {.directory = b->directory};
    assert_int_equal(spec_locate(&request, &arena, &place, NULL), 0);
    assert_string_equal(place.id, b->spec->id);
    assert_string_equal(place.name, "local-name");
    request.project = other;
    assert_int_equal(spec_locate(&request, &arena, &place, NULL), 0);
    assert_int_equal(strncmp(place.id, "other-", 6), 0);
    assert_int_not_equal(strcmp(place.id, b->spec->id), 0);
    arena_fini(&arena);
}

static void test_a_missing_definition_says_where_was_looked(void **state)
{
    struct bench *b = *state;
    char deep[128];
    bench_write(b, "empty/x", "");
    (void)snprintf(deep, sizeof deep, "%s/empty", b->directory);
    assert_int_equal(bench_load(b, (struct spec_request){.directory = deep}), -ENOENT);
    assert_non_null(strstr(b->why.text, "no stack definition in"));
    assert_non_null(strstr(b->why.text, "/empty"));
    assert_int_equal(bench_load(b, (struct spec_request){.file = "nope.ini"}), -ENOENT);
    assert_string_equal(b->why.text, "nope.ini: No such file or directory");
    assert_int_equal(bench_load(b, (struct spec_request){.file = "empty"}), -EISDIR);
}

static void test_a_named_file_decides_root_and_dialect(void **state)
{
    struct bench *b = *state;
    bench_write(b, "sub/Procfile.dev", "web: true\n");
    bench_write(b, "sub/x.ini", "[service web]\ncommand = true\nenv-file = e?\n");
    assert_int_equal(bench_load(b, (struct spec_request){.file = "sub/Procfile.dev"}), 0);
    assert_true(b->spec->is_procfile);
    assert_int_equal(bench_load(b, (struct spec_request){.file = "sub/x.ini"}), 0);
    assert_string_equal(strrchr(b->spec->root, '/'), "/sub");
    assert_string_equal(b->spec->name, "sub");
    assert_string_equal(strrchr(service(b, "web")->env_files[0].path, '/'), "/e");
}

static void test_a_procfile_runs_lines_by_the_shell(void **state)
{
    struct bench *b = *state;
    static char port[] = "PORT=7000";
    char *environ_list[] = {port, NULL};
    bench_write(b, "Procfile",
                "\xEF\xBB\xBF# c\r\nweb:echo $PORT ${x} # y\r\n\r\nWork_er-2: a : b\r\n");
    assert_int_equal(bench_load(b, (struct spec_request){0}), 0);
    const struct spec_service *s = service(b, "web");
    assert_string_equal(s->argv[0], "/bin/sh");
    assert_string_equal(s->argv[2], "echo $PORT ${x} # y");
    assert_int_equal(s->stdin_mode, STDIN_OPEN);
    assert_int_equal(s->port, 5000);
    assert_true(s->port_export_only);
    assert_int_equal(service(b, "Work_er-2")->port, 5100);
    assert_int_equal(bench_load(b, (struct spec_request){.environ = environ_list}), 0);
    assert_int_equal(service(b, "web")->port, 7000);
    bench_write(b, ".env", "PORT=\"8000\"\n");
    assert_int_equal(bench_load(b, (struct spec_request){.environ = environ_list}), 0);
    assert_int_equal(service(b, "Work_er-2")->port, 8100);
}

static void test_every_mistake_of_a_procfile_is_reported(void **state)
{
    struct bench *b = *state;
    bench_write(b, "Procfile",
                "web: a\nweb: b\nempty:\nnonsense\nwe b: x\nlong: a \\\nbad: \xFF\n");
    assert_int_equal(bench_load(b, (struct spec_request){0}), -EINVAL);
    char *problems = bench_problems(b);
    assert_string_equal(problems,
                        "Procfile:2:1: duplicate process \"web\"; the first is at line 1\n"
                        "Procfile:3:6: process \"empty\" has no command\n"
                        "Procfile:4:1: expected \"NAME: command\"; names are [A-Za-z0-9_-]+\n"
                        "Procfile:5:1: expected \"NAME: command\"; names are [A-Za-z0-9_-]+\n"
                        "Procfile:6:9: a backslash at the end, but continuation lines are not "
                        "supported; write one line\n"
                        "Procfile:7:6: invalid UTF-8\n");
    mem_free(problems);
    bench_write(b, "Procfile", "# nothing\n");
    assert_int_equal(bench_load(b, (struct spec_request){0}), -EINVAL);
    bench_write(b, "Procfile", "web: a\n");
    char *die[] = {wbe, NULL};
    assert_int_equal(bench_load(b, (struct spec_request){.can_die = die}), -EINVAL);
    assert_string_equal(b->problems.items[0].hint, "did you mean \"web\"?");
}

static void test_a_recognised_checkout_needs_no_file(void **state)
{
    struct bench *b = *state;
    bench_write(b, "backend/pyproject.toml", "");
    bench_write(b, "backend/src/backend/main.py", "");
    bench_write(b, "frontend/package.json", "");
    bench_write(b, "Procfile", "web: true\n");
    if (bench_load(b, (struct spec_request){0}) != 0) {
        char *problems = bench_problems(b);
        fail_msg("the built-in definition is broken: %s\n%s", b->why.text, problems);
    }
    assert_string_equal(b->spec->file, "builtin:plyr.fm");
    static const char *const standard[] = {"redis", "backend", "worker", "frontend"};
    static const char *const others[] = {"postgres", "transcoder", "jetstream", "moderation",
                                         "docs",     "storybook",  "tunnel"};
    for (size_t i = 0; i < COUNT_OF(standard); i++) {
        assert_true(service(b, standard[i])->selected);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(service(b, others[i])->selected);
    }
    assert_true(service(b, "redis")->adopt);
    bench_write(b, "roadie.local.ini", "[service frontend]\nport = 5999\n");
    assert_int_equal(bench_load(b, (struct spec_request){0}), 0);
    assert_int_equal(service(b, "frontend")->port, 5999);
}

static void test_printed_config_loads_again_and_hides_secrets(void **state)
{
    struct bench *b = *state;
    bench_write(b, "more.ini", "[service api]\nshell = echo $HOME $${x} ${web.port}\n");
    load_text(b,
              "[stack]\nname = demo\ninclude = more.ini\nenvironment = A=$${x} ${stack.name}\n"
              "environment = API_KEY=abcdefgh\n"
              "[service web]\ncommand = a '${stack.name} b' $${x} 'c d' --key abcdefgh\nport = 80\n"
              "url = http://u:pw@localhost:${port}\n[check x]\nq = ${whatever}\n");
    struct buf out = {0};
    config_print(b->spec, NULL, NULL, &out);
    assert_non_null(strstr(out.ptr, "# roadie.ini:7\ncommand = "));
    assert_non_null(strstr(out.ptr, "# more.ini:2\nshell = "));
    assert_null(strstr(out.ptr, "abcdefgh"));
    assert_null(strstr(out.ptr, ":pw@"));
    char *shell = mem_strdup(service(b, "api")->shell);
    char *value = mem_strdup(b->spec->vars[0].value);
    load_text(b, out.ptr);
    assert_string_equal(service(b, "api")->shell, shell);
    assert_string_equal(b->spec->vars[0].value, value);
    assert_string_equal(service(b, "web")->argv[1], "demo b");
    assert_string_equal(service(b, "web")->argv[2], "${x}");
    assert_string_equal(service(b, "web")->argv[3], "c d");
    mem_free(shell);
    mem_free(value);
    buf_fini(&out);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set, bench_unset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_standard_values_are_those_of_the_interface),
        BENCH_TEST(test_every_key_reaches_the_spec),
        BENCH_TEST(test_urls_come_from_url_then_ready_then_port),
        BENCH_TEST(test_a_replaced_blank_splits_no_word),
        BENCH_TEST(test_lan_changes_what_services_bind_to),
        BENCH_TEST(test_selection_follows_profiles_names_and_needs),
        BENCH_TEST(test_unknown_names_get_a_suggestion),
        BENCH_TEST(test_gifts_reach_receivers_only_while_the_giver_is_selected),
        BENCH_TEST(test_overrides_replace_add_and_clear),
        BENCH_TEST(test_the_definition_is_found_upwards),
        BENCH_TEST(test_locating_gives_the_id_that_loading_gives),
        BENCH_TEST(test_a_missing_definition_says_where_was_looked),
        BENCH_TEST(test_a_named_file_decides_root_and_dialect),
        BENCH_TEST(test_a_procfile_runs_lines_by_the_shell),
        BENCH_TEST(test_every_mistake_of_a_procfile_is_reported),
        BENCH_TEST(test_a_recognised_checkout_needs_no_file),
        BENCH_TEST(test_printed_config_loads_again_and_hides_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
