/* Properties: mutated input never crashes and always ends in a spec or in problems; order respects
 * edges. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stack/config.h"
#include "stack/dotenv.h"
#include "stack/graph.h"
#include "stack/words.h"
#include "support.h"

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t below(uint64_t *seed, size_t most)
{
    return most == 0 ? 0 : (size_t)(next_random(seed) % most);
}

static const char *const pieces[] = {
    "${",
    "}",
    "$$",
    "\"",
    "'",
    "\\",
    "=",
    "\n",
    "[",
    "]",
    "[service x]\n",
    "#",
    ";",
    ":",
    ",",
    "${port}",
    "${web.url}",
    "${env:X:-${env:Y:-z}}",
    "depends-on = ",
    "ready = http ",
    "\r\n",
    "\xEF\xBB\xBF",
    "\xFF",
    "+",
    " => ",
    "(",
    "*",
    "command = ",
    "include = roadie.ini\n",
    "@",
    "://",
};

/* Changes a few places: a byte, a removed or doubled stretch, an inserted piece. */
static void mutate(struct buf *text, uint64_t *seed)
{
    for (size_t rounds = 1 + below(seed, 6); rounds > 0; rounds--) {
        size_t at = below(seed, text->len);
        size_t len = below(seed, text->len - at < 40 ? text->len - at : 40);
        struct buf out = {0};
        (void)buf_append(&out, text->ptr, at);
        switch (below(seed, 4)) {
        case 0:
            (void)buf_putc(&out, (char)next_random(seed));
            (void)buf_append(&out, text->ptr + at, text->len - at);
            break;
        case 1:
            (void)buf_append(&out, text->ptr + at + len, text->len - at - len);
            break;
        case 2:
            (void)buf_append(&out, text->ptr + at, len);
            (void)buf_append(&out, text->ptr + at, text->len - at);
            break;
        default:
            (void)buf_puts(&out, pieces[below(seed, COUNT_OF(pieces))]);
            (void)buf_append(&out, text->ptr + at, text->len - at);
        }
        buf_fini(text);
        *text = out;
    }
}

static const char seed_definition[] =
    "[stack]\nname = demo\nenvironment = A=${stack.name}\n[task prep]\nshell = echo $$x\ninputs = "
    "a/**\n"
    "[service web]\ncommand = serve --port ${port} 'x y' \"${env:HOME:-no}\"\nport = 80\n"
    "depends-on = prep\ndepends-on = db:started\nready = http /health status=200 contains=ok\n"
    "ready = exec test -f \"a b\"\nstop = INT 4s, KILL\nrestart-limit = 5 in 60s\nsuccess-codes = "
    "0 3\n"
    "gives = db: URL=${web.url}\nhint = a(b)c => \\1\nurl = http://localhost:${port}/${db.port}\n"
    "[service db]\nimage = postgres:16\nport = 5432\nready = postgres "
    "postgresql://u:p@localhost:${port}/x\n"
    "volume = ./d:/d\nalive = redis redis://localhost:1\n[environment development]\nx = 1\n[check "
    "y]\nz = 2\n";

static void test_a_mutated_definition_loads_or_has_problems(void **state)
{
    (void)state;
    uint64_t seed = 0x9E3779B97F4A7C15ULL;
    unsigned loaded = 0;
    struct bench b;
    bench_init(&b);
    static const char *const files[] = {"Procfile", "roadie.ini", "roadie.local.ini"};
    for (unsigned i = 0; i < 300; i++) {
        struct buf text = {0};
        bench_write(&b, "roadie.ini", seed_definition);
        bench_write(&b, "roadie.local.ini", "");
        (void)buf_puts(&text, i % 3 == 0 ? "# c\nweb: serve $PORT\nworker: work 'a b'\n"
                                         : seed_definition);
        mutate(&text, &seed);
        bench_write_bytes(&b, files[i % 3], text.ptr, text.len);
        int rc =
            bench_load(&b, (struct spec_request){.file = i % 3 == 0 ? "Procfile" : "roadie.ini"});
        assert_true(rc == 0 ? b.spec != NULL && b.problems.count == 0
                            : rc == -EINVAL && b.problems.count > 0);
        if (rc == 0) {
            struct buf out = {0};
            config_print(b.spec, NULL, NULL, &out);
            assert_true(out.len > 0);
            buf_fini(&out);
            loaded++;
        }
        buf_fini(&text);
    }
    bench_fini(&b);
    assert_true(loaded > 20); /* else the mutations say nothing */
}

