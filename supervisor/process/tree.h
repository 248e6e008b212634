/*
 * The living descendants of a process, seen from outside. libc only, no allocation: the shim uses it too.
 * A snapshot is never complete while processes fork; whoever needs certainty repeats it until waitpid says
 * ECHILD.
 */
#ifndef ROADIE_PROCESS_TREE_H
#define ROADIE_PROCESS_TREE_H

#include <sys/types.h>

/* Descendants of root, parents before children, root not among them. Returns how many were written, at most
 * max; 0 also when root is gone. */
int tree_list(pid_t root, pid_t *out, int max);
/* Only the children of root. */
int tree_children(pid_t root, pid_t *out, int max);

#endif
