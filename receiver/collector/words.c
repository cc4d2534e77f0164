/* Words between a session and its collector.
 * Doesn't know what they are for. */
#include "receiver/collector/words.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD_BYTES = offsetof(struct word, text) };

static int heard(ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	return n > 0 ? 1 : -1;
}

bool word_say(int fd, const struct word *w)
{
	const size_t text = w->kind == WORD_LINE ? strlen(w->text) + 1 : 0;
	const ssize_t n = send(fd, w, HEAD_BYTES + text, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == (ssize_t)(HEAD_BYTES + text);
}

int word_hear(int fd, struct word *w_ret)
{
	const ssize_t n = recv(fd, w_ret, sizeof(*w_ret), MSG_DONTWAIT);
	const int r = heard(n);

	if (r <= 0)
		return r;
	if (n < HEAD_BYTES || w_ret->kind >= WORD_KINDS)
		return -1;
	w_ret->host[sizeof(w_ret->host) - 1] = '\0';
	w_ret->name[sizeof(w_ret->name) - 1] = '\0';
	w_ret->text[MIN((size_t)n - HEAD_BYTES, sizeof(w_ret->text) - 1)] = '\0';
	return 1;
}

bool order_say(int fd, const struct order *o)
{
	return send(fd, o, sizeof(*o), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*o);
}

int order_hear(int fd, struct order *o_ret)
{
	struct order o;
	const ssize_t n = recv(fd, &o, sizeof(o), MSG_DONTWAIT);
	const int r = heard(n);

	if (r <= 0 || n != sizeof(o))
		return MIN(r, 0);
	o.answer.text[sizeof(o.answer.text) - 1] = '\0';
	*o_ret = o;
	return 1;
}