static void test_a_mutated_dotenv_file_and_line_of_words_end(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (unsigned i = 0; i < 4000; i++) {
        struct buf text = {0};
        struct arena arena = {0};
        struct dotenv env;
        struct words words;
        (void)buf_puts(&text, "A=1\nexport B=\"x\\n${A:-d}\" # c\n'q k'='v'\nC=a # b\n");
        mutate(&text, &seed);
        mutate(&text, &seed);
        dotenv_parse(buf_span(&text), NULL, NULL, &arena, &env);
        for (size_t k = 1; k < env.count; k++) {
            assert_true(env.items[k - 1].line <= env.items[k].line);
        }
        bool fine = words_split(buf_span(&text), &arena, &words);
        assert_true(fine == (words.error == NULL));
        assert_true(fine || words.error_offset < text.len);
        buf_fini(&text);
        arena_fini(&arena);
    }
}

/* A random graph whose edges only point to earlier services, in a shuffled order of definition. */
static void make_graph(struct spec *spec, size_t count, bool acyclic, uint64_t *seed)
{
    size_t rank[24];
    for (size_t i = 0; i < count; i++) {
        size_t at = below(seed, i + 1);
        rank[i] = rank[at];
        rank[at] = i;
    }
    spec->services = arena_alloc(&spec->arena, count * sizeof *spec->services);
    spec->service_count = count;
    for (size_t i = 0; i < count; i++) {
        struct spec_service *s = &spec->services[i];
        s->name = arena_printf(&spec->arena, "s%zu", i);
        for (size_t k = 0; k < count; k++) {
            if (below(seed, 4) == 0 && (!acyclic || rank[k] < rank[i])) {
                s->needs = arena_grow(&spec->arena, s->needs, s->need_count, sizeof *s->needs);
                s->needs[s->need_count++] = (struct spec_need){.service = k, .at = {"f", 1, 1}};
            }
        }
    }
}

static void test_the_start_order_respects_every_edge(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 400; round++) {
        struct spec spec = {0};
        size_t order[24];
        size_t place[24];
        size_t count = 1 + below(&seed, 24);
        make_graph(&spec, count, true, &seed);
        graph_start_order(&spec, order);
        memset(place, 0xFF, sizeof place);
        for (size_t i = 0; i < count; i++) {
            place[order[i]] = i;
        }
        for (size_t i = 0; i < count; i++) {
            assert_true(place[i] < count);
            for (size_t k = 0; k < spec.services[i].need_count; k++) {
                assert_true(place[spec.services[i].needs[k].service] < place[i]);
            }
        }
        struct problems problems = {0};
        graph_check_cycles(&spec, &problems);
        assert_int_equal(problems.count, 0);
        problems_fini(&problems);
        arena_fini(&spec.arena);
    }
}

static void test_closures_are_closed_and_walks_of_cycles_end(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (unsigned round = 0; round < 300; round++) {
        struct spec spec = {0};
        size_t order[24];
        bool down[24] = {0};
        bool up[24] = {0};
        struct problems problems = {0};
        size_t count = 1 + below(&seed, 24);
        make_graph(&spec, count, false, &seed);
        spec.services[below(&seed, count)].excluded = true;
        down[below(&seed, count)] = true;
        memcpy(up, down, sizeof up);
        graph_start_order(&spec, order);
        graph_check_cycles(&spec, &problems);
        graph_close_over_needs(&spec, down);
        graph_close_over_dependents(&spec, up);
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < spec.services[i].need_count; k++) {
                size_t other = spec.services[i].needs[k].service;
                assert_true(!down[i] || spec.services[i].excluded || down[other] ||
                            spec.services[other].excluded);
                assert_true(!up[other] || up[i]);
            }
        }
        problems_fini(&problems);
        arena_fini(&spec.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mutated_definition_loads_or_has_problems),
        cmocka_unit_test(test_a_mutated_dotenv_file_and_line_of_words_end),
        cmocka_unit_test(test_the_start_order_respects_every_edge),
        cmocka_unit_test(test_closures_are_closed_and_walks_of_cycles_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
