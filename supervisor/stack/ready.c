/*
 * What this room is for.      Reads `ready` and `alive` lines into plain structs (see ready.h).
 * What it may touch.          base and this room.
 * Who calls it.               service.c, refs.c
 * The one invariant.          What is returned needs no further guessing: host, port and URL are
 * filled in.
 */
#include "stack/ready.h"

#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "base/table.h"
#include "stack/expand.h"
#include "stack/text.h"
#include "stack/url.h"

struct parser {
    struct load *load;
    int service;
    struct origin at; /* of the value */
    struct span rest; /* after the kind, trimmed */
    struct spec_ready *out;
};

typedef bool (*parse_fn)(struct parser *p);

static bool parse_tcp(struct parser *p);
static bool parse_http(struct parser *p);
static bool parse_redis(struct parser *p);
static bool parse_docket(struct parser *p);
static bool parse_postgres(struct parser *p);
static bool parse_log(struct parser *p);
static bool parse_notify(struct parser *p);
static bool parse_delay(struct parser *p);

static const struct kind_row {
    const char *name;
    enum ready_kind kind;
    parse_fn parse;
} kinds[] = {
    {"tcp", READY_TCP, parse_tcp},
    {"http", READY_HTTP, parse_http},
    {"redis", READY_REDIS, parse_redis},
    {"docket", READY_DOCKET, parse_docket},
    {"postgres", READY_POSTGRES, parse_postgres},
    {"log", READY_LOG, parse_log},
    {"exec", READY_EXEC, NULL},
    {"notify", READY_NOTIFY, parse_notify},
    {"delay", READY_DELAY, parse_delay},
};

static struct span first_word(struct span text, struct span *rest)
{
    text = span_trim(text);
    size_t end = 0;
    while (end < text.len && text.ptr[end] != ' ' && text.ptr[end] != '\t') {
        end++;
    }
    *rest = span_trim((struct span){text.ptr + end, text.len - end});
    return (struct span){text.ptr, end};
}

bool ready_has_url(struct span line)
{
    struct span rest = {0};
    struct span word = first_word(line, &rest);
    return span_is(word, "http") || span_is(word, "redis") || span_is(word, "postgres");
}

/* exec: words are split before references are replaced, so it reads the line as written. */
static bool parse_exec(struct parser *p, struct span line)
{
    if (line.len == 0) {
        load_problem(p->load, p->at, NULL, "exec needs words to run");
        return false;
    }
    struct origin at = p->at;
    at.column += (unsigned)(line.ptr - p->rest.ptr);
    p->out->argv = expand_words(p->load, p->service, line, at);
    return p->out->argv != NULL;
}

static bool parse_kind(struct load *l, const struct ini_entry *entry, const struct kind_row **row,
                       struct span *rest)
{
    struct span word = first_word(span_of(entry->value), rest);
    *row = TABLE_FIND(kinds, word);
    if (*row == NULL) {
        const char *near = load_did_you_mean(l, TABLE_NEAREST(kinds, word));
        load_problem(l, entry->value_at,
                     near != NULL
                         ? near
                         : "one of tcp, http, redis, docket, postgres, log, exec, notify, delay",
                     "%s: unknown kind \"%s\"", entry->key, text_quote(l->arena, word));
    }
    return *row != NULL;
}

bool ready_parse(struct load *l, int service, const struct ini_entry *entry, struct spec_ready *out)
{
    const struct kind_row *row = NULL;
    struct span rest = {0};
    if (!parse_kind(l, entry, &row, &rest)) {
        return false;
    }
    *out = (struct spec_ready){.kind = row->kind};
    struct parser p = {.load = l, .service = service, .at = entry->value_at, .out = out};
    if (row->kind == READY_EXEC) {
        p.rest = span_of(entry->value);
        if (!parse_exec(&p, rest)) {
            return false;
        }
        struct buf text = {0};
        (void)buf_puts(&text, "exec ");
        words_join(out->argv, &text);
        out->text = arena_copy(l->arena, buf_span(&text));
        buf_fini(&text);
        return true;
    }
    out->text = expand_entry(l, service, entry);
    if (out->text == NULL) {
        return false;
    }
    (void)first_word(span_of(out->text), &p.rest);
    return row->parse(&p);
}

/* The service's own port, for a probe that names none. */
static bool own_port(struct parser *p, const char *kind, uint16_t *port)
{
    if (!expand_port(p->load, p->service, port)) {
        return false;
    }
    if (*port == 0) {
        load_problem(p->load, p->at, "give the service a port = …, or the probe a full URL",
                     "%s: the service has no port", kind);
    }
    return *port != 0;
}

static bool parse_tcp(struct parser *p)
{
    struct span host = {0};
    if (!url_host_port(p->rest, &host, &p->out->port)) {
        load_problem(p->load, p->at, "write it like tcp 8001 or tcp HOST:8001",
                     "tcp: \"%s\" is not a port", text_quote(p->load->arena, p->rest));
        return false;
    }
    p->out->host = host.len > 0 ? arena_copy(p->load->arena, host) : "localhost";
    return true;
}

