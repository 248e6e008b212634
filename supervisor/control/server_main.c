/*
 * roadie-server: one a stack, started by `roadie up`, in a session of its own. Sets the process up (limits,
 * umask, signals, environment), opens the server, runs the loop until everything has ended.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/numbers.h"
#include "control/server.h"
#include "io/postgres.h"

extern char **environ;

/* The environment as the user's shell had it; ours loses what would change libraries' meaning. */
static char **copy_environment(void)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **copy = mem_calloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = mem_strdup(environ[i]);
    }
    return copy;
}

static uint64_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    uint64_t soft = (uint64_t)limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return soft;
}

static const char *take(char **argv, int argc, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return NULL;
}

/* Nothing of the client's but the connection: its terminal, pipes and files are none of ours. */
static void close_inherited(int keep)
{
    for (int fd = 3; fd < 256; fd++) {
        if (fd != keep) {
            (void)close(fd);
        }
    }
    (void)fcntl(keep, F_SETFD, FD_CLOEXEC);
}

static char *shim_beside(void)
{
    char path[4096];
    size_t size = sizeof path;
    if (uv_exepath(path, &size) != 0) {
        return NULL;
    }
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return NULL;
    }
    *slash = '\0';
    return mem_printf("%s/roadie-shim", path);
}

static void refuse(int fd, const char *text)
{
    json_t *message = json_pack("{s:s}", "refused", text);
    struct buf bytes = {0};
    message_encode(message, &bytes);
    (void)!write(fd, bytes.ptr, bytes.len);
    buf_fini(&bytes);
    json_decref(message);
}

static int run(const struct server_opts *opts)
{
    uv_loop_t loop;
    struct server *server = NULL;
    struct fault why = {0};
    if (uv_loop_init(&loop) != 0) {
        return 1;
    }
    int rc = server_open(&loop, opts, &server, &why);
    if (rc != 0) {
        if (rc != -EALREADY) {
            (void)fprintf(stderr, "roadie-server: %s\n", fault_text(&why));
        }
        refuse(opts->first_fd, fault_text(&why));
        (void)uv_loop_close(&loop);
        return 1;
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    server_free(server);
    (void)uv_loop_close(&loop);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t fd = 0;
    const char *owner = take(argv, argc, "--owner");
    const char *first = owner != NULL ? owner : take(argv, argc, "--first");
    struct server_opts opts = {
        .id = take(argv, argc, "--id"),
        .directory = take(argv, argc, "--directory"),
        .file = take(argv, argc, "--file"),
        .project = take(argv, argc, "--project"),
        .owned = owner != NULL,
    };
    if (opts.id == NULL || opts.directory == NULL || first == NULL ||
        parse_u64(span_of(first), 3, 1024, &fd) != 0) {
        (void)fputs("roadie-server is started by roadie; see: roadie help\n", stderr);
        return 2;
    }
    opts.first_fd = (int)fd;
    close_inherited(opts.first_fd);
    (void)!chdir("/"); /* holds no directory of the user's: one that is removed is really gone */
    char **environ_copy = copy_environment();
    opts.environ = environ_copy;
    opts.umask = umask(077);
    opts.nofile_soft = raise_descriptor_limit();
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    postgres_forget_environment();
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    char *shim = shim_beside();
    opts.shim_path = shim;
    if (shim == NULL) {
        refuse(opts.first_fd, "roadie-shim was not found beside roadie-server");
        return 1;
    }
    int code = run(&opts);
    for (char *const *variable = opts.environ; *variable != NULL; variable++) {
        mem_wipe(*variable, strlen(*variable));
        mem_free(*variable);
    }
    mem_free(environ_copy);
    mem_free(shim);
    curl_global_cleanup();
    return code;
}
