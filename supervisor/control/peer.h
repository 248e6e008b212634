/* Who is at the other end of a local socket. One file per system. */
#ifndef ROADIE_CONTROL_PEER_H
#define ROADIE_CONTROL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* True when the peer's user is ours (whatever the file modes let through). */
bool peer_is_me(int fd);
/* The peer's process, and the terminal of its standard input ("" when it has none or cannot be told). */
void peer_describe(int fd, pid_t *pid, char *tty, size_t size);

#endif
