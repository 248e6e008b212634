/*
 * What this room is for.      Finds the mistakes in regular expressions that people make (see
 * ready.h). What it may touch.          base only. Who calls it.               ready.c for `log`,
 * service.c for `hint`. The one invariant.          It never refuses an expression that PCRE2
 * accepts.
 */
#include <string.h>

#include "stack/ready.h"

/* At [: the offset behind its ], or 0 when there is none. */
static size_t class_end(struct span re, size_t at)
{
    size_t i = at + 1;
    if (i < re.len && re.ptr[i] == '^') {
        i++;
    }
    for (size_t first = i; i < re.len; i++) {
        if (re.ptr[i] == '\\') {
            i++;
        } else if (re.ptr[i] == '[' && i + 1 < re.len && strchr(":.=", re.ptr[i + 1]) != NULL) {
            size_t end = i + 2;
            while (end + 1 < re.len && !(re.ptr[end] == re.ptr[i + 1] && re.ptr[end + 1] == ']')) {
                end++;
            }
            i = end + 1 < re.len ? end + 1 : i;
        } else if (re.ptr[i] == ']' && i > first) {
            return i + 1;
        }
    }
    return 0;
}

static const char *complain(const char *what, size_t at, size_t *offset)
{
    *offset = at;
    return what;
}

/* Behind (?: whether the options turn on extended mode, whose comments may hold anything. */
static bool is_extended(struct span re, size_t at)
{
    while (at < re.len && ((re.ptr[at] >= 'a' && re.ptr[at] <= 'z') || re.ptr[at] == '^')) {
        if (re.ptr[at++] == 'x') {
            return true;
        }
    }
    return false;
}

const char *regex_complaint(struct span re, size_t *offset)
{
    size_t open[32];
    size_t depth = 0;
    bool repeatable = false;
    for (size_t i = 0; i < re.len; i++) {
        char c = re.ptr[i];
        if (c == '\\') {
            if (i + 1 >= re.len) {
                return complain("a backslash at the end", i, offset);
            }
            if (re.ptr[i + 1] == 'Q') {
                return NULL; /* a literal text: anything may follow */
            }
            i++;
            repeatable = true;
        } else if (c == '[') {
            size_t end = class_end(re, i);
            if (end == 0) {
                return complain("a \"[\" without its \"]\"", i, offset);
            }
            i = end - 1;
            repeatable = true;
        } else if (c == '(') {
            bool special = i + 1 < re.len && (re.ptr[i + 1] == '*' || re.ptr[i + 1] == '?');
            bool comment = special && i + 2 < re.len && re.ptr[i + 2] == '#';
            if (depth >= COUNT_OF(open) || comment || (special && is_extended(re, i + 2))) {
                return NULL; /* beyond what is worth checking here */
            }
            open[depth++] = i;
            i += special ? 1 : 0;
            repeatable = special;
        } else if (c == ')') {
            if (depth == 0) {
                return complain("a \")\" without its \"(\"", i, offset);
            }
            depth--;
            repeatable = true;
        } else if ((c == '*' || c == '+' || c == '?') && !repeatable) {
            return complain("nothing to repeat", i, offset);
        } else {
            repeatable = c != '|';
        }
    }
    return depth > 0 ? complain("a \"(\" without its \")\"", open[depth - 1], offset) : NULL;
}
