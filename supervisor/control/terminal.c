/*
 * What this room is for.      Giving a terminal back that a killed client left without echo.
 * What it may touch.          The terminal that the client named, for as long as it stands as the client left it.
 * Who calls it.               handlers.c (the client says what it was), session.c (the client has gone)
 * The one invariant.          A mode that anybody else has set since is never overwritten.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/server.h"

struct terminal_loan {
    struct termios before;
    char path[256];
};

static tcflag_t mode(const json_t *state, const char *name)
{
    return (tcflag_t)json_integer_value(json_object_get(state, name));
}

int terminal_lend(struct session *session, const json_t *state)
{
    const char *path = json_string_value(json_object_get(state, "path"));
    const json_t *cc = json_object_get(state, "cc");
    struct terminal_loan loan = {0};
    if (path == NULL || strncmp(path, "/dev/", 5) != 0 || strstr(path, "..") != NULL ||
        strlen(path) >= sizeof loan.path || json_array_size(cc) != NCCS) {
        return -EINVAL;
    }
    memcpy(loan.path, path, strlen(path) + 1);
    loan.before.c_iflag = mode(state, "iflag");
    loan.before.c_oflag = mode(state, "oflag");
    loan.before.c_cflag = mode(state, "cflag");
    loan.before.c_lflag = mode(state, "lflag");
    for (size_t i = 0; i < NCCS; i++) {
        loan.before.c_cc[i] = (cc_t)json_integer_value(json_array_get(cc, i));
    }
    mem_free(session->terminal);
    session->terminal = mem_calloc(1, sizeof loan);
    *session->terminal = loan;
    return 0;
}

/* As the client leaves it while it reads keys: neither lines nor echo. A shell's own mode differs in more. */
static bool is_as_left(const struct termios *now, const struct termios *before)
{
    tcflag_t raw = before->c_lflag & ~(tcflag_t)(ICANON | ECHO);
    return now->c_lflag == raw && now->c_iflag == before->c_iflag && now->c_oflag == before->c_oflag &&
           now->c_cc[VMIN] == 1 && now->c_cc[VTIME] == 0;
}

void terminal_return(struct session *session)
{
    struct terminal_loan *loan = session->terminal;
    if (loan == NULL) {
        return;
    }
    session->terminal = NULL;
    int fd = open(loan->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios now;
    if (fd >= 0 && tcgetattr(fd, &now) == 0 && is_as_left(&now, &loan->before)) {
        /* speed is not ours to touch: what stands now, with the old modes */
        now.c_lflag = loan->before.c_lflag;
        memcpy(now.c_cc, loan->before.c_cc, sizeof now.c_cc);
        (void)tcsetattr(fd, TCSANOW, &now);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    mem_free(loan);
}
