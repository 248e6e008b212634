/*
 * The few things that each system does in its own way for the server's end of a child: subreaper, a nameless
 * file for the plan, the socket pair. One file per system.
 */
#ifndef ROADIE_PROCESS_HOST_H
#define ROADIE_PROCESS_HOST_H

#include <stddef.h>

/* Orphans below this process become its children, where there is such a thing. */
void host_become_subreaper(void);
/* A file without a name that holds bytes, at offset 0, close on exec: memory on Linux, an unlinked
 * temporary file elsewhere. Returns the descriptor or a negative errno. */
int host_blob_open(const void *bytes, size_t len);
/* Two connected ends, close on exec, that keep messages apart where the system can; ends[0] non-blocking.
 * 0 or a negative errno. */
int host_socketpair(int ends[2]);
/* A pipe whose ends are close on exec; ends[0] (reading) is non-blocking. 0 or a negative errno. */
int host_pipe(int ends[2]);
/* Flags for send() so that a dead peer is an error and no signal. */
int host_send_flags(void);

#endif
