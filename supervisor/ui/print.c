/*
 * What this room is for.      stdout, stderr, JSON, errors.
 * What it may touch.          file descriptors 1 and 2.
 * Who calls it.               every command
 * The one invariant.          Free text from elsewhere is masked and made harmless here.
 */
#include "ui/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <unistd.h>

#include "control/protocol.h"
#include "logs/view.h"

void print_fd(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n >= 0) {
            bytes.ptr += n;
            bytes.len -= (size_t)n;
        } else if (errno == EAGAIN) {
            /* Somebody else made the shared description non-blocking: wait as if it were not. */
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            (void)poll(&pfd, 1, -1);
        } else if (errno == EPIPE) {
            exit(EXIT_DONE);
        } else if (errno != EINTR) {
            if (fd == STDOUT_FILENO) {
                (void)dprintf(STDERR_FILENO, "roadie: write to stdout: %s\n", strerror(errno));
            }
            exit(EXIT_FAILED);
        }
    }
}

void print_out(struct buf *b)
{
    print_fd(STDOUT_FILENO, buf_span(b));
    buf_clear(b);
}

static void print_clean_span(const struct app *app, struct span text, struct buf *out)
{
    if (app->redactor == NULL) {
        sanitise(text, false, out);
        return;
    }
    struct buf masked = {0};
    redactor_mask(app->redactor, text, &masked);
    sanitise(buf_span(&masked), false, out);
    buf_fini(&masked);
}

void print_clean(const struct app *app, const char *text, struct buf *out)
{
    print_clean_span(app, span_of(text), out);
}

/* Words of ours and names: a service that happens to be called like a secret keeps its name. "value" is
 * masked, or not, by the command that was asked for it. */
