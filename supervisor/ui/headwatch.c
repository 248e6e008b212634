/*
 * What this room is for.      Waking a follower.
 * What it may touch.          libuv.
 * Who calls it.               session.c, cmd_logs.c, cmd_wait.c
 * The one invariant.          At rest there is one watch and no timer: no wake-ups.
 */
#include "ui/headwatch.h"

#include "base/attr.h"

enum {
    PAUSE_MS = 4,     /* between two looks: a flood of small writes costs 250 wake-ups a second, not 100,000 */
    MISSING_MS = 250, /* the file is not there (yet, or the store was removed) */
};

static void watch_start(struct headwatch *w);

static void on_pause_end(uv_timer_t *timer)
{
    struct headwatch *w = CONTAINER_OF(timer, struct headwatch, pause);
    /* Watch first, then look: what comes between the two is seen by either. */
    watch_start(w);
    w->fn(w->ctx);
}

static void on_head_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    struct headwatch *w = CONTAINER_OF(event, struct headwatch, event);
    (void)uv_fs_event_stop(&w->event);
    w->fn(w->ctx);
    if (w->open) {
        (void)uv_timer_start(&w->pause, on_pause_end, PAUSE_MS, 0);
    }
}

static void watch_start(struct headwatch *w)
{
    if (w->open && uv_fs_event_start(&w->event, on_head_change, w->path, 0) != 0) {
        (void)uv_timer_start(&w->pause, on_pause_end, MISSING_MS, 0);
    }
}

int headwatch_open(struct headwatch *w, uv_loop_t *loop, const char *path, headwatch_fn fn, void *ctx,
                   struct fault *why)
{
    *w = (struct headwatch){.path = path, .fn = fn, .ctx = ctx};
    int rc = uv_fs_event_init(loop, &w->event);
    if (rc != 0) {
        return fault_set(why, rc, "watch %s", path);
    }
    (void)uv_timer_init(loop, &w->pause);
    w->open = true;
    (void)uv_timer_start(&w->pause, on_pause_end, 0, 0);
    return 0;
}

void headwatch_again(struct headwatch *w)
{
    if (w->open) {
        (void)uv_fs_event_stop(&w->event);
        (void)uv_timer_start(&w->pause, on_pause_end, 0, 0);
    }
}

void headwatch_close(struct headwatch *w)
{
    if (w->open) {
        w->open = false;
        uv_close((uv_handle_t *)&w->event, NULL);
        uv_close((uv_handle_t *)&w->pause, NULL);
    }
}
