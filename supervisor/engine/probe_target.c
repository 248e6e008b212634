/*
 * What this room is for.      Stage one of a probe: who would answer on this port, and is it ours.
 * What it may touch.          process/listeners; connects to nothing.
 * Who calls it.               probe.c
 * The one invariant.          A stranger on any address that a client may reach is never
 * overlooked.
 */
#include "engine/probe_target.h"

#include <string.h>

#include "base/bytes.h"
#include "io/address.h"

static void add_address(struct target *t, const char *address)
{
    char *out = t->addresses[t->address_count];
    if (address_bare(address, out, sizeof t->addresses[0])) {
        t->address_count++;
    }
}

void target_init(struct target *t, const char *host, uint16_t port)
{
    *t = (struct target){.port = port};
    if (host == NULL || port == 0) {
        return;
    }
    t->here = address_is_here(host);
    char bare[64];
    bool numeric = address_bare(host, bare, sizeof bare) && address_is_numeric(bare);
    if (!t->here) {
        return;
    }
    if (!numeric) {
        add_address(t, "127.0.0.1");
        add_address(t, "::1");
    } else if (strcmp(bare, "0.0.0.0") == 0) {
        add_address(t, "127.0.0.1");
    } else if (strcmp(bare, "::") == 0) {
        add_address(t, "::1");
    } else {
        add_address(t, bare);
    }
}

/* How closely a listener fits a connection to address; 0: not at all. */
static int fit(const struct listener *l, const char *address)
{
    bool v6 = strchr(address, ':') != NULL;
    if (l->wildcard) {
        return l->v6 == v6 ? 2 : l->v6 ? 1 : 0;
    }
    return l->v6 == v6 && strcmp(l->address, address) == 0 ? 3 : 0;
}

int target_reached(const char *address, const struct listener *list, int count, int *out)
{
    int best = 1;
    int found = 0;
    for (int i = 0; i < count; i++) {
        int score = fit(&list[i], address);
        if (score < best) {
            continue;
        }
        if (score > best) {
            best = score;
            found = 0;
        }
        out[found++] = i;
    }
    return found;
}

static bool is_ours(struct target *t, const struct listener *l, pid_t root)
{
    if (root == 0) {
        return true;
    }
    for (unsigned i = 0; i < TARGET_PROVEN_MAX; i++) {
        if (l->inode != 0 && t->proven[i] == l->inode) {
            return true;
        }
    }
    if (!listener_in_tree(l, root, NULL)) {
        return false;
    }
    t->proven[t->proven_count++ % TARGET_PROVEN_MAX] = l->inode;
    return true;
}

/* Looks at one address; true when that settles the view. */
static bool look_at(struct target *t, pid_t root, const char *address, const struct listener *list,
                    int count, struct target_view *view)
{
    int reached[LISTENERS_MAX];
    int n = target_reached(address, list, count, reached);
    for (int i = 0; i < n; i++) {
        const struct listener *l = &list[reached[i]];
        if (!is_ours(t, l, root)) {
            view->seen = TARGET_STRANGER;
            view->listener = *l;
            return true;
        }
        /* The first address wins: for localhost v4, unless only the v6 wildcard takes it in. */
        bool native = strchr(address, ':') != NULL || !l->v6;
        if (view->seen == TARGET_NOTHING || (native && view->address[0] == '\0')) {
            view->seen = TARGET_OURS;
            view->listener = *l;
            if (native || t->address_count == 1) {
                memcpy(view->address, address, strlen(address) + 1);
            }
        }
    }
    return false;
}

void target_look(struct target *t, pid_t root, struct target_view *view)
{
    struct listener list[LISTENERS_MAX];
    *view = (struct target_view){.seen = TARGET_NOTHING};
    int count = listeners_find(t->port, list, LISTENERS_MAX);
    if (count < 0) {
        view->seen = TARGET_BLIND;
        return;
    }
    for (int i = 0; i < t->address_count; i++) {
        if (look_at(t, root, t->addresses[i], list, count, view)) {
            return;
        }
    }
}
