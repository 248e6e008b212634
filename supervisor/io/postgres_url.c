/*
 * What this room is for.      From a DATABASE_URL to the parameters of one libpq connection.
 * What it may touch.          libpq's parser; looks whether certificate files exist.
 * Who calls it.               postgres.c; guards and checks later.
 * The one invariant.          The target that was judged is the target that is contacted, at least
 * as safely.
 */
#include "io/postgres_url.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/numbers.h"
#include "io/address.h"

/* Parameters that this libpq need not know: of newer ones, and of other clients. */
static const char *const dropped[] = {
    "sslnegotiation",
    "require_auth",
    "sslcertmode",
    "load_balance_hosts",
    "gssdelegation",
    "prepared_statement_cache_size",
    "statement_cache_size",
    "prepared_statement_name_func",
    "command_timeout",
    "timeout",
    "server_settings",
    "pool_timeout",
    "pool_size",
    "max_overflow",
    "pgbouncer",
    "connection_limit",
    "schema",
    "connect_timeout",
    "async_fallback",
};

static bool is_listed(struct span word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(word, list[i])) {
            return true;
        }
    }
    return false;
}

static int take_scheme(struct span *rest, struct fault *why)
{
    static const char separator[] = "://";
    for (size_t i = 0; i + 3 <= rest->len; i++) {
        if (memcmp(rest->ptr + i, separator, 3) == 0) {
            struct span scheme = {.ptr = rest->ptr, .len = i};
            struct span driver;
            (void)span_split(scheme, '+', &scheme, &driver);
            if (!span_is(scheme, "postgres") && !span_is(scheme, "postgresql")) {
                break;
            }
            rest->ptr += i + 3;
            rest->len -= i + 3;
            return 0;
        }
    }
    return fault_set(why, -EINVAL, "not a postgres:// or postgresql:// URL");
}

/* Where the query starts as libpq sees it: a '?' in the password belongs to the password. */
static size_t query_offset(struct span rest)
{
    size_t at = 0;
    while (at < rest.len && rest.ptr[at] != '@' && rest.ptr[at] != '/') {
        at++;
    }
    if (at >= rest.len || rest.ptr[at] != '@') {
        at = 0;
    }
    while (at < rest.len && rest.ptr[at] != '?') {
        at++;
    }
    return at;
}

static bool libpq_knows(struct span key)
{
    PQconninfoOption *all = PQconndefaults();
    bool known = false;
    for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL && !known; o++) {
        known = span_is(key, o->keyword);
    }
    PQconninfoFree(all);
    return known;
}

static int copy_query(struct buf *out, struct span query, struct fault *why)
{
    char sep = '?';
    while (query.len > 0) {
        struct span pair;
        struct span key;
        struct span value;
        (void)span_split(query, '&', &pair, &query);
        (void)span_split(pair, '=', &key, &value);
        bool ssl = span_is(key, "ssl");
        if (key.len == 0 || is_listed(key, dropped, COUNT_OF(dropped))) {
            continue;
        }
        if (!ssl && !libpq_knows(key)) {
            bool plain = key.len < 40 && memchr(key.ptr, '@', key.len) == NULL;
            return fault_set(why, -EINVAL, "the database URL has an unknown parameter%s%.*s",
                             plain ? " " : "", plain ? (int)key.len : 0, key.ptr);
        }
        if (ssl && span_is(value, "true")) {
            value = span_of("require");
        }
        (void)buf_putc(out, sep);
        (void)buf_puts(out, ssl ? "sslmode" : "");
        (void)buf_append(out, key.ptr, ssl ? 0 : key.len);
        (void)buf_putc(out, '=');
        (void)buf_append(out, value.ptr, value.len);
        sep = '&';
    }
    return 0;
}

void postgres_url_set(struct postgres_url *u, const char *key, const char *value)
{
    for (size_t i = 0; i < u->count; i++) {
        if (strcmp(u->keys[i], key) == 0) {
            mem_wipe(u->values[i], strlen(u->values[i]));
            mem_free(u->values[i]);
            u->values[i] = mem_strdup(value);
            return;
        }
    }
    if (u->count < POSTGRES_KEYS_MAX) {
        u->keys[u->count] = mem_strdup(key);
        u->values[u->count++] = mem_strdup(value);
    }
}

const char *postgres_url_get(const struct postgres_url *u, const char *key)
{
    for (size_t i = 0; i < u->count; i++) {
        if (strcmp(u->keys[i], key) == 0) {
            return u->values[i];
        }
    }
    return NULL;
}

static bool is_empty(const char *value)
{
    return value == NULL || value[0] == '\0';
}

