/*
 * Connections that are refused without a process: told why, then closed in order. A close with
 * bytes unread would be a reset, which could overtake what was said.
 */
#ifndef PARTINGS_H
#define PARTINGS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTINGS_MAX = 64 };

struct partings {
	struct {
		int fd;
		uint64_t until_ms;
	} items[PARTINGS_MAX]; /* the oldest first */
	size_t count;
};

/* Say REFUSE for good with `text`, and part. Takes `fd`; of too many the oldest is closed. */
void partings_refuse(struct partings *p, int fd, const char *text, uint64_t now_ms);

/* Fill in what to poll for: how many (PARTINGS_MAX at the most). */
size_t partings_poll(const struct partings *p, struct pollfd *polled);

/* Close those that have closed, or have had their time. */
void partings_turn(struct partings *p, uint64_t now_ms);

void partings_close(struct partings *p);

#endif
