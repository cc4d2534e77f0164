/* Asks a janitor for space.
 * Doesn't know what the space is for. */
#include "receiver/intake/claim.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "receiver/retention/janitor.h"

enum { LOOK_MS = 100 };

static void say_gone(void *ctx UNUSED, const struct stored *d)
{
	char size[16];

	log_note("%s/%s: removed by %s, %s", d->host, d->name, rule_name(d->gone),
		 format_size(size, sizeof(size), d->bytes));
}

static void say_failure(const struct error *why)
{
	log_warning("the limits of space aren't checked: %s", why->msg);
}

/* Until the janitor has answered or ended: 1 if it has answered. */
static int await(struct janitor *j, const struct keepalive *alive, struct space_answer *answer_ret,
		 struct error *err)
{
	const uint64_t until_ms = clock_ms() + SPACE_ANSWER_MS;
	int r;

	while ((r = janitor_hear(j, answer_ret)) == 0) {
		struct pollfd pfd = {.fd = j->fd, .events = POLLIN};

		if (clock_ms() >= until_ms)
			return error_set(err, -ENOBUFS, "no space could be made in %d s",
					 SPACE_ANSWER_MS / 1000);
		(void)poll(&pfd, 1, LOOK_MS);
		r = keepalive(alive, err);
		if (r < 0)
			return r;
	}
	return r > 0;
}

int claim_space(void *ctx, const struct reserve_want *want, const struct keepalive *alive,
		uint64_t *granted_ret, struct error *err)
{
	const struct claim *c = ctx;
	const struct janitor_task task = {.dir = c->dir,
					  .limits = c->limits,
					  .wants = want,
					  .want_count = 1,
					  .told = say_gone,
					  .failed = say_failure};
	struct space_answer answer;
	struct janitor j;
	int r;

	*granted_ret = space_all_of(want);
	/* A dump that comes is worth more than a limit. */
	if (janitor_start(&j, &task, err) < 0) {
		say_failure(err);
		return 0;
	}
	r = await(&j, alive, &answer, err);
	if (r < 0)
		janitor_stop(&j);
	else
		janitor_wait(&j);
	if (r <= 0)
		return r;
	if (answer.code < 0)
		return error_set(err, answer.code, "no space: %s", answer.text);
	*granted_ret = answer.granted_bytes;
	return 0;
}
