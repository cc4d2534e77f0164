/* Signals that end the receiving, so that what came is mended and kept. */
#ifndef STOP_H
#define STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * SIGINT, SIGTERM and SIGHUP, and SIGUSR1 (by which an older vmrecv takes a dump over), are let
 * through only while we wait, with the mask that this function gives. Otherwise a signal that comes
 * just before a wait wouldn't end the wait. The second signal kills.
 */
void stop_catch(sigset_t *while_waiting_ret);

/*
 * After stop_catch(): SIGHUP no longer stops, also where nohup had it ignored, but asks for a
 * reload. It is let through with the same mask.
 */
void stop_catch_reload(sigset_t *while_waiting);

/* Whether SIGHUP has come since the last call. Only where SIGHUP is blocked meanwhile. */
bool stop_reload_came(void);

/* The signal that came; 0: none has. */
int stop_signal(void);

#endif
