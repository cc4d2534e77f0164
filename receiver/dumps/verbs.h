/* What vmdumps does: a function for each verb. */
#ifndef VERBS_H
#define VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/retention/rules.h"

struct request {
	const char *dir;    /* the collector's */
	char *const *words; /* HOST or HOST/TIME */
	int word_count;
	int64_t since_s; /* 0: all */
	bool incomplete, json, dry_run;
	struct rules rules; /* of the configuration file */
};

/* Each says what it has to say and returns the exit status. */
enum exit_status verb_list(const struct request *q);
enum exit_status verb_show(const struct request *q);
enum exit_status verb_log(const struct request *q);
enum exit_status verb_check(const struct request *q);
enum exit_status verb_info(const struct request *q);
enum exit_status verb_pin(const struct request *q);
enum exit_status verb_unpin(const struct request *q);
enum exit_status verb_tidy(const struct request *q);

/* Whether all that went to standard output is there; else the status that says so. */
enum exit_status verb_end(enum exit_status status);

#endif
