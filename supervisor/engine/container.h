/* Containers, shared by container.c (the phases) and container_cmd.c (words, explanations). */
#ifndef ROADIE_ENGINE_CONTAINER_H
#define ROADIE_ENGINE_CONTAINER_H

#include "engine/internal.h"

enum container_phase {
    CONTAINER_ASKING,  /* the engine is being asked: leftovers, image */
    CONTAINER_PULLING,
    CONTAINER_RUNNING, /* `docker run` runs under the shim */
    CONTAINER_FREEING, /* it has ended; its name must become free */
    CONTAINER_OVER,
};

struct container {
    struct run *run;
    char *name;
    const char *tombstone;
    enum container_phase phase;
    struct command *command; /* the one under way, or NULL */
    bool stopping;
    unsigned tries;
    unsigned confirms;
    pid_t host_pid;
};

/* The words of `docker run`; no value of a secret is among them. */
char **container_argv(struct container *c);
/* True, with a sentence, when DOCKER_HOST names an engine on another machine. */
bool container_is_remote(char *const *environ, char *text, size_t size);
/* A sentence with its fix for what a docker command said. */
void container_explain(const struct command_result *result, const char *doing, char *text, size_t size);
bool container_says(const struct command_result *result, const char *text);

#endif
