/*
 * What this room is for.      The table of commands: names, options, who runs them.
 * What it may touch.          Nothing: data.
 * Who calls it.               app.c, help.c, tests
 * The one invariant.          One row a command, in the order of help.
 */
#include "ui/commands.h"

static const struct option_row up_options[] = {
    {"detach", 'd', OPTION_FLAG, NULL, "return once the server has accepted; the stack stays"},
    {"wait", 0, OPTION_FLAG, NULL, "as -d, but return when all are ready"},
    {"wait-timeout", 0, OPTION_VALUE, "60s", "give up waiting (exit 6); the stack stays up"},
    {"no-deps", 0, OPTION_FLAG, NULL, "the named services without what they need"},
    {"no-check", 0, OPTION_FLAG, NULL, "no checks first"},
    {"fail-fast", 0, OPTION_FLAG, NULL, "the first failure stops all"},
    {"exit-code-from", 0, OPTION_VALUE, "NAME", "end with that service, and with its status"},
    {"kill-port", 0, OPTION_FLAG, NULL, "end your own process that holds a port that is needed"},
    {"lan", 0, OPTION_FLAG, NULL, "bind to all interfaces; prints the address for a phone"},
    {"can-die", 0, OPTION_LIST, "NAME", "Procfile: its end does not end the others"},
    {"timestamps", 't', OPTION_FLAG, NULL, "the time before each line"},
    {"no-prefix", 0, OPTION_FLAG, NULL, "lines without their service's name"},
};

static const struct option_row down_options[] = {
    {"timeout", 't', OPTION_VALUE, "10s", "cap the whole: then everything left gets KILL"},
    {"stack", 0, OPTION_VALUE, "ID", "one whose directory is gone"},
    {"volumes", 'v', OPTION_FLAG, NULL, "also delete the data of its containers"},
};

static const struct option_row ps_options[] = {
    {"pids", 'q', OPTION_FLAG, NULL, "pids only"},
    {"off", 'a', OPTION_FLAG, NULL, "also those that are not part of the running selection"},
    {"all", 0, OPTION_FLAG, NULL, "every stack of this user"},
};

static const struct option_row logs_options[] = {
    {"follow", 'f', OPTION_FLAG, NULL, "go on with what comes, also after down + up"},
    {"tail", 'n', OPTION_VALUE, "N|all", "the last N lines"},
    {"all-runs", 0, OPTION_FLAG, NULL, "everything stored, not only since the stack was last brought up"},
    {"since", 0, OPTION_VALUE, "TIME", "12:01, 5m, RFC 3339"},
    {"until", 0, OPTION_VALUE, "TIME", "likewise"},
    {"previous", 'p', OPTION_FLAG, NULL, "the run before the last one"},
    {"run", 0, OPTION_VALUE, "N|last", "only that run of the service"},
    {"after", 0, OPTION_VALUE, "SEQ", "only what came after"},
    {"grep", 0, OPTION_VALUE, "RE", "only lines that match (on the text without colours)"},
    {"ignore-case", 'i', OPTION_FLAG, NULL, "for --grep"},
    {"invert", 'V', OPTION_FLAG, NULL, "only lines that do not match --grep"},
    {"stream", 0, OPTION_VALUE, "out|err", "one of the two streams"},
    {"timestamps", 't', OPTION_FLAG, NULL, "the time before each line"},
    {"no-prefix", 0, OPTION_FLAG, NULL, "lines without their service's name"},
    {"raw", 0, OPTION_FLAG, NULL, "exact bytes of one service, nothing masked"},
    {"reveal", 0, OPTION_FLAG, NULL, "do not mask secrets"},
    {"stack", 0, OPTION_VALUE, "ID", "a stack whose directory is gone"},
};

static const struct option_row start_options[] = {
    {"wait", 0, OPTION_FLAG, NULL, "return when they are ready"},
    {"timeout", 0, OPTION_VALUE, "60s", "give up waiting (exit 6)"},
    {"no-deps", 0, OPTION_FLAG, NULL, "without what they need"},
    {"no-check", 0, OPTION_FLAG, NULL, "no checks first"},
    {"kill-port", 0, OPTION_FLAG, NULL, "end your own process that holds a port that is needed"},
};

static const struct option_row stop_options[] = {
    {"timeout", 't', OPTION_VALUE, "10s", "give up waiting (exit 6)"},
};

static const struct option_row restart_options[] = {
    {"deps", 0, OPTION_FLAG, NULL, "what depends on them too"},
    {"stale", 0, OPTION_FLAG, NULL, "those that run something older than what is there now"},
    {"wait", 0, OPTION_FLAG, NULL, "return when they are ready"},
    {"timeout", 0, OPTION_VALUE, "60s", "give up waiting (exit 6)"},
};

static const struct option_row kill_options[] = {
    {"signal", 's', OPTION_VALUE, "SIG", "only send this signal"},
};

static const struct option_row wait_options[] = {
    {"for", 0, OPTION_VALUE, "ready|done|stopped|log=RE", "what to wait for (default ready)"},
    {"timeout", 0, OPTION_VALUE, "60s", "give up (exit 6)"},
    {"after", 0, OPTION_VALUE, "SEQ", "with log=RE: only lines that came after"},
};

