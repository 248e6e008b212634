/* The parts of fx, the one badly behaved child of all tests: a table of sub-commands (fx.c) and
 * their doers. */
#ifndef ROADIE_TESTS_FX_H
#define ROADIE_TESTS_FX_H

/* Each gets the words after its name; returns the exit status. */
int fx_tree(int argc, char **argv);
int fx_ignore_term(int argc, char **argv);
int fx_slow_stop(int argc, char **argv);
int fx_signals(int argc, char **argv);
int fx_stop_self(int argc, char **argv);
int fx_close_out(int argc, char **argv);
int fx_hold_out(int argc, char **argv);
int fx_daemonize(int argc, char **argv);
int fx_zombies(int argc, char **argv);
int fx_forkstorm(int argc, char **argv);
int fx_exit(int argc, char **argv);
int fx_crash(int argc, char **argv);
int fx_spin(int argc, char **argv);
int fx_say(int argc, char **argv);
int fx_untouchable(int argc, char **argv);

int fx_lines(int argc, char **argv);
int fx_verify(int argc, char **argv);
int fx_flood(int argc, char **argv);
int fx_longline(int argc, char **argv);
int fx_bytes(int argc, char **argv);
int fx_esc(int argc, char **argv);

int fx_dumpself(int argc, char **argv);
int fx_winsz(int argc, char **argv);
int fx_listen(int argc, char **argv);

/* Word i as a number, or fallback when it is not there; ends the program when it is no number. */
long fx_number(int argc, char **argv, int i, long fallback);
/* One write of "text\n". */
void fx_put(const char *text);
void fx_sleep_ms(long ms);
/* Until a signal ends it. */
void fx_wait(void);

#endif
