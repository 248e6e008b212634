/*
 * fx: what a service can do wrong, one sub-command each. No library, no sanitiser: it starts in a
 * blink and its signal dispositions are its own. `fx --help` is the list.
 */
#include "fx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct row {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *words;
    const char *help;
};

static const struct row rows[] = {
    {"tree", fx_tree, "[EXIT_AFTER_MS]",
     "6 processes: leader, child, own group, daemon, own session, one that ignores TERM; prints "
     "ready; the leader waits, or exits 0 after EXIT_AFTER_MS"},
    {"daemonize", fx_daemonize, "",
     "double-forks a daemon (own session, stdio closed) that has a child; exits 0 when both live"},
    {"zombies", fx_zombies, "N", "N orphans that end at once, then prints done and waits"},
    {"forkstorm", fx_forkstorm, "N [sessions]",
     "N chains of processes that fork and exit for ever (each in a session of its own)"},
    {"ignore-term", fx_ignore_term, "", "ignores TERM, INT, HUP, QUIT; prints ready; waits"},
    {"slow-stop", fx_slow_stop, "MS [CODE]",
     "exits CODE (0) MS after the first TERM, INT, HUP or QUIT"},
    {"signals", fx_signals, "", "prints ready, then the number of every signal that it gets"},
    {"stop-self", fx_stop_self, "",
     "prints ready, stops itself (SIGSTOP); prints continued when it goes on; waits"},
    {"close-out", fx_close_out, "", "closes stdout and stderr and lives"},
    {"hold-out", fx_hold_out, "MS",
     "exits 0 at once; an orphan in another session holds stdout, ignores TERM, prints late after "
     "MS"},
    {"untouchable", fx_untouchable, "", "where its file is set-uid root: becomes root for good, so that its user may not signal it; prints its pid; waits"},
    {"exit", fx_exit, "CODE [AFTER_MS]", "exits"},
    {"crash", fx_crash, "SIGNAL [AFTER_MS]", "kills itself by that signal number"},
    {"spin", fx_spin, "MS", "uses MS of CPU time, exits 0"},
    {"say", fx_say, "TEXT…", "prints each word as a line, waits"},
    {"lines", fx_lines, "N [RATE [SEED]]",
     "N numbered lines with CRC, RATE a second (0: as fast as it goes), lengths by SEED"},
    {"verify", fx_verify, "[FILE [N]]",
     "checks what lines printed (stdin without FILE): nothing lost, twice, torn, out of order; N "
     "lines"},
    {"flood", fx_flood, "BYTES", "BYTES of output in writes of 64 KiB, lines of 64"},
    {"longline", fx_longline, "BYTES", "one line of BYTES, with a newline"},
    {"bytes", fx_bytes, "FILE", "prints FILE and exits at once"},
    {"esc", fx_esc, "", "hostile escape sequences, NULs and invalid UTF-8"},
    {"dumpself", fx_dumpself, "",
     "facts about itself as one line of JSON: pid ppid sid pgid foreground tty ctty fds ignored "
     "blocked umask nofile cwd oom env"},
    {"winsz", fx_winsz, "",
     "prints ROWSxCOLUMNS of its controlling terminal, again at every SIGWINCH"},
    {"listen", fx_listen, "PORT [v4|v6|any|dual] [MS]",
     "listens (127.0.0.1, ::1, 0.0.0.0, :: with v4) after MS; prints listening; accepts and "
     "closes"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

long fx_number(int argc, char **argv, int i, long fallback)
{
    char *end = NULL;
    if (i >= argc) {
        return fallback;
    }
    errno = 0;
    long n = strtol(argv[i], &end, 10);
    if (errno != 0 || end == argv[i] || *end != '\0') {
        (void)fprintf(stderr, "fx: %s is no number\n", argv[i]);
        exit(2);
    }
    return n;
}

void fx_put(const char *text)
{
    char line[4096];
    int len = snprintf(line, sizeof line, "%s\n", text);
    if (len > 0) {
        (void)!write(STDOUT_FILENO, line, (size_t)len < sizeof line ? (size_t)len : sizeof line);
    }
}

void fx_sleep_ms(long ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&span, &span) != 0 && errno == EINTR) {
    }
}

void fx_wait(void)
{
    for (;;) {
        (void)pause();
    }
}

static void help(FILE *to)
{
    (void)fprintf(to, "usage: fx COMMAND [WORDS]\n\n");
    for (int i = 0; i < ROW_COUNT; i++) {
        (void)fprintf(to, "  %s %s\n        %s\n", rows[i].name, rows[i].words, rows[i].help);
    }
}

int main(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help(stdout);
        return 0;
    }
    for (int i = 0; argc >= 2 && i < ROW_COUNT; i++) {
        if (strcmp(argv[1], rows[i].name) == 0) {
            return rows[i].run(argc - 2, argv + 2);
        }
    }
    help(stderr);
    return 2;
}
