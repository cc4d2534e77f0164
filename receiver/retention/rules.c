/* The rules of retention, and limits.
 * Doesn't know files, and has no clock. */
#include "receiver/retention/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum {
	DAY_S = 86400,

	/* A sender whose link broke comes again within that time and goes on: until then a limit
	   doesn't take its dump. */
	RETURN_S = 3600,
};

const char *rule_name(enum rule rule)
{
	static const char *const names[RULE_COUNT] = {
		[RULE_NONE] = "none",
		[RULE_DAYS] = "keep-days",
		[RULE_INCOMPLETE_DAYS] = "keep-incomplete-days",
		[RULE_DUMPS] = "keep-dumps",
		[RULE_HOST_DUMPS] = "host-dumps",
		[RULE_HOST_QUOTA] = "host-quota",
		[RULE_TOTAL_DUMPS] = "total-dumps",
		[RULE_QUOTA] = "quota",
	};

	return names[rule];
}

bool rules_given(const struct rules *r)
{
	return r->keep_days || r->keep_incomplete_days || r->keep_dumps || r->host_dumps ||
	       r->total_dumps || r->host_quota_bytes || r->quota_bytes;
}

/* --- order ---------------------------------------------------------------------------------- */

/*
 * The oldest first. A dump from the future came before the clock was set back: it is older than all
 * that have come since, so that no new dump goes in its place.
 */
