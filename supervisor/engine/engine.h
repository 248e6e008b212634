/*
 * The stack as it runs: services with their states, what is wanted of them, and the work under way. One
 * engine a server, on the server's loop. Everything that happens becomes an event in a queue; the queue is
 * drained after each batch of loop callbacks (settle), so no callback ever steps a state machine itself.
 */
#ifndef ROADIE_ENGINE_ENGINE_H
#define ROADIE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/fault.h"
#include "base/problems.h"
#include "engine/fsm.h"
#include "process/listeners.h"
#include "process/proc.h"
#include "stack/spec.h"

struct engine;

/* Something that people may want to know. Texts are borrowed for the call. */
struct engine_event {
    uint64_t seq;             /* counts all events since the engine was opened, from 1 */
    uint64_t wall_ns;
    const char *service;      /* NULL: the stack as a whole */
    uint32_t run;
    bool is_state;            /* a change of state, else news */
    enum svc_state from;
    enum svc_state to;
    uint64_t took_ms;         /* in `from` */
    const char *cause;        /* of the change */
    enum { NEWS_INFO, NEWS_WARN, NEWS_ERROR } level;
    const char *text;         /* news, or for a state change what a probe answered; may be "" */
};

struct engine_callbacks {
    void (*on_event)(void *ctx, const struct engine_event *event);
    /* Everything wanted has ended by itself (never after a stop that was asked for): code 0, or 1 when
     * something failed, or what Procfile rules and --exit-code-from say. */
    void (*on_ended)(void *ctx, int code, const char *why);
    /* The stack is to be stopped: fail-fast, a Procfile process ended, the root vanished. The receiver calls
     * engine_down. */
    void (*on_stop_wanted)(void *ctx, int code, const char *why);
};

struct engine_opts {
    uv_loop_t *loop;
    const char *shim_path;
    const char *state_dir;    /* logs/, secrets, stamps/, tombstones/ live here */
    const char *runtime_dir;  /* notify sockets */
    char *const *environ;     /* the shell environment that services inherit */
    mode_t umask;
    uint64_t nofile_soft;     /* the caller's limit, restored for services */
    struct engine_callbacks callbacks;
    void *ctx;
};

int engine_open(const struct engine_opts *opts, struct engine **out, struct fault *why) ATTR_MUST_CHECK;
/* The state directory had been removed and is there again: writes back what only open files still hold. */
void engine_state_remade(struct engine *e);
/* Nothing may run any more. Calls closed when all handles are closed; the engine is dead then. */
void engine_close(struct engine *e, void (*closed)(void *ctx), void *ctx);

/* Takes a newly loaded definition (owned by the engine from now on). What runs keeps the definition that it
 * was started with; services that are gone from it stay known until they have stopped. */
void engine_load(struct engine *e, struct spec *spec);
const struct spec *engine_spec(const struct engine *e);

/* A port that somebody else holds. */
struct engine_conflict {
    const char *service;
    struct listener listener;
    pid_t pid;                   /* 0: not visible */
    struct process_facts facts;  /* when pid is not 0; of a container: its stack and directory */
    char container[128];         /* the container that publishes it, or "" */
};

struct engine_up_opts {
    char *const *names;          /* NULL or empty: the selected services */
    bool no_deps;
    bool fail_fast;
    bool kill_port;
    const char *exit_code_from;
    bool reading_only;           /* check names, env-files and ports; start nothing */
};

/* What came of a request, for each service named. */
struct job_row {
    const char *name;
    enum svc_state state;
    uint64_t took_ms;
};
struct job_result {
    int code;                    /* exit code of INTERFACE §2: 0, 1, 6 */
    const char *text;            /* why it is not 0, or "" */
    const char *note;            /* what else to know, or "" */
    const struct job_row *rows;
    size_t row_count;
};
typedef void (*job_fn)(void *ctx, const struct job_result *result);

enum job_wait { JOB_ACCEPTED, JOB_RUNNING, JOB_READY };

/* Wants services up, with what they need. 0; -EINVAL: a name (why) or an env-file (problems);
 * -EADDRINUSE: conflicts are written to conflicts[*count] (in: room). done (may be NULL) is called once, later,
 * when wait holds, or the timeout (0: none) has passed. */
