/* Tidies now and then.
 * Doesn't know what goes. */
#include "receiver/collector/tidying.h"

#include "base/log.h"
#include "base/parse.h"

enum {
	EVERY_MS = 3600 * 1000,
	RETRY_MS = 60 * 1000, /* the system had no process for it */
};

void tidying_init(struct tidying *t, const char *dir, const struct rules *rules)
{
	t->dir = dir;
	t->rules = *rules;
	t->next_ms = 0;
}

bool tidying_is_due(const struct tidying *t, uint64_t now_ms)
{
	return rules_given(&t->rules) && now_ms >= t->next_ms;
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

/* -------------------------------------------------------------------------------------------- */

void tidying_turn(struct tidying *t, uint64_t now_ms)
{
	const struct janitor_task task = {.dir = t->dir,
					  .rules = t->rules,
					  .told = say_gone,
					  .say = say_result,
					  .failed = say_failure};
	struct error err;

	if (!janitor_is_done(&t->janitor) || !tidying_is_due(t, now_ms))
		return;
	t->next_ms = now_ms + EVERY_MS;
	if (janitor_start(&t->janitor, &task, &err) < 0) {
		log_warning("tidying: %s", err.msg);
		t->next_ms = now_ms + RETRY_MS;
	}
}

bool tidying_is_busy(const struct tidying *t)
{
	return t->janitor.pid != 0;
}

void tidying_stop(struct tidying *t)
{
	janitor_stop(&t->janitor);
}
