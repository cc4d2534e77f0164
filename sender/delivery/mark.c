/* How far a dump has come at a server.
 * Doesn't know servers, nor when it is asked. */
#include "sender/delivery/mark.h"

/* 0: nothing; 1: what goes before the first page; then the chunks of pages. */
static uint64_t reach_of(const struct cursor *cursor)
{
	if (cursor->segment == 0)
		return 0;
	return cursor->chunk == CURSOR_AT_END ? CURSOR_AT_END : cursor->chunk + 1;
}

void mark_link_begin(struct mark_link *l)
{
	*l = (struct mark_link){0};
}

static bool raise(uint64_t *mark, uint64_t to)
{
	if (to <= *mark)
		return false;
	*mark = to;
	return true;
}

bool mark_resumed(struct mark *m, const struct cursor *cursor)
{
	const uint64_t reach = reach_of(cursor);
	const bool was_sent = reach <= m->sent;

	raise(&m->sent, reach);
	return raise(&m->acked, reach) && was_sent;
}

void mark_sent(struct mark *m, struct mark_link *l, const struct cursor *cursor)
{
	const uint64_t reach = reach_of(cursor);

	l->sent[cursor->segment % MARK_SENT_MAX].segment = cursor->segment;
	l->sent[cursor->segment % MARK_SENT_MAX].reach = reach;
	raise(&m->sent, reach);
}

bool mark_acked(struct mark *m, const struct mark_link *l, uint64_t number)
{
	const uint64_t i = number % MARK_SENT_MAX;

	return number && l->sent[i].segment == number && raise(&m->acked, l->sent[i].reach);
}
