/*
 * Whose container publishes a port? Asked before an `up`, where a listener may be a container engine's helper:
 * a foreign container is named, another stack's by its directory, and a leftover of this stack is removed.
 * Invariant: a question is in the engine's list until it has been answered.
 */
#include "engine/container.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { QUESTION_MS = 5000, AGAIN_MS = 150, AGAIN_TRIES = 20, ANSWER_SIZE = 16 * 1024 };

struct holder {
    struct holder *next;
    uint16_t port;
    char container[128];
    char stack[128];
    char directory[512];
};

/* All questions of one `up`. */
struct inquiry {
    size_t open;
    void (*done)(void *ctx, bool cancelled);
    void *ctx;
};

/* Freed by the timer's close callback. */
struct question {
    struct question *next;
    struct engine *engine;
    struct inquiry *inquiry;
    struct command *command; /* NULL: waits to ask again */
    uv_timer_t timer;
    unsigned tries;
    char service[64];
    uint16_t port;
};

static void on_answer(void *ctx, const struct command_result *result);

static void copy_field(char *out, size_t size, struct span field)
{
    (void)snprintf(out, size, "%.*s", (int)field.len, field.ptr == NULL ? "" : field.ptr);
}

static void holder_forget(struct engine *e, uint16_t port)
{
    for (struct holder **at = &e->holders; *at != NULL;) {
        struct holder *h = *at;
        if (h->port == port || port == 0) {
            *at = h->next;
            mem_free(h);
        } else {
            at = &h->next;
        }
    }
}

void holder_fill(const struct engine *e, struct engine_conflict *c)
{
    for (const struct holder *h = e->holders; h != NULL; h = h->next) {
        if (h->port == c->listener.port) {
            (void)snprintf(c->container, sizeof c->container, "%s", h->container);
            (void)snprintf(c->facts.stack_id, sizeof c->facts.stack_id, "%s", h->stack);
            (void)snprintf(c->facts.directory, sizeof c->facts.directory, "%s", h->directory);
        }
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF((uv_timer_t *)handle, struct question, timer));
}

static void question_over(struct question *q, bool cancelled)
{
    struct inquiry *inquiry = q->inquiry;
    for (struct question **at = &q->engine->questions; *at != NULL; at = &(*at)->next) {
        if (*at == q) {
            *at = q->next;
            break;
        }
    }
    uv_close((uv_handle_t *)&q->timer, on_timer_closed);
    if (--inquiry->open == 0) {
        inquiry->done(inquiry->ctx, cancelled);
        mem_free(inquiry);
    }
}

static void on_removed(void *ctx, const struct command_result *result)
{
    (void)result; /* what could not be removed is still found on the port */
    question_over(ctx, false);
}

static bool is_leftover(const struct engine *e, struct span stack, struct span service)
{
    const struct spec *spec = engine_spec(e);
    char name[64];
    copy_field(name, sizeof name, service);
    const struct svc *svc = engine_svc(e, name);
    return spec != NULL && span_is(stack, spec->id) && (svc == NULL || svc->run == NULL);
}

static bool remove_leftover(struct question *q, struct span id)
{
    struct engine *e = q->engine;
    char name[128];
    copy_field(name, sizeof name, id);
    events_news(e, NULL, NEWS_INFO, "removes a leftover container of this stack");
    struct command_opts opts = {
        .argv = DOCKER(WORD("rm"), WORD("-f"), WORD("-v"), name),
        .envp = e->opts.environ,
        .timeout_ms = CONTAINER_ACT_MS,
        .output_max = ANSWER_SIZE,
    };
    struct fault why = {0};
    return command_start(e->opts.loop, &opts, on_removed, q, &q->command, &why) == 0;
}

static int start(struct question *q)
{
    struct fault why = {0};
    char filter[32];
    (void)snprintf(filter, sizeof filter, "publish=%u", (unsigned)q->port);
    struct command_opts opts = {
        .argv = DOCKER(WORD("ps"), WORD("--no-trunc"), WORD("--filter"), filter, WORD("--format"),
                       WORD("{{.ID}}\t{{.Names}}\t{{.Label \"dev.roadie.stack\"}}\t"
                            "{{.Label \"dev.roadie.service\"}}\t{{.Label \"dev.roadie.root\"}}\t"
                            "{{.Label \"com.docker.compose.project.working_dir\"}}")),
        .envp = q->engine->opts.environ,
        .timeout_ms = QUESTION_MS,
        .output_max = ANSWER_SIZE,
    };
    return command_start(q->engine->opts.loop, &opts, on_answer, q, &q->command, &why);
}

