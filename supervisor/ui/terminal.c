/*
 * What this room is for.      termios and window size.
 * What it may touch.          Descriptors 0 and 2.
 * Who calls it.               session.c, cmd_control.c
 * The one invariant.          Whoever sets a mode keeps what was there before.
 */
#include "ui/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

void terminal_size(int fd, unsigned *columns, unsigned *rows)
{
    struct winsize size = {0};
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *columns = known ? size.ws_col : 80;
    *rows = known && size.ws_row > 5 ? size.ws_row / 2U : 10;
}

bool terminal_is_ours(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

bool terminal_raw(struct terminal *t)
{
    if (t->raw || isatty(STDIN_FILENO) != 1 || !terminal_is_ours() ||
        tcgetattr(STDIN_FILENO, &t->before) != 0) {
        return t->raw;
    }
    struct termios raw = t->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    return t->raw;
}

void terminal_restore(struct terminal *t)
{
    if (t->raw && terminal_is_ours()) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
    }
    t->raw = false;
}

json_t *terminal_state(const struct terminal *t)
{
    char path[256];
    if (!t->raw || ttyname_r(STDIN_FILENO, path, sizeof path) != 0) {
        return NULL;
    }
    json_t *cc = json_array();
    for (size_t i = 0; i < NCCS; i++) {
        (void)json_array_append_new(cc, json_integer(t->before.c_cc[i]));
    }
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "path", path, "iflag",
                     (json_int_t)t->before.c_iflag, "oflag", (json_int_t)t->before.c_oflag, "cflag",
                     (json_int_t)t->before.c_cflag, "lflag", (json_int_t)t->before.c_lflag, "cc", cc);
}
