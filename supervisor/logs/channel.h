/* What a service writes into: pipes and PTYs, as each system makes them. */
#ifndef ROADIE_LOGS_CHANNEL_H
#define ROADIE_LOGS_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { CHANNEL_COLUMNS = 120, CHANNEL_ROWS = 40, CHANNEL_RELAY = 1024 * 1024 };

/* A real pipe, both ends close-on-exec; only our end is non-blocking. */
int channel_pipe(int *our_fd, int *child_fd) ATTR_MUST_CHECK;
/* A PTY: output processing, echo and flow control off; our end (the master) is non-blocking. */
int channel_pty(int *our_fd, int *child_fd) ATTR_MUST_CHECK;
/* Asks for a bigger pipe; returns its capacity in bytes afterwards (a guess where the system hides
 * it). */
size_t channel_grow(int our_fd, size_t want);
/* Bytes are moved without a copy through us in two steps, by a pipe of our own: splicing a pipe
 * straight into a file keeps its writer locked out while the file is written. Makes the pipe;
 * -ENOSYS where the system cannot. */
int channel_relay(int relay[2]) ATTR_MUST_CHECK;
/* From a pipe to the (empty) relay: the count, 0 at end of file, -EAGAIN when there is nothing. */
int64_t channel_take(int our_fd, const int relay[2], size_t len);
/* From the relay to a file: the count, -ENOSYS where the file cannot, else what the write said. */
int64_t channel_put(const int relay[2], int file_fd, uint64_t offset, size_t len);

#endif
