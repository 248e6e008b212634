/*
 * What services do in the benchmarks:
 *   work big LINES            LINES lines of 90 bytes in writes of 64 KiB
 *   work line LINES           one write a line
 *   work stamp FILE [STAY]    appends "nanoseconds\n" (monotonic) to FILE in one write, then waits for TERM
 *   work crash FILE           the same, then kills itself after 300 ms
 *   work ready FILE MS        waits MS, appends a stamp to FILE, prints READY, waits
 *   work port FILE MS PORT    waits MS, appends a stamp to FILE, listens on PORT, accepts for ever
 *   work ignore               ignores TERM, INT, HUP, QUIT
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 90, BLOCK = 64 * 1024 };

static void put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(1, bytes, len);
        if (n <= 0) {
            _exit(1);
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void make_line(char *line, unsigned long n)
{
    memset(line, 'x', LINE);
    int len = snprintf(line, LINE, "%010lu ", n);
    line[len] = 'x';
    line[LINE - 1] = '\n';
}

static void lines(unsigned long total, size_t block)
{
    static char out[BLOCK + LINE];
    size_t filled = 0;
    for (unsigned long i = 0; i < total; i++) {
        make_line(out + filled, i);
        filled += LINE;
        if (filled + LINE > block) {
            put(out, filled);
            filled = 0;
        }
    }
    put(out, filled);
}

static void stamp(const char *path)
{
    struct timespec now;
    char text[32];
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int len = snprintf(text, sizeof text, "%lld\n", (long long)now.tv_sec * 1000000000LL + now.tv_nsec);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)!write(fd, text, (size_t)len);
    (void)close(fd);
}

static void wait_ms(long ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&span, NULL);
}

static void serve(unsigned short port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) {
        _exit(1);
    }
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0) {
            (void)close(client);
        }
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "big") == 0) {
        lines(strtoul(argv[2], NULL, 10), BLOCK);
        return 0;
    }
    if (strcmp(what, "line") == 0) {
        lines(strtoul(argv[2], NULL, 10), LINE);
        return 0;
    }
    if (strcmp(what, "ignore") == 0) {
        static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
        for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
            struct sigaction ignore = {.sa_handler = SIG_IGN};
            (void)sigaction(ignored[i], &ignore, NULL);
        }
    } else if (strcmp(what, "stamp") == 0) {
        stamp(argv[2]);
    } else if (strcmp(what, "crash") == 0) {
        stamp(argv[2]);
        wait_ms(300);
        stamp(argv[2]);
        (void)raise(SIGKILL);
    } else if (strcmp(what, "ready") == 0) {
        wait_ms(strtol(argv[3], NULL, 10));
        stamp(argv[2]);
        put("READY\n", 6);
    } else if (strcmp(what, "port") == 0) {
        wait_ms(strtol(argv[3], NULL, 10));
        stamp(argv[2]);
        serve((unsigned short)strtoul(argv[4], NULL, 10));
    } else {
        return 2;
    }
    for (;;) {
        (void)pause();
    }
}