static int check_place(struct postgres_url *u, struct fault *why)
{
    static const char broken[] = "the database URL's host or port is broken";
    const char *host = postgres_url_get(u, "host");
    const char *port = postgres_url_get(u, "port");
    const char *dbname = postgres_url_get(u, "dbname");
    if (!is_empty(postgres_url_get(u, "service"))) {
        return fault_set(why, -EINVAL, "a database URL with service= is not supported");
    }
    if (host != NULL && strchr(host, ',') != NULL) {
        return fault_set(why, -EINVAL, "a database URL with more than one host is not supported");
    }
    u->port = 5432;
    bool odd_host = host != NULL && host[0] != '/' && strpbrk(host, "@/:?# \t") != NULL &&
                    !address_is_numeric(host);
    bool odd_port = !is_empty(port) && parse_port(span_of(port), &u->port) != 0;
    if (odd_host || odd_port || (dbname != NULL && strchr(dbname, '@') != NULL)) {
        (void)fault_set(why, -EINVAL, broken);
        return fault_hint(why, "percent-encode '/', '@', ':' and '?' in its password");
    }
    char number[8];
    (void)fmt_into(number, sizeof number, "%u", (unsigned)u->port);
    postgres_url_set(u, "port", number);
    bool socket_directory = is_empty(host) || host[0] == '/';
    if (!socket_directory && is_empty(postgres_url_get(u, "hostaddr"))) {
        u->host = mem_strdup(host);
    }
    return 0;
}

static const char *system_certificates(void)
{
    static const char *const known[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
        "/etc/ssl/cert.pem",                  /* macOS, Alpine */
    };
    const char *own = getenv("SSL_CERT_FILE");
    if (!is_empty(own)) {
        return own;
    }
    if (PQlibVersion() >= 160000) {
        return "system";
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (access(known[i], R_OK) == 0) {
            return known[i];
        }
    }
    return known[0];
}

static int set_tls(struct postgres_url *u, struct fault *why)
{
    static const char *const modes[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};
    const char *mode = postgres_url_get(u, "sslmode");
    const char *root = postgres_url_get(u, "sslrootcert");
    const char *hostaddr = postgres_url_get(u, "hostaddr");
    const char *host = u->host != NULL ? u->host : hostaddr;
    if (!is_empty(mode) && !is_listed(span_of(mode), modes, COUNT_OF(modes))) {
        return fault_set(why, -EINVAL, "sslmode=%.40s is none of libpq's", mode);
    }
    bool exposed = !is_empty(host) && address_place(host) == ADDRESS_ELSEWHERE;
    bool off = !is_empty(mode) && strcmp(mode, "disable") == 0;
    if (exposed && !off && (is_empty(mode) || strcmp(mode, "verify-full") != 0)) {
        postgres_url_set(u, "sslmode", "verify-full");
        u->raised = true;
    }
    mode = postgres_url_get(u, "sslmode");
    bool verifies = !is_empty(mode) && strncmp(mode, "verify-", 7) == 0;
    bool system = !is_empty(root) && strcmp(root, "system") == 0;
    if ((verifies && is_empty(root)) || system) {
        postgres_url_set(u, "sslrootcert", system_certificates());
    }
    return 0;
}

static int parse_with_libpq(struct postgres_url *u, const char *url, struct fault *why)
{
    char *said = NULL; /* quotes the URL: never shown */
    PQconninfoOption *options = PQconninfoParse(url, &said);
    if (options == NULL) {
        PQfreemem(said);
        (void)fault_set(why, -EINVAL, "the database URL cannot be read");
        return fault_hint(why, "percent-encode '/', '@', ':' and '?' in its password");
    }
    for (PQconninfoOption *o = options; o->keyword != NULL; o++) {
        if (o->val != NULL) {
            postgres_url_set(u, o->keyword, o->val);
        }
    }
    PQconninfoFree(options);
    return 0;
}

int postgres_url_parse(struct postgres_url *u, const char *url, struct fault *why)
{
    struct buf clean = {0};
    struct span rest = span_trim(span_of(url));
    *u = (struct postgres_url){0};
    int code = take_scheme(&rest, why);
    if (code == 0) {
        size_t at = query_offset(rest);
        (void)buf_puts(&clean, "postgresql://");
        (void)buf_append(&clean, rest.ptr, at);
        if (at < rest.len) {
            struct span query = {.ptr = rest.ptr + at + 1, .len = rest.len - at - 1};
            code = copy_query(&clean, query, why);
        }
    }
    if (code == 0) {
        code = parse_with_libpq(u, clean.ptr, why);
    }
    if (clean.ptr != NULL) {
        mem_wipe(clean.ptr, clean.len);
    }
    buf_fini(&clean);
    if (code == 0) {
        code = check_place(u, why);
    }
    if (code == 0) {
        code = set_tls(u, why);
    }
    if (code == 0) {
        u->password = mem_strdup(postgres_url_get(u, "password"));
        postgres_url_set(u, "application_name", "roadie");
        postgres_url_set(u, "gssencmode", "disable"); /* looking for a ticket can block */
    }
    return code;
}

static void wipe(char *text)
{
    if (text != NULL) {
        mem_wipe(text, strlen(text));
        mem_free(text);
    }
}

void postgres_url_fini(struct postgres_url *u)
{
    for (size_t i = 0; i < u->count; i++) {
        mem_free(u->keys[i]);
        wipe(u->values[i]);
    }
    wipe(u->password);
    mem_free(u->host);
    *u = (struct postgres_url){0};
}
