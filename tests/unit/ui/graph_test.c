/* Pictures of a graph, line for line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ui/graph_art.h"

static struct spec_need web_needs[] = {{.service = 1, .condition = NEED_READY},
                                       {.service = 2, .condition = NEED_DONE}};
static struct spec_need api_needs[] = {{.service = 3, .condition = NEED_STARTED},
                                       {.service = 2, .condition = NEED_DONE}};
static struct spec_need job_needs[] = {{.service = 1, .condition = NEED_READY}};

static struct spec_service services[] = {
    {.name = "web", .selected = true, .needs = web_needs, .need_count = 2},
    {.name = "api", .selected = true, .needs = api_needs, .need_count = 2},
    {.name = "install", .kind = SPEC_TASK, .selected = true},
    {.name = "db", .selected = true},
    {.name = "job", .needs = job_needs, .need_count = 1},
};
static const struct spec spec = {.name = "demo", .services = services, .service_count = 5};

static void test_tree_shows_needs_once_and_then_an_ellipsis(void **state)
{
    (void)state;
    const bool all[] = {true, true, true, true, true};
    struct buf out = {0};
    graph_draw_tree(&spec, all, false, &out);
    assert_string_equal(out.ptr, "web\n"
                                 "├─ api         ready\n"
                                 "│  ├─ db       started\n"
                                 "│  └─ install  done task\n"
                                 "└─ install     done task\n"
                                 "job            off\n"
                                 "└─ api         ready …\n");
    buf_fini(&out);
}

static void test_what_is_not_included_is_not_drawn(void **state)
{
    (void)state;
    const bool some[] = {true, true, false, true, false};
    struct buf out = {0};
    graph_draw_tree(&spec, some, false, &out);
    assert_string_equal(out.ptr, "web\n"
                                 "└─ api    ready\n"
                                 "   └─ db  started\n");
    buf_fini(&out);
}

static void test_mermaid_and_dot_name_nodes_and_conditions(void **state)
{
    (void)state;
    const bool some[] = {false, true, true, true, false};
    struct buf out = {0};
    graph_draw_mermaid(&spec, some, &out);
    assert_string_equal(out.ptr, "graph TD\n"
                                 "    s1[\"api\"]\n"
                                 "    s2([\"install\"])\n"
                                 "    s3[\"db\"]\n"
                                 "    s1 -->|started| s3\n"
                                 "    s1 -->|done| s2\n");
    buf_clear(&out);
    graph_draw_dot(&spec, some, &out);
    assert_string_equal(out.ptr, "digraph \"demo\" {\n"
                                 "    rankdir=LR;\n"
                                 "    node [shape=box];\n"
                                 "    \"api\";\n"
                                 "    \"install\" [shape=ellipse];\n"
                                 "    \"db\";\n"
                                 "    \"api\" -> \"db\" [label=\"started\"];\n"
                                 "    \"api\" -> \"install\" [label=\"done\"];\n"
                                 "}\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_shows_needs_once_and_then_an_ellipsis),
        cmocka_unit_test(test_what_is_not_included_is_not_drawn),
        cmocka_unit_test(test_mermaid_and_dot_name_nodes_and_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
