/*
 * oracle: proves that nothing is left. It is a child subreaper, so whatever a command leaves behind
 * becomes its own child; "clean" means that waitpid says ECHILD. No name or cookie is compared, so
 * nothing can hide.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process/tree.h"

enum { PIDS_MAX = 65536, LOOK_US = 200 };

struct options {
    long runs;
    long until;     /* descendants that must live before the kill; 0: none */
    long random_us; /* kill after 0…random_us; -1: no */
    long clean_ms;
    int sig;
    int expect_leak;
    const char *victim; /* a file that holds the pid to kill; NULL: the command itself */
    char **command;
};

static pid_t pids[PIDS_MAX];

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void look_again(void)
{
    struct timespec span = {.tv_nsec = LOOK_US * 1000L};
    (void)nanosleep(&span, NULL);
}

/* True when no descendant is left; zombies are taken away. */
static int clean(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid == 0) {
            return 0;
        }
        if (pid < 0 && errno == ECHILD) {
            return 1;
        }
    }
}

static void name_survivors(void)
{
    int count = tree_list(getpid(), pids, PIDS_MAX);
    for (int i = 0; i < count && i < 20; i++) {
        char path[64];
        char words[256] = "";
        (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pids[i]);
        FILE *f = fopen(path, "r");
        size_t len = f != NULL ? fread(words, 1, sizeof words - 1, f) : 0;
        for (size_t k = 0; k + 1 < len; k++) {
            words[k] = words[k] == '\0' ? ' ' : words[k];
        }
        (void)fprintf(stderr, "oracle: left: %d %s\n", (int)pids[i], words);
        if (f != NULL) {
            (void)fclose(f);
        }
    }
}

static void kill_all(void)
{
    while (!clean()) {
        int count = tree_list(getpid(), pids, PIDS_MAX);
        for (int i = 0; i < count; i++) {
            (void)kill(pids[i], SIGKILL);
        }
        look_again();
    }
}

static pid_t victim_of(const struct options *o, pid_t command)
{
    long pid = 0;
    if (o->victim == NULL) {
        return command;
    }
    FILE *f = fopen(o->victim, "r");
    if (f == NULL || fscanf(f, "%ld", &pid) != 1) {
        pid = 0;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return (pid_t)pid;
}

static void await_moment(const struct options *o)
{
    uint64_t start = now_us();
    uint64_t wait = o->random_us > 0 ? (uint64_t)(rand() % o->random_us) : 0;
    while (o->until > 0 && tree_list(getpid(), pids, PIDS_MAX) < o->until) {
        if (now_us() - start > 30000000) {
            (void)fprintf(stderr, "oracle: never saw %ld descendants\n", o->until);
            kill_all();
            exit(2);
        }
        look_again();
    }
    start = now_us();
    while (now_us() - start < wait) {
    }
}

/* Microseconds until clean, or -1. */
static int64_t run_once(const struct options *o)
{
    pid_t command = fork();
    if (command == 0) {
        (void)execvp(o->command[0], o->command);
        perror(o->command[0]);
        _exit(127);
    }
    await_moment(o);
    pid_t victim = victim_of(o, command);
    if (victim > 0) {
        (void)kill(victim, o->sig);
    }
    uint64_t start = now_us();
    while (!clean()) {
        if (now_us() - start > (uint64_t)o->clean_ms * 1000) {
            return -1;
        }
        look_again();
    }
    return (int64_t)(now_us() - start);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void usage(FILE *to)
{
    (void)fprintf(
        to, "usage: oracle [FLAGS] -- COMMAND…\n\n"
            "Runs COMMAND, sends it a signal, and waits until not one descendant is left.\n\n"
            "  --runs N               so often (1)\n"
            "  --until-descendants N  signal when so many live\n"
            "  --after-random US      signal after 0 to US microseconds\n"
            "  --signal N             which (9)\n"
            "  --victim FILE          signal the pid that FILE holds, not COMMAND\n"
            "  --clean-within MS      how long it may take (500)\n"
            "  --expect-leak          exit 0 when something IS left (negative control)\n"
            "  --seed N               of the random moments (1)\n\n"
            "Exit 0: clean every time. 1: something was left (named on stderr, then killed).\n");
}

static long flag_value(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc) {
        usage(stderr);
        exit(2);
    }
    *i += 1;
    return strtol(argv[*i], NULL, 10);
}

static void parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            o->command = argv + i + 1;
            break;
        } else if (strcmp(argv[i], "--runs") == 0) {
            o->runs = flag_value(argc, argv, &i);
        } else if (strcmp(argv[i], "--until-descendants") == 0) {
            o->until = flag_value(argc, argv, &i);
        } else if (strcmp(argv[i], "--after-random") == 0) {
            o->random_us = flag_value(argc, argv, &i);
        } else if (strcmp(argv[i], "--signal") == 0) {
            o->sig = (int)flag_value(argc, argv, &i);
        } else if (strcmp(argv[i], "--clean-within") == 0) {
            o->clean_ms = flag_value(argc, argv, &i);
        } else if (strcmp(argv[i], "--seed") == 0) {
            srand((unsigned)flag_value(argc, argv, &i));
        } else if (strcmp(argv[i], "--expect-leak") == 0) {
            o->expect_leak = 1;
        } else if (strcmp(argv[i], "--victim") == 0) {
            (void)flag_value(argc, argv, &i);
            o->victim = argv[i];
        } else {
            int asked = strcmp(argv[i], "--help") == 0;
            usage(asked ? stdout : stderr);
            exit(asked ? 0 : 2);
        }
    }
    if (o->command == NULL || o->command[0] == NULL || o->runs < 1) {
        usage(stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.runs = 1, .clean_ms = 500, .sig = SIGKILL};
    parse(argc, argv, &o);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    int64_t *took = calloc((size_t)o.runs, sizeof *took);
    long leaks = 0;
    for (long i = 0; took != NULL && i < o.runs; i++) {
        took[i] = run_once(&o);
        if (took[i] < 0) {
            leaks++;
            if (!o.expect_leak) {
                name_survivors();
            }
            kill_all();
        }
    }
    if (took == NULL) {
        return 2;
    }
    qsort(took, (size_t)o.runs, sizeof *took, compare);
    (void)printf(
        "%ld runs, %ld not clean within %ld ms; clean after p50 %.2f ms, p99 %.2f, worst %.2f\n",
        o.runs, leaks, o.clean_ms, (double)took[o.runs / 2] / 1000,
        (double)took[o.runs * 99 / 100] / 1000, (double)took[o.runs - 1] / 1000);
    free(took);
    return o.expect_leak ? (leaks > 0 ? 0 : 1) : (leaks > 0 ? 1 : 0);
}
