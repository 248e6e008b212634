/*
 * What this room is for.      One Postgres connection and one query by libpq's asynchronous calls.
 * What it may touch.          libpq, libuv; names by resolve.
 * Who calls it.               the postgres probe; checks later.
 * The one invariant.          No poll handle is active while libpq runs: it may swap the socket
 * under its number.
 */
#include "io/postgres.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/address.h"
#include "io/postgres_error.h"
#include "io/postgres_url.h"
#include "io/resolve.h"
#include "io/say.h"

struct postgres_call {
    uv_loop_t *loop;
    uv_timer_t deadline; /* its closing frees the call */
    uv_poll_t *poll;     /* a new one a step; NULL while libpq runs */
    struct resolve *resolve;
    struct postgres_url url;
    PGconn *conn;
    PGresult *result; /* the first of the query */
    char *query;
    postgres_fn done;
    void *ctx;
    uint64_t started_ns;
    uint64_t timeout_ms;
    bool querying; /* connected, query sent */
    bool closing;
};

static void on_deadline(uv_timer_t *timer);
static void on_resolved(void *ctx, int error, char (*addresses)[RESOLVE_SIZE], size_t count);
static void on_pg_poll(uv_poll_t *poll, int status, int events);
static void connect_start(struct postgres_call *call);
static void call_close(struct postgres_call *call);

int postgres_start(uv_loop_t *loop, const struct postgres_request *request, postgres_fn done,
                   void *ctx, struct postgres_call **out, struct fault *why)
{
    struct postgres_call *call = mem_calloc(1, sizeof *call);
    const char *address = request->connect_address;
    int code = postgres_url_parse(&call->url, request->url, why);
    if (code == 0 && request->timeout_ms == 0) {
        code = fault_set(why, -EINVAL, "a request needs a deadline");
    }
    if (code == 0 && call->url.host != NULL && address == NULL &&
        address_is_numeric(call->url.host)) {
        address = call->url.host;
    }
    if (code == 0 && call->url.host != NULL && address == NULL) {
        code = resolve_start(loop, call->url.host, on_resolved, call, &call->resolve);
        code = code == 0 ? 0 : fault_set(why, code, "resolve the database's host");
    }
    if (code != 0) {
        postgres_url_fini(&call->url);
        mem_free(call);
        return code;
    }
    call->loop = loop;
    call->done = done;
    call->ctx = ctx;
    call->query = mem_strdup(request->query);
    call->started_ns = clock_mono_ns();
    call->timeout_ms = request->timeout_ms;
    (void)uv_timer_init(loop, &call->deadline);
    if (call->resolve == NULL) {
        if (address != NULL && call->url.host != NULL) {
            postgres_url_set(&call->url, "hostaddr", address);
        }
        /* Nothing to look up: the first round of the loop starts the connection. */
        (void)uv_timer_start(&call->deadline, on_deadline, 0, 0);
    } else {
        (void)uv_timer_start(&call->deadline, on_deadline, call->timeout_ms, 0);
    }
    *out = call;
    return 0;
}

void postgres_cancel(struct postgres_call *call)
{
    if (call != NULL) {
        call_close(call);
    }
}

void postgres_forget_environment(void)
{
    extern char **environ;
    for (size_t i = 0; environ[i] != NULL;) {
        const char *entry = environ[i];
        size_t len = strcspn(entry, "=");
        char name[128];
        if (strncmp(entry, "PG", 2) == 0 &&
            fmt_into(name, sizeof name, "%.*s", (int)len, entry) == 0 && unsetenv(name) == 0) {
            i = 0; /* the list has moved */
        } else {
            i++;
        }
    }
}

static void on_deadline_closed(uv_handle_t *handle)
{
    mem_free(CONTAINER_OF(handle, struct postgres_call, deadline));
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle);
}

static void unwatch(struct postgres_call *call)
{
    if (call->poll != NULL) {
        uv_close((uv_handle_t *)call->poll, on_poll_closed);
        call->poll = NULL;
    }
}

static void call_close(struct postgres_call *call)
{
    if (call->closing) {
        return;
    }
    call->closing = true;
    unwatch(call);
    resolve_cancel(call->resolve);
    PQclear(call->result);
    PQfinish(call->conn);
    postgres_url_fini(&call->url);
    mem_free(call->query);
    call->conn = NULL;
    uv_close((uv_handle_t *)&call->deadline, on_deadline_closed);
}

static void finish(struct postgres_call *call, struct postgres_result *result)
{
    if (call->closing) {
        return;
    }
    unwatch(call);
    result->took_ms = (clock_mono_ns() - call->started_ns) / 1000000;
    result->tls = call->conn != NULL && PQsslInUse(call->conn) != 0;
    call->done(call->ctx, result);
    call_close(call); /* again, where the callback has cancelled: once is enough */
}

static void finish_error(struct postgres_call *call, int error, const char *text)
{
    finish(call, &(struct postgres_result){.error = error, .error_text = text});
}

static void finish_message(struct postgres_call *call, const char *message)
{
    char text[SAY_MAX];
    int error = postgres_error(message, call->url.password, text, sizeof text);
    finish_error(call, error, text);
}

