/*
 * What this room is for.      Finding, loading, reaching the stack at hand.
 * What it may touch.          stack/, control/client.
 * Who calls it.               the commands
 * The one invariant.          What is masked is loaded before anything of the stack is printed.
 */
#include "ui/target.h"

#include <errno.h>
#include <string.h>

#include <limits.h>
#include <unistd.h>

#include "base/numbers.h"
#include "control/protocol.h"
#include "logs/view.h"
#include "stack/environ.h"
#include "stack/secrets.h"
#include "ui/print.h"

static bool starts_services(const struct app *app)
{
    const struct command_row *command = app->args->command;
    return strcmp(command->name, "up") == 0 || strcmp(command->name, "start") == 0;
}

static void request_fill(struct app *app, struct spec_request *request)
{
    const struct args *args = app->args;
    *request = (struct spec_request){
        .directory = ".",
        .file = args_text(args, "file"),
        .project = args_text(args, "project"),
        .profiles = args_list(args, "profile", &app->arena),
        .with = args_list(args, "with", &app->arena),
        .except = args_list(args, "except", &app->arena),
        .names = starts_services(app) && args->name_count > 0 ? args->names : NULL,
        .env_files = args_list(args, "env-file", &app->arena),
        .can_die = args_list(args, "can-die", &app->arena),
        .lan = args_flag(args, "lan"),
        .environ = app->environ,
    };
}

static void add_secret(void *ctx, const char *name, struct span text)
{
    redactor_add(ctx, name, text);
}

/* A problem may quote what a reference to the shell's environment gave, before any of it is loaded. */
static void mask_shell(struct app *app)
{
    for (char **at = app->environ; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');
        if (equals != NULL) {
            const char *name = arena_printf(&app->arena, "%.*s", (int)(equals - *at), *at);
            secret_texts(name, equals + 1, add_secret, app->redactor);
        }
    }
}

int target_locate(struct app *app, struct target *t)
{
    struct fault why = {0};
    const char *id = args_text(app->args, "stack");
    if (id != NULL) {
        if (strchr(id, '/') != NULL || id[0] == '.') {
            return print_failure(app, EXIT_USAGE, NULL, "--stack %s is no stack id", id);
        }
        t->where = (struct spec_place){.id = id, .name = id, .root = "", .file = "", .file_shown = ""};
    } else {
        struct spec_request request;
        request_fill(app, &request);
        if (spec_locate(&request, &app->arena, &t->where, &why) != 0) {
            return print_fault(app, EXIT_USAGE, &why);
        }
    }
    if (place_of(t->where.id, &app->arena, &t->place, &why) != 0) {
        return print_fault(app, EXIT_FAILED, &why);
    }
    if (id != NULL) {
        if (access(t->place.state, F_OK) != 0) {
            return print_failure(app, EXIT_USAGE, "roadie ps --all lists the stacks of this user",
                               "there is no stack %s", id);
        }
        const char *root = place_root(&t->place, &app->arena);
        t->where.root = root != NULL ? root : "";
    }
    if (app->redactor == NULL) {
        app->redactor = redactor_new();
        (void)redactor_load(app->redactor, t->place.secrets);
        mask_shell(app);
    }
    return EXIT_DONE;
}

/* What the definition's environment holds now is masked too, whether it has run or not. */
static void mask_environment(struct app *app, const struct spec *spec)
{
    for (size_t i = 0; i <= spec->service_count; i++) {
        const struct spec_service *service = i < spec->service_count ? &spec->services[i] : NULL;
        struct problems problems = {0};
        struct env env = {0};
        /* A missing env-file is the business of the command that needs it. */
        if (env_build(spec, service, 0, app->environ, &app->arena, &env, &problems) == 0) {
            for (size_t j = 0; j < env.count; j++) {
                secret_texts(env.items[j].name, env.items[j].value, add_secret, app->redactor);
            }
        }
        problems_fini(&problems);
    }
}

static char **merged(struct app *app, const json_t *running, char *const *asked)
{
    size_t count = 0;
    while (asked != NULL && asked[count] != NULL) {
        count++;
    }
    char **list = arena_alloc(&app->arena, (json_array_size(running) + count + 1) * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(running); i++) {
        const char *text = json_string_value(json_array_get(running, i));
        list[n] = arena_strdup(&app->arena, text != NULL ? text : "");
        n++;
    }
    for (size_t i = 0; i < count; i++) {
        list[n++] = arena_strdup(&app->arena, asked[i]);
    }
    return n > 0 ? list : NULL;
}

/* The selection of the running stack holds until `down`, for every command; an `up` adds to it. */
static void add_running(struct app *app, struct target *t, struct spec_request *request)
{
    struct client *own = NULL;
    struct fault why = {0};
    if (t->client == NULL && client_connect(&t->place, &own, &why) != 0) {
        return; /* nothing runs, or the command that needs it says why it cannot be reached */
    }
    const json_t *hello = client_hello(t->client != NULL ? t->client : own);
    /* `down` ends the selection, also while it still stops. */
    const json_t *running =
        json_is_true(json_object_get(hello, "stopping")) ? NULL : json_object_get(hello, "selection");
    request->profiles = merged(app, json_object_get(running, "profiles"), request->profiles);
    request->with = merged(app, json_object_get(running, "with"), request->with);
    request->except = merged(app, json_object_get(running, "except"), request->except);
    request->env_files = merged(app, json_object_get(running, "env_files"), request->env_files);
    request->can_die = merged(app, json_object_get(running, "can_die"), request->can_die);
    const char *address = member_text(running, "lan_address");
    request->lan = request->lan || json_is_true(json_object_get(running, "lan"));
    request->lan_address = address[0] != '\0' ? arena_strdup(&app->arena, address) : NULL;
    client_close(own);
}

