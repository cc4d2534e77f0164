/*
 * One look at a collector's store: what an earlier removal left is finished, the rules are applied,
 * and what goes by them is removed. One process at a time has a store open so.
 *
 * Everything comes from the files below DIR, whatever becomes of the catalogue.
 */
#ifndef TIDY_H
#define TIDY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/retention/reckoning.h"
#include "receiver/retention/rules.h"
#include "receiver/retention/stock.h"

struct tidy_setup {
	const char *dir; /* borrowed, here and below */
	struct rules rules;
	bool dry_run;	  /* change nothing */
	bool trust_clock; /* ages are what the names say, also after a step of the clock */

	/* Told of each dump that goes, or would go. May be NULL. */
	void (*told)(void *ctx, const struct stored *d);
	void *ctx;
};

struct tidy_result {
	unsigned removed;    /* dumps; with dry_run, those that would go */
	uint64_t bytes;	     /* that they took on disk */
	unsigned left;	     /* of these, dumps that somebody receives or reads */
	unsigned finished;   /* removals that were cut short before */
	bool stepped;	     /* the clock has stepped since the last look */
	struct error remark; /* the first thing that could not be done; code 0: none */
};

struct tidy {
	struct tidy_setup setup;
	struct tidy_result result;
	int dir_fd, state_fd; /* DIR; DIR/.vmrecv, -1 where it can't be had */
	int lock_fd;
	struct stock stock;
	struct moment at;
};

/*
 * Look at the store, for the caller to apply rules. Waits for another process that has it open, but
 * not for ever (-EBUSY). Fails where DIR can't be read, isn't ours, or is not there. The caller
 * closes it, also after a failure. Not to be called by a process that has a journal.
 */
NODISCARD int tidy_open(struct tidy *t, const struct tidy_setup *setup, struct error *err);
void tidy_close(struct tidy *t);

/* Apply `rules`; nothing is removed. */
void tidy_judge(struct tidy *t, const struct rules *rules);

/* Remove what goes by `rules`. Where a dump turns out to be in use, another goes in its place. */
void tidy_remove(struct tidy *t, const struct rules *rules);

/* All of it, by the rules of the setup. Fails as tidy_open(). */
NODISCARD int tidy_once(const struct tidy_setup *setup, struct tidy_result *result_ret,
			struct error *err);

/* What happened, in one line for the operator. Returns `text`; NULL: nothing worth telling. */
const char *tidy_text(const struct tidy_result *r, bool dry_run, char text[static 200]);

#endif
