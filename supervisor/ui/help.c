/*
 * What this room is for.      roadie help, -h, version.
 * What it may touch.          The command table, stack/keys.h.
 * Who calls it.               app.c, commands.c
 * The one invariant.          Everything about flags comes from the table that parses them.
 */
#include <stdio.h>
#include <string.h>

#include <unistd.h>
#include <uv.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/table.h"
#include "control/protocol.h"
#include "stack/keys.h"
#include "ui/commands.h"
#include "ui/print.h"
#include "ui/version.h"

static void add_option(const struct option_row *row, struct buf *out)
{
    char left[64];
    char letter[5] = "    ";
    if (row->letter != 0) {
        (void)fmt_into(letter, sizeof letter, "-%c, ", row->letter);
    }
    (void)fmt_into(left, sizeof left, "%s--%s%s%s", letter, row->name, row->value != NULL ? " " : "",
                   row->value != NULL ? row->value : "");
    (void)buf_printf(out, "  %-32s %s\n", left, row->help);
}

static void add_command(const struct command_row *row, struct buf *out)
{
    char left[48];
    (void)fmt_into(left, sizeof left, "%s %s", row->name, row->usage);
    /* … is three bytes and one column. */
    size_t extra = strstr(left, "…") != NULL ? 2 : 0;
    (void)buf_printf(out, "  %-*s %s%s%s%s\n", (int)(24 + extra), left, row->summary,
                     row->alias != NULL && row->run == NULL ? " (also: " : "",
                     row->alias != NULL && row->run == NULL ? row->alias : "",
                     row->alias != NULL && row->run == NULL ? ")" : "");
}

static void add_overview(struct buf *out)
{
    (void)buf_puts(out, "roadie [global flags] COMMAND [flags] [names…] [-- words…]\n\n"
                        "Sets up a local stack, checks the sound, and leaves nothing behind.\n\n");
    for (size_t i = 0; i < command_row_count; i++) {
        if (command_rows[i].run != NULL) {
            add_command(&command_rows[i], out);
        }
    }
    (void)buf_puts(out, "\nNot in this version yet:\n");
    for (size_t i = 0; i < command_row_count; i++) {
        if (command_rows[i].run == NULL) {
            add_command(&command_rows[i], out);
        }
    }
    (void)buf_puts(out, "\nGlobal flags:\n");
    for (size_t i = 0; i < global_option_count; i++) {
        add_option(&global_options[i], out);
    }
    (void)buf_puts(out, "\nroadie help COMMAND, roadie help keys (every key of roadie.ini), roadie help agents\n");
}

void help_print(const struct command_row *command, bool asked)
{
    struct buf out = {0};
    if (command == NULL) {
        add_overview(&out);
    } else {
        (void)buf_printf(&out, "roadie %s%s%s%s\n\n%s%s\n", command->name,
                         command->option_count > 0 ? " [flags]" : "",
                         command->usage[0] != '\0' ? " " : "", command->usage, command->summary,
                         command->run == NULL ? " (not in this version yet)" : "");
        for (size_t i = 0; i < command->option_count; i++) {
            if (i == 0) {
                (void)buf_putc(&out, '\n');
            }
            add_option(&command->options[i], &out);
        }
        (void)buf_puts(&out, "\nGlobal flags: roadie help\n");
    }
    print_fd(asked ? STDOUT_FILENO : STDERR_FILENO, buf_span(&out));
    buf_fini(&out);
}

static const char agents_text[] =
    "This repository's local stack is run by roadie; do not start its services by hand.\n"
    "roadie up --wait            starts what is missing, returns when all are ready (0), 1 failed, 6 timeout\n"
    "roadie ps --json            state, pid, port and cause of every service\n"
    "roadie why NAME             why a service is in its state: dependency, last answer, last lines\n"
    "roadie logs -n 50 NAME      its last lines, also after it ended; --grep RE, --since 5m, -p, --json\n"
    "roadie restart NAME --wait  after a change that the service does not pick up by itself\n"
    "roadie wait NAME --for log=RE --timeout 30s   until a line was logged\n"
    "roadie run NAME -- words    a one-off command in a service's environment and directory\n"
    "roadie exec NAME -- words   the same inside the running service (container)\n"
    "roadie env NAME --why VAR   where a variable comes from; values are masked\n"
    "roadie config, graph, port  what is defined, who needs whom, who owns which port\n"
    "roadie down                 stops everything; nothing is left\n"
    "Add --json for one JSON document on stdout; news and errors go to stderr, errors to stdout with --json.\n"
    "Exit: 0 done, 1 failed, 2 usage or definition, 3 nothing runs, 6 timed out, 7 port conflict, 9 refused.\n"
    "roadie never asks without a terminal. roadie help keys lists every key of roadie.ini.\n";

int cmd_help(struct app *app, const struct args *args)
{
    struct buf out = {0};
    int code = EXIT_DONE;
    const char *topic = args->name_count > 0 ? args->names[0] : NULL;
    const struct command_row *row =
        topic != NULL ? args_command(command_rows, command_row_count, topic) : NULL;
    if (topic == NULL || row != NULL) {
        help_print(row, true);
    } else if (strcmp(topic, "keys") == 0) {
        key_table_print(&out);
    } else if (strcmp(topic, "agents") == 0) {
        (void)buf_puts(&out, agents_text);
    } else {
        const char *nearest = table_nearest(command_rows, command_row_count,
                                            sizeof command_rows[0], span_of(topic));
        char hint[64] = "roadie help lists the commands";
        if (nearest != NULL) {
            (void)fmt_into(hint, sizeof hint, "did you mean \"%s\"?", nearest);
        }
        code = print_failure(app, EXIT_USAGE, hint, "there is no help on \"%s\"", topic);
    }
    print_out(&out);
    buf_fini(&out);
    return code;
}

int cmd_version(struct app *app, const struct args *args)
{
    (void)args;
    char pcre[64] = "";
    (void)pcre2_config(PCRE2_CONFIG_VERSION, pcre);
    pcre[strcspn(pcre, " ")] = '\0';
    if (app->json) {
        print_json(app, json_pack("{s:i,s:s,s:{s:s,s:s,s:s}}", "v", 1, "version", ROADIE_VERSION,
                                  "libraries", "libuv", uv_version_string(), "jansson",
                                  jansson_version_str(), "pcre2", pcre));
        return EXIT_DONE;
    }
    struct buf out = {0};
    (void)buf_printf(&out, "roadie %s (libuv %s, jansson %s, pcre2 %s)\n", ROADIE_VERSION,
                     uv_version_string(), jansson_version_str(), pcre);
    print_out(&out);
    buf_fini(&out);
    return EXIT_DONE;
}
