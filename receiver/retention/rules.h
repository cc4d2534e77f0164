/*
 * Which of the stored dumps go, and by which rule: functions of a list of dumps and a time. Nothing
 * is read or removed here.
 *
 *   keep-days, keep-incomplete-days   older ones go
 *   keep-dumps                        of a host's complete dumps, older ones than the newest N go
 *   host-dumps, host-quota            of a host that has more, the oldest go
 *   total-dumps, quota                where there is more, the oldest go of the host that has most
 *
 * No rule takes a dump that is pinned or busy. The last two rules leave each host its newest
 * complete dump: no host's last crash goes for the sake of another host. The four limits count what
 * a dump that is being received has reserved.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule {
	RULE_NONE, /* the dump stays */
	RULE_DAYS,
	RULE_INCOMPLETE_DAYS,
	RULE_DUMPS,
	RULE_HOST_DUMPS,
	RULE_HOST_QUOTA,
	RULE_TOTAL_DUMPS,
	RULE_QUOTA,
	RULE_COUNT,
};

/* The name of its option: "keep-days". */
const char *rule_name(enum rule rule);

/* What an operator has set. 0: there is no such rule. */
struct rules {
	unsigned keep_days;
	unsigned keep_incomplete_days; /* 0: as keep_days */
	unsigned keep_dumps;
	unsigned host_dumps, total_dumps;
	uint64_t host_quota_bytes, quota_bytes;
};

/* Whether there is any rule. */
bool rules_given(const struct rules *rules);

struct stored {
	const char *host; /* borrowed */
	char name[40];	  /* the name of its directory */
	int64_t time_s;	  /* by that name: when its receipt began, in seconds since 1970 */
	unsigned number;  /* by that name: of several that began in one second */
	int64_t changed_s;
	uint64_t bytes;		 /* on disk, all of its files */
	uint64_t reserved_bytes; /* of one that is being received: what it may become; else 0 */
	bool complete;
	bool has_pages; /* counts as a dump: a log alone doesn't */
	bool pinned;
	bool busy;	      /* being received or read */
	bool has_reservation; /* a complete one: its reservation is still there, of … */
	unsigned level;	      /* … a dump of that level, … */
	uint64_t bound_bytes; /* … whose sender had announced so much */
	enum rule gone;	      /* the rule by which it goes */
};

struct moment {
	int64_t now_s;
	int64_t even_s; /* ages count from this time at the earliest; see reckoning.h */
};

/* Sort the dumps, by host and age, and set `gone` of each. */
void rules_apply(const struct rules *rules, const struct moment *at, struct stored *dumps,
		 size_t count);

/*
 * After rules_apply(): the limit that a host's dumps, or all of them, still exceed, because no
 * other dump may go. RULE_NONE: none. `over_ret` is the excess, in bytes or in dumps.
 */
enum rule rules_exceeded(const struct rules *rules, const struct stored *dumps, size_t count,
			 const char *host, uint64_t *over_ret);

#endif
