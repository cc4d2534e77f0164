/* Runs a stream through the assembler. */
#include "tests/lib/outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/dumpfile.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

const struct assemble_limits no_limits = {.free_bytes = INT64_MAX};

static int feed_all(struct assemble *a, const struct stream *s, size_t step, struct error *err)
{
	uint32_t random = unit_seed();
	int r = 0;

	for (size_t at = 0, n; at < s->size_bytes && r >= 0; at += n) {
		n = step ? step : 1 + unit_random(&random) % 3000;
		n = MIN(n, s->size_bytes - at);
		r = assemble_feed(a, s->bytes + at, n, err);
	}
	return r;
}

struct outcome outcome_of(const struct stream *s, size_t step, const struct assemble_limits *limits)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(assemble_free) struct assemble *a = NULL;
	struct outcome out = {0};
	int r;

	scratch_clear();
	assert_int_equal(
		dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &out.err), 0);
	assert_int_equal(assemble_new(df, limits, &a, &out.err), 0);
	r = feed_all(a, s, step, &out.err);
	out.code = assemble_end(a, &out.res, &out.err);
	assert_int_equal(out.res.published, out.code == 0);
	if (r < 0)
		assert_int_equal(out.code, r);
	return out;
}

void assert_published(const struct outcome *out, const struct tinydump *t)
{
	size_t size;
	uint8_t *bytes;

	if (out->code < 0)
		fail_msg("%s", out->err.msg);
	assert_false(file_exists(scratch_path("dump.part")));
	bytes = file_read(scratch_path("dump"), &size);
	assert_int_equal(size, t->size_bytes);
	assert_memory_equal(bytes, t->bytes, size);
	free(bytes);
}

void assert_mended(const struct outcome *out, const struct tinydump *t)
{
	const char *part = scratch_path("dump.part");
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct verify_result verified;
	struct error err;

	assert_true(out->code < 0);
	assert_int_equal(out->res.mend.code, 0);
	assert_false(file_exists(scratch_path("dump")));
	if (out->res.file_bytes == 0) {
		assert_false(file_exists(part));
		return;
	}
	if (out->res.arrived.table_end == 0)
		return;
	assert_int_equal(kdump_file_open(part, &d, &err), 0);
	assert_true(kdump_file_header(d)->status & KDUMP_INCOMPLETE);
	assert_true(kdump_file_size(d) >= t->at.desc_off + t->pages * KDUMP_DESC_BYTES);
	assert_int_equal(verify_dump(d, 1, NULL, NULL, &verified, &err), 0);
	if (verified.problem_count > 0)
		fail_msg("%s", verified.problems[0].text);
	assert_int_equal(verified.pages, t->pages);
	assert_int_equal(out->res.arrived.pages, t->pages);
	assert_int_equal(verified.missing, out->res.arrived.pages_missing);
	assert_int_equal(out->res.arrived.usable, verified.missing < t->pages);
}
