/*
 * The engine's own structs, shared by the files of this room only. Owners: engine → services → runs. A run is
 * one start: it dies when all its facts hold (exited, drained, tree empty, container name free).
 */
#ifndef ROADIE_ENGINE_INTERNAL_H
#define ROADIE_ENGINE_INTERNAL_H

#include "base/arena.h"
#include "base/numbers.h"
#include "engine/engine.h"
#include "engine/gap.h"
#include "engine/policy.h"
#include "engine/probe.h"
#include "io/http.h"
#include "logs/store.h"
#include "logs/view.h"
#include "process/command.h"
#include "process/reaper.h"
#include "stack/environ.h"

enum { SVC_HISTORY = 32, ENGINE_HISTORY = 4096, CAUSE_MAX = 320, ANSWER_MAX = 256 };

/* A loaded definition, shared by the engine (newest) and by runs that were started with it. */
struct spec_ref {
    struct spec *spec;
    unsigned refs;
};

struct run;
struct container;
struct removal;
struct question;
struct holder;
struct notify;

/* One `ready` or `alive` line of a run. */
struct run_probe {
    struct run *run;
    const struct spec_ready *spec;
    struct probe *probe;
    bool passed;
    unsigned failures;   /* alive: in a row */
};

struct run {
    struct svc *svc;
    uint32_t number;
    struct spec_ref *ref;
    const struct spec_service *spec;
    struct arena arena;
    struct env env;
    char **envp;
    struct proc *proc;
    struct logrun *log;
    int out_fd;                /* for the next process of the run; -1 when handed over */
    int err_fd;
    struct container *container;
    struct notify *notify;
    struct run_probe *ready;
    const char **early;        /* by ready line: what was seen before the probes were open, or NULL */
    struct run_probe *alive;
    size_t alive_count;
    bool adopted;              /* nothing of ours runs */
    bool started;              /* exec succeeded */
    bool exited;
    bool drained;
    bool empty;
    bool name_free;            /* container: its name; else true from the start */
    bool was_ready;
    bool timed_out;
    bool cannot_start;
    bool fallback;
    unsigned long log_segment; /* where its log begins: see last_words.c */
    off_t log_offset;
    char problem[CAUSE_MAX]; /* why it could not start, or was not ready in time */
    pid_t pid;
    struct proc_exit exit;
    uint64_t begun_mono_ms;
    uint64_t ready_mono_ms;
    uint64_t begun_wall_ns;
    uint64_t cpu_ms;
};

struct transition {
    uint64_t wall_ns;
    enum svc_state from;
    enum svc_state to;
    uint32_t run;
    uint64_t took_ms;
    char cause[CAUSE_MAX];
};

struct svc_need {
    struct svc *svc;
    enum need_condition condition;
};

struct svc {
    struct engine *engine;
    const char *name;            /* owned */
    struct spec_ref *ref;        /* newest definition that knows it */
    const struct spec_service *spec;
    size_t index;                /* in spec.services */
    bool in_spec;                /* still part of the newest definition */
    struct svc_need *needs;
    size_t need_count;
    enum svc_state state;
    bool want_up;
    bool again;                  /* after the run's end: start from the beginning */
    bool user_stop;              /* the last stop was asked for (Procfile: does not end the others) */
    bool failed_by_need;
    bool asleep;                 /* WAITING for what somebody has stopped */
    bool no_deps;                /* its needs count as met for this start */
    bool stop_held;              /* wants down, but its dependents go first */
    bool start_held;             /* restart: not before all of the job have stopped */
    struct run *run;             /* NULL: nothing runs */
    uv_timer_t timer;
    uint32_t timer_arm;          /* counts arms: a timer event of an older arm is stale */
    unsigned rung;
    uint64_t backoff_ms;         /* how long the next BACKOFF lasts */
    struct restart_history restarts;
    unsigned restart_count;      /* since it was last started by a person */
    uint32_t last_run;
    bool ever_exited;
    struct proc_exit last_exit;
    uint64_t state_mono_ms;
    uint64_t state_wall_ns;
    uint64_t wait_began_wall_ns;
    uint64_t waiting_ms;
    uint64_t starting_ms;
    uint64_t ready_took_ms;
    bool ready_known;
    char ready_text[ANSWER_MAX];
    char cause[CAUSE_MAX];
    char answer[ANSWER_MAX];     /* of the last probe attempt */
    char fallback_text[ANSWER_MAX];
    struct transition history[SVC_HISTORY]; /* ring */
    unsigned history_count;
};

