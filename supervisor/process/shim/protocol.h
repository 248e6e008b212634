/*
 * What this room is for.      The words that the server and its shims exchange: the plan blob, orders, reports.
 * What it may touch.          Fixed-size structs only; both ends come from one build, so layout is native.
 * Who includes it.            plan.c and proc.c of the server, the files of shim/.
 * The one invariant.          One struct is one message: SEQPACKET on Linux, whole reads of that size elsewhere.
 */
#ifndef ROADIE_PROCESS_SHIM_PROTOCOL_H
#define ROADIE_PROCESS_SHIM_PROTOCOL_H

#include <stdint.h>

/* Descriptors that the shim is born with; 0 is /dev/null or whatever, and is replaced. */
enum { SHIM_FD_OUT = 1, SHIM_FD_ERR = 2, SHIM_FD_SOCKET = 3, SHIM_FD_PLAN = 4, SHIM_FD_COUNT = 5 };

enum { PLAN_MAGIC = 0x52445031, SWEEP_TERM_MS = 2000, ORPHAN_TERM_MS = 200 };

enum plan_flag { PLAN_TTY = 1u << 0, PLAN_STDIN_OPEN = 1u << 1 };

/*
 * The blob starts with this. Offsets count from its first byte, or, in the farewell section, from that section's
 * first byte; 0 means none. A vector is an array of uintptr_t offsets that ends with 0: the shim turns
 * them into pointers where they stand, in its private mapping.
 */
struct plan_header {
    uint32_t magic;
    uint32_t flags;
    uint64_t size;
    uint64_t nofile_soft;
    uint64_t umask;
    uint64_t argv;
    uint64_t envp;
    uint64_t directory;
    uint64_t farewell_from;
    uint64_t farewell_size;
    uint64_t farewell_argv;
    uint64_t farewell_envp;
    uint64_t tombstone;
};

enum shim_order_kind { ORDER_SIGNAL = 1, ORDER_KILL_TREE = 2 };

struct shim_order {
    uint32_t kind;
    int32_t signal;
};

/* Bits: an exit whose tree is empty at once is told in one breath. Handled in this order. */
enum shim_report_bit {
    REPORT_STARTED = 1u << 0, /* pid */
    REPORT_FAILED = 1u << 1,  /* stage, err */
    REPORT_STOPPED = 1u << 2, /* signal; 0: continued */
    REPORT_EXITED = 1u << 3,  /* status, as waitpid gave it */
    REPORT_GONE = 1u << 4,    /* cpu_ms, remaining, remaining_pid */
};

struct shim_report {
    uint32_t bits;
    int32_t pid;
    int32_t stage;
    int32_t err;
    int32_t signal;
    int32_t status;
    uint32_t remaining;    /* processes that this user may not signal, left alone */
    int32_t remaining_pid; /* one of them */
    uint64_t cpu_ms;
};

#endif
