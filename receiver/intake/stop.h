/* Signals that end the receiving, so that what came is mended and kept. */
#ifndef STOP_H
#define STOP_H

#include <signal.h>

/*
 * SIGINT, SIGTERM and SIGHUP, and SIGUSR1 (by which an older vmrecv takes a dump over), are let
 * through only while we wait, with the mask that comes out, or one that comes just before would be
 * slept over. The second one kills.
 */
void stop_catch(sigset_t *while_waiting_ret);

/* The signal that came; 0: none has. */
int stop_signal(void);

#endif
