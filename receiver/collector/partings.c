/* Connections that are being closed.
 * Doesn't know why. */
#include "receiver/collector/partings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/message.h"

enum {
	PART_MS = 3000,
	FRAME_ROOM = 1024,
	DROP_BYTES = 16 << 10,
	DROPS = 4, /* reads of one connection at a time: the others wait */
};

static void say_refuse(int fd, const char *text)
{
	struct farewell bye = {.reason = REASON_POLICY};
	struct frame_writer out;
	struct outbuf payload;
	struct error unused;
	const uint8_t *bytes;
	size_t size_bytes;

	if (frame_writer_init(&out, FRAME_ROOM, &unused) < 0)
		return;
	snprintf(bye.text, sizeof(bye.text), "%s", text);
	payload = frame_begin(&out);
	farewell_put(&payload, &bye);
	if (frame_end(&out, FRAME_REFUSE, &payload, &unused) == 0) {
		bytes = frame_writer_pending(&out, &size_bytes);
		(void)!send(fd, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	frame_writer_deinit(&out);
}

static void remove_at(struct partings *p, size_t i)
{
	close(p->items[i].fd);
	p->count--;
	memmove(&p->items[i], &p->items[i + 1], (p->count - i) * sizeof(p->items[0]));
}

void partings_refuse(struct partings *p, int fd, const char *text, uint64_t now_ms)
{
	say_refuse(fd, text);
	shutdown(fd, SHUT_WR);
	if (p->count == PARTINGS_MAX)
		remove_at(p, 0);
	p->items[p->count].fd = fd;
	p->items[p->count].until_ms = now_ms + PART_MS;
	p->count++;
}

size_t partings_poll(const struct partings *p, struct pollfd *polled)
{
	for (size_t i = 0; i < p->count; i++)
		polled[i] = (struct pollfd){.fd = p->items[i].fd, .events = POLLIN};
	return p->count;
}

/* Drop the bytes that still come. Returns whether the peer has closed. */
static int has_closed(int fd)
{
	char dropped[DROP_BYTES];

	for (int i = 0; i < DROPS; i++) {
		const ssize_t n = recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT);

		if (n < 0)
			return errno != EAGAIN && errno != EINTR;
		if (n == 0)
			return 1;
	}
	return 0;
}

void partings_turn(struct partings *p, uint64_t now_ms)
{
	for (size_t i = 0; i < p->count;) {
		if (now_ms >= p->items[i].until_ms || has_closed(p->items[i].fd))
			remove_at(p, i);
		else
			i++;
	}
}

void partings_close(struct partings *p)
{
	while (p->count)
		remove_at(p, p->count - 1);
}