/* No run's number: an adopted run of a service that never ran itself has 0. */
#define RUN_ANY UINT32_MAX

struct queued {
    struct svc *svc;
    enum svc_event event;
    uint32_t run;                /* RUN_ANY: does not belong to a run */
    uint32_t arm;                /* 0: not a timer's */
    char cause[CAUSE_MAX];
};

enum job_kind { JOB_UP, JOB_STOP, JOB_RESTART, JOB_KILL, JOB_DOWN };

struct job {
    struct job *next;
    struct engine *engine;
    enum job_kind kind;
    enum job_wait wait;
    struct svc **services;
    size_t count;
    bool starting;               /* restart: second half */
    uint64_t began_mono_ms;
    uv_timer_t timer;
    bool timed;
    job_fn done;
    void *ctx;
    char note[CAUSE_MAX];        /* what the reply says beside "done" */
    bool finished;
};

struct engine {
    struct engine_opts opts;
    struct spec_ref *ref;
    struct svc **services;
    size_t count;
    struct queued *queue;
    size_t queue_head;
    size_t queue_count;
    size_t queue_cap;
    bool settling;
    bool dirty;                  /* something changed: look at needs and jobs again */
    uv_prepare_t prepare;
    uv_check_t check;
    unsigned open_handles;
    struct logstore *store;
    struct secrets_file *secrets;
    struct reaper *reaper;
    struct http *http;           /* shared by all probes */
    struct job *jobs;
    bool deaf;                   /* the container engine did not answer when it had to */
    char left[128];              /* see tombstones_left */
    bool swept;                  /* down: what earlier runs left has been gone through */
    struct removal *removals;    /* of containers that an earlier server left */
    struct question *questions;  /* who publishes a port? */
    struct holder *holders;      /* what the last questions were answered */
    bool down;                   /* everything is being stopped */
    bool down_now;
    uv_timer_t down_timer;
    bool fail_fast;
    char *exit_code_from;
    bool ended_told;
    bool ever_up;
    struct gap gap;
    uv_timer_t pulse;            /* runs while something starts (see gap.h) */
    uint64_t event_seq;
    struct engine_event *history; /* ring of ENGINE_HISTORY, texts owned */
    size_t history_count;
    struct arena snapshot;       /* of engine_snapshot's texts */
    void (*closed)(void *ctx);
    void *closed_ctx;
};

uint64_t engine_now_ms(const struct engine *e);

