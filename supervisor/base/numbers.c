/* Text to numbers and back (see numbers.h). */
#include "base/numbers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int parse_u64(struct span text, uint64_t min, uint64_t max, uint64_t *out)
{
    if (text.len == 0) {
        return -EINVAL;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < '0' || c > '9') {
            return -EINVAL;
        }
        uint64_t digit = (uint64_t)(c - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return -ERANGE;
        }
        value = value * 10 + digit;
    }
    if (value < min || value > max) {
        return -ERANGE;
    }
    *out = value;
    return 0;
}

int parse_port(struct span text, uint16_t *out)
{
    uint64_t value = 0;
    int rc = parse_u64(text, 1, 65535, &value);
    if (rc == 0) {
        *out = (uint16_t)value;
    }
    return rc;
}

static size_t leading_digits(struct span text)
{
    size_t n = 0;
    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    return n;
}

static uint64_t unit_ms(struct span *text)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t len = strlen(units[i].name);
        if (span_starts(*text, units[i].name)) {
            text->ptr += len;
            text->len -= len;
            return units[i].ms;
        }
    }
    return 0;
}

int parse_duration_ms(struct span text, uint64_t *out)
{
    if (span_is(text, "0")) {
        *out = 0;
        return 0;
    }
    uint64_t total = 0;
    if (text.len == 0) {
        return -EINVAL;
    }
    while (text.len > 0) {
        size_t digits = leading_digits(text);
        uint64_t whole = 0;
        if (parse_u64((struct span){text.ptr, digits}, 0, 1000000000, &whole) != 0) {
            return -EINVAL;
        }
        text.ptr += digits;
        text.len -= digits;
        uint64_t thousandths = 0;
        if (text.len > 0 && text.ptr[0] == '.') {
            text.ptr++;
            text.len--;
            size_t places = leading_digits(text);
            if (places == 0 || places > 3) {
                return -EINVAL;
            }
            (void)parse_u64((struct span){text.ptr, places}, 0, 999, &thousandths);
            for (size_t i = places; i < 3; i++) {
                thousandths *= 10;
            }
            text.ptr += places;
            text.len -= places;
        }
        uint64_t unit = unit_ms(&text);
        if (unit == 0) {
            return -EINVAL;
        }
        total += whole * unit + thousandths * unit / 1000;
    }
    *out = total;
    return 0;
}

int parse_size(struct span text, uint64_t *out)
{
    uint64_t unit = 1;
    if (text.len > 1) {
        switch (text.ptr[text.len - 1]) {
        case 'k':
        case 'K':
            unit = 1024;
            break;
        case 'm':
        case 'M':
            unit = 1024UL * 1024;
            break;
        case 'g':
        case 'G':
            unit = 1024UL * 1024 * 1024;
            break;
        default:
            break;
        }
        if (unit > 1) {
            text.len--;
        }
    }
    uint64_t value = 0;
    int rc = parse_u64(text, 0, UINT64_MAX / unit, &value);
    if (rc == 0) {
        *out = value * unit;
    }
    return rc;
}

int parse_bool(struct span text, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (span_is(text, yes[i])) {
            *out = true;
            return 0;
        }
        if (span_is(text, no[i])) {
            *out = false;
            return 0;
        }
    }
    return -EINVAL;
}

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},     {SIGTRAP, "TRAP"},
    {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGKILL, "KILL"},   {SIGUSR1, "USR1"},
    {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"},   {SIGTERM, "TERM"},
    {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"}, {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},   {SIGTTIN, "TTIN"},
    {SIGTTOU, "TTOU"}, {SIGURG, "URG"},   {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"},   {SIGPROF, "PROF"},
    {SIGSYS, "SYS"},   {28, "WINCH"},     {29, "IO"},        {SIGVTALRM, "VTALRM"},
};

int parse_signal(struct span text, int *out)
{
    uint64_t number = 0;
    if (parse_u64(text, 1, 64, &number) == 0) {
        *out = (int)number;
        return 0;
    }
    if (text.len > 3 && strncasecmp(text.ptr, "SIG", 3) == 0) {
        text.ptr += 3;
        text.len -= 3;
    }
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        if (strlen(signals[i].name) == text.len &&
            strncasecmp(signals[i].name, text.ptr, text.len) == 0) {
            *out = signals[i].number;
            return 0;
        }
    }
    return -EINVAL;
}

const char *signal_name(int signal)
{
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        if (signals[i].number == signal) {
            return signals[i].name;
        }
    }
    return "?";
}

const char *format_duration(uint64_t ms, char *out, size_t size)
{
    unsigned long long s = ms / 1000;
    if (ms < 1000) {
        (void)snprintf(out, size, "%llums", (unsigned long long)ms);
    } else if (ms < 60000) {
        (void)snprintf(out, size, "%llu.%llus", s, (unsigned long long)(ms % 1000 / 100));
    } else if (s < 3600) {
        (void)snprintf(out, size, "%llum%02llus", s / 60, s % 60);
    } else if (s < 86400) {
        (void)snprintf(out, size, "%lluh%02llum", s / 3600, s / 60 % 60);
    } else {
        (void)snprintf(out, size, "%llud%02lluh", s / 86400, s / 3600 % 24);
    }
    return out;
}

const char *format_size(uint64_t bytes, char *out, size_t size)
{
    static const char units[] = "kMGT";
    if (bytes < 1024) {
        (void)snprintf(out, size, "%llu", (unsigned long long)bytes);
        return out;
    }
    double value = (double)bytes;
    size_t unit = 0;
    for (value /= 1024; value >= 1000 && unit < sizeof units - 2; unit++) {
        value /= 1024;
    }
    (void)snprintf(out, size, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
    return out;
}
