/* The terminal: its size, and keys without echo. */
#ifndef ROADIE_UI_TERMINAL_H
#define ROADIE_UI_TERMINAL_H

#include <jansson.h>
#include <stdbool.h>
#include <termios.h>

/* Columns and how many rows a board may take (half of the screen); 80 and 10 where it is not known. */
void terminal_size(int fd, unsigned *columns, unsigned *rows);

/* Zero-initialise. */
struct terminal {
    bool raw;
    struct termios before;
};

/* Keys come at once and unseen, signals as before. False when stdin is no terminal or this process is in the
 * background (reading would stop it). */
bool terminal_raw(struct terminal *t);
/* As it was. Safe to call twice; safe in a signal handler. */
void terminal_restore(struct terminal *t);
/* What another process needs to restore it: {"path","iflag","oflag","cflag","lflag","cc":[…]}; NULL when the
 * terminal has no name. */
json_t *terminal_state(const struct terminal *t);
/* Whether this process is in the terminal's foreground. */
bool terminal_is_ours(void);

#endif