/* status=200,204 */
static bool parse_statuses(struct parser *p, struct span list)
{
    struct span code = {0};
    struct span tail = {0};
    bool more = true;
    while (more) {
        uint64_t status = 0;
        more = span_split(list, ',', &code, &tail);
        if (parse_u64(span_trim(code), 100, 599, &status) != 0) {
            load_problem(p->load, p->at, "write it like status=200,204",
                         "http: \"%s\" is not a status", text_quote(p->load->arena, code));
            return false;
        }
        if (p->out->status_count >= COUNT_OF(p->out->statuses)) {
            load_problem(p->load, p->at, NULL, "http: more than %zu statuses",
                         COUNT_OF(p->out->statuses));
            return false;
        }
        p->out->statuses[p->out->status_count++] = (uint16_t)status;
        list = tail;
    }
    return true;
}

/* contains= takes the rest of the line, but a status= at its very end; quotes around all of it go.
 */
static struct span contains_text(struct span rest, struct span *after)
{
    size_t cut = rest.len;
    while (cut > 0 && strchr("0123456789,", rest.ptr[cut - 1]) != NULL) {
        cut--;
    }
    struct span before = {rest.ptr, cut};
    static const char status[] = " status=";
    size_t len = sizeof status - 1;
    *after = (struct span){rest.ptr + rest.len, 0};
    if (cut < rest.len && cut > len && memcmp(before.ptr + cut - len, status, len) == 0) {
        *after = (struct span){rest.ptr + cut - len + 1, rest.len - cut + len - 1};
        rest = span_trim((struct span){rest.ptr, cut - len});
    }
    char quote = rest.len >= 2 ? rest.ptr[0] : '\0';
    if ((quote == '"' || quote == '\'') && rest.ptr[rest.len - 1] == quote &&
        memchr(rest.ptr + 1, quote, rest.len - 2) == NULL) {
        return (struct span){rest.ptr + 1, rest.len - 2};
    }
    return rest;
}

static bool parse_http_options(struct parser *p, struct span options)
{
    while (options.len > 0) {
        struct span rest = {0};
        struct span word = first_word(options, &rest);
        if (span_starts(word, "status=") && p->out->status_count == 0) {
            if (!parse_statuses(p, (struct span){word.ptr + 7, word.len - 7})) {
                return false;
            }
            options = rest;
        } else if (span_starts(word, "contains=") && p->out->contains == NULL) {
            struct span text =
                contains_text((struct span){options.ptr + 9, options.len - 9}, &rest);
            if (text.len == 0) {
                load_problem(p->load, p->at, NULL, "http: contains= without a text");
                return false;
            }
            p->out->contains = arena_copy(p->load->arena, text);
            options = rest;
        } else {
            load_problem(p->load, p->at, "status=CODES and contains=TEXT are known, once each",
                         "http: unknown option \"%s\"", text_quote(p->load->arena, word));
            return false;
        }
    }
    if (p->out->status_count == 0) {
        p->out->statuses[p->out->status_count++] = 200;
    }
    return true;
}

/* Host and port of an absolute URL, whose scheme the caller has checked. */
static void take_place(struct parser *p, const struct url *url, uint16_t standard)
{
    p->out->host = url->host.len > 0 ? arena_copy(p->load->arena, url->host) : "localhost";
    p->out->port = url->port > 0 ? url->port : standard;
}

static bool parse_http(struct parser *p)
{
    struct span options = {0};
    struct span target = first_word(p->rest, &options);
    struct arena *arena = p->load->arena;
    struct url url = {0};
    if (target.len > 0 && target.ptr[0] == '/') {
        if (!own_port(p, "http", &p->out->port)) {
            return false;
        }
        p->out->host = "localhost";
        p->out->url = arena_printf(arena, "http://localhost:%u%.*s", p->out->port, (int)target.len,
                                   target.ptr);
        return parse_http_options(p, options);
    }
    bool secure = url_parse(target, &url) && span_is(url.scheme, "https");
    if (!secure && !span_is(url.scheme, "http")) {
        load_problem(p->load, p->at,
                     "write it like http /health or http http://localhost:8001/health",
                     "http needs a path or a URL");
        return false;
    }
    if (url.host.len == 0) {
        load_problem(p->load, p->at, NULL, "http: the URL has no host");
        return false;
    }
    take_place(p, &url, secure ? 443 : 80);
    p->out->url = arena_copy(arena, target);
    return parse_http_options(p, options);
}

