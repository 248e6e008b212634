/*
 * What this room is for.      Descendants of a process through libproc (see tree.h), on macOS.
 * What it may touch.          libc and libproc, no allocation.
 * The one invariant.          Best effort: orphans go to launchd and are no longer anybody's
 * descendants.
 */
#include "process/tree.h"

#include <libproc.h>

int tree_children(pid_t root, pid_t *out, int max)
{
    int count = proc_listchildpids(root, out, max * (int)sizeof *out);
    if (count < 0) {
        return 0;
    }
    return count > max ? max : count;
}

int tree_list(pid_t root, pid_t *out, int max)
{
    int count = tree_children(root, out, max);
    for (int i = 0; i < count; i++) {
        count += tree_children(out[i], out + count, max - count);
    }
    return count;
}
