/*
 * The limit: a hand-made supervisor without any feature, to measure against. Reads commands, a line each, from
 * the file named first; vfork + exec, one poll loop, a 12-byte prefix a line, everything to stdout. With -r it
 * copies raw bytes instead. TERM: TERM to all, wait, end. With -w it starts a command again when it ends.
 */
#define _DEFAULT_SOURCE /* vfork */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CHILDREN = 1024, MAX_WORDS = 64, BLOCK = 64 * 1024, PREFIX = 12 };

struct child {
    char *words[MAX_WORDS];
    char prefix[PREFIX + 1];
    pid_t pid;
    int fd;
    char *carry; /* an unfinished line */
    size_t carried;
};

static struct child children[MAX_CHILDREN];
static size_t count;
static volatile sig_atomic_t stop_asked;

extern char **environ;

static void on_term(int sig)
{
    (void)sig;
    stop_asked = 1;
}

static void start(struct child *c)
{
    int pair[2];
    if (pipe(pair) != 0) {
        exit(1);
    }
    (void)fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pair[1], F_SETFD, FD_CLOEXEC);
    pid_t pid = vfork();
    if (pid == 0) {
        (void)setpgid(0, 0);
        (void)dup2(pair[1], 1);
        (void)dup2(pair[1], 2);
        (void)execve(c->words[0], c->words, environ);
        _exit(127);
    }
    (void)close(pair[1]);
    c->pid = pid;
    c->fd = pair[0];
}

static void put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(1, bytes, len);
        if (n <= 0) {
            exit(1);
        }
        bytes += n;
        len -= (size_t)n;
    }
}

/* Prefixes each whole line of the block; the rest is carried over. */
static void prefix_lines(struct child *c, const char *block, size_t len)
{
    static char out[2 * BLOCK * (PREFIX + 2)];
    size_t filled = 0;
    const char *at = block;
    const char *end = block + len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            break;
        }
        memcpy(out + filled, c->prefix, PREFIX);
        filled += PREFIX;
        memcpy(out + filled, c->carry, c->carried);
        filled += c->carried;
        c->carried = 0;
        memcpy(out + filled, at, (size_t)(newline + 1 - at));
        filled += (size_t)(newline + 1 - at);
        at = newline + 1;
    }
    if (at < end && c->carried + (size_t)(end - at) <= BLOCK) {
        memcpy(c->carry + c->carried, at, (size_t)(end - at));
        c->carried += (size_t)(end - at);
    }
    put(out, filled);
}

static void load(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    if (file == NULL) {
        exit(2);
    }
    while (count < MAX_CHILDREN && fgets(line, sizeof line, file) != NULL) {
        struct child *c = &children[count];
        size_t n = 0;
        char *save = NULL;
        for (char *w = strtok_r(line, " \n", &save); w != NULL && n < MAX_WORDS - 1; w = strtok_r(NULL, " \n", &save)) {
            c->words[n++] = strdup(w);
        }
        if (n == 0) {
            continue;
        }
        (void)snprintf(c->prefix, sizeof c->prefix, "s%-8zu | ", count % 100000000);
        c->carry = malloc(BLOCK);
        count++;
    }
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    bool raw = false;
    bool again = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        raw = raw || strcmp(argv[at], "-r") == 0;
        again = again || strcmp(argv[at], "-w") == 0;
    }
    load(argv[at]);
    struct sigaction action = {.sa_handler = on_term};
    (void)sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < count; i++) {
        start(&children[i]);
    }
    static struct pollfd polls[MAX_CHILDREN];
    static char block[BLOCK];
    size_t open_fds = count;
    while (open_fds > 0) {
        if (stop_asked == 1) {
            stop_asked = 2;
            again = false;
            for (size_t i = 0; i < count; i++) {
                (void)kill(-children[i].pid, SIGTERM);
            }
        }
        for (size_t i = 0; i < count; i++) {
            polls[i] = (struct pollfd){.fd = children[i].fd, .events = POLLIN};
        }
        if (poll(polls, count, -1) < 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (polls[i].revents == 0) {
                continue;
            }
            ssize_t n = read(children[i].fd, block, sizeof block);
            if (n > 0) {
                raw ? put(block, (size_t)n) : prefix_lines(&children[i], block, (size_t)n);
                continue;
            }
            (void)close(children[i].fd);
            children[i].fd = -1;
            (void)waitpid(children[i].pid, NULL, 0);
            if (again) {
                start(&children[i]);
            } else {
                open_fds--;
            }
        }
    }
    return 0;
}