static void on_again(uv_timer_t *timer)
{
    struct question *q = CONTAINER_OF(timer, struct question, timer);
    if (start(q) != 0) {
        question_over(q, false);
    }
}

/* The engine's helper holds the port but no container is said to publish it: one is just coming or going. */
static bool ask_again(struct question *q)
{
    const struct svc *svc = engine_svc(q->engine, q->service);
    struct engine_conflict conflict = {0};
    if (svc == NULL || ++q->tries > AGAIN_TRIES || conflict_find(q->engine, svc, &conflict) != 1 ||
        conflict.pid == 0 || !conflict_may_be_container(&conflict)) {
        return false;
    }
    (void)uv_timer_start(&q->timer, on_again, AGAIN_MS, 0);
    return true;
}

/* ID, name, and by labels: stack, service, root, compose's directory. */
static void on_answer(void *ctx, const struct command_result *result)
{
    struct question *q = ctx;
    struct engine *e = q->engine;
    struct span line = {0};
    struct span rest = {0};
    struct span field[6] = {{0}};
    (void)span_split(result->out, '\n', &line, &rest);
    for (size_t i = 0; i < COUNT_OF(field); i++) {
        (void)span_split(line, '\t', &field[i], &rest);
        line = rest;
    }
    q->command = NULL;
    holder_forget(e, q->port);
    if (result->error == 0 && result->code == 0 && field[0].len == 0 && ask_again(q)) {
        return;
    }
    if (result->error != 0 || result->code != 0 || field[0].len == 0) {
        question_over(q, false);
        return;
    }
    if (is_leftover(e, field[2], field[3]) && remove_leftover(q, field[0])) {
        return;
    }
    struct holder *h = mem_calloc(1, sizeof *h);
    h->port = q->port;
    copy_field(h->container, sizeof h->container, field[1]);
    copy_field(h->stack, sizeof h->stack, field[2]);
    copy_field(h->directory, sizeof h->directory, field[4].len > 0 ? field[4] : field[5]);
    h->next = e->holders;
    e->holders = h;
    question_over(q, false);
}

static void ask(struct engine *e, const struct svc *svc, struct inquiry *inquiry)
{
    struct question *q = mem_calloc(1, sizeof *q);
    q->engine = e;
    q->inquiry = inquiry;
    q->port = svc->spec->port;
    (void)snprintf(q->service, sizeof q->service, "%s", svc->name);
    (void)uv_timer_init(e->opts.loop, &q->timer);
    q->next = e->questions;
    e->questions = q;
    inquiry->open++;
    if (start(q) != 0) {
        (void)uv_timer_start(&q->timer, on_again, AGAIN_MS, 0);
    }
}

size_t engine_ask_holders(struct engine *e, const struct engine_up_opts *opts,
                          void (*done)(void *ctx, bool cancelled), void *ctx)
{
    struct inquiry *inquiry = mem_calloc(1, sizeof *inquiry);
    inquiry->done = done;
    inquiry->ctx = ctx;
    bool *include = jobs_closure(e, opts);
    for (size_t i = 0; include != NULL && i < e->count; i++) {
        const struct svc *svc = e->services[i];
        struct engine_conflict conflict = {0};
        if (svc->in_spec && include[svc->index] && svc->run == NULL &&
            conflict_find(e, svc, &conflict) == 1 && conflict_may_be_container(&conflict)) {
            ask(e, svc, inquiry);
        }
    }
    mem_free(include);
    size_t count = inquiry->open;
    if (count == 0) {
        mem_free(inquiry);
    }
    return count;
}

void holders_fini(struct engine *e)
{
    while (e->questions != NULL) {
        if (e->questions->command != NULL) {
            command_cancel(e->questions->command);
        }
        question_over(e->questions, true);
    }
    holder_forget(e, 0);
}
