/*
 * The lock of a stack: taking it, what stands in it, and keeping it where clients look, also when somebody removes the
 * state directory under a running stack. Invariant: the file at place.lock is the one that we hold, or we stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/server.h"

static void write_root(const char *dir, const char *root)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/root", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        (void)!write(fd, root, strlen(root));
        (void)close(fd);
    }
}

void lock_write(struct server *s)
{
    const struct spec *spec = s->engine == NULL ? NULL : engine_spec(s->engine);
    json_t *lock = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "pid", (int)getpid(), "socket",
                             s->place.socket, "version", ROADIE_VERSION, "root",
                             spec == NULL ? "" : spec->root, "name", spec == NULL ? "" : spec->name,
                             "file", spec == NULL ? "" : spec->file);
    char *text = json_dumps(lock, JSON_COMPACT);
    json_decref(lock);
    if (text != NULL && ftruncate(s->lock_fd, 0) == 0) {
        (void)!pwrite(s->lock_fd, text, strlen(text), 0);
    }
    free(text);
    if (spec != NULL) {
        write_root(s->place.state, spec->root);
    }
}

static bool is_in_place(const struct server *s)
{
    struct stat held;
    struct stat there;
    return fstat(s->lock_fd, &held) == 0 && lstat(s->place.lock, &there) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

int lock_take(struct server *s, struct fault *why)
{
    int fd = open(s->place.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fault_set(why, -errno, "open %s", s->place.lock);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return fault_set(why, -EALREADY, "another server of this stack runs");
    }
    if (s->lock_fd >= 0) {
        (void)close(s->lock_fd);
    }
    s->lock_fd = fd;
    lock_write(s);
    return 0;
}

static void on_state_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct server *s = handle->data;
    struct fault why = {0};
    (void)name;
    (void)events;
    (void)status;
    if (s->finished || is_in_place(s)) {
        return;
    }
    (void)uv_fs_event_stop(handle);
    int rc = place_make(&s->place, &why);
    rc = rc == 0 ? lock_take(s, &why) : rc;
    if (rc != 0) {
        (void)fprintf(stderr, "roadie-server: the state directory was removed: %s\n", fault_text(&why));
        server_stop(s, 1, "the state directory was removed and cannot be made again", 0, false);
        return;
    }
    engine_state_remade(s->engine);
    lock_watch(s);
}

void lock_watch(struct server *s)
{
    (void)uv_fs_event_start(&s->state_watch, on_state_changed, s->place.state, 0);
    uv_unref((uv_handle_t *)&s->state_watch);
}
