/*
 * What this room is for.      Reads --since and --until.
 * What it may touch.          base and the time zone of the system.
 * Who calls it.               cmd_logs.c, cmd_events.c, board.c
 * The one invariant.          A text is read whole or refused; a day that does not exist is refused.
 */
#include "ui/when.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/numbers.h"

#define SECOND_NS 1000000000ULL

static bool take_number(struct span *text, size_t digits, uint64_t max, int *out)
{
    uint64_t value = 0;
    if (text->len < digits || parse_u64((struct span){text->ptr, digits}, 0, max, &value) != 0) {
        return false;
    }
    text->ptr += digits;
    text->len -= digits;
    *out = (int)value;
    return true;
}

static bool take_char(struct span *text, const char *any)
{
    if (text->len == 0 || strchr(any, text->ptr[0]) == NULL) {
        return false;
    }
    text->ptr++;
    text->len--;
    return true;
}

/* HH:MM[:SS[.fraction]] */
static bool take_clock(struct span *text, struct tm *tm, uint64_t *fraction_ns)
{
    if (!take_number(text, 2, 23, &tm->tm_hour) || !take_char(text, ":") ||
        !take_number(text, 2, 59, &tm->tm_min)) {
        return false;
    }
    if (!take_char(text, ":")) {
        return true;
    }
    if (!take_number(text, 2, 60, &tm->tm_sec)) {
        return false;
    }
    if (!take_char(text, ".")) {
        return true;
    }
    uint64_t unit = SECOND_NS / 10;
    int digit = 0;
    size_t places = 0;
    while (take_number(text, 1, 9, &digit)) {
        *fraction_ns += (uint64_t)digit * unit;
        unit /= 10;
        places++;
    }
    return places > 0;
}

/* Z, +02:00, -0730, or nothing (local). */
static bool take_zone(struct span *text, bool *local, long *offset_s)
{
    *local = text->len == 0;
    *offset_s = 0;
    if (*local || take_char(text, "Zz")) {
        return text->len == 0;
    }
    bool minus = text->len > 0 && text->ptr[0] == '-';
    int hours = 0;
    int minutes = 0;
    if (!take_char(text, "+-") || !take_number(text, 2, 23, &hours)) {
        return false;
    }
    (void)take_char(text, ":");
    if (!take_number(text, 2, 59, &minutes)) {
        return false;
    }
    *offset_s = (hours * 60L + minutes) * 60L * (minus ? -1 : 1);
    return text->len == 0;
}

/* Seconds since 1970 of a date in UTC (days-from-civil), because timegm is not POSIX. */
static int64_t utc_seconds(const struct tm *tm)
{
    int64_t year = tm->tm_year + 1900 - (tm->tm_mon < 2 ? 1 : 0);
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t month = (tm->tm_mon + 10) % 12;
    int64_t day_of_year = (153 * month + 2) / 5 + tm->tm_mday - 1;
    int64_t day = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year + era * 146097 - 719468;
    return day * 86400 + tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
}

static bool day_exists(const struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int most = days[tm->tm_mon] + (tm->tm_mon == 1 && leap ? 1 : 0);
    return tm->tm_mday >= 1 && tm->tm_mday <= most;
}

static int parse_date(struct span text, uint64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    uint64_t fraction_ns = 0;
    int year = 0;
    int month = 0;
    if (!take_number(&text, 4, 9999, &year) || year < 1970 || !take_char(&text, "-") ||
        !take_number(&text, 2, 12, &month) || month < 1 || !take_char(&text, "-") ||
        !take_number(&text, 2, 31, &tm.tm_mday)) {
        return -EINVAL;
    }
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (!day_exists(&tm) || (text.len > 0 && (!take_char(&text, "Tt ") ||
                                              !take_clock(&text, &tm, &fraction_ns)))) {
        return -EINVAL;
    }
    bool local = false;
    long offset_s = 0;
    if (!take_zone(&text, &local, &offset_s)) {
        return -EINVAL;
    }
    int64_t seconds = local ? (int64_t)mktime(&tm) : utc_seconds(&tm) - offset_s;
    if (seconds < 0) {
        return -EINVAL;
    }
    *out = (uint64_t)seconds * SECOND_NS + fraction_ns;
    return 0;
}

static int parse_clock(struct span text, uint64_t now_wall_ns, uint64_t *out)
{
    time_t now = (time_t)(now_wall_ns / SECOND_NS);
    struct tm tm = {0};
    (void)localtime_r(&now, &tm);
    tm.tm_sec = 0;
    uint64_t fraction_ns = 0;
    if (!take_clock(&text, &tm, &fraction_ns) || text.len != 0) {
        return -EINVAL;
    }
    for (int back = 0; back < 2; back++) {
        struct tm day = tm;
        day.tm_mday -= back;
        day.tm_isdst = -1;
        uint64_t at = (uint64_t)mktime(&day) * SECOND_NS + fraction_ns;
        if (at <= now_wall_ns || back == 1) {
            *out = at;
            return 0;
        }
    }
    return -EINVAL;
}

int when_parse(struct span text, uint64_t now_wall_ns, uint64_t *out)
{
    text = span_trim(text);
    uint64_t ago_ms = 0;
    if (span_is(text, "now")) {
        *out = now_wall_ns;
        return 0;
    }
    if (parse_duration_ms(text, &ago_ms) == 0) {
        *out = ago_ms > now_wall_ns / 1000000 ? 1 : now_wall_ns - ago_ms * 1000000;
        return 0;
    }
    if (text.len >= 3 && text.ptr[2] == ':') {
        return parse_clock(text, now_wall_ns, out);
    }
    return parse_date(text, out);
}

uint64_t when_rfc3339(const char *text)
{
    uint64_t at = 0;
    return text != NULL && parse_date(span_of(text), &at) == 0 ? at : 0;
}
