/*
 * What this room is for.      Terminal escape sequences (ECMA-48) and UTF-8, one at a time.
 * What it may touch.          Nothing: pure.
 * Who calls it.               sanitise.c, redact.c.
 * The one invariant.          Linear over a line, whatever it holds.
 */
#include "logs/escape.h"

#include "base/attr.h"

enum { ESC = 0x1B, BEL = 0x07, SGR_MAX = 64 };

static bool is_between(char c, char low, char high)
{
    return c >= low && c <= high;
}

/* ESC [ parameters intermediates final */
static size_t csi_length(const char *p, size_t left, bool *sgr)
{
    size_t at = 2;
    bool simple = true;
    while (at < left && is_between(p[at], 0x30, 0x3F)) {
        simple = simple && (p[at] <= ';'); /* digits, colon, semicolon: no private marks */
        at++;
    }
    size_t parameters_end = at;
    while (at < left && is_between(p[at], 0x20, 0x2F)) {
        at++;
    }
    if (at == left || !is_between(p[at], 0x40, 0x7E)) {
        return 0;
    }
    *sgr = simple && p[at] == 'm' && at == parameters_end && at - 2 <= SGR_MAX;
    return at + 1;
}

/* ESC ] … BEL, or ESC P|_|^|X … ESC \ */
static size_t string_length(const char *p, size_t left)
{
    for (size_t at = 2; at < left; at++) {
        unsigned char c = (unsigned char)p[at];
        if (c == BEL && p[1] == ']') {
            return at + 1;
        }
        if (c == ESC) {
            return at + 1 < left && p[at + 1] == '\\' ? at + 2 : 0;
        }
        if (c < 0x20 && c != '\t') {
            return 0;
        }
    }
    return 0;
}

size_t escape_length(const char *p, size_t left, bool *sgr)
{
    *sgr = false;
    if (left < 2) {
        return 0;
    }
    switch (p[1]) {
    case '[':
        return csi_length(p, left, sgr);
    case ']':
    case 'P':
    case '_':
    case '^':
    case 'X':
        return string_length(p, left);
    default:
        break;
    }
    size_t at = 1;
    while (at < left && is_between(p[at], 0x20, 0x2F)) {
        at++;
    }
    return at < left && is_between(p[at], 0x30, 0x7E) ? at + 1 : 0;
}

size_t utf8_decode(const char *text, size_t left, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text;
    if (left == 0) {
        return 0;
    }
    unsigned char lead = p[0];
    if (lead < 0x80) {
        *code = lead;
        return 1;
    }
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < need) {
        return 0;
    }
    uint32_t value = lead & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = (value << 6) | (p[i] & 0x3F);
    }
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < lowest[need] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 0;
    }
    *code = value;
    return need;
}

bool code_is_plain(uint32_t code)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } refused[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},       {0x61C, 0x61C},
        {0x115F, 0x1160}, {0x180E, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x202E},
        {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
        {0xFFF9, 0xFFFB}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (code < refused[i].first) {
            return true;
        }
        if (code <= refused[i].last) {
            return false;
        }
    }
    return true;
}

size_t plain_length(const char *p, size_t left)
{
    size_t at = 0;
    while (at < left && ((unsigned char)(p[at] - 0x20) < 0x5F || p[at] == '\t')) {
        at++;
    }
    return at;
}
