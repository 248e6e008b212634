/*
 * The end of a container: signals are the engine's, KILL removes the container, and the run is over when its
 * name is free. An engine that does not answer any more ends the waiting: the tombstone stays for the next
 * roadie command, and the news say what may remain. Invariant: only containers with this stack's label go.
 */
#include "engine/container.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SIGNAL_AGAIN_MS = 50,
    FREE_AGAIN_MS = 100,
    FREE_TRIES = 100,     /* "removal … is already in progress" */
    DEAD_AGAIN_MS = 300,
    DEAD_TRIES = 3,       /* an engine that cannot be reached */
    UNSEEN_AGAIN_MS = 300 /* its client was killed: a request of it may still be under way */
};

static void try_to_free(struct container *c);

static void cancel(struct command **command)
{
    if (*command != NULL) {
        command_cancel(*command);
        *command = NULL;
    }
}

static uint64_t patience(const struct container *c)
{
    return c->run->svc->engine->down_now ? CONTAINER_HASTE_MS : CONTAINER_ACT_MS;
}

static void name_is_free(struct container *c)
{
    struct run *run = c->run;
    c->phase = CONTAINER_OVER;
    run->name_free = true;
    run_check_gone(run);
}

/* The engine does not answer: nothing more can be done now. */
static void give_up(struct container *c)
{
    struct run *run = c->run;
    run->svc->engine->deaf = true;
    events_news(run->svc->engine, run->svc, NEWS_ERROR,
                "container %s may still be there: the container engine does not answer; the next roadie "
                "command tries again", c->name);
    if (!c->stopping) {
        (void)snprintf(run->problem, sizeof run->problem, "the container engine does not answer any more");
        run->exit = (struct proc_exit){.code = run->exit.code > 0 ? run->exit.code : 1};
        run->svc->last_exit = run->exit;
    }
    name_is_free(c);
}

static void on_removed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    c->tries++;
    if (result->error == 0 && result->code == 0) {
        if (c->killing && !c->seen && c->tries == 1) {
            container_later(c, UNSEEN_AGAIN_MS, try_to_free);
            return;
        }
        (void)unlink(c->tombstone);
        name_is_free(c);
        return;
    }
    bool dead = container_unreachable(result);
    bool haste = c->run->svc->engine->down_now;
    if (result->error != 0 || result->timed_out || c->tries >= (dead ? DEAD_TRIES : FREE_TRIES) ||
        (dead && haste)) {
        give_up(c);
        return;
    }
    container_later(c, dead ? DEAD_AGAIN_MS : FREE_AGAIN_MS, try_to_free);
}

static void try_to_free(struct container *c)
{
    char **argv = container_removal(&c->run->arena, c->name, c->label);
    c->phase = CONTAINER_FREEING;
    if (container_ask(c, argv, patience(c), on_removed, &c->command) != 0) {
        give_up(c);
    }
}

void container_on_process_gone(struct run *run)
{
    struct container *c = run->container;
    if (c->phase == CONTAINER_PULLING) {
        container_pulled(run);
        return;
    }
    run->exited = true;
    run->empty = true;
    if (run->log != NULL && !run->drained) {
        logrun_cut(run->log);
    }
    if (c->phase != CONTAINER_RUNNING) {
        return;
    }
    cancel(&c->command);
    cancel(&c->inspect);
    if (c->unreachable) {
        give_up(c);
    } else {
        try_to_free(c);
    }
}

static void send_signal(struct container *c);

/* A container that is only being made hears its signal as soon as it runs; the ladder bounds the waiting. */
static void on_signalled(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    struct svc *svc = c->run->svc;
    c->command = NULL;
    if (result->error == 0 && result->code == 0) {
        c->seen = true;
        return;
    }
    if (!c->stopping) {
        char text[CAUSE_MAX];
        container_explain(result, "send the signal", text, sizeof text);
        events_news(svc->engine, svc, NEWS_WARN, "%s: %s", signal_name(c->signal), text);
    } else if (container_says(result, "No such container") || container_says(result, "is not running")) {
        container_later(c, SIGNAL_AGAIN_MS, send_signal);
    } else if (c->run->proc != NULL) {
        proc_signal(c->run->proc, SIGTERM);
    }
}

static void send_signal(struct container *c)
{
    struct run *run = c->run;
    char *name = arena_strdup(&run->arena, signal_name(c->signal));
    char **argv = DOCKER(WORD("kill"), WORD("--signal"), name, c->name);
    if (run->proc != NULL && container_ask(c, argv, CONTAINER_ACT_MS, on_signalled, &c->command) != 0) {
        proc_signal(run->proc, SIGTERM);
    }
}

/* Nothing exists yet: the question under way is dropped, and the run ends in the loop's next pass. */
static void leave_asking(struct container *c)
{
    cancel(&c->command);
    container_later(c, 0, container_end_early);
}

void container_signal(struct run *run, int sig)
{
    struct container *c = run->container;
    bool stopping = run->svc->state == SVC_STOPPING || run->svc->state == SVC_KILLING;
    c->stopping = c->stopping || stopping;
    if (c->killing) {
        return;
    }
    switch (c->phase) {
    case CONTAINER_ASKING:
        if (stopping) {
            leave_asking(c);
        }
        break;
    case CONTAINER_PULLING:
        if (stopping && run->proc != NULL) {
            proc_kill_tree(run->proc); /* the engine keeps what it has; nothing else is lost */
        }
        break;
    case CONTAINER_RUNNING:
        cancel(&c->command);
        if (stopping) {
            cancel(&c->inspect);
        }
        c->signal = sig;
        send_signal(c);
        break;
    case CONTAINER_FREEING:
    case CONTAINER_OVER:
        break;
    }
}

static void on_killed(void *ctx, const struct command_result *result)
{
    struct container *c = ctx;
    c->command = NULL;
    c->unreachable = result->timed_out || result->error != 0;
    if (c->run->proc != NULL) {
        proc_kill_tree(c->run->proc);
    }
}

static void kill_running(struct container *c)
{
    struct run *run = c->run;
    cancel(&c->command);
    cancel(&c->inspect);
    (void)uv_timer_stop(&c->timer);
    char **argv = container_removal(&run->arena, c->name, c->label);
    if (run->proc != NULL && container_ask(c, argv, patience(c), on_killed, &c->command) != 0) {
        proc_kill_tree(run->proc);
    }
}

void container_kill(struct run *run)
{
    struct container *c = run->container;
    c->stopping = true;
    switch (c->phase) {
    case CONTAINER_ASKING:
        leave_asking(c);
        break;
    case CONTAINER_PULLING:
        if (run->proc != NULL) {
            proc_kill_tree(run->proc);
        }
        break;
    case CONTAINER_RUNNING:
        kill_running(c);
        break;
    case CONTAINER_FREEING:
        if (run->svc->engine->down_now) {
            cancel(&c->command);
            try_to_free(c);
        }
        break;
    case CONTAINER_OVER:
        break;
    }
    c->killing = true;
}
