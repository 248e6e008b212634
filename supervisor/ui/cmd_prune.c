/*
 * What this room is for.      roadie prune: forgets logs and state of stacks whose directory is gone.
 * What it may touch.          State directories of stacks that have neither a root nor a server.
 * Who calls it.               commands.c
 * The one invariant.          Nothing is removed that was not listed and agreed to; links are not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/numbers.h"
#include "control/place.h"
#include "control/protocol.h"
#include "ui/commands.h"
#include "ui/print.h"

struct stale_stack {
    const char *id;
    const char *root;
    const char *state;
};

/* Removes everything below a directory; depth is that of our own tree (state/logs/SERVICE/file). */
static int empty_directory(int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    int rc = 0;
    if (dir == NULL) {
        rc = -errno;
        (void)close(fd);
        return rc;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(dirfd(dir), entry->d_name, 0) == 0) {
            continue;
        }
        int sub = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0 || depth == 0) {
            rc = -errno;
            if (sub >= 0) {
                (void)close(sub);
            }
            continue;
        }
        int inner = empty_directory(sub, depth - 1);
        rc = inner != 0 ? inner : rc;
        if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) != 0) {
            rc = -errno;
        }
    }
    (void)closedir(dir);
    return rc;
}

static int forget(const struct stale_stack *stack)
{
    int fd = open(stack->state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? -errno : empty_directory(fd, 8);
    if (rc == 0 && rmdir(stack->state) != 0) {
        rc = -errno;
    }
    return rc;
}

/* A root that cannot be looked at (an unmounted disk, a permission) is not gone. */
static bool is_gone(const char *root)
{
    struct stat st;
    return root != NULL && lstat(root, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static size_t find_stale(struct app *app, struct stale_stack **out)
{
    char **ids = place_list(&app->arena);
    struct stale_stack *list = NULL;
    size_t count = 0;
    for (size_t i = 0; ids[i] != NULL; i++) {
        struct place place;
        struct place_holder holder;
        struct fault why = {0};
        if (place_of(ids[i], &app->arena, &place, &why) != 0) {
            continue;
        }
        const char *root = place_root(&place, &app->arena);
        if (is_gone(root) && place_holder_read(&place, &app->arena, &holder, &why) == 0) {
            list = arena_grow(&app->arena, list, count, sizeof *list);
            list[count++] = (struct stale_stack){.id = ids[i], .root = root, .state = place.state};
        }
    }
    *out = list;
    return count;
}

static int forget_all(struct app *app, const struct stale_stack *list, size_t count)
{
    int code = EXIT_DONE;
    json_t *pruned = json_array();
    for (size_t i = 0; i < count && code == EXIT_DONE; i++) {
        int rc = forget(&list[i]);
        if (rc != 0) {
            code = print_failure(app, EXIT_FAILED, NULL, "%s: %s", list[i].state, strerror(-rc));
        } else {
            (void)json_array_append_new(pruned, json_pack("{s:s,s:s}", "stack", list[i].id, "root",
                                                          list[i].root));
        }
    }
    if (code == EXIT_DONE && app->json) {
        print_json(app, json_pack("{s:i,s:O}", "v", 1, "pruned", pruned));
    } else if (code == EXIT_DONE) {
        print_note(app, "✓ forgot %zu", count);
    }
    json_decref(pruned);
    return code;
}

int cmd_prune(struct app *app, const struct args *args)
{
    struct stale_stack *list = NULL;
    size_t count = find_stale(app, &list);
    if (count == 0) {
        if (app->json) {
            print_json(app, json_pack("{s:i,s:[]}", "v", 1, "pruned"));
        } else {
            print_note(app, "– nothing to forget: every stack's directory is there");
        }
        return EXIT_DONE;
    }
    for (size_t i = 0; i < count && !app->json; i++) {
        print_note(app, "  %s  (%s is gone)", list[i].id, list[i].root);
    }
    if (!app_confirm(app, "Forget their logs and state?")) {
        if (app->interactive || args_flag(args, "yes")) {
            print_note(app, "– nothing was forgotten");
            return EXIT_FAILED;
        }
        return print_failure(app, EXIT_USAGE, "roadie prune -y", "prune asks first, and there is no terminal");
    }
    return forget_all(app, list, count);
}