static const struct option_row env_options[] = {
    {"why", 0, OPTION_VALUE, "VAR", "where one variable comes from, and what it shadows"},
    {"names", 0, OPTION_FLAG, NULL, "names only"},
    {"format", 0, OPTION_VALUE, "dotenv|json|sh", "to be read by something else"},
    {"reveal", 0, OPTION_FLAG, NULL, "do not mask secrets"},
    {"as", 0, OPTION_VALUE, "READER,…", "what python, vite, bash, compose see (not in this version yet)"},
    {"diff", 0, OPTION_FLAG, NULL, "running against files (not in this version yet)"},
};

static const struct option_row config_options[] = {
    {"reveal", 0, OPTION_FLAG, NULL, "do not mask secrets"},
};

static const struct option_row graph_options[] = {
    {"format", 0, OPTION_VALUE, "ascii|mermaid|dot", "how to draw it (default ascii)"},
    {"all", 'a', OPTION_FLAG, NULL, "also what is not part of the selection"},
};

static const struct option_row events_options[] = {
    {"follow", 'f', OPTION_FLAG, NULL, "go on with what comes"},
};

#define OPTIONS(rows) .options = (rows), .option_count = COUNT_OF(rows)
#define LATER(its_name, its_alias, its_usage, text)                                                \
    {.name = (its_name), .alias = (its_alias), .usage = (its_usage), .summary = (text),            \
     .traits = COMMAND_NAMES | COMMAND_LATER}

const struct command_row command_rows[] = {
    {"up", NULL, "[name…]", "start what is missing, with what it needs, and show its lines",
     OPTIONS(up_options), COMMAND_NAMES, cmd_up},
    {"down", NULL, "", "stop everything in reverse order, leave nothing behind",
     OPTIONS(down_options), 0, cmd_down},
    {"ps", NULL, "[name…]", "what runs, since when, on which port", OPTIONS(ps_options),
     COMMAND_NAMES, cmd_ps},
    {"logs", "echo", "[name…]", "stored lines, also after down (echo: logs -f)",
     OPTIONS(logs_options), COMMAND_NAMES, cmd_logs},
    {"start", NULL, "[name…]", "start services (all without a name)", OPTIONS(start_options),
     COMMAND_NAMES, cmd_start},
    {"stop", NULL, "[name…]", "stop services, and just them", OPTIONS(stop_options), COMMAND_NAMES,
     cmd_stop},
    {"restart", NULL, "[name…]", "stop and start again", OPTIONS(restart_options), COMMAND_NAMES,
     cmd_restart},
    {"kill", NULL, "NAME…", "KILL at once and leave it down, or send a signal",
     OPTIONS(kill_options), COMMAND_NAMES, cmd_kill},
    {"wait", NULL, "[name…]", "wait until ready, done, stopped, or a line was logged",
     OPTIONS(wait_options), COMMAND_NAMES, cmd_wait},
    {"why", NULL, "NAME", "the chain of causes of its state", NULL, 0, COMMAND_ONE_NAME, cmd_why},
    {"run", NULL, "[NAME] -- words…", "a command in the stack's or a service's environment", NULL,
     0, COMMAND_ONE_NAME | COMMAND_WORDS, cmd_run},
    {"exec", NULL, "NAME -- words…", "a command inside a running service's environment", NULL, 0,
     COMMAND_ONE_NAME | COMMAND_WORDS | COMMAND_WORDS_BARE, cmd_exec},
    {"env", NULL, "[NAME]", "effective variables and where each comes from", OPTIONS(env_options),
     COMMAND_ONE_NAME, cmd_env},
    {"config", NULL, "", "the effective definition, with the origin of its lines",
     OPTIONS(config_options), 0, cmd_config},
    {"graph", NULL, "", "who needs whom", OPTIONS(graph_options), 0, cmd_graph},
    {"events", NULL, "[name…]", "state changes", OPTIONS(events_options), COMMAND_NAMES,
     cmd_events},
    {"port", NULL, "[name…]", "who owns which port", NULL, 0, COMMAND_NAMES, cmd_port},
    {"timeline", NULL, "", "start-up as bars, with the critical path", NULL, 0, 0, cmd_timeline},
    {"prune", NULL, "", "forget logs and state of stacks whose directory is gone", NULL, 0, 0,
     cmd_prune},
    {"version", NULL, "", "the version of roadie and of its libraries", NULL, 0, 0, cmd_version},
    {"help", NULL, "[command|keys|agents]", "help", NULL, 0, COMMAND_ONE_NAME, cmd_help},
    LATER("check", "doctor", "", "is everything as it must be"),
    LATER("status", NULL, "[ENV]", "what runs here and what is deployed"),
    LATER("promote", NULL, "staging|production", "bring a commit there, and prove it"),
    LATER("rollback", NULL, "", "go back to what ran before"),
    LATER("changelog", NULL, "", "what a promotion would bring"),
    LATER("attach", "connect", "NAME", "the terminal of a service"),
    LATER("init", NULL, "", "write a roadie.ini from what is found"),
    LATER("tui", NULL, "", "a full-screen view"),
    LATER("completion", NULL, "bash|zsh|fish", "shell completion"),
};
const size_t command_row_count = COUNT_OF(command_rows);
