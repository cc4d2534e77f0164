/* Fuzzes what reads a kdump-compressed file: headers, bitmaps, notes, descriptors, payloads of each
 * codec. */
#include <stdio.h>
#include <stdlib.h>

#include "receiver/inspect/facts.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = scratch_path("dump");
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct verify_result verified;
	struct error err;
	struct facts facts;

	file_write(path, data, size);
	if (kdump_file_open(path, &d, &err) < 0)
		return 0;
	if (verify_dump(d, 1, NULL, NULL, &verified, &err) == 0 &&
	    (verified.kept > verified.problem_count || verified.missing > verified.pages)) {
		fprintf(stderr, "%s:%d: the counts are at odds\n", __FILE__, __LINE__);
		abort();
	}
	if (facts_init(&facts, d, &err) == 0)
		facts_deinit(&facts);
	return 0;
}
