/* sender/delivery/mark.h: what counts as progress. */
#include "tests/lib/unit.h"

#include "sender/delivery/mark.h"

static struct cursor at(uint64_t segment, uint64_t chunk)
{
	return (struct cursor){.segment = segment, .chunk = chunk};
}

static void send(struct mark *m, struct mark_link *l, uint64_t segment, uint64_t chunk)
{
	const struct cursor c = at(segment, chunk);

	mark_sent(m, l, &c);
}

static bool resume(struct mark *m, uint64_t segment, uint64_t chunk)
{
	const struct cursor c = at(segment, chunk);

	return mark_resumed(m, &c);
}

static void test_again(void **state UNUSED)
{
	struct mark m = {0};
	struct mark_link l;

	mark_link_begin(&l);
	send(&m, &l, 1, 0);
	send(&m, &l, 2, 64);
	assert_true(mark_acked(&m, &l, 1));
	assert_false(mark_acked(&m, &l, 1));
	/* On another link, which begins at the beginning, or goes on. */
	for (int i = 0; i < 100; i++) {
		mark_link_begin(&l);
		assert_false(resume(&m, i & 1, 0));
		send(&m, &l, 1, 0);
		assert_false(mark_acked(&m, &l, 1));
	}
	/* By other codecs the same segment may end elsewhere: what counts is the page. */
	send(&m, &l, 2, 60);
	send(&m, &l, 3, 64);
	assert_true(mark_acked(&m, &l, 2));
	mark_link_begin(&l);
	send(&m, &l, 3, 60);
	assert_false(mark_acked(&m, &l, 3));
	send(&m, &l, 4, CURSOR_AT_END);
	assert_true(mark_acked(&m, &l, 4));
	assert_false(mark_acked(&m, &l, 4));
}

/* An acknowledgement that was lost with its link is made up for by GO; but GO alone is no proof. */
static void test_resumed(void **state UNUSED)
{
	struct mark m = {0};
	struct mark_link l;

	mark_link_begin(&l);
	/* An earlier run of the program has brought that there. */
	assert_false(resume(&m, 3, 100));
	send(&m, &l, 4, 200);
	send(&m, &l, 5, 300);
	assert_true(resume(&m, 4, 200));
	assert_false(resume(&m, 4, 200));
	assert_false(resume(&m, 3, 100));
	assert_false(resume(&m, 9, 900)); /* which was never sent */
}

/* Of numbers that nothing is known of, none is progress. */
static void test_unknown(void **state UNUSED)
{
	struct mark m = {0};
	struct mark_link l;

	mark_link_begin(&l);
	assert_false(mark_acked(&m, &l, 0));
	assert_false(mark_acked(&m, &l, MARK_SENT_MAX));
	for (uint64_t i = 1; i <= MARK_SENT_MAX + 1; i++)
		send(&m, &l, i, i);
	assert_false(mark_acked(&m, &l, 1));
	assert_true(mark_acked(&m, &l, 2));
	assert_true(mark_acked(&m, &l, MARK_SENT_MAX + 1));
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "mark: counts a point once, whatever link it comes over", test_again, NULL);
	unit_add(&u, "mark: believes GO no more than what was sent", test_resumed, NULL);
	unit_add(&u, "mark: knows as many checkpoints as wait", test_unknown, NULL);
	return unit_run(&u, "mark", argc, argv);
}
