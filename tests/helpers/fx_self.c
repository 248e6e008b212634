/* fx: what a process can say about itself, its terminal and its port. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fx.h"

#ifdef __APPLE__
extern char **environ;
#endif

static void print_text(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20) {
            (void)printf("\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            (void)putchar(*text);
        }
    }
    (void)putchar('"');
}

static void print_fds(void)
{
    DIR *dir = opendir(access("/proc/self/fd", R_OK) == 0 ? "/proc/self/fd" : "/dev/fd");
    const char *comma = "";
    (void)printf("\"fds\":[");
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        long fd = strtol(e->d_name, NULL, 10);
        if (e->d_name[0] != '.' && fd != dirfd(dir)) {
            (void)printf("%s%ld", comma, fd);
            comma = ",";
        }
    }
    (void)printf("],");
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static void print_signals(void)
{
    const char *comma = "";
    sigset_t blocked;
    (void)printf("\"ignored\":[");
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction action;
        if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL) {
            (void)printf("%s%d", comma, sig);
            comma = ",";
        }
    }
    comma = "";
    (void)printf("],\"blocked\":[");
    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int sig = 1; sig < NSIG; sig++) {
        if (sigismember(&blocked, sig) == 1) {
            (void)printf("%s%d", comma, sig);
            comma = ",";
        }
    }
    (void)printf("],");
}

static void print_tty(void)
{
    const char *name = ttyname(STDOUT_FILENO);
    int own = open("/dev/tty", O_RDWR | O_NOCTTY);
    (void)printf("\"ctty\":%s,\"foreground\":%s,\"tty\":", own >= 0 ? "true" : "false",
                 own >= 0 && tcgetpgrp(own) == getpgrp() ? "true" : "false");
    if (name == NULL) {
        (void)printf("null,");
    } else {
        print_text(name);
        (void)printf(",");
    }
    if (own >= 0) {
        (void)close(own);
    }
}

static void print_limits(void)
{
    struct rlimit limit = {0};
    mode_t mask = umask(0);
    long oom = 0;
    FILE *f = fopen("/proc/self/oom_score_adj", "r");
    (void)umask(mask);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (f != NULL) {
        if (fscanf(f, "%ld", &oom) != 1) {
            oom = -1;
        }
        (void)fclose(f);
    }
    (void)printf("\"umask\":%u,\"nofile\":[%llu,%llu],\"oom\":%ld,", (unsigned)mask,
                 (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max, oom);
}

int fx_dumpself(int argc, char **argv)
{
    char cwd[4096] = "";
    const char *comma = "";
    (void)argc;
    (void)argv;
    (void)printf("{\"pid\":%d,\"ppid\":%d,\"sid\":%d,\"pgid\":%d,", (int)getpid(), (int)getppid(),
                 (int)getsid(0), (int)getpgrp());
    print_fds();
    print_signals();
    print_tty();
    print_limits();
    (void)printf("\"cwd\":");
    print_text(getcwd(cwd, sizeof cwd) != NULL ? cwd : "");
    (void)printf(",\"env\":[");
    for (char **e = environ; *e != NULL; e++) {
        (void)printf("%s", comma);
        char name[256];
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
        print_text(name);
        comma = ",";
    }
    (void)printf("]}\n");
    return fflush(stdout) != 0;
}

static void print_size(int sig)
{
    struct winsize size = {0};
    (void)sig;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY);
    char text[64] = "no terminal";
    if (fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0) {
        (void)snprintf(text, sizeof text, "%ux%u", (unsigned)size.ws_row, (unsigned)size.ws_col);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    fx_put(text);
}

int fx_winsz(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = print_size};
    (void)argc;
    (void)argv;
    (void)sigaction(SIGWINCH, &action, NULL);
    print_size(0);
    fx_wait();
    return 0;
}

static int listen_v4(int port, int any)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0 ? fd : -1;
}

static int listen_v6(int port, int dual)
{
    int on = 1;
    int only = !dual;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    at.sin6_addr = dual ? in6addr_any : in6addr_loopback;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0 ? fd : -1;
}

int fx_listen(int argc, char **argv)
{
    long port = fx_number(argc, argv, 0, 0);
    const char *where = argc > 1 ? argv[1] : "v4";
    fx_sleep_ms(fx_number(argc, argv, 2, 0));
    int fd = where[0] == 'v' && where[1] == '6' ? listen_v6((int)port, 0)
             : strcmp(where, "dual") == 0       ? listen_v6((int)port, 1)
                                                : listen_v4((int)port, strcmp(where, "any") == 0);
    if (fd < 0) {
        perror("fx listen");
        return 1;
    }
    fx_put("listening");
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client >= 0) {
            (void)close(client);
        }
    }
}
