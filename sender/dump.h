/* One dump from beginning to end: filter, plan, prologue, page pass. */
#ifndef DUMP_H
#define DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"
#include "sender/output/codec_ladder.h"
#include "sender/output/writer.h"
#include "sender/pages/filter.h"
#include "sender/threads/pipeline.h"

struct budget;
struct delivery;
struct kmodel;
struct progress;
struct warnings;
struct sink;
struct vmcore;

struct dump_setup {
	const struct vmcore *core;
	const struct kmodel *km;
	unsigned level; /* one that the model serves */
	struct codec_ladder ladder;
	const struct budget *budget;
	struct sink *sink;	   /* where to; NULL: `delivery` says, maybe more than once */
	struct delivery *delivery; /* delivery_open() was called; NULL: none */
	struct progress *progress;
	struct warnings *warnings;

	struct stop stop; /* asked after each chunk; of a delivery it is the delivery's, too */
};

struct dump_result {
	uint64_t ram_pages;	  /* that exist */
	uint64_t pages;		  /* in the dump */
	uint64_t essential_pages; /* of them, sent first */
	uint64_t essential_end;	  /* bytes of the stream that hold them; 0: not known yet */
	uint64_t data_end;	  /* those that hold them but for the kernel's code */
	struct filter_result filter;
	struct writer_counts counts;
	uint64_t bytes_in, bytes_out; /* of the pages; of the stream */
	uint64_t table_end; /* the least length of a file that holds the dump; 0: not known yet */
	struct pipeline_crew crew; /* the threads that there were */
	bool uname_known;

	/* Of a delivery. */
	bool was_there;	  /* the receiver had the whole dump already */
	bool log_only;	  /* it wants no more than the log */
	bool other_level; /* it takes the dump at wanted_level only: nothing was done */
	unsigned wanted_level;
};

/* Make the dump. *result_ret is filled as far as it came, whatever comes back. Fails with the first
 * failure. */
NODISCARD int dump_run(const struct dump_setup *setup, struct dump_result *result_ret,
		       struct error *err);

#endif
