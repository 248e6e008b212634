/*
 * Which container engine docker would talk to: DOCKER_HOST, else the context (DOCKER_CONTEXT, else currentContext
 * of docker's own configuration). An engine on another machine is refused: its ports would not be on this one.
 * Reads one small file; asks nobody.
 */
#include "engine/container.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

static const char *environ_value(char *const *environ, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; environ[i] != NULL; i++) {
        if (strncmp(environ[i], name, len) == 0 && environ[i][len] == '=' && environ[i][len + 1] != '\0') {
            return environ[i] + len + 1;
        }
    }
    return NULL;
}

static bool is_local(struct span endpoint)
{
    return endpoint.len == 0 || endpoint.ptr[0] == '/' || span_starts(endpoint, "unix://") ||
           span_starts(endpoint, "npipe://") || span_starts(endpoint, "fd://");
}

bool container_is_remote(char *const *environ, char *text, size_t size)
{
    const char *host = environ_value(environ, "DOCKER_HOST");
    if (host == NULL || is_local(span_of(host))) {
        return false;
    }
    (void)snprintf(text, size,
                   "DOCKER_HOST names an engine that is not on this machine: its ports would not be here "
                   "either; unset DOCKER_HOST, or set it to a unix:// socket");
    return true;
}

static const char *current_context(const char *path, struct arena *arena)
{
    json_error_t error;
    json_t *config = json_load_file(path, 0, &error);
    const char *name = json_string_value(json_object_get(config, "currentContext"));
    const char *copy = name == NULL ? NULL : arena_strdup(arena, name);
    json_decref(config);
    return copy;
}

const char *container_context(char *const *environ, struct arena *arena)
{
    if (environ_value(environ, "DOCKER_HOST") != NULL) {
        return NULL; /* beats any context */
    }
    const char *name = environ_value(environ, "DOCKER_CONTEXT");
    if (name == NULL) {
        const char *directory = environ_value(environ, "DOCKER_CONFIG");
        const char *home = environ_value(environ, "HOME");
        if (directory != NULL) {
            name = current_context(arena_printf(arena, "%s/config.json", directory), arena);
        } else if (home != NULL) {
            name = current_context(arena_printf(arena, "%s/.docker/config.json", home), arena);
        }
    }
    return name == NULL || name[0] == '\0' || strcmp(name, "default") == 0 ? NULL : name;
}

bool container_endpoint_is_remote(const char *context, struct span endpoint, char *text, size_t size)
{
    if (is_local(endpoint)) {
        return false;
    }
    (void)snprintf(text, size,
                   "docker context %s names an engine that is not on this machine: its ports would not be here "
                   "either; docker context use default (or unset DOCKER_CONTEXT)",
                   context);
    return true;
}
