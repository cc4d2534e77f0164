/*
 * Space for a dump before it comes. Its session reserves what it may become: less than its sender
 * announces, by what such dumps have become before. The reservation is a file in the dump's own
 * directory, and counts as long as a session has the dump: so all collectors and forced commands
 * with one DIR obey the same limits, and a session that was killed holds nothing.
 *
 * The limits are the rules of retention (rules.h) and `min_free`. A dump that would exceed a number
 * or a quota is made room for by the rules; it is refused only where nothing may go, and then
 * nothing goes for its sake. `min_free` alone removes nothing.
 */
#ifndef SPACE_H
#define SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "receiver/retention/tidy.h"
#include "receiver/store/reserve.h"

/* The least space that stays free: 5 % of the file system or 10 GiB, whichever is less. */
#define SPACE_MIN_FREE_DEFAULT UINT64_MAX

enum {
	/* How long a session waits for an answer. */
	SPACE_ANSWER_MS = 60000,
};

struct space_limits {
	struct rules rules;
	uint64_t min_free_bytes; /* or SPACE_MIN_FREE_DEFAULT */
};

struct space_answer {
	int code;		/* 0; -ENOBUFS: refused for now; -ENOSPC: refused, and nothing that
				   is known of will make room later */
	uint64_t granted_bytes; /* the dump may become so long */
	char text[200];		/* of a refusal: which limit, and what there is */
};

/*
 * Answer one that wants space. The store is open, and rules that are over by now are applied. Where
 * the dump's directory isn't there any more, or the reservation can't be written, the answer is a
 * grant: what has happened there is for the session to find out.
 */
void space_admit(struct tidy *t, const struct space_limits *limits, const struct reserve_want *want,
		 struct space_answer *answer_ret);

/*
 * Whether a want can be granted whole without a look at the store: there are no rules, and the file
 * system has four times as much room as that and all of `promised_bytes`, which others may still
 * write as far as the caller knows. The reservation is then written down.
 */
bool space_is_plenty(const char *dir, const struct space_limits *limits, uint64_t promised_bytes,
		     const struct reserve_want *want);

/* The grant in that case, or where limits can't be checked. */
uint64_t space_all_of(const struct reserve_want *want);

#endif
