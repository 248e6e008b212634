/* Which hosts are this machine. No look-ups: names other than localhost are somewhere else. */
#ifndef ROADIE_IO_ADDRESS_H
#define ROADIE_IO_ADDRESS_H

#include <stdbool.h>

enum address_place {
    ADDRESS_LOOPBACK, /* localhost, *.localhost, 127.0.0.0/8, ::1, 0.0.0.0, :: */
    ADDRESS_OWN,      /* the numeric address of an interface of this machine */
    ADDRESS_PRIVATE, /* numeric and private, link-local, or a name without dots, *.local, *.internal
                      */
    ADDRESS_ELSEWHERE,
};

/* host as in a URL; brackets around an IPv6 address are accepted. */
enum address_place address_place(const char *host);
/* Loopback or own: never through a proxy, and the listener can be looked up. */
bool address_is_here(const char *host);
bool address_is_numeric(const char *host);
/* Without brackets into out; false when it does not fit. */
bool address_bare(const char *host, char *out, unsigned long size);

#endif
