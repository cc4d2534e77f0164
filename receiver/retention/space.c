/* Reservations of space.
 * Doesn't know sessions. */
#include "receiver/retention/space.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "receiver/retention/ratios.h"

#define MIN_FREE_MOST ((uint64_t)10 << 30)
#define STEP_BYTES    ((uint64_t)64 << 20)

enum {
	MIN_FREE_SHARE = 20, /* 5 % */
	PLENTY = 4,
	GROWTH = 4, /* a dump that outgrows its reservation gets a quarter more */
};

struct room {
	uint64_t free_bytes, min_free_bytes;
};

/* Where the file system doesn't tell, there is room. */
static struct room room_of(const struct statvfs *st, uint64_t min_free_bytes)
{
	const uint64_t block = st->f_frsize ? st->f_frsize : st->f_bsize;
	const uint64_t whole = block * st->f_blocks;

	if (!whole)
		return (struct room){INT64_MAX, 0};
	if (min_free_bytes == SPACE_MIN_FREE_DEFAULT)
		min_free_bytes = MIN(whole / MIN_FREE_SHARE, MIN_FREE_MOST);
	return (struct room){block * st->f_bavail, min_free_bytes};
}

static uint64_t wanted(const struct ratios *ratios, const struct reserve_want *w)
{
	const uint64_t grown = w->least_bytes + MAX(w->least_bytes / GROWTH, STEP_BYTES);
	const uint64_t expected =
		w->raw ? w->bound_bytes : ratios_expect(ratios, w->level, w->bound_bytes);

	if (!w->least_bytes)
		return expected;
	/* A stream has no bound, and a sender may be wrong about its own. */
	return w->bound_bytes > w->least_bytes ? MIN(grown, w->bound_bytes) : grown;
}

uint64_t space_all_of(const struct reserve_want *w)
{
	return MAX(w->bound_bytes, w->least_bytes);
}

/* The reservation is there before the session hears of it. It needs no sync: after a power cut no
 * session has the dump. */
static void write_down(int dir_fd, const struct reserve_want *w, uint64_t bytes)
{
	int64_t unused;
	unsigned number;
	const bool is_dump = stock_time(w->name, &unused, &number) && !strchr(w->host, '/');
	AUTO_CLOSE int host_fd = !is_dump ? -1 : stock_open(dir_fd, w->host);
	AUTO_CLOSE int fd = host_fd < 0 ? -1 : stock_open(host_fd, w->name);
	AUTO_CLOSE int file = fd < 0 ? -1
				     : openat(fd, STOCK_RESERVED,
					      O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[100];
	const int n = snprintf(text, sizeof(text), "%20" PRIu64 " of %20" PRIu64 " level %2u\n",
			       bytes, w->bound_bytes, MIN(w->level, 99U));

	if (file >= 0)
		(void)!io_pwrite_full(file, text, (size_t)n, 0);
}

bool space_is_plenty(const char *dir, const struct space_limits *limits, uint64_t promised_bytes,
		     const struct reserve_want *want)
{
	AUTO_CLOSE int dir_fd = -1;
	const uint64_t whole = space_all_of(want);
	struct statvfs st;
	struct room room;
	uint64_t share;

	if (rules_given(&limits->rules))
		return false;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || fstatvfs(dir_fd, &st) < 0)
		return false;
	room = room_of(&st, limits->min_free_bytes);
	share = (room.free_bytes - MIN(room.free_bytes, room.min_free_bytes)) / PLENTY;
	if (share < promised_bytes || share - promised_bytes < whole)
		return false;
	write_down(dir_fd, want, whole);
	return true;
}

/* What the dumps that are being received may still take, less what goes. */
static uint64_t promised(const struct stock *s)
{
	uint64_t bytes = 0, going = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct stored *d = &s->dumps[i];

		if (d->gone)
			going += d->bytes;
		else
			bytes += d->reserved_bytes - MIN(d->reserved_bytes, d->bytes);
	}
	return bytes - MIN(bytes, going);
}

/* Whether the limits hold with the reservations that there are. If not, the text says why. */
static bool fits(struct tidy *t, const struct space_limits *limits, const char *host,
		 char text[static 200])
{
	struct statvfs st;
	struct room room;
	uint64_t over, more;
	enum rule rule;
	char one[16], other[16];

	tidy_judge(t, &limits->rules);
	rule = rules_exceeded(&limits->rules, t->stock.dumps, t->stock.count, host, &over);
	if (rule == RULE_HOST_DUMPS || rule == RULE_TOTAL_DUMPS) {
		snprintf(text, 200, "%" PRIu64 " dumps more than %s, and none may go", over,
			 rule_name(rule));
		return false;
	}
	if (rule) {
		snprintf(text, 200, "%s more than %s, and nothing may go",
			 format_size(one, sizeof(one), over), rule_name(rule));
		return false;
	}
	if (fstatvfs(t->dir_fd, &st) < 0)
		return true;
	room = room_of(&st, limits->min_free_bytes);
	more = promised(&t->stock);
	if (room.free_bytes >= more && room.free_bytes - more >= room.min_free_bytes)
		return true;
	snprintf(text, 200, "%s are free, and min-free keeps %s",
		 format_size(one, sizeof(one), room.free_bytes),
		 format_size(other, sizeof(other), room.min_free_bytes));
	return false;
}

/* Whether space may be had later without an operator: others may become smaller than they might, or
 * age. */
static bool may_fit_later(const struct tidy *t, const struct space_limits *limits,
			  const struct reserve_want *want)
{
	if (limits->rules.keep_days || limits->rules.keep_incomplete_days)
		return true;
	for (size_t i = 0; i < t->stock.count; i++) {
		const struct stored *d = &t->stock.dumps[i];

		if (d->reserved_bytes &&
		    (strcmp(d->host, want->host) != 0 || strcmp(d->name, want->name) != 0))
			return true;
	}
	return false;
}

void space_admit(struct tidy *t, const struct space_limits *limits, const struct reserve_want *want,
		 struct space_answer *answer_ret)
{
	struct stored *d = stock_find(&t->stock, want->host, want->name);
	struct space_answer a = {0};
	struct ratios ratios = {0};
	struct stored before;

	if (t->state_fd >= 0)
		ratios_read(t->state_fd, &ratios);
	a.granted_bytes = wanted(&ratios, want);
	*answer_ret = a;
	if (!d)
		return;
	before = *d;
	d->reserved_bytes = a.granted_bytes;
	d->has_pages = d->busy = true;
	if (fits(t, limits, want->host, a.text)) {
		tidy_remove(t, &limits->rules);
		/* A dump that was to go may turn out to be in use. */
		if (fits(t, limits, want->host, a.text)) {
			write_down(t->dir_fd, want, a.granted_bytes);
			return;
		}
	}
	d = stock_find(&t->stock, want->host, want->name);
	d->reserved_bytes = before.reserved_bytes;
	d->has_pages = before.has_pages;
	tidy_remove(t, &limits->rules);
	a.code = may_fit_later(t, limits, want) ? -ENOBUFS : -ENOSPC;
	a.granted_bytes = 0;
	*answer_ret = a;
}
