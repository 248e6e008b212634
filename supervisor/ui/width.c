/*
 * What this room is for.      Counts terminal columns.
 * What it may touch.          base only.
 * Who calls it.               grid.c, board.c
 * The one invariant.          A prefix that width_fit gives never ends within a character.
 */
#include "ui/width.h"

#include <stdint.h>

struct range {
    uint32_t first;
    uint32_t last;
};

/* Marks that join the character before them, and invisible format characters. */
static const struct range zero[] = {
    {0x0300, 0x036F},   {0x0483, 0x0489},   {0x0591, 0x05BD},   {0x0610, 0x061A},
    {0x064B, 0x065F},   {0x06D6, 0x06DC},   {0x0900, 0x0902},   {0x093A, 0x093A},
    {0x093C, 0x093C},   {0x0941, 0x0948},   {0x0E31, 0x0E31},   {0x0E34, 0x0E3A},
    {0x0E47, 0x0E4E},   {0x1AB0, 0x1AFF},   {0x1DC0, 0x1DFF},   {0x200B, 0x200F},
    {0x202A, 0x202E},   {0x2060, 0x2064},   {0x20D0, 0x20FF},   {0xFE00, 0xFE0F},
    {0xFE20, 0xFE2F},   {0xFEFF, 0xFEFF},   {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
};

static const struct range wide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},
    {0x23F0, 0x23F0},   {0x23F3, 0x23F3},   {0x25FD, 0x25FE},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267F, 0x267F},   {0x2693, 0x2693},   {0x26A1, 0x26A1},
    {0x26AA, 0x26AB},   {0x26BD, 0x26BE},   {0x26C4, 0x26C5},   {0x26CE, 0x26CE},
    {0x26D4, 0x26D4},   {0x26EA, 0x26EA},   {0x26F2, 0x26F3},   {0x26F5, 0x26F5},
    {0x26FA, 0x26FA},   {0x26FD, 0x26FD},   {0x2705, 0x2705},   {0x270A, 0x270B},
    {0x2728, 0x2728},   {0x274C, 0x274C},   {0x274E, 0x274E},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27B0, 0x27B0},   {0x27BF, 0x27BF},
    {0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},   {0x2B55, 0x2B55},   {0x2E80, 0x303E},
    {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x16FE0, 0x18AFF}, {0x1B000, 0x1B2FF},
    {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A},
    {0x1F200, 0x1F265}, {0x1F300, 0x1F320}, {0x1F32D, 0x1F335}, {0x1F337, 0x1F37C},
    {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0},
    {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F3FA}, {0x1F400, 0x1F43E}, {0x1F440, 0x1F440},
    {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E}, {0x1F550, 0x1F567},
    {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F},
    {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2}, {0x1F6D5, 0x1F6D7},
    {0x1F6DC, 0x1F6DF}, {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7EB},
    {0x1F90C, 0x1F93A}, {0x1F93C, 0x1F945}, {0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAFF},
    {0x20000, 0x3FFFD},
};

static bool within(const struct range *ranges, size_t count, uint32_t c)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > ranges[middle].last) {
            low = middle + 1;
        } else if (c < ranges[middle].first) {
            high = middle;
        } else {
            return true;
        }
    }
    return false;
}

/* Decodes the character at ptr; its length in bytes (1 for a byte that starts none). */
static size_t decode(struct span text, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t need = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 1;
    *c = p[0];
    if (need == 1 || p[0] > 0xF4 || text.len < need) {
        return 1;
    }
    uint32_t value = p[0] & (0xFFU >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 1;
        }
        value = value << 6 | (p[i] & 0x3FU);
    }
    *c = value;
    return need;
}

/* Length of an SGR sequence at ptr, 0 when there is none. */
static size_t sgr_len(struct span text)
{
    if (text.len < 3 || text.ptr[0] != '\033' || text.ptr[1] != '[') {
        return 0;
    }
    size_t i = 2;
    while (i < text.len && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == ';')) {
        i++;
    }
    return i < text.len && text.ptr[i] == 'm' ? i + 1 : 0;
}

static size_t step(struct span text, size_t *columns)
{
    size_t sgr = sgr_len(text);
    if (sgr > 0) {
        *columns = 0;
        return sgr;
    }
    uint32_t c = 0;
    size_t len = decode(text, &c);
    if (c < 0x300) {
        *columns = 1;
    } else if (within(zero, COUNT_OF(zero), c)) {
        *columns = 0;
    } else {
        *columns = within(wide, COUNT_OF(wide), c) ? 2 : 1;
    }
    return len;
}

size_t width_of(struct span text)
{
    size_t total = 0;
    while (text.len > 0) {
        size_t columns = 0;
        size_t len = step(text, &columns);
        total += columns;
        text.ptr += len;
        text.len -= len;
    }
    return total;
}

size_t width_fit(struct span text, size_t columns)
{
    size_t total = 0;
    size_t used = 0;
    while (used < text.len) {
        size_t more = 0;
        size_t len = step((struct span){text.ptr + used, text.len - used}, &more);
        if (total + more > columns) {
            break;
        }
        total += more;
        used += len;
    }
    return used;
}
