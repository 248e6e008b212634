/* Waiting for many descriptors, one report per arming. One thread waits; any thread may wake it. */
#ifndef ROADIE_LOGS_POLLER_H
#define ROADIE_LOGS_POLLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct poller;

int poller_open(struct poller **out) ATTR_MUST_CHECK;
/* Registers fd, disarmed. token is reported back and not NULL. */
int poller_add(struct poller *p, int fd, void *token) ATTR_MUST_CHECK;
/* Asks for one report when fd is readable or hung up (at once when it is already). */
void poller_arm(struct poller *p, int fd, void *token);
/* Before closing fd. */
void poller_remove(struct poller *p, int fd);
/* Waits at most timeout_ms (-1: for ever; 0: not at all). Fills tokens; returns how many. */
size_t poller_wait(struct poller *p, int timeout_ms, void **tokens, size_t max);
/* From any thread: the current or next poller_wait returns soon. */
void poller_wake(struct poller *p);
void poller_close(struct poller *p);

#endif