static int load(struct app *app, struct target *t, struct problems *problems, struct fault *why)
{
    struct spec_request request;
    request_fill(app, &request);
    add_running(app, t, &request);
    int rc = spec_load(&request, &t->spec, problems, why);
    if (rc == 0) {
        mask_environment(app, t->spec);
    }
    return rc;
}

int target_load(struct app *app, struct target *t)
{
    struct problems problems = {0};
    struct fault why = {0};
    int code = EXIT_DONE;
    int rc = load(app, t, &problems, &why);
    if (rc == -EINVAL && problems.count > 0) {
        code = print_problems(app, EXIT_USAGE, &problems);
    } else if (rc != 0) {
        code = print_fault(app, EXIT_USAGE, &why);
    } else if (starts_services(app) && env_check(t->spec, app->environ, &problems) != 0) {
        code = print_problems(app, EXIT_USAGE, &problems);
    } else if (t->spec->warnings.count > 0 && !app->quiet && !app->json) {
        (void)print_problems(app, EXIT_DONE, &t->spec->warnings);
    }
    problems_fini(&problems);
    return code;
}

void target_load_quietly(struct app *app, struct target *t)
{
    struct problems problems = {0};
    struct fault why = {0};
    if (args_text(app->args, "stack") == NULL) {
        (void)load(app, t, &problems, &why);
    }
    problems_fini(&problems);
}

int target_connect(struct app *app, struct target *t, bool required)
{
    struct fault why = {0};
    int rc = client_connect(&t->place, &t->client, &why);
    if (rc == 0) {
        return EXIT_DONE;
    }
    if (rc != -ESRCH) {
        return print_fault(app, EXIT_FAILED, &why);
    }
    if (!required) {
        return EXIT_DONE;
    }
    return print_failure(app, EXIT_NO_STACK, "roadie up -d starts it", "no stack runs here (%s)",
                       t->where.id);
}

int target_boot(struct app *app, struct target *t, bool own, bool *started)
{
    struct fault why = {0};
    const char *server = app_helper(app, "roadie-server", &why);
    char here[PATH_MAX];
    if (server == NULL || getcwd(here, sizeof here) == NULL) {
        return server == NULL ? print_fault(app, EXIT_FAILED, &why)
                              : print_failure(app, EXIT_FAILED, NULL, "working directory: %s",
                                            strerror(errno));
    }
    const char *file = args_text(app->args, "file");
    const char *real = file != NULL ? app_realpath(app, file) : NULL;
    struct boot_opts opts = {
        .server_path = server,
        .directory = here,
        .file = real != NULL ? real : file,
        .project = args_text(app->args, "project"),
        .own = own,
    };
    int rc = client_boot(&t->place, &opts, &t->client, started, &why);
    return rc == 0 ? EXIT_DONE : print_fault(app, EXIT_FAILED, &why);
}

int target_open(struct app *app, struct target *t)
{
    int code = target_locate(app, t);
    return code == EXIT_DONE ? target_connect(app, t, true) : code;
}

int target_call(struct app *app, struct target *t, json_t *request, client_fn each, void *ctx,
                json_t **reply)
{
    struct fault why = {0};
    json_t *answer = NULL;
    if (reply != NULL) {
        *reply = NULL;
    }
    if (client_call(t->client, request, each, ctx, 0, &answer, &why) != 0) {
        return print_fault(app, EXIT_FAILED, &why);
    }
    int code = (int)member_number(answer, "code");
    if (code != EXIT_DONE) {
        code = print_reply_error(app, answer);
    }
    if (reply != NULL) {
        *reply = answer;
    } else {
        json_decref(answer);
    }
    return code;
}

void target_fini(struct target *t)
{
    client_close(t->client);
    spec_free(t->spec);
    *t = (struct target){0};
}

json_t *request_list(char *const *items)
{
    json_t *list = json_array();
    for (size_t i = 0; items != NULL && items[i] != NULL; i++) {
        (void)json_array_append_new(list, json_string(items[i]));
    }
    return list;
}

json_t *request_new(const struct app *app, const char *op)
{
    json_t *request = json_pack("{s:s}", "op", op);
    if (app->args->name_count > 0) {
        (void)json_object_set_new(request, "names", request_list(app->args->names));
    }
    return request;
}

static void add_list(struct app *app, json_t *request, const char *option, const char *member)
{
    char **list = args_list(app->args, option, &app->arena);
    if (list != NULL) {
        (void)json_object_set_new(request, member, request_list(list));
    }
}

void request_selection(struct app *app, json_t *request)
{
    add_list(app, request, "profile", "profiles");
    add_list(app, request, "with", "with");
    add_list(app, request, "except", "except");
    add_list(app, request, "can-die", "can_die");
    char **files = args_list(app->args, "env-file", &app->arena);
    char here[PATH_MAX];
    for (size_t i = 0; files != NULL && files[i] != NULL; i++) {
        if (files[i][0] != '/' && getcwd(here, sizeof here) != NULL) {
            files[i] = arena_printf(&app->arena, "%s/%s", here, files[i]);
        }
    }
    if (files != NULL) {
        (void)json_object_set_new(request, "env_files", request_list(files));
    }
}

int target_duration(const struct app *app, const char *option, uint64_t *out_ms)
{
    const char *text = args_text(app->args, option);
    *out_ms = 0;
    if (text == NULL) {
        return EXIT_DONE;
    }
    if (parse_duration_ms(span_of(text), out_ms) != 0) {
        return print_failure(app, EXIT_USAGE, "write 500ms, 3s, 2m or 1h", "--%s %s is no duration",
                           option, text);
    }
    return EXIT_DONE;
}
