/* A connection to the collector, from the first byte to the end, in a process of its own. */
#ifndef ATTEND_H
#define ATTEND_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

struct options;
struct tls_server;

struct attendance {
	const struct options *o;
	struct tls_server *tls; /* NULL: plain TCP */
	int fd;			/* the connection (taken) */
	int queue_fd;		/* where a place is to be had: see attend_answer */
	char name[64];		/* the address it comes from */
	bool is_trusted;	/* without TLS: that address may send */
};

/*
 * What is said over queue_fd, a socket that keeps messages apart: the process asks by a byte, and
 * hears a place, as queue_ask() gives it, at once and whenever it changes.
 */
typedef int attend_place;

/* Returns the exit status. */
enum exit_status attend(const struct attendance *a);

#endif