static bool is_structure(const char *key)
{
    static const char *const keys[] = {
        "name",  "names",    "kind",  "state",  "desired",   "since", "t",     "started", "stack",
        "root",  "file",     "service", "event", "from",     "to",    "signal", "source", "stream",
        "needs", "starting", "nodes", "key",    "condition", "value", "version"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static void mask_member(const struct app *app, json_t *value)
{
    struct buf masked = {0};
    redactor_mask(app->redactor, (struct span){json_string_value(value), json_string_length(value)},
                  &masked);
    if (masked.len != json_string_length(value) ||
        memcmp(masked.ptr, json_string_value(value), masked.len) != 0) {
        (void)json_string_setn(value, masked.ptr, masked.len);
    }
    buf_fini(&masked);
}

/* Depth is that of our own documents: a handful. */
static void mask_texts(const struct app *app, json_t *value)
{
    size_t i = 0;
    json_t *item = NULL;
    const char *key = NULL;
    json_array_foreach(value, i, item)
    {
        if (json_is_string(item)) {
            mask_member(app, item);
        } else {
            mask_texts(app, item);
        }
    }
    json_object_foreach(value, key, item)
    {
        if (is_structure(key) && (json_is_string(item) || json_is_string(json_array_get(item, 0)))) {
            continue;
        }
        if (json_is_string(item)) {
            mask_member(app, item);
        } else {
            mask_texts(app, item);
        }
    }
}

void print_json(const struct app *app, json_t *doc)
{
    if (app->redactor != NULL) {
        mask_texts(app, doc);
    }
    char *text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    struct buf line = {0};
    (void)buf_puts(&line, text != NULL ? text : "null");
    (void)buf_putc(&line, '\n');
    free(text);
    print_out(&line);
    buf_fini(&line);
}

void print_note(const struct app *app, const char *fmt, ...)
{
    if (app->quiet) {
        return;
    }
    char text[1200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct buf line = {0};
    print_clean(app, text, &line);
    (void)buf_putc(&line, '\n');
    print_fd(STDERR_FILENO, buf_span(&line));
    buf_fini(&line);
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *error_object(int code, const struct problem *p)
{
    json_t *error = code >= 0 ? json_pack("{s:i}", "code", code) : json_object();
    (void)json_object_set_new(error, "message", text_or_null(p->message));
    (void)json_object_set_new(error, "file", text_or_null(p->file));
    (void)json_object_set_new(error, "line", p->line > 0 ? json_integer(p->line) : json_null());
    (void)json_object_set_new(error, "column",
                              p->line > 0 ? json_integer(p->column > 0 ? p->column : 1) : json_null());
    (void)json_object_set_new(error, "hint", text_or_null(p->hint));
    return error;
}

static void print_error_text(const struct app *app, const char *message, const char *hint)
{
    struct buf line = {0};
    (void)buf_puts(&line, app->err_colour ? "\033[31mroadie:\033[0m " : "roadie: ");
    print_clean(app, message, &line);
    (void)buf_putc(&line, '\n');
    if (hint != NULL && hint[0] != '\0') {
        (void)buf_puts(&line, "  ");
        print_clean(app, hint, &line);
        (void)buf_putc(&line, '\n');
    }
    print_fd(STDERR_FILENO, buf_span(&line));
    buf_fini(&line);
}

static int report(const struct app *app, int code, const char *message, const char *hint)
{
    if (!app->json) {
        print_error_text(app, message, hint);
        return code;
    }
    struct problem p = {.message = message, .hint = hint};
    print_json(app, json_pack("{s:i,s:o,s:[o]}", "v", 1, "error", error_object(code, &p),
                              "problems", error_object(-1, &p)));
    return code;
}

int print_fault(const struct app *app, int code, const struct fault *why)
{
    return report(app, code, fault_text(why), why->hint);
}

int print_failure(const struct app *app, int code, const char *hint, const char *fmt, ...)
{
    char text[FAULT_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return report(app, code, text, hint);
}

int print_problems(const struct app *app, int code, const struct problems *problems)
{
    if (!app->json || problems->count == 0) {
        struct buf text = {0};
        struct buf clean = {0};
        problems_print(problems, &text);
        struct span rest = buf_span(&text);
        struct span line;
        while (rest.len > 0) {
            (void)span_split(rest, '\n', &line, &rest);
            print_clean_span(app, line, &clean);
            (void)buf_putc(&clean, '\n');
        }
        print_fd(STDERR_FILENO, buf_span(&clean));
        buf_fini(&text);
        buf_fini(&clean);
        return code;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        (void)json_array_append_new(list, error_object(-1, &problems->items[i]));
    }
    print_json(app, json_pack("{s:i,s:o,s:o}", "v", 1, "error",
                              error_object(code, &problems->items[0]), "problems", list));
    return code;
}

static void reply_problem(const json_t *from, struct problem *to)
{
    *to = (struct problem){
        .file = member_text(from, "file")[0] != '\0' ? member_text(from, "file") : NULL,
        .line = (unsigned)member_number(from, "line"),
        .column = (unsigned)member_number(from, "column"),
        .message = member_text(from, "message"),
        .hint = member_text(from, "hint")[0] != '\0' ? member_text(from, "hint") : NULL,
    };
}

int print_reply_error(const struct app *app, const json_t *reply)
{
    int code = (int)member_number(reply, "code");
    const json_t *error = json_object_get(reply, "error");
    const json_t *list = json_object_get(reply, "problems");
    if (app->json) {
        struct problem p;
        reply_problem(error, &p);
        json_t *doc = json_pack("{s:i,s:o}", "v", 1, "error", error_object(code, &p));
        json_t *copy = json_is_array(list) ? json_deep_copy(list)
                                           : json_pack("[o]", error_object(-1, &p));
        (void)json_object_set_new(doc, "problems", copy);
        json_t *conflicts = json_object_get(reply, "conflicts");
        if (conflicts != NULL) {
            (void)json_object_set(doc, "conflicts", conflicts);
        }
        print_json(app, doc);
        return code;
    }
    if (json_array_size(list) > 0) {
        struct problems problems = {0};
        for (size_t i = 0; i < json_array_size(list); i++) {
            struct problem p;
            reply_problem(json_array_get(list, i), &p);
            problems_add(&problems, p.file, p.line, p.column, p.hint, "%s", p.message);
        }
        (void)print_problems(app, code, &problems);
        problems_fini(&problems);
        return code;
    }
    print_error_text(app, member_text(error, "message"), member_text(error, "hint"));
    return code;
}

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

uint64_t member_number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

bool member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

bool member_null(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value == NULL || json_is_null(value);
}
