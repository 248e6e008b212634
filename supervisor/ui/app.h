/* What every command knows of its invocation: streams, colours, questions. One per process, owned by main. */
#ifndef ROADIE_UI_APP_H
#define ROADIE_UI_APP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/fault.h"
#include "ui/args.h"

struct redactor;

struct app {
    struct arena arena;          /* lives as long as the command */
    char **environ;              /* the caller's */
    const struct args *args;
    bool json;
    bool quiet;
    bool verbose;
    bool out_tty;
    bool err_tty;
    bool out_colour;
    bool err_colour;
    bool interactive;            /* may ask: stdin and stderr are terminals, no --no-input, no CI */
    bool pipe_ignored;           /* SIGPIPE was ignored when roadie was started */
    struct redactor *redactor;   /* of the stack at hand, or NULL; texts for people go through it */
};

/* Runs a whole invocation: parse, dispatch, clean up. Returns the exit code. */
int app_run(int argc, char **argv, char **environ);
/* Asks a yes/no question on the terminal; --yes answers it. False without a terminal. */
bool app_confirm(struct app *app, const char *question);
/* The value of an environment variable of the caller, or NULL. */
const char *app_getenv(const struct app *app, const char *name);
/* The real path in the arena, or NULL with errno. */
const char *app_realpath(struct app *app, const char *path);
/* Path of a helper (roadie-server, roadie-shim) in the arena: beside the real path of this executable, then in
 * ../libexec/roadie of it. NULL with why when there is none. */
const char *app_helper(struct app *app, const char *name, struct fault *why);

#endif
