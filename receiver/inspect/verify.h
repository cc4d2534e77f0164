/* Whether a dump is right, to the last page. */
#ifndef VERIFY_H
#define VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/inspect/kdump_file.h"

enum {
	VERIFY_PROBLEMS_MAX = 8, /* problems that are kept; all are counted */
};

struct verify_problem {
	uint64_t pfn; /* to sort by; 0 for a problem that isn't about a page */
	char text[200];
};

struct verify_result {
	uint64_t pages;	    /* pages with a descriptor */
	uint64_t missing;   /* of these: with a zero descriptor, as an incomplete dump has them */
	uint64_t unchecked; /* of these: compressed by a codec that this build lacks */
	uint64_t problem_count;
	struct verify_problem problems[VERIFY_PROBLEMS_MAX]; /* the first ones */
	size_t kept;
};

/* Called between pieces of work, by one thread at a time. */
typedef void verify_progress_fn(void *context, uint64_t pages_done, uint64_t pages,
				uint64_t bytes_read);

/*
 * Verify bitmaps, notes, VMCOREINFO and, with `threads` of them, every descriptor and every page.
 * Faults of the dump go into *result_ret, which is set where 0 is returned. Fails only if the
 * verifying itself fails: -ENOMEM, or an error of the file system. The result doesn't depend on the
 * number of threads.
 */
NODISCARD int verify_dump(const struct kdump_file *d, int threads, verify_progress_fn *progress,
			  void *context, struct verify_result *result_ret, struct error *err);

#endif
