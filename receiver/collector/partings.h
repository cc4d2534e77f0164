/*
 * Connections that are refused without a process: each is told why, then closed in order. A close
 * with bytes unread would be a reset, which could overtake the refusal.
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

/* Send a final REFUSE with `text`, and begin to close. Takes `fd`. Where there are too many
 * partings, the oldest is closed at once. */
void partings_refuse(struct partings *p, int fd, const char *text, uint64_t now_ms);

/* Fill in the descriptors to poll. Returns how many (PARTINGS_MAX at the most). */
size_t partings_poll(const struct partings *p, struct pollfd *polled);

/* Close the connections whose peers have closed, or whose time is over. */
void partings_turn(struct partings *p, uint64_t now_ms);

void partings_close(struct partings *p);

#endif
