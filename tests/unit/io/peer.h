/* Peers for tests: real servers and small sockets that misbehave, each a child that is ended by its
 * pid. */
#ifndef ROADIE_TESTS_IO_PEER_H
#define ROADIE_TESTS_IO_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum peer_kind {
    PEER_SILENT,    /* accepts, reads, never answers */
    PEER_CLOSE,     /* accepts and closes */
    PEER_RESET,     /* accepts and resets */
    PEER_SAY,       /* reads once, writes text, closes */
    PEER_SAY_RESET, /* reads once, writes text, resets at once */
    PEER_HOLD,      /* reads once, writes text, keeps the connection */
    PEER_GREET,     /* writes text without having read, then closes */
    PEER_DRIP,      /* reads once, writes text byte by byte, 5 ms apart */
    PEER_ENDLESS,   /* reads once, writes text, then 'x' for ever */
};

struct peer {
    pid_t pid;
    uint16_t port;
};

struct peer_opts {
    enum peer_kind kind;
    const char *address; /* NULL: 127.0.0.1 */
    const char *text;
    uint16_t port;          /* 0: any */
    unsigned delay_ms;      /* before it listens */
    const char *count_file; /* a byte is appended a connection; or NULL */
};

/* Listens before it returns, unless delay_ms. */
void peer_start(struct peer *p, const struct peer_opts *opts);
/* fork + exec of a real program, output to /dev/null; false when it is not installed. */
bool peer_exec(struct peer *p, const char *const *argv);
/* KILL and wait. */
void peer_stop(struct peer *p);
/* A port where nobody listens at the moment. */
uint16_t peer_free_port(const char *address);
/* Runs the loop until *flag or so many ms have passed; false when it has not come. */
bool peer_run(uv_loop_t *loop, const bool *flag, unsigned ms);
/* Runs what is left, then the loop must close. */
int peer_loop_close(uv_loop_t *loop);
/* Waits until somebody takes connections at port; false at the deadline. */
bool peer_wait_port(const char *address, uint16_t port, unsigned ms);
uint64_t peer_now_ms(void);
/* A redis-server with these extra words; false when it is not installed. Answers connections on
 * return. */
bool peer_redis(struct peer *p, const char *const *extra);

#endif
