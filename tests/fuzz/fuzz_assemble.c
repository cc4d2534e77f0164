/* Fuzzes the assembler, and what reads its files: any stream, in any pieces, ends with a whole file
 * or with a FILE.part that says it is none, within the limits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/dumpfile.h"
#include "format/flat.h"
#include "receiver/assemble/assemble.h"
#include "receiver/inspect/facts.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 4 << 20 };

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* What is left has to be readable without harm, and to be marked if it is a .part. */
static void read_back(const char *path, bool part)
{
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct verify_result verified;
	struct error err;
	struct facts facts;

	if (kdump_file_open(path, &d, &err) < 0)
		return;
	REQUIRE(!part || (kdump_file_header(d)->status & KDUMP_INCOMPLETE));
	if (verify_dump(d, 1, NULL, NULL, &verified, &err) == 0)
		REQUIRE(verified.missing <= verified.pages);
	if (facts_init(&facts, d, &err) == 0)
		facts_deinit(&facts);
}

/* The stream header comes for free: `data` is what follows it, in pieces of `step`. */
static int feed(struct assemble *a, const uint8_t *data, size_t size, size_t step)
{
	uint8_t header[FLAT_HEADER_BYTES];
	struct error err = {0};
	int r;

	flat_put_header(header);
	r = assemble_feed(a, header, sizeof(header), &err);
	while (size > 0 && r == 0) {
		const size_t n = MIN(step, size);

		r = assemble_feed(a, data, n, &err);
		data += n;
		size -= n;
	}
	REQUIRE(r >= 0 || err.code == r);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct assemble_limits limits = {.max_size_bytes = MAX_BYTES};
	const char *path = scratch_path("dump"), *part = scratch_path("dump.part");
	struct dumpfile *df = NULL;
	struct assemble *a = NULL;
	struct assemble_result res;
	struct error err = {0};
	int fed, ended;

	if (size < 1)
		return 0;
	REQUIRE(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, &err) == 0);
	REQUIRE(assemble_new(df, &limits, &a, &err) == 0);
	fed = feed(a, data + 1, size - 1, (size_t)data[0] * data[0] + 1);
	ended = assemble_end(a, &res, &err);
	assemble_free(a);
	dumpfile_free(df);

	REQUIRE(ended == 0 || err.code == ended);
	REQUIRE(fed >= 0 || ended == fed);
	REQUIRE(res.published == (ended == 0));
	REQUIRE(res.file_bytes <= MAX_BYTES);
	REQUIRE(file_exists(path) == (ended == 0));
	REQUIRE(!file_exists(part) || ended < 0);
	read_back(ended == 0 ? path : part, ended < 0);
	unlink(path);
	unlink(part);
	return 0;
}
