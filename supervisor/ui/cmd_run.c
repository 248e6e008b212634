/*
 * What this room is for.      roadie run, roadie exec: this process becomes the command.
 * What it may touch.          execve, chdir; the environment of the new program.
 * Who calls it.               commands.c
 * The one invariant.          No value of the environment ever stands on a command line, and no ROADIE_RUN is
 *                             handed on: strays are recognised by it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "control/protocol.h"
#include "stack/environ.h"
#include "ui/commands.h"
#include "ui/print.h"
#include "ui/target.h"

static const char *vector_get(char *const *vector, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; vector[i] != NULL; i++) {
        if (strncmp(vector[i], name, len) == 0 && vector[i][len] == '=') {
            return vector[i] + len + 1;
        }
    }
    return NULL;
}

/* As a shell looks a program up: -ENOENT, -EACCES, or 0 and the path. */
static int program_find(struct app *app, const char *word, const char *path, const char **out)
{
    if (strchr(word, '/') != NULL) {
        *out = word;
        return 0;
    }
    int rc = -ENOENT;
    struct span rest = span_of(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    bool more = true;
    while (more) {
        struct span entry;
        more = span_split(rest, ':', &entry, &rest);
        const char *at = entry.len == 0 ? word
                                        : arena_printf(&app->arena, "%.*s/%s", (int)entry.len,
                                                       entry.ptr, word);
        struct stat st;
        if (stat(at, &st) != 0 || S_ISDIR(st.st_mode)) {
            continue;
        }
        if (access(at, X_OK) == 0) {
            *out = at;
            return 0;
        }
        rc = -EACCES;
    }
    return rc;
}

static int become(struct app *app, char **words, char **vector, const char *directory)
{
    if (directory != NULL && chdir(directory) != 0) {
        return print_failure(app, EXIT_FAILED, NULL, "working directory %s: %s", directory,
                           strerror(errno));
    }
    const char *program = NULL;
    int rc = program_find(app, words[0], vector_get(vector, "PATH"), &program);
    if (rc == 0) {
        /* What this process was started with is what the program gets. */
        if (!app->pipe_ignored) {
            struct sigaction standard = {.sa_handler = SIG_DFL};
            (void)sigaction(SIGPIPE, &standard, NULL);
        }
        (void)execve(program, words, vector);
        rc = -errno;
    }
    bool missing = rc == -ENOENT || rc == -ENOTDIR;
    if (missing && program != NULL && access(program, F_OK) == 0) {
        return print_failure(app, EXIT_NOT_EXECUTABLE, "its first line names an interpreter that is missing",
                           "%s: cannot be run", words[0]);
    }
    if (missing) {
        bool is_path = strchr(words[0], '/') != NULL;
        return print_failure(app, EXIT_NOT_FOUND, NULL, "%s: %s", words[0],
                             is_path ? "no such file" : "not found on the PATH of this environment");
    }
    return print_failure(app, EXIT_NOT_EXECUTABLE, NULL, "%s: %s", words[0], strerror(-rc));
}

/* Sets NAME=value in a growing vector that has room for it. */
static void vector_set(struct app *app, char **vector, const char *name, const char *value)
{
    size_t len = strlen(name);
    size_t i = 0;
    while (vector[i] != NULL && (strncmp(vector[i], name, len) != 0 || vector[i][len] != '=')) {
        i++;
    }
    vector[i] = arena_printf(&app->arena, "%s=%s", name, value);
}

static size_t vector_count(char *const *vector)
{
    size_t count = 0;
    while (vector[count] != NULL) {
        count++;
    }
    return count;
}

/* A container's environment has no PATH of this machine: what it sets goes on top of the caller's. */
static char **vector_over_shell(struct app *app, const struct env *env)
{
    size_t count = vector_count(app->environ);
    char **vector = arena_alloc(&app->arena, (count + env->count + 1) * sizeof *vector);
    memcpy(vector, app->environ, count * sizeof *vector);
    for (size_t i = 0; i < env->count; i++) {
        vector_set(app, vector, env->items[i].name, env->items[i].value);
    }
    return vector;
}

static int need_words(struct app *app, const struct args *args, const char *form)
{
    if (args->word_count > 0) {
        return EXIT_DONE;
    }
    return print_failure(app, EXIT_USAGE, form, "%s: no command to run", args->command->name);
}

int cmd_run(struct app *app, const struct args *args)
{
    struct target t = {0};
    int code = need_words(app, args, "roadie run [NAME] -- words…");
    code = code == EXIT_DONE ? target_locate(app, &t) : code;
    code = code == EXIT_DONE ? target_load(app, &t) : code;
    if (code != EXIT_DONE) {
        target_fini(&t);
        return code;
    }
    const struct spec_service *service = NULL;
    if (args->name_count > 0) {
        service = spec_find(t.spec, args->names[0]);
        if (service == NULL) {
            const char *nearest = spec_nearest(t.spec, args->names[0]);
            char hint[96] = "";
            if (nearest != NULL) {
                (void)fmt_into(hint, sizeof hint, "did you mean \"%s\"?", nearest);
            }
            code = print_failure(app, EXIT_USAGE, hint, "there is no service \"%s\"", args->names[0]);
            target_fini(&t);
            return code;
        }
    }
    struct problems problems = {0};
    struct env env = {0};
    if (env_build(t.spec, service, 0, app->environ, &app->arena, &env, &problems) != 0) {
        code = print_problems(app, EXIT_USAGE, &problems);
    } else {
        char **vector = service != NULL && service->image != NULL ? vector_over_shell(app, &env)
                                                                  : env_vector(&env, &app->arena);
        const char *directory = service != NULL ? service->directory : t.spec->root;
        code = become(app, args->words, vector, directory);
    }
    problems_fini(&problems);
    target_fini(&t);
    return code;
}

/* docker exec -i[t] NAME words…: the container has its environment, so nothing of it is passed. */
static int become_docker(struct app *app, const char *container, char **words)
{
    size_t count = vector_count(words);
    char **line = arena_alloc(&app->arena, (count + 5) * sizeof *line);
    bool terminal = isatty(STDIN_FILENO) == 1 && app->out_tty;
    size_t n = 0;
    line[n++] = arena_strdup(&app->arena, "docker");
    line[n++] = arena_strdup(&app->arena, "exec");
    line[n++] = arena_strdup(&app->arena, terminal ? "-it" : "-i");
    line[n++] = arena_strdup(&app->arena, container);
    memcpy(&line[n], words, count * sizeof *words);
    return become(app, line, app->environ, NULL);
}

static int become_in_service(struct app *app, const json_t *reply, char **words)
{
    const char *container = member_text(reply, "container");
    if (container[0] != '\0') {
        return become_docker(app, container, words);
    }
    const json_t *variables = json_object_get(reply, "variables");
    size_t count = json_array_size(variables);
    char **vector = arena_alloc(&app->arena, (count + 1) * sizeof *vector);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *variable = json_array_get(variables, i);
        if (strcmp(member_text(variable, "name"), "ROADIE_RUN") != 0) {
            vector[used++] = arena_printf(&app->arena, "%s=%s", member_text(variable, "name"),
                                          member_text(variable, "value"));
        }
    }
    const char *directory = member_text(reply, "directory");
    return become(app, words, vector, directory[0] != '\0' ? directory : NULL);
}

int cmd_exec(struct app *app, const struct args *args)
{
    struct target t = {0};
    json_t *reply = NULL;
    int code = need_words(app, args, "roadie exec NAME -- words…");
    if (code == EXIT_DONE && args->name_count == 0) {
        code = print_failure(app, EXIT_USAGE, "roadie exec NAME -- words…", "exec: in which service?");
    }
    code = code == EXIT_DONE ? target_open(app, &t) : code;
    if (code == EXIT_DONE) {
        code = target_call(app, &t, json_pack("{s:s,s:s}", "op", "env", "name", args->names[0]), NULL,
                           NULL, &reply);
    }
    code = code == EXIT_DONE ? become_in_service(app, reply, args->words) : code;
    json_decref(reply);
    target_fini(&t);
    return code;
}
