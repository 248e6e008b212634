/* Containers, shared by container.c (the phases of a start), container_end.c (signals, the end), container_cmd.c
 * (words), container_says.c (explanations) and container_where.c (which engine). */
#ifndef ROADIE_ENGINE_CONTAINER_H
#define ROADIE_ENGINE_CONTAINER_H

#include "engine/internal.h"

enum {
    CONTAINER_ASK_MS = 30000,   /* a Docker Desktop machine may have to wake */
    CONTAINER_ACT_MS = 10000,
    CONTAINER_HASTE_MS = 2000,  /* the whole stack has to go at once */
};

enum container_phase {
    CONTAINER_ASKING,  /* the engine is being asked: where it is, leftovers, image */
    CONTAINER_PULLING,
    CONTAINER_RUNNING, /* `docker run` runs under the shim */
    CONTAINER_FREEING, /* it has ended; its name must become free */
    CONTAINER_OVER,
};

/* Owned by its run; freed by the timer's close callback. */
struct container {
    struct run *run;
    char *name;
    const char *label;       /* filter for exactly this run's container: dev.roadie.start=… */
    const char *tombstone;
    const char *env_file;    /* variables that the docker command itself would read; NULL: none */
    enum container_phase phase;
    struct command *command; /* the step under way, or NULL */
    struct command *inspect; /* the question whether it runs, or NULL */
    uv_timer_t timer;
    void (*then)(struct container *c); /* what the timer is for */
    bool stopping;
    bool killing;
    bool seen;               /* the engine has said that it exists */
    bool pull_failed;
    bool unreachable;        /* the engine did not answer when it had to go */
    int signal;              /* to be sent once it exists */
    unsigned tries;
    unsigned confirms;
    pid_t host_pid;
};

/* container.c: asks docker; done is called once, later, unless cancelled. */
int container_ask(struct container *c, char *const *argv, uint64_t timeout_ms, command_fn done,
                  struct command **slot);
void container_later(struct container *c, uint64_t ms, void (*then)(struct container *c));
/* Ends the run: nothing of it exists in the engine. */
void container_end_early(struct container *c);
void container_fail(struct container *c, const char *text);
void container_start(struct container *c);
#define DOCKER(...) ((char *[]){(char[]){"docker"}, __VA_ARGS__, NULL})
#define WORD(text) ((char[]){text})

/* The words of `docker run`; no value of a variable is among them. NULL with why: a variable cannot be passed. */
char **container_argv(struct container *c, struct fault *why);
/* Removes the container of that name if it bears that label (NAME=VALUE): exits 0 when none is left. One that
 * somebody else has given that name is never touched. */
char **container_removal(struct arena *arena, const char *name, const char *label);
char *container_stack_label(struct arena *arena, const char *stack_id);
char *container_start_label(struct arena *arena, const char *start);
/* A sentence with its fix for what a docker command said. */
void container_explain(const struct command_result *result, const char *doing, char *text, size_t size);
bool container_says(const struct command_result *result, const char *text);
/* No engine answered at all. */
bool container_unreachable(const struct command_result *result);
/* The explanation of what docker wrote on stderr, or NULL. */
const char *container_meaning(struct span words);

/* True, with a sentence, when DOCKER_HOST names an engine on another machine. */
bool container_is_remote(char *const *environ, char *text, size_t size);
/* The docker context in use when it is not the default one, else NULL; in the arena. */
const char *container_context(char *const *environ, struct arena *arena);
/* Is that endpoint of a context on another machine? A sentence, as above. */
bool container_endpoint_is_remote(const char *context, struct span endpoint, char *text, size_t size);

#endif
