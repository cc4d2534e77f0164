/* Tidies now and then, and asks for space.
 * Doesn't know what goes, nor what a session is. */
#include "receiver/collector/tidying.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"

enum {
	EVERY_MS = 3600 * 1000,
	RETRY_MS = 60 * 1000, /* the system had no process for it */
	WANTS_MAX = 8192,     /* more sessions than a collector has */
};

void tidying_reset(struct tidying *t, const struct space_limits *limits)
{
	t->limits = *limits;
	t->next_ms = 0;
}

void tidying_init(struct tidying *t, const char *dir, const struct space_limits *limits,
		  tidying_answer_fn *answer, void *ctx)
{
	*t = (struct tidying){.dir = dir, .answer = answer, .ctx = ctx, .janitor.fd = -1};
	tidying_reset(t, limits);
}

void tidying_deinit(struct tidying *t)
{
	janitor_stop(&t->janitor);
	free(t->wants);
	free(t->pids);
	t->wants = NULL;
	t->pids = NULL;
	t->count = t->room = t->asked = 0;
}

bool tidying_is_due(const struct tidying *t, uint64_t now_ms)
{
	return rules_given(&t->limits.rules) && now_ms >= t->next_ms;
}

bool tidying_is_busy(const struct tidying *t, int *fd_ret)
{
	*fd_ret = t->janitor.pid ? t->janitor.fd : -1;
	return t->janitor.pid != 0;
}

/* --- in the child --------------------------------------------------------------------------- */

static void say_gone(void *ctx UNUSED, const struct stored *d)
{
	char size[16];

	log_note("%s/%s: removed by %s, %s", d->host, d->name, rule_name(d->gone),
		 format_size(size, sizeof(size), d->bytes));
}

static void say_result(const struct tidy_result *res)
{
	char text[200];

	if (res->stepped)
		log_warning("the clock has stepped: the days of all dumps begin anew (vmrecv(8), "
			    "RETENTION)");
	if (tidy_text(res, false, text))
		log_note("tidied: %s", text);
	if (res->remark.code)
		log_warning("tidying: %s", res->remark.msg);
}

static void say_failure(const struct error *err)
{
	log_warning("tidying: %s", err->msg);
}

/* --- wants ---------------------------------------------------------------------------------- */

static void grant_all_of(struct tidying *t, pid_t pid, const struct reserve_want *want)
{
	const struct space_answer answer = {.granted_bytes = space_all_of(want)};

	t->answer(t->ctx, pid, &answer);
}

static bool make_room(struct tidying *t)
{
	const size_t room = t->room ? 2 * t->room : TIDYING_BATCH;
	struct reserve_want *wants;
	pid_t *pids;

	if (t->count < t->room)
		return true;
	if (room > WANTS_MAX)
		return false;
	wants = reallocarray(t->wants, room, sizeof(*wants));
	if (wants)
		t->wants = wants;
	pids = reallocarray(t->pids, room, sizeof(*pids));
	if (pids)
		t->pids = pids;
	if (!wants || !pids)
		return false;
	t->room = room;
	return true;
}

void tidying_want(struct tidying *t, pid_t pid, const struct reserve_want *want,
		  uint64_t promised_bytes)
{
	if (space_is_plenty(t->dir, &t->limits, promised_bytes, want) || !make_room(t)) {
		grant_all_of(t, pid, want);
		return;
	}
	t->wants[t->count] = *want;
	t->pids[t->count++] = pid;
}

static void take_first(struct tidying *t)
{
	t->count--;
	t->asked--;
	memmove(t->wants, t->wants + 1, t->count * sizeof(*t->wants));
	memmove(t->pids, t->pids + 1, t->count * sizeof(*t->pids));
}

/* The answers that have come. A janitor that has ended without them has told why. */
static void hear(struct tidying *t)
{
	struct space_answer answer;
	int r;

	while ((r = janitor_hear(&t->janitor, &answer)) > 0 && t->asked) {
		t->answer(t->ctx, t->pids[0], &answer);
		take_first(t);
	}
	while (r < 0 && t->asked) {
		grant_all_of(t, t->pids[0], &t->wants[0]);
		take_first(t);
	}
}

static void start(struct tidying *t, uint64_t now_ms)
{
	struct janitor_task task = {.dir = t->dir,
				    .limits = t->limits,
				    .wants = t->wants,
				    .want_count = MIN(t->count, (size_t)TIDYING_BATCH),
				    .told = say_gone,
				    .say = say_result,
				    .failed = say_failure};
	struct error err;

	t->asked = task.want_count;
	t->next_ms = now_ms + EVERY_MS;
	if (janitor_start(&t->janitor, &task, &err) == 0)
		return;
	log_warning("tidying: %s", err.msg);
	t->next_ms = now_ms + RETRY_MS;
	hear(t);
}

void tidying_turn(struct tidying *t, uint64_t now_ms)
{
	hear(t);
	if (janitor_is_done(&t->janitor) && (t->count || tidying_is_due(t, now_ms)))
		start(t, now_ms);
}
