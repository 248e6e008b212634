/* What a service writes into: pipes and PTYs, as each system makes them. */
#ifndef ROADIE_LOGS_CHANNEL_H
#define ROADIE_LOGS_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { CHANNEL_COLUMNS = 120, CHANNEL_ROWS = 40 };

/* A real pipe, both ends close-on-exec; only our end is non-blocking. */
int channel_pipe(int *our_fd, int *child_fd) ATTR_MUST_CHECK;
/* A PTY: output processing, echo and flow control off; our end (the master) is non-blocking. */
int channel_pty(int *our_fd, int *child_fd) ATTR_MUST_CHECK;
/* Asks for a bigger pipe; returns its capacity in bytes afterwards (a guess where the system hides it). */
size_t channel_grow(int our_fd, size_t want);
/* Moves up to len bytes from a pipe to file_fd at offset without copying them through us. The count, 0 at
 * end of file, -EAGAIN when the pipe is empty, -ENOSYS where the system or the file cannot, else what the
 * write said. */
int64_t channel_move(int our_fd, int file_fd, uint64_t offset, size_t len);

#endif
