/*
 * What this room is for.      Name look-ups that never hold up the loop (see resolve.h).
 * What it may touch.          libuv's thread pool.
 * Who calls it.               postgres.c: libpq would block in getaddrinfo.
 * The one invariant.          The request outlives its thread, whoever has lost interest in it.
 */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "base/mem.h"

struct resolve {
    uv_getaddrinfo_t request;
    resolve_fn done; /* NULL: cancelled */
    void *ctx;
};

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list);

int resolve_start(uv_loop_t *loop, const char *host, resolve_fn done, void *ctx,
                  struct resolve **out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolve *r = mem_calloc(1, sizeof *r);
    r->done = done;
    r->ctx = ctx;
    int rc = uv_getaddrinfo(loop, &r->request, on_resolved, host, NULL, &hints);
    if (rc != 0) {
        mem_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void resolve_cancel(struct resolve *r)
{
    if (r != NULL) {
        r->done = NULL;
        (void)uv_cancel((uv_req_t *)&r->request);
    }
}

static int resolve_error(int status)
{
    switch (status) {
    case UV_EAI_AGAIN:
        return -EAGAIN;
    case UV_EAI_MEMORY:
        return -ENOMEM;
    default:
        return -ENOENT;
    }
}

static size_t copy_addresses(const struct addrinfo *list, char (*out)[RESOLVE_SIZE])
{
    size_t count = 0;
    for (const struct addrinfo *a = list; a != NULL && count < RESOLVE_MAX; a = a->ai_next) {
        int rc = getnameinfo(a->ai_addr, a->ai_addrlen, out[count], RESOLVE_SIZE, NULL, 0,
                             NI_NUMERICHOST);
        count += rc == 0;
    }
    return count;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *r = CONTAINER_OF(request, struct resolve, request);
    char addresses[RESOLVE_MAX][RESOLVE_SIZE];
    size_t count = status == 0 ? copy_addresses(list, addresses) : 0;
    uv_freeaddrinfo(list);
    resolve_fn done = r->done;
    void *ctx = r->ctx;
    mem_free(r);
    if (done != NULL) {
        done(ctx, count > 0 ? 0 : resolve_error(status), addresses, count);
    }
}