int engine_up(struct engine *e, const struct engine_up_opts *opts, enum job_wait wait,
              uint64_t timeout_ms, job_fn done, void *ctx, struct problems *problems,
              struct engine_conflict *conflicts, size_t *count, struct fault *why) ATTR_MUST_CHECK;
/* Asks the container engine who publishes the ports of what engine_up would start, where a container may hold
 * one, and removes this stack's own leftovers; engine_up knows the answers afterwards. Returns how many questions
 * there are: with 0 done is never called, else once, later (cancelled: the engine is being closed). */
size_t engine_ask_holders(struct engine *e, const struct engine_up_opts *opts,
                          void (*done)(void *ctx, bool cancelled), void *ctx);
/* Stops, restarts or kills the named services (none named: all). -EINVAL for a name. signal 0 for
 * engine_kill: KILL and stay down; else only sends it. done: when their trees are gone (and for a restart
 * when the new processes run, with wait == JOB_READY are ready). */
int engine_stop(struct engine *e, char *const *names, uint64_t timeout_ms, job_fn done, void *ctx,
                struct fault *why) ATTR_MUST_CHECK;
int engine_restart(struct engine *e, char *const *names, bool dependents, bool stale_only,
                   enum job_wait wait, uint64_t timeout_ms, job_fn done, void *ctx,
                   struct fault *why) ATTR_MUST_CHECK;
int engine_kill(struct engine *e, char *const *names, int signal, job_fn done, void *ctx,
                struct fault *why) ATTR_MUST_CHECK;
/* Stops everything, dependents first; after timeout_ms (0: the stack's shutdown-timeout) what is left gets
 * KILL at once; now: KILL at once. A second call only shortens. done once for each call. */
void engine_down(struct engine *e, uint64_t timeout_ms, bool now, job_fn done, void *ctx);
/* Forgets that done/ctx of any job (its client has gone); the work goes on. */
void engine_forget(struct engine *e, void *ctx);

/* One service as it stands now. Texts are borrowed until control returns to the loop. */
struct svc_snapshot {
    const char *name;
    bool is_task;
    bool selected;
    enum svc_state state;
    bool desired_up;
    pid_t pid;                   /* 0: none */
    uint16_t port;               /* 0: none */
    const char *port_host;
    bool port_owned;
    uint32_t run;                /* 0: never ran */
    unsigned restarts;
    uint64_t since_wall_ns;      /* of the state */
    uint64_t uptime_ms;          /* of the run; 0 when nothing runs */
    bool was_ready;              /* is, or ended well and had been */
    const char *ready_kind;      /* NULL: is not ready */
    const char *ready_target;
    uint64_t ready_took_ms;
    bool exited;                 /* has ended at least once: */
    struct proc_exit exit;
    const char *cause;
    const char *answer;          /* the last probe answer, or "" */
    char *const *needs;          /* NULL-terminated names */
    char *const *stale;          /* NULL-terminated reasons */
    bool adopted;
    const char *note;            /* for ps: "adopted", "fallback …", what it waits for … */
    struct tree_usage usage;     /* zero unless asked for */
    const char *url;
    const char *container;       /* its name, or NULL */
    const char *stop_signal;     /* STOPPING, KILLING: what was last sent, else NULL */
    uint64_t left_ms;            /* STOPPING: until the next rung of the ladder; 0: none comes */
    uint64_t waiting_ms;         /* of the last start: WAITING, then STARTING until READY or DONE */
    uint64_t starting_ms;
    uint64_t started_wall_ns;    /* when WAITING began */
};
size_t engine_count(const struct engine *e);
void engine_snapshot(struct engine *e, size_t index, bool with_usage, struct svc_snapshot *out);
/* The index of a name, or -ENOENT. */
long engine_find(const struct engine *e, const char *name);

/* The chain of causes of a service's state, oldest first: calls row for each. */
void engine_why(struct engine *e, size_t index,
                void (*row)(void *ctx, uint64_t wall_ns, const char *what, const char *detail),
                void *ctx);
/* Past events from the first that is still known. */
void engine_history(const struct engine *e,
                    void (*each)(void *ctx, const struct engine_event *event), void *ctx);
/* The environment and directory that the running service was started with; -ESRCH when it does not run. */
int engine_environment(const struct engine *e, size_t index, char *const **envp,
                       const char **directory, const char **container);
/* True while anything runs or is wanted. */
bool engine_is_busy(const struct engine *e);

#endif
