/*
 * What this room is for.      From main to a command and back.
 * What it may touch.          The process: working directory, signal dispositions of SIGPIPE, streams.
 * Who calls it.               main_client.c
 * The one invariant.          Nothing is printed to stdout that the command did not ask for.
 */
#include "ui/app.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <limits.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "control/protocol.h"
#include "logs/view.h"
#include "ui/commands.h"
#include "ui/print.h"

static int dispatch(struct app *app, const struct args *args);

const char *app_getenv(const struct app *app, const char *name)
{
    size_t len = strlen(name);
    for (char **at = app->environ; *at != NULL; at++) {
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
            return *at + len + 1;
        }
    }
    return NULL;
}

static bool is_set(const struct app *app, const char *name)
{
    const char *value = app_getenv(app, name);
    return value != NULL && value[0] != '\0';
}

static int streams_init(struct app *app, const struct args *args)
{
    app->json = args_flag(args, "json");
    app->quiet = args_flag(args, "quiet");
    app->verbose = args_flag(args, "verbose");
    app->out_tty = isatty(STDOUT_FILENO) == 1;
    app->err_tty = isatty(STDERR_FILENO) == 1;
    const char *term = app_getenv(app, "TERM");
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    const char *ci = app_getenv(app, "CI");
    bool in_ci = ci != NULL && ci[0] != '\0' && strcmp(ci, "false") != 0 && strcmp(ci, "0") != 0;
    bool plain = dumb || in_ci || is_set(app, "NO_COLOR");
    app->out_colour = app->out_tty && !plain;
    app->err_colour = app->err_tty && !plain;
    app->interactive = isatty(STDIN_FILENO) == 1 && app->err_tty && !in_ci &&
                       !args_flag(args, "no-input");
    if (dumb || in_ci) {
        app->err_tty = false; /* nothing is redrawn in place there */
    }
    const char *color = args_text(args, "color");
    if (color != NULL && strcmp(color, "auto") != 0) {
        bool always = strcmp(color, "always") == 0;
        if (!always && strcmp(color, "never") != 0) {
            return print_failure(app, EXIT_USAGE, "it is auto, always or never", "--color %s", color);
        }
        app->out_colour = always;
        app->err_colour = always;
    }
    return EXIT_DONE;
}

static void pipe_init(struct app *app)
{
    struct sigaction old = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, &old);
    app->pipe_ignored = old.sa_handler == SIG_IGN;
}

int app_run(int argc, char **argv, char **environ)
{
    struct app app = {.environ = environ, .json = args_want_json(argc, argv)};
    struct args args;
    struct fault why = {0};
    pipe_init(&app);
    int code;
    if (args_parse(command_rows, command_row_count, argc, argv, &app.arena, &args, &why) != 0) {
        code = print_fault(&app, EXIT_USAGE, &why);
    } else {
        app.args = &args;
        code = streams_init(&app, &args);
        code = code == EXIT_DONE ? dispatch(&app, &args) : code;
    }
    redactor_free(app.redactor);
    arena_fini(&app.arena);
    return code;
}

static int dispatch(struct app *app, const struct args *args)
{
    const struct command_row *command = args->command;
    if (args_flag(args, "version")) {
        return cmd_version(app, args);
    }
    if (args_flag(args, "help") || command == NULL) {
        bool asked = args_flag(args, "help");
        help_print(command, asked);
        return asked ? EXIT_DONE : EXIT_USAGE;
    }
    if (command->run == NULL) {
        return print_failure(app, EXIT_USAGE, "roadie help lists what there is",
                           "%s is not in this version yet", command->name);
    }
    const char *directory = args_text(args, "directory");
    if (directory != NULL && chdir(directory) != 0) {
        return print_failure(app, EXIT_USAGE, NULL, "-C %s: %s", directory, strerror(errno));
    }
    return command->run(app, args);
}

bool app_confirm(struct app *app, const char *question)
{
    if (args_flag(app->args, "yes")) {
        return true;
    }
    if (!app->interactive) {
        return false;
    }
    struct buf line = {0};
    print_clean(app, question, &line);
    (void)buf_puts(&line, " [y/N] ");
    print_fd(STDERR_FILENO, buf_span(&line));
    buf_fini(&line);
    char answer[16] = "";
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

const char *app_realpath(struct app *app, const char *path)
{
    uv_fs_t request;
    int rc = uv_fs_realpath(NULL, &request, path, NULL);
    const char *real = rc == 0 ? arena_strdup(&app->arena, request.ptr) : NULL;
    uv_fs_req_cleanup(&request);
    errno = -rc;
    return real;
}

const char *app_helper(struct app *app, const char *name, struct fault *why)
{
    char self[PATH_MAX];
    size_t len = sizeof self;
    char *real = uv_exepath(self, &len) == 0 ? mem_strdup(app_realpath(app, self)) : NULL;
    char *slash = real != NULL ? strrchr(real, '/') : NULL;
    const char *found = NULL;
    if (slash != NULL) {
        *slash = '\0';
        const char *beside = arena_printf(&app->arena, "%s/%s", real, name);
        const char *libexec = arena_printf(&app->arena, "%s/../libexec/roadie/%s", real, name);
        found = access(beside, X_OK) == 0 ? beside : access(libexec, X_OK) == 0 ? libexec : NULL;
        if (found == NULL) {
            (void)fault_set(why, -ENOENT, "%s is neither in %s nor in %s/../libexec/roadie", name,
                            real, real);
            (void)fault_hint(why, "the three programs of roadie belong together: install it again");
        }
    } else {
        (void)fault_set(why, -ENOENT, "the path of this program is not known, so neither is that of %s",
                        name);
    }
    mem_free(real);
    return found;
}
