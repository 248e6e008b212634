/* How a foreground `up` comes to its end. Part of session.h, apart for reading. */
#ifndef ROADIE_UI_SESSION_END_H
#define ROADIE_UI_SESSION_END_H

#include "ui/session.h"

/* Sends; when the server is gone the session ends by itself. */
int session_send(struct session *s, json_t *request);
/* ^C or TERM: stops, then kills, then leaves. */
void session_interrupt(struct session *s, int signal);
/* The reader of stdout went away: as ^C, but quietly. */
void session_reader_gone(struct session *s);
void session_server_gone(struct session *s);
void session_up_answered(struct session *s, const json_t *reply, int code);
void session_down_answered(struct session *s, const json_t *reply, int code);
void session_detached(struct session *s);
/* After each change: says once that all is up; ends an attached session when all has ended by itself. */
void session_told_up(struct session *s);
/* Shows what is stored to its end, then leaves. */
void session_drain(struct session *s);

#endif