static int by_age(const void *a, const void *b, void *ctx)
{
	const struct stored *x = a, *y = b;
	const int64_t now_s = ((const struct moment *)ctx)->now_s;
	const bool x_past = x->time_s <= now_s, y_past = y->time_s <= now_s;
	const int host = strcmp(x->host, y->host);

	if (host)
		return host;
	if (x_past != y_past)
		return x_past ? 1 : -1;
	if (x->time_s != y->time_s)
		return x->time_s < y->time_s ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Dumps of one host, which stand together; and what those take that stay. */
struct share {
	struct stored *dumps;
	size_t count;
	size_t next;	/* no dump before it goes any more */
	size_t newest;	/* the newest complete one that stays; `count`: there is none */
	unsigned kept;	/* dumps */
	uint64_t bytes; /* of all, those without pages among them */
};

static uint64_t size_of(const struct stored *d)
{
	return MAX(d->bytes, d->reserved_bytes);
}

static void count_share(struct share *s)
{
	s->kept = 0;
	s->bytes = 0;
	s->next = 0;
	s->newest = s->count;
	for (size_t i = 0; i < s->count; i++) {
		const struct stored *d = &s->dumps[i];

		if (d->gone)
			continue;
		s->kept += d->has_pages;
		s->bytes += size_of(d);
		if (d->complete)
			s->newest = i;
	}
}

/* The dumps of the host that begins at `dumps`. */
static struct share share_at(struct stored *dumps, size_t count)
{
	struct share s = {.dumps = dumps};

	while (s.count < count && strcmp(dumps[s.count].host, dumps->host) == 0)
		s.count++;
	return s;
}

/* --- age and number ------------------------------------------------------------------------- */

static bool may_go(const struct stored *d)
{
	return !d->gone && !d->pinned && !d->busy;
}

static enum rule too_old(const struct rules *r, const struct moment *at, const struct stored *d)
{
	const bool own = !d->complete && r->keep_incomplete_days;
	const unsigned days = own ? r->keep_incomplete_days : r->keep_days;
	const int64_t from_s =
		MAX(d->complete ? d->time_s : MAX(d->time_s, d->changed_s), at->even_s);

	if (!days || from_s > at->now_s || at->now_s - from_s < (int64_t)days * DAY_S)
		return RULE_NONE;
	return own ? RULE_INCOMPLETE_DAYS : RULE_DAYS;
}

static void apply_ages(const struct rules *r, const struct moment *at, struct share *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (may_go(&s->dumps[i]))
			s->dumps[i].gone = too_old(r, at, &s->dumps[i]);
}

static void apply_number(const struct rules *r, struct share *s)
{
	unsigned newer = 0;

	for (size_t i = s->count; r->keep_dumps && i-- > 0;) {
		struct stored *d = &s->dumps[i];

		if (!d->complete || d->pinned || d->gone)
			continue;
		if (newer >= r->keep_dumps && may_go(d))
			d->gone = RULE_DUMPS;
		else
			newer++;
	}
}

/* --- limits --------------------------------------------------------------------------------- */

/* Whether a limit may take it now. */
static bool may_give_way(const struct moment *at, const struct stored *d)
{
	const bool comes_back =
		!d->complete && d->changed_s <= at->now_s && at->now_s - d->changed_s < RETURN_S;

	return may_go(d) && !comes_back;
}

/* The next dump of a host that a limit takes: the oldest but for the newest complete one, and in
 * the end that. NULL: there is none. */
static struct stored *next_of(struct share *s, const struct moment *at, bool newest_too)
{
	for (; s->next < s->count; s->next++) {
		if (s->next != s->newest && may_give_way(at, &s->dumps[s->next]))
			return &s->dumps[s->next];
	}
	if (newest_too && s->newest < s->count && may_give_way(at, &s->dumps[s->newest]))
		return &s->dumps[s->newest];
	return NULL;
}

static void take(struct share *s, struct stored *d, enum rule rule)
{
	d->gone = rule;
	s->kept -= d->has_pages;
	s->bytes -= size_of(d);
}

static enum rule host_over(const struct rules *r, const struct share *s)
{
	if (r->host_dumps && s->kept > r->host_dumps)
		return RULE_HOST_DUMPS;
	if (r->host_quota_bytes && s->bytes > r->host_quota_bytes)
		return RULE_HOST_QUOTA;
	return RULE_NONE;
}

static void apply_host_limits(const struct rules *r, const struct moment *at, struct share *s)
{
	enum rule rule;
	struct stored *d;

	while ((rule = host_over(r, s)) && (d = next_of(s, at, true)))
		take(s, d, rule);
}

static enum rule total_over(const struct rules *r, const struct share *all)
{
	if (r->total_dumps && all->kept > r->total_dumps)
		return RULE_TOTAL_DUMPS;
	if (r->quota_bytes && all->bytes > r->quota_bytes)
		return RULE_QUOTA;
	return RULE_NONE;
}

/* The host that has most of what there is too much of, and a dump that may go. */
static struct share *largest(struct share *shares, size_t count, enum rule rule,
			     const struct moment *at)
{
	struct share *found = NULL;

	for (size_t i = 0; i < count; i++) {
		struct share *s = &shares[i];
		const bool more = !found || (rule == RULE_QUOTA ? s->bytes > found->bytes
								: s->kept > found->kept);

		if (more && next_of(s, at, false))
			found = s;
	}
	return found;
}

static struct share sum_of(const struct share *shares, size_t count)
{
	struct share all = {0};

	for (size_t i = 0; i < count; i++) {
		all.kept += shares[i].kept;
		all.bytes += shares[i].bytes;
	}
	return all;
}

static void apply_total_limits(const struct rules *r, const struct moment *at, struct share *shares,
			       size_t count)
{
	struct share all = sum_of(shares, count), *s;
	enum rule rule;

	while ((rule = total_over(r, &all)) && (s = largest(shares, count, rule, at))) {
		struct stored *d = next_of(s, at, false);

		take(s, d, rule);
		take(&all, d, rule);
	}
}

void rules_apply(const struct rules *r, const struct moment *at, struct stored *dumps, size_t count)
{
	AUTO_FREE struct share *shares = calloc(count ? count : 1, sizeof(*shares));
	size_t hosts = 0;

	for (size_t i = 0; i < count; i++)
		dumps[i].gone = RULE_NONE;
	if (!shares) /* without memory nothing goes */
		return;
	if (count)
		qsort_r(dumps, count, sizeof(*dumps), by_age, (void *)(uintptr_t)at);
	for (size_t i = 0; i < count; i += shares[hosts++].count) {
		struct share *s = &shares[hosts];

		*s = share_at(dumps + i, count - i);
		apply_ages(r, at, s);
		apply_number(r, s);
		count_share(s);
		apply_host_limits(r, at, s);
	}
	apply_total_limits(r, at, shares, hosts);
}

enum rule rules_exceeded(const struct rules *r, const struct stored *dumps, size_t count,
			 const char *host, uint64_t *over_ret)
{
	struct share own = {0}, all = {0}, *s;
	enum rule rule;

	for (size_t i = 0; i < count; i++) {
		const struct stored *d = &dumps[i];

		if (d->gone)
			continue;
		all.kept += d->has_pages;
		all.bytes += size_of(d);
		if (strcmp(d->host, host) != 0)
			continue;
		own.kept += d->has_pages;
		own.bytes += size_of(d);
	}
	rule = host_over(r, &own);
	s = rule ? &own : &all;
	if (!rule)
		rule = total_over(r, &all);
	*over_ret = 0;
	if (rule == RULE_HOST_DUMPS || rule == RULE_TOTAL_DUMPS)
		*over_ret = s->kept - (rule == RULE_HOST_DUMPS ? r->host_dumps : r->total_dumps);
	if (rule == RULE_HOST_QUOTA || rule == RULE_QUOTA)
		*over_ret =
			s->bytes - (rule == RULE_HOST_QUOTA ? r->host_quota_bytes : r->quota_bytes);
	return rule;
}
