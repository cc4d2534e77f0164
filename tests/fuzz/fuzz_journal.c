/*
 * Any FILE.segments, and any FILE.part beside it: what can be read is a prefix that is right, a
 * part is brought back or refused, and a file is proved or not; all of it in bounds.
 *
 * The input is frames as fuzz_session.c has them, for the journal; behind a TYPE of 255 comes the
 * part, as it is.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "format/dumpfile.h"
#include "receiver/store/extents.h"
#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PART_MAX = 1 << 20, DATA_OFF_MAX = 16 << 20 };

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void write_files(struct rd *r, const char *journal, const char *part)
{
	struct stream out = {0};
	uint64_t sequence = 0;
	const uint8_t *head;
	size_t n = 0;

	while ((head = rd_bytes(r, 1)) && *head != 0xff) {
		const uint8_t *length = rd_bytes(r, 2), *payload;

		if (!length)
			break;
		n = MIN((size_t)le16_get(length), rd_left(r));
		payload = rd_bytes(r, n);
		if (*head)
			add_frame(&out, sequence++, *head, payload, n);
		else
			stream_add(&out, payload, n);
	}
	file_write(journal, out.bytes ? out.bytes : (const uint8_t *)"", out.size_bytes);
	stream_free(&out);
	n = rd_ok(r) ? MIN(rd_left(r), (size_t)PART_MAX) : 0;
	file_write(part, n ? rd_bytes(r, n) : "", n);
}

/* What it was brought back to is what the journal proves, if its data was there. */
static void go_on(const char *path, const char *journal_path)
{
	uint64_t good;
	AUTO(journal_free) struct journal *j = NULL;
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(digester_free) struct digester *d = NULL;
	struct journal_facts facts;
	struct error err;
	pid_t holder;

	if (journal_open(AT_FDCWD, journal_path, &j, &holder, &err) < 0 ||
	    journal_load(j, &facts, NULL, NULL, &err) < 0)
		return;
	REQUIRE(dumpfile_resume(path, &df, &err) == 0);
	REQUIRE(digester_new(&d, &err) == 0);
	/* The store lets no cursor through that is beyond its limits. */
	if (facts.cursor.segment == 0 || facts.cursor.data_off > DATA_OFF_MAX ||
	    extents_restore(j, df, facts.cursor.data_off, NULL, &err) < 0)
		return;
	REQUIRE(dumpfile_size(df) == facts.cursor.data_off);
	(void)!extents_verify_first(j, df, d, facts.cursor.segment, NULL, &good, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *journal = scratch_path("dump.segments"), *part = scratch_path("dump.part");
	struct rd r = rd_init(data, size);
	struct journal_facts facts, again;
	struct extents_proof proof;
	struct error err = {0};

	write_files(&r, journal, part);
	if (journal_read(journal, &facts, NULL, NULL, &err) == 0) {
		(void)!extents_check_file(part, false, journal, &proof, &err);
		(void)!extents_check_file(part, true, journal, &proof, &err);
		go_on(scratch_path("dump"), journal);
		/* What was wrong was cut off, and nothing else. */
		REQUIRE(journal_read(journal, &again, NULL, NULL, &err) == 0);
		REQUIRE(again.cursor.segment == facts.cursor.segment);
		REQUIRE(again.whole == facts.whole);
	}
	unlink(journal);
	unlink(part);
	return 0;
}
