/*
 * What this room is for.      Deciding whether `down` without a server has something to do.
 * What it may touch.          The stack's state directory, the process table.
 * Who calls it.               cmd_control.c
 * The one invariant.          Looks only; the server sweeps.
 */
#include "ui/sweep.h"

#include <dirent.h>

#include "base/bytes.h"
#include "process/listeners.h"

static bool has_entries(const char *directory)
{
    DIR *dir = opendir(directory);
    bool found = false;
    struct dirent *entry;
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] != '.';
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

bool sweep_needed(const struct place *place)
{
    char tombstones[4096];
    pid_t stray = 0;
    if (fmt_into(tombstones, sizeof tombstones, "%s/tombstones", place->state) == 0 &&
        has_entries(tombstones)) {
        return true;
    }
    return strays_find(place->id, &stray, 1) > 0;
}
