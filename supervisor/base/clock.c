/* Time (see clock.h). CLOCK_BOOTTIME is Linux's name; macOS counts sleep in CLOCK_MONOTONIC itself and
 * offers CLOCK_UPTIME_RAW for time awake. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
#ifdef __APPLE__
    return read_clock(CLOCK_UPTIME_RAW);
#else
    return read_clock(CLOCK_MONOTONIC);
#endif
}

uint64_t clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t clock_boot_ns(void)
{
#ifdef __APPLE__
    return read_clock(CLOCK_MONOTONIC);
#else
    return read_clock(7 /* CLOCK_BOOTTIME, hidden by strict POSIX */);
#endif
}

const char *clock_rfc3339(uint64_t wall_ns, char *out)
{
    time_t seconds = (time_t)(wall_ns / 1000000000U);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc);
    size_t len = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out + len, CLOCK_RFC3339_SIZE - len, ".%03uZ",
                   (unsigned)(wall_ns / 1000000U % 1000U));
    return out;
}

const char *clock_local_hms(uint64_t wall_ns, char *out, size_t size)
{
    time_t seconds = (time_t)(wall_ns / 1000000000U);
    struct tm local = {0};
    (void)localtime_r(&seconds, &local);
    (void)snprintf(out, size, "%02d:%02d:%02d.%03u", local.tm_hour, local.tm_min, local.tm_sec,
                   (unsigned)(wall_ns / 1000000U % 1000U));
    return out;
}