static bool parse_redis_url(struct parser *p, const char *kind, struct span text)
{
    struct url url = {0};
    bool fine =
        url_parse(text, &url) && (span_is(url.scheme, "redis") || span_is(url.scheme, "rediss"));
    if (!fine) { /* the text may hold a password: not quoted */
        load_problem(p->load, p->at, "write it like redis://localhost:6379/0",
                     "%s: not a Redis URL", kind);
        return false;
    }
    take_place(p, &url, 6379);
    p->out->url = arena_copy(p->load->arena, text);
    return true;
}

static bool parse_redis(struct parser *p)
{
    if (p->rest.len > 0) {
        return parse_redis_url(p, "redis", p->rest);
    }
    if (!own_port(p, "redis", &p->out->port)) {
        return false;
    }
    p->out->host = "localhost";
    p->out->url = arena_printf(p->load->arena, "redis://localhost:%u", p->out->port);
    return true;
}

static const char *var_value(const struct spec_var *vars, size_t count, const char *name)
{
    for (size_t i = count; i > 0; i--) {
        if (strcmp(vars[i - 1].name, name) == 0) {
            return vars[i - 1].value;
        }
    }
    return NULL;
}

/* Where the worker's Redis is: its DOCKET_URL, else what it depends on. */
static const char *docket_url(struct parser *p)
{
    const struct spec *spec = p->load->spec;
    const struct spec_service *service = &spec->services[p->service];
    const char *url = var_value(service->vars, service->var_count, "DOCKET_URL");
    if (url == NULL) {
        url = var_value(spec->vars, spec->var_count, "DOCKET_URL");
    }
    for (size_t i = 0; url == NULL && i < service->need_count; i++) {
        const char *of_need = NULL;
        if (expand_url(p->load, (int)service->needs[i].service, &of_need) && of_need != NULL &&
            (span_starts(span_of(of_need), "redis://") ||
             span_starts(span_of(of_need), "rediss://"))) {
            url = of_need;
        }
    }
    return url;
}

static bool parse_docket(struct parser *p)
{
    struct span url = {0};
    struct span name = first_word(p->rest, &url);
    if (name.len == 0) {
        load_problem(p->load, p->at, "write it like docket NAME [URL]", "docket needs a name");
        return false;
    }
    p->out->docket = arena_copy(p->load->arena, name);
    if (url.len == 0) {
        url = span_of(docket_url(p));
    }
    if (url.len == 0) {
        load_problem(p->load, p->at, "add the Redis URL, or environment = DOCKET_URL=…",
                     "docket: no Redis to ask");
        return false;
    }
    return parse_redis_url(p, "docket", url);
}

static bool parse_postgres(struct parser *p)
{
    struct arena *arena = p->load->arena;
    struct url url = {0};
    if (p->rest.len == 0) {
        if (!own_port(p, "postgres", &p->out->port)) {
            return false;
        }
        p->out->host = "localhost";
        p->out->url = arena_printf(arena, "postgresql://localhost:%u", p->out->port);
        return true;
    }
    struct span base = {0};
    struct span driver = {0};
    bool fine = url_parse(p->rest, &url);
    (void)span_split(url.scheme, '+', &base, &driver);
    if (!fine || !(span_is(base, "postgres") || span_is(base, "postgresql"))) {
        load_problem(p->load, p->at, "write it like postgresql://user@localhost:5432/name",
                     "postgres: not a Postgres URL");
        return false;
    }
    take_place(p, &url, 5432);
    p->out->url = arena_printf(arena, "%.*s%.*s", (int)base.len, base.ptr,
                               (int)(p->rest.len - url.scheme.len), p->rest.ptr + url.scheme.len);
    return true;
}

static bool parse_log(struct parser *p)
{
    size_t offset = 0;
    if (p->rest.len == 0) {
        load_problem(p->load, p->at, NULL, "log needs a regular expression");
        return false;
    }
    const char *wrong = regex_complaint(p->rest, &offset);
    if (wrong != NULL) {
        load_problem(p->load, p->at, NULL, "log: in the regular expression: %s", wrong);
        return false;
    }
    p->out->regex = arena_copy(p->load->arena, p->rest);
    return true;
}

static bool parse_notify(struct parser *p)
{
    if (p->rest.len > 0) {
        load_problem(p->load, p->at, NULL, "notify takes nothing more");
    }
    return p->rest.len == 0;
}

static bool parse_delay(struct parser *p)
{
    if (parse_duration_ms(p->rest, &p->out->delay_ms) != 0) {
        load_problem(p->load, p->at, "write it like delay 2s", "delay: \"%s\" is not a duration",
                     text_quote(p->load->arena, p->rest));
        return false;
    }
    return true;
}

const char *ready_base_url(struct load *l, const struct spec_ready *ready)
{
    if (ready->kind != READY_HTTP) {
        return ready->url;
    }
    struct url url = {0};
    (void)url_parse(span_of(ready->url), &url);
    size_t len = strlen(ready->url) - url.rest.len;
    return arena_copy(l->arena, (struct span){ready->url, len});
}
