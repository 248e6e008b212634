/* Errors with context (see fault.h). */
#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fault_set(struct fault *why, int code, const char *fmt, ...)
{
    if (why == NULL) {
        return code;
    }
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    why->code = code;
    why->hint[0] = '\0';
    if (len >= 0 && (size_t)len < sizeof why->text && code < 0 && code != -EINVAL &&
        code != -EPROTO) {
        (void)snprintf(why->text + len, sizeof why->text - (size_t)len, ": %s", strerror(-code));
    }
    return code;
}

int fault_wrap(struct fault *why, const char *fmt, ...)
{
    if (why == NULL) {
        return 0;
    }
    char inner[FAULT_TEXT_MAX];
    memcpy(inner, why->text, sizeof inner);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof why->text) {
        (void)snprintf(why->text + len, sizeof why->text - (size_t)len, ": %s", inner);
    }
    return why->code;
}

int fault_hint(struct fault *why, const char *fmt, ...)
{
    if (why == NULL) {
        return 0;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->hint, sizeof why->hint, fmt, args);
    va_end(args);
    return why->code;
}

const char *fault_text(const struct fault *why)
{
    return why == NULL ? "" : why->text;
}
