/* See rivals.h. */
#include "rivals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "logs/channel.h"

double now_s(void)
{
    return (double)clock_mono_ns() / 1e9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

pid_t writer_start(const struct load *load, int fd)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    char *chunk = mem_calloc(1, 65536);
    size_t in_chunk = load->a_write < 65536 ? load->a_write : 65536 / LINE_BYTES * LINE_BYTES;
    for (size_t i = 0; i < in_chunk; i++) {
        chunk[i] = i % LINE_BYTES == LINE_BYTES - 1 ? '\n' : (char)('a' + i % 26);
    }
    uint64_t number = 0;
    for (size_t done = 0; done < load->bytes; done += in_chunk) {
        for (size_t line = 0; line + LINE_BYTES <= in_chunk; line += LINE_BYTES) {
            uint64_t left = number++;
            for (size_t digit = 10; digit-- > 0; left /= 10) {
                chunk[line + digit] = (char)('0' + left % 10);
            }
        }
        for (size_t part = 0; part < in_chunk;) {
            ssize_t n = write(fd, chunk + part, in_chunk - part);
            if (n < 0) {
                _exit(1);
            }
            part += (size_t)n;
        }
    }
    _exit(0);
}

static void writers_wait(const pid_t *pids, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int status = 0;
        if (waitpid(pids[i], &status, 0) < 0 || status != 0) {
            die("writer");
        }
    }
}

double cat_measure(const struct load *load, const char *path)
{
    int ends[2];
    pid_t pids[2];
    if (pipe(ends) < 0) {
        die("pipe");
    }
    double began = now_s();
    pids[1] = fork();
    if (pids[1] == 0) {
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(ends[0], 0);
        (void)dup2(out, 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execlp("cat", "cat", (char *)NULL);
        _exit(127);
    }
    pids[0] = writer_start(load, ends[1]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    writers_wait(pids, 2);
    return now_s() - began;
}

/* One read's worth of bytes with a prefix at each line, as a supervisor without features does it.
 */
static void prefixed_write(int out, const char *bytes, size_t len, bool *fresh)
{
    static char text[65536 * 2];
    size_t at = 0;
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t part = newline == NULL ? len : (size_t)(newline - bytes) + 1;
        if (*fresh) {
            memcpy(text + at, "service00 | ", 12);
            at += 12;
        }
        memcpy(text + at, bytes, part);
        at += part;
        *fresh = newline != NULL;
        bytes += part;
        len -= part;
    }
    for (size_t done = 0; done < at;) {
        ssize_t n = write(out, text + done, at - done);
        if (n < 0) {
            die("write");
        }
        done += (size_t)n;
    }
}

double limit_measure(const struct load *load, const char *path)
{
    static char buffer[65536];
    struct pollfd polls[SERVICES_MAX];
    bool fresh[SERVICES_MAX];
    pid_t pids[SERVICES_MAX];
    double began = now_s();
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (unsigned i = 0; i < load->services; i++) {
        int child = -1;
        if (channel_pipe(&polls[i].fd, &child) < 0) {
            die("pipe");
        }
        polls[i].events = POLLIN;
        fresh[i] = true;
        pids[i] = writer_start(load, child);
        (void)close(child);
    }
    for (unsigned open_count = load->services; open_count > 0;) {
        if (poll(polls, load->services, -1) < 0) {
            die("poll");
        }
        for (unsigned i = 0; i < load->services; i++) {
            if (polls[i].revents == 0) {
                continue;
            }
            ssize_t n = read(polls[i].fd, buffer, sizeof(buffer));
            if (n > 0) {
                prefixed_write(out, buffer, (size_t)n, &fresh[i]);
            } else if (n == 0) {
                (void)close(polls[i].fd);
                polls[i].fd = -1;
                open_count--;
            }
        }
    }
    (void)close(out);
    writers_wait(pids, load->services);
    return now_s() - began;
}

double bare_measure(const struct load *load)
{
    static char buffer[65536];
    int ours = -1;
    int child = -1;
    double began = now_s();
    int code = load->tty ? channel_pty(&ours, &child) : channel_pipe(&ours, &child);
    if (code < 0) {
        errno = -code;
        die("channel");
    }
    (void)fcntl(ours, F_SETFL, fcntl(ours, F_GETFL) & ~O_NONBLOCK);
    pid_t pid = writer_start(load, child);
    (void)close(child);
    while (read(ours, buffer, sizeof(buffer)) > 0) {
        continue;
    }
    (void)close(ours);
    writers_wait(&pid, 1);
    return now_s() - began;
}