static void on_deadline(uv_timer_t *timer)
{
    struct postgres_call *call = CONTAINER_OF(timer, struct postgres_call, deadline);
    if (call->conn == NULL && call->resolve == NULL) {
        (void)uv_timer_start(timer, on_deadline, call->timeout_ms, 0);
        connect_start(call);
        return;
    }
    char text[64];
    finish_error(call, -ETIMEDOUT, say_no_answer(text, sizeof text, call->timeout_ms));
}

static void watch(struct postgres_call *call, int events)
{
    call->poll = mem_calloc(1, sizeof *call->poll);
    call->poll->data = call;
    int fd = PQsocket(call->conn);
    if (fd < 0 || uv_poll_init_socket(call->loop, call->poll, fd) != 0) {
        mem_free(call->poll);
        call->poll = NULL;
        finish_error(call, -EIO, "the connection cannot be watched");
        return;
    }
    (void)uv_poll_start(call->poll, events, on_pg_poll);
}

/* host once an address, as libpq wants lists of equal length; the port may stand alone. */
static void set_addresses(struct postgres_call *call, char (*addresses)[RESOLVE_SIZE], size_t count)
{
    struct buf hosts = {0};
    struct buf numbers = {0};
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&hosts, "%s%s", i > 0 ? "," : "", call->url.host);
        (void)buf_printf(&numbers, "%s%s", i > 0 ? "," : "", addresses[i]);
    }
    postgres_url_set(&call->url, "host", hosts.ptr);
    postgres_url_set(&call->url, "hostaddr", numbers.ptr);
    buf_fini(&hosts);
    buf_fini(&numbers);
}

static void on_resolved(void *ctx, int error, char (*addresses)[RESOLVE_SIZE], size_t count)
{
    struct postgres_call *call = ctx;
    call->resolve = NULL;
    if (error != 0) {
        finish_error(call, error,
                     error == -EAGAIN ? "name servers do not answer" : "host name not found");
        return;
    }
    set_addresses(call, addresses, count);
    connect_start(call);
}

static void on_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message; /* libpq would print it */
}

static void connect_start(struct postgres_call *call)
{
    const char *keys[POSTGRES_KEYS_MAX + 1] = {NULL};
    const char *values[POSTGRES_KEYS_MAX + 1] = {NULL};
    for (size_t i = 0; i < call->url.count; i++) {
        keys[i] = call->url.keys[i];
        values[i] = call->url.values[i];
    }
    call->conn = PQconnectStartParams(keys, values, 0);
    if (call->conn == NULL) {
        finish_error(call, -ENOMEM, "libpq is out of memory");
        return;
    }
    (void)PQsetNoticeProcessor(call->conn, on_notice, NULL);
    (void)PQsetErrorVerbosity(call->conn, PQERRORS_VERBOSE); /* brings the SQLSTATE */
    if (PQstatus(call->conn) == CONNECTION_BAD) {
        finish_message(call, PQerrorMessage(call->conn));
        return;
    }
    watch(call, UV_WRITABLE);
}

static void query_step(struct postgres_call *call);

static void connect_step(struct postgres_call *call)
{
    switch (PQconnectPoll(call->conn)) {
    case PGRES_POLLING_READING:
        watch(call, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        watch(call, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(call->conn, 1) != 0 || PQsendQuery(call->conn, call->query) != 1) {
            finish_message(call, PQerrorMessage(call->conn));
            return;
        }
        call->querying = true;
        query_step(call);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        finish_message(call, PQerrorMessage(call->conn));
        return;
    }
}

static void finish_rows(struct postgres_call *call)
{
    int rows = PQntuples(call->result);
    int columns = PQnfields(call->result);
    const char **values = mem_calloc((size_t)rows * (size_t)columns, sizeof *values);
    for (int i = 0; i < rows * columns; i++) {
        bool null = PQgetisnull(call->result, i / columns, i % columns) != 0;
        values[i] = null ? NULL : PQgetvalue(call->result, i / columns, i % columns);
    }
    finish(call, &(struct postgres_result){
                     .error_text = "", .rows = rows, .columns = columns, .values = values});
    mem_free(values);
}

static void finish_query(struct postgres_call *call)
{
    ExecStatusType status = call->result != NULL ? PQresultStatus(call->result) : PGRES_FATAL_ERROR;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        finish_rows(call);
    } else {
        finish_message(call, call->result != NULL ? PQresultErrorMessage(call->result)
                                                  : PQerrorMessage(call->conn));
    }
}

/* Sends what is unsent, reads what is there, takes results until there is none. */
static void query_step(struct postgres_call *call)
{
    int unsent = PQflush(call->conn);
    if (unsent < 0 || PQconsumeInput(call->conn) == 0) {
        finish_message(call, PQerrorMessage(call->conn));
        return;
    }
    while (PQisBusy(call->conn) == 0) {
        PGresult *result = PQgetResult(call->conn);
        if (result == NULL) {
            finish_query(call);
            return;
        }
        if (call->result == NULL) {
            call->result = result;
        } else {
            PQclear(result);
        }
    }
    watch(call, UV_READABLE | (unsent > 0 ? UV_WRITABLE : 0));
}

static void on_pg_poll(uv_poll_t *poll, int status, int events)
{
    struct postgres_call *call = poll->data;
    /* An error too is libpq's to find: it reads SO_ERROR and goes on to the next address. */
    (void)status;
    (void)events;
    if (call->closing) {
        return;
    }
    unwatch(call);
    if (call->querying) {
        query_step(call);
    } else {
        connect_step(call);
    }
}