/* engine.c */
void svc_post(struct svc *svc, enum svc_event event, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* For callbacks of a run: dropped when the service has moved on to another run. */
void run_post(struct run *run, enum svc_event event, const char *fmt, ...) ATTR_PRINTF(3, 4);
void engine_touch(struct engine *e); /* needs and jobs are looked at again in this pass */
struct svc *engine_svc(const struct engine *e, const char *name);
void spec_ref_drop(struct spec_ref *ref);
/* Each closed handle of the engine's reports here. */
void engine_handle_gone(struct engine *e);

/* events.c */
void events_state(struct svc *svc, enum svc_state from, enum svc_state to, uint64_t took_ms);
void events_news(struct engine *e, struct svc *svc, int level, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
void events_fini(struct engine *e);

/* service.c: what the table's actions do */
void service_act(struct svc *svc, unsigned actions);
void service_on_timer(uv_timer_t *timer);
void service_next_rung(struct svc *svc);
/* Any fact of the run may have become true: posts EV_GONE_… when all hold. */
void run_check_gone(struct run *run);
void run_free(struct run *run);

/* start.c */
void start_run(struct svc *svc);
/* Starts argv as a process of the run (the service itself, its fallback, or a pull). */
int start_process(struct run *run, char *const *argv, bool is_last, struct fault *why);
/* The fallback of a container, in a service's own environment. */
int start_fallback(struct run *run, struct fault *why);
/* Closes our copies of the pipes' writing ends. */
void logrun_close_ends(struct run *run);
/* Nothing came of the run's start: it ends as one that could not start. */
void run_fail(struct run *run, const struct fault *why);
/* What listens on the port does not meet `ready`: a conflict after all. */
void adopt_refused(struct run *run, const char *answer);

/* readiness.c */
void readiness_begin(struct run *run);
void readiness_watch(struct run *run);
void readiness_end(struct run *run);
void readiness_feed(struct run *run, enum ready_kind kind, unsigned nth, const char *text);
void readiness_restart(struct run *run);
/* The container engine says that the port is the container's: ready. */
void readiness_confirmed(struct run *run);
/* Asks all ready lines but ownership: adoption. Posts EV_ADOPTED or EV_REFUSED. */
void readiness_adopt(struct run *run);

/* needs.c */
enum needs_verdict { NEEDS_WAIT, NEEDS_OK, NEEDS_NEVER };
enum needs_verdict needs_check(const struct svc *svc, char *text, size_t size);
/* standstill.c: before and after the loop's wait. */
void standstill_wait(struct engine *e);
void standstill_look(struct engine *e);

/* True when it waits, directly or through others, for a service that somebody has stopped. */
bool needs_sleep(const struct svc *svc);
bool needs_dependents_rest(const struct svc *svc);

void jobs_look(struct engine *e);
void jobs_forget(struct engine *e, const struct svc *svc);
void jobs_fini(struct engine *e);
struct job *job_new(struct engine *e, enum job_kind kind, job_fn done, void *ctx);
/* A limit of its time; 0: none. */
void job_time(struct job *job, uint64_t timeout_ms);

/* up.c */
/* What an `up` of that would start; to be freed. NULL: a name is wrong. */
bool *jobs_closure(struct engine *e, const struct engine_up_opts *opts);

/* container.c */
void container_begin(struct run *run);          /* asks the engine, then pulls or runs; or falls back */
/* What proc_open needs for the docker command: environment, farewell, tombstone. */
void container_plan(struct run *run, struct proc_plan *plan);
void container_signal(struct run *run, int sig);
void container_kill(struct run *run);
void container_on_process_gone(struct run *run); /* its CLI ended: next phase, or is the name free? */
void container_pulled(struct run *run);          /* the pull ended */
/* Its run is over: puts what docker said about the end into run->problem. */
void container_describe_end(struct run *run);
/* First PASS of readiness: asks the engine whether the port is really the container's. */
void container_confirm(struct run *run);
pid_t container_pid(const struct run *run);
const char *container_name(const struct run *run);
void container_free(struct run *run);

/* tombstone.c: a file NAME@START in tombstones/ for each container that may exist */
void container_sweep_tombstones(struct engine *e);
/* Ends the removals that are under way. */
void removal_forget(struct engine *e);
bool tombstone_exists(struct engine *e, const struct svc *svc);
/* No container of that name is left. */
void tombstones_forget(struct engine *e, const char *container);
/* The name of a container that may still be there, valid until the next call, or NULL. */
const char *tombstones_left(struct engine *e);

/* last_words.c */
void run_note_words(struct run *run); /* its output begins here */
void run_last_words(const struct run *run, struct buf *out);

/* conflict.c */
int conflict_find(struct engine *e, const struct svc *svc, struct engine_conflict *out);
void conflict_text(const struct engine_conflict *c, char *out, size_t size);
/* Could the listener be a container's port? Then only its engine knows whose it is. */
bool conflict_may_be_container(const struct engine_conflict *c);
int conflict_kill(const struct engine_conflict *c);

/* holder.c */
/* What the engine last said about who publishes the port: fills container, stack and directory. */
void holder_fill(const struct engine *e, struct engine_conflict *c);
void holders_fini(struct engine *e);

/* stamp.c */
bool stamp_is_fresh(const struct run *run);
void stamp_write(const struct run *run);

/* notify.c */
int notify_open(struct run *run, const char **path, struct fault *why);
void notify_close(struct run *run);

#endif
