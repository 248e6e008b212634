/* The one table of commands, and the functions behind it. */
#ifndef ROADIE_UI_COMMANDS_H
#define ROADIE_UI_COMMANDS_H

#include "base/bytes.h"
#include "ui/app.h"

extern const struct command_row command_rows[];
extern const size_t command_row_count;

/* Help on one command, or (NULL) on roadie: to stdout when it was asked for, else to stderr. */
void help_print(const struct command_row *command, bool asked);

/* Each returns an exit code of INTERFACE §2 and has reported what went wrong. */
int cmd_config(struct app *app, const struct args *args);
int cmd_down(struct app *app, const struct args *args);
int cmd_env(struct app *app, const struct args *args);
int cmd_events(struct app *app, const struct args *args);
int cmd_exec(struct app *app, const struct args *args);
int cmd_graph(struct app *app, const struct args *args);
int cmd_help(struct app *app, const struct args *args);
int cmd_kill(struct app *app, const struct args *args);
int cmd_logs(struct app *app, const struct args *args);
int cmd_port(struct app *app, const struct args *args);
int cmd_prune(struct app *app, const struct args *args);
int cmd_ps(struct app *app, const struct args *args);
int cmd_restart(struct app *app, const struct args *args);
int cmd_run(struct app *app, const struct args *args);
int cmd_start(struct app *app, const struct args *args);
int cmd_stop(struct app *app, const struct args *args);
int cmd_timeline(struct app *app, const struct args *args);
int cmd_up(struct app *app, const struct args *args);
int cmd_version(struct app *app, const struct args *args);
int cmd_wait(struct app *app, const struct args *args);
int cmd_why(struct app *app, const struct args *args);

#endif
