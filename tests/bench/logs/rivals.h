/* What the store is measured against: `cat > file`, a hand-made supervisor, a bare read loop. */
#ifndef ROADIE_BENCH_LOGS_RIVALS_H
#define ROADIE_BENCH_LOGS_RIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LINE_BYTES = 90, SERVICES_MAX = 20 };

struct load {
    const char *name;
    unsigned services;
    size_t bytes;   /* of each service */
    size_t a_write; /* bytes */
    bool tty;
};

/* Forks the writer of one service onto fd: numbered lines of LINE_BYTES. */
pid_t writer_start(const struct load *load, int fd);

/* Each returns the seconds from the first writer's start until all bytes were taken. */
double cat_measure(const struct load *load, const char *path);
double limit_measure(const struct load *load, const char *path);
double bare_measure(const struct load *load);

double now_s(void);

#endif
