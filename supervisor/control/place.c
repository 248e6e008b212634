/* State and runtime directories of a stack, and who holds its lock (see place.h). */
#include "control/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int state_home(struct arena *arena, const char **out, struct fault *why)
{
    const char *xdg = getenv("XDG_STATE_HOME");
    if (xdg != NULL && xdg[0] == '/') {
        *out = arena_printf(arena, "%s/roadie", xdg);
        return 0;
    }
    const char *home = getenv("HOME");
    if (home == NULL || home[0] != '/') {
        (void)fault_set(why, -ENOENT, "where to keep state: neither XDG_STATE_HOME nor HOME is set");
        return fault_hint(why, "set HOME");
    }
    *out = arena_printf(arena, "%s/.local/state/roadie", home);
    return 0;
}

/* XDG_RUNTIME_DIR when it is the user's own and nobody else can write there (what we make in it is private
 * in any case), else a private directory under /tmp. */
static const char *runtime_home(struct arena *arena)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (xdg != NULL && xdg[0] == '/' && stat(xdg, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_uid == getuid() && (st.st_mode & 022) == 0) {
        return arena_printf(arena, "%s/roadie", xdg);
    }
    return arena_printf(arena, "/tmp/roadie-%u", (unsigned)getuid());
}

int place_of(const char *id, struct arena *arena, struct place *out, struct fault *why)
{
    const char *state = NULL;
    int rc = state_home(arena, &state, why);
    if (rc != 0) {
        return rc;
    }
    const char *hash = strrchr(id, '-');
    *out = (struct place){
        .id = arena_strdup(arena, id),
        .state = arena_printf(arena, "%s/%s", state, id),
        .runtime = arena_printf(arena, "%s/%s", runtime_home(arena), id),
    };
    out->socket = arena_printf(arena, "%s/control", out->runtime);
    size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
    if (strlen(out->socket) + 32 >= room) {
        /* A long XDG_RUNTIME_DIR: the id's hash alone still tells stacks apart. */
        const char *base = runtime_home(arena);
        out->runtime = arena_printf(arena, "%s/%s", base, hash == NULL ? id : hash + 1);
        out->socket = arena_printf(arena, "%s/control", out->runtime);
        if (strlen(out->socket) + 32 >= room) {
            out->runtime = arena_printf(arena, "/tmp/roadie-%u/%s", (unsigned)getuid(),
                                        hash == NULL ? id : hash + 1);
            out->socket = arena_printf(arena, "%s/control", out->runtime);
        }
    }
    out->lock = arena_printf(arena, "%s/lock", out->state);
    out->logs = arena_printf(arena, "%s/logs", out->state);
    out->secrets = arena_printf(arena, "%s/secrets", out->state);
    return strlen(out->socket) >= room ? fault_set(why, -ENAMETOOLONG, "socket %s", out->socket) : 0;
}

/* mkdir 0700, then look at what is really there through a descriptor: no symlink, ours, private. */
static int make_private(const char *path, struct fault *why)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fault_set(why, -errno, "make %s", path);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return fault_set(why, -errno, "open %s", path);
    }
    struct stat st;
    int rc = fstat(fd, &st) == 0 ? 0 : -errno;
    if (rc == 0 && st.st_uid != getuid()) {
        rc = -EPERM;
        (void)fault_set(why, rc, "%s belongs to another user", path);
    } else if (rc == 0 && (st.st_mode & 077) != 0 && fchmod(fd, 0700) != 0) {
        rc = fault_set(why, -errno, "make %s private", path);
    }
    (void)close(fd);
    return rc;
}

/* Makes the missing parents with the usual mode (they may be shared: ~/.local), the last two private. */
static int make_path(const char *path, struct fault *why)
{
    char part[4096];
    if (fmt_into(part, sizeof part, "%s", path) != 0) {
        return fault_set(why, -ENAMETOOLONG, "%s", path);
    }
    char *last = strrchr(part, '/');
    *last = '\0';
    char *parent = strrchr(part, '/');
    for (char *slash = strchr(part + 1, '/'); slash != NULL && slash <= parent;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            return fault_set(why, -errno, "make %s", part);
        }
        *slash = '/';
    }
    int rc = make_private(part, why);
    return rc != 0 ? rc : make_private(path, why);
}

int place_make(const struct place *place, struct fault *why)
{
    int rc = make_path(place->state, why);
    return rc != 0 ? rc : make_path(place->runtime, why);
}

int place_holder_read(const struct place *place, struct arena *arena, struct place_holder *out,
                      struct fault *why)
{
    int fd = open(place->lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : fault_set(why, -errno, "open %s", place->lock);
    }
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        (void)close(fd);
        return 0;
    }
    char text[16384];
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    (void)close(fd);
    text[len > 0 ? len : 0] = '\0';
    json_t *lock = json_loads(text, 0, NULL);
    *out = (struct place_holder){
        .pid = (pid_t)json_integer_value(json_object_get(lock, "pid")),
        .socket = arena_strdup(arena, json_string_value(json_object_get(lock, "socket"))),
        .root = arena_strdup(arena, json_string_value(json_object_get(lock, "root"))),
        .name = arena_strdup(arena, json_string_value(json_object_get(lock, "name"))),
        .file = arena_strdup(arena, json_string_value(json_object_get(lock, "file"))),
    };
    json_decref(lock);
    return 1;
}

char **place_list(struct arena *arena)
{
    const char *home = NULL;
    char **ids = arena_alloc(arena, sizeof *ids);
    size_t count = 0;
    if (state_home(arena, &home, NULL) != 0) {
        return ids;
    }
    DIR *dir = opendir(home);
    if (dir == NULL) {
        return ids;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat st;
        char path[4096];
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "promote") == 0 ||
            fmt_into(path, sizeof path, "%s/%s", home, entry->d_name) != 0 || lstat(path, &st) != 0 ||
            !S_ISDIR(st.st_mode)) {
            continue;
        }
        ids = arena_grow(arena, ids, count, sizeof *ids);
        ids[count++] = arena_strdup(arena, entry->d_name);
    }
    (void)closedir(dir);
    ids = arena_grow(arena, ids, count, sizeof *ids);
    ids[count] = NULL;
    return ids;
}

const char *place_root(const struct place *place, struct arena *arena)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/root", place->state);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return NULL;
    }
    char text[4096];
    ssize_t len = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (len <= 0) {
        return NULL;
    }
    return arena_copy(arena, (struct span){.ptr = text, .len = (size_t)len});
}
