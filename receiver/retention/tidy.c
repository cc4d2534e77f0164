/* Looks at a store and removes what goes by the rules.
 * Doesn't know who has asked for it. */
#include "receiver/retention/tidy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/owner.h"
#include "base/parse.h"
#include "receiver/retention/ratios.h"
#include "receiver/retention/removal.h"

enum {
	LOCK_STEP_MS = 50,
	LOCK_STEPS = 1200, /* a look at a large store takes seconds */
};

static const char state_name[] = ".vmrecv", lock_name[] = "tidy.lock";

/* --- opening -------------------------------------------------------------------------------- */

static int open_dir(const char *dir, struct error *err)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", dir);
	r = owner_check_top(&st, fd, dir, err);
	return r < 0 ? r : TAKE_FD(fd);
}

/* A store without it has rules all the same, but no lock. */
static int open_state(struct tidy *t)
{
	if (!t->setup.dry_run)
		(void)mkdirat(t->dir_fd, state_name, 0700);
	return stock_open(t->dir_fd, state_name);
}

static int lock(struct tidy *t, struct error *err)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};

	if (t->state_fd < 0 || t->setup.dry_run)
		return 0;
	t->lock_fd =
		openat(t->state_fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	for (int i = 0; t->lock_fd >= 0 && flock(t->lock_fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0;
		if (i == LOCK_STEPS)
			return error_set(err, -EBUSY, "%s is being tidied by another process",
					 t->setup.dir);
		nanosleep(&step, NULL);
	}
	return 0;
}

static void note(struct tidy *t, const struct error *trouble)
{
	if (trouble->code && !t->result.remark.code)
		t->result.remark = *trouble;
}

/* The time by which ages count. */
static void reckon(struct tidy *t)
{
	const struct rules *rules = &t->setup.rules;
	const unsigned days = rules->keep_days && rules->keep_incomplete_days
				      ? MIN(rules->keep_days, rules->keep_incomplete_days)
				      : MAX(rules->keep_days, rules->keep_incomplete_days);
	struct reckoning r = {0};
	struct error err;
	int e = 0;

	t->at.now_s = (int64_t)time(NULL);
	if (t->state_fd >= 0)
		reckoning_read(t->state_fd, &r);
	t->result.stepped = reckoning_look(&r, t->at.now_s, days);
	if (!t->setup.dry_run && t->state_fd >= 0)
		e = reckoning_write(t->state_fd, &r);
	if (e < 0) {
		error_set(&err, e, "%s/%s: can't be written: %s", t->setup.dir, state_name,
			  strerror(-e));
		note(t, &err);
	}
	t->at.even_s = t->setup.trust_clock ? 0 : r.even_s;
}

/* A dump that was completed shows what such dumps become; its reservation has no other use then. */
static void learn(struct tidy *t)
{
	struct ratios ratios;
	bool news = false;

	if (t->state_fd < 0 || t->setup.dry_run)
		return;
	ratios_read(t->state_fd, &ratios);
	for (size_t i = 0; i < t->stock.count; i++) {
		struct stored *d = &t->stock.dumps[i];
		AUTO_CLOSE int host_fd = -1, fd = -1;

		if (!d->complete || !d->has_reservation)
			continue;
		ratios_learn(&ratios, d->level, d->bytes, d->bound_bytes);
		news = true;
		host_fd = stock_open(t->dir_fd, d->host);
		fd = host_fd < 0 ? -1 : stock_open(host_fd, d->name);
		if (fd >= 0)
			(void)unlinkat(fd, STOCK_RESERVED, 0);
	}
	if (news)
		(void)!ratios_write(t->state_fd, &ratios);
}

int tidy_open(struct tidy *t, const struct tidy_setup *setup, struct error *err)
{
	struct error trouble = {0};
	int r;

	*t = (struct tidy){.setup = *setup, .dir_fd = -1, .state_fd = -1, .lock_fd = -1};
	t->dir_fd = open_dir(setup->dir, err);
	if (t->dir_fd < 0)
		return t->dir_fd;
	t->state_fd = open_state(t);
	r = lock(t, err);
	if (r < 0)
		return r;
	if (!setup->dry_run)
		t->result.finished = removal_finish(t->dir_fd, &trouble);
	note(t, &trouble);
	reckon(t);
	r = stock_take(t->dir_fd, &t->stock, err);
	note(t, &t->stock.remark);
	if (r == 0)
		learn(t);
	return r < 0 ? error_prefix(err, "%s", setup->dir) : 0;
}

void tidy_close(struct tidy *t)
{
	stock_deinit(&t->stock);
	if (t->lock_fd >= 0)
		close(t->lock_fd);
	if (t->state_fd >= 0)
		close(t->state_fd);
	if (t->dir_fd >= 0)
		close(t->dir_fd);
	t->dir_fd = t->state_fd = t->lock_fd = -1;
}

/* --- removing ------------------------------------------------------------------------------- */

void tidy_judge(struct tidy *t, const struct rules *rules)
{
	rules_apply(rules, &t->at, t->stock.dumps, t->stock.count);
}

static void take_out(struct tidy *t, size_t i)
{
	const struct stored *d = &t->stock.dumps[i];

	t->result.removed++;
	t->result.bytes += d->bytes;
	if (t->setup.told)
		t->setup.told(t->setup.ctx, d);
}

/* Remove what has been chosen. Returns whether one of it could not go, so that another choice is
 * needed. */
static bool remove_chosen(struct tidy *t)
{
	struct stock *s = &t->stock;
	bool again = false;
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct stored *d = &s->dumps[i];
		struct error err = {0};
		int r = 0;

		if (d->gone && !t->setup.dry_run)
			r = removal_do(t->dir_fd, d->host, d->name, &err);
		if (d->gone && (r == 0 || r == -ENOENT)) {
			if (r == 0)
				take_out(t, i);
			continue;
		}
		if (r < 0) {
			t->result.left++;
			d->busy = again = true;
			if (r != -EBUSY)
				note(t, &err);
		}
		s->dumps[kept++] = *d;
	}
	s->count = kept;
	return again;
}

void tidy_remove(struct tidy *t, const struct rules *rules)
{
	do
		tidy_judge(t, rules);
	while (remove_chosen(t));
}

int tidy_once(const struct tidy_setup *setup, struct tidy_result *result_ret, struct error *err)
{
	struct tidy t;
	const int r = tidy_open(&t, setup, err);

	if (r == 0)
		tidy_remove(&t, &setup->rules);
	*result_ret = t.result;
	tidy_close(&t);
	return r;
}

const char *tidy_text(const struct tidy_result *r, bool dry_run, char text[static 200])
{
	char size[16], more[80] = "";

	if (!r->removed && !r->finished)
		return NULL;
	if (r->finished)
		snprintf(more, sizeof(more), "; %u removals that were cut short are finished",
			 r->finished);
	snprintf(text, 200, "%u dumps %s, %s%s", r->removed, dry_run ? "would go" : "removed",
		 format_size(size, sizeof(size), r->bytes), more);
	return text;
}
