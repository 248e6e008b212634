/* What happened, for people and for `events`: numbered, kept for late subscribers, told to control/. */
#include "engine/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static void free_texts(struct engine_event *event)
{
    char *texts[3] = {NULL, NULL, NULL};
    memcpy(&texts[0], &event->service, sizeof texts[0]);
    memcpy(&texts[1], &event->cause, sizeof texts[1]);
    memcpy(&texts[2], &event->text, sizeof texts[2]);
    for (size_t i = 0; i < 3; i++) {
        mem_free(texts[i]);
    }
}

static void tell(struct engine *e, const struct engine_event *event)
{
    struct engine_event *kept = &e->history[e->history_count % ENGINE_HISTORY];
    if (e->history_count >= ENGINE_HISTORY) {
        free_texts(kept);
    }
    *kept = *event;
    kept->service = mem_strdup(event->service);
    kept->cause = mem_strdup(event->cause);
    kept->text = mem_strdup(event->text);
    e->history_count++;
    e->opts.callbacks.on_event(e->opts.ctx, kept);
}

void events_state(struct svc *svc, enum svc_state from, enum svc_state to, uint64_t took_ms)
{
    struct transition *t = &svc->history[svc->history_count++ % SVC_HISTORY];
    *t = (struct transition){.wall_ns = svc->state_wall_ns, .from = from, .to = to,
                             .run = svc->last_run, .took_ms = took_ms};
    (void)snprintf(t->cause, sizeof t->cause, "%s", svc->cause);
    struct engine_event event = {
        .seq = ++svc->engine->event_seq,
        .wall_ns = svc->state_wall_ns,
        .service = svc->name,
        .run = svc->last_run,
        .is_state = true,
        .from = from,
        .to = to,
        .took_ms = took_ms,
        .cause = svc->cause,
        .text = "",
    };
    tell(svc->engine, &event);
}

void events_news(struct engine *e, struct svc *svc, int level, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct engine_event event = {
        .seq = ++e->event_seq,
        .wall_ns = clock_wall_ns(),
        .service = svc == NULL ? NULL : svc->name,
        .run = svc == NULL ? 0 : svc->last_run,
        .cause = "",
        .text = text,
    };
    event.level = level == NEWS_ERROR ? NEWS_ERROR : level == NEWS_WARN ? NEWS_WARN : NEWS_INFO;
    tell(e, &event);
}

void engine_history(const struct engine *e,
                    void (*each)(void *ctx, const struct engine_event *event), void *ctx)
{
    size_t known = e->history_count < ENGINE_HISTORY ? e->history_count : ENGINE_HISTORY;
    for (size_t i = 0; i < known; i++) {
        each(ctx, &e->history[(e->history_count - known + i) % ENGINE_HISTORY]);
    }
}

void events_fini(struct engine *e)
{
    size_t known = e->history_count < ENGINE_HISTORY ? e->history_count : ENGINE_HISTORY;
    for (size_t i = 0; i < known; i++) {
        free_texts(&e->history[i]);
    }
    mem_free(e->history);
    e->history = NULL;
}
