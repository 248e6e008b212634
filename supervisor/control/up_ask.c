/* `up` and `start` wait here for the container engine's answer about who holds a port, then begin again. */
#include "control/server.h"

#include "base/mem.h"

struct waiting_up {
    struct pending *pending;
    json_t *request;
    enum job_wait wait;
};

static void on_asked(void *ctx, bool cancelled)
{
    struct waiting_up *w = ctx;
    struct session *session = w->pending->session;
    pending_drop(w->pending);
    if (session != NULL && !cancelled) {
        handle_up(session, w->request, w->wait, true);
    }
    json_decref(w->request);
    mem_free(w);
}

bool up_ask_holders(struct session *session, const json_t *request, enum job_wait wait,
                    const struct engine_up_opts *opts)
{
    struct waiting_up *w = mem_calloc(1, sizeof *w);
    w->wait = wait;
    if (engine_ask_holders(session->server->engine, opts, on_asked, w) == 0) {
        mem_free(w);
        return false;
    }
    w->request = json_deep_copy(request);
    w->pending = pending_new(session, json_integer_value(json_object_get(request, "id")));
    return true;
}
