/*
 * Any sender: what it says ends in a session that is done or failed, a store that stays within its
 * directory and limits, and nothing published that isn't whole.
 *
 * The input is: a byte for the size of pieces, then a list of frames, each TYPE (1), LENGTH (2,
 * little-endian), payload. They are framed here, with CRC and sequence, so that the search gets
 * past those. A TYPE of 0 says that its payload goes out as it is.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "receiver/session/session.h"
#include "receiver/store/store.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 4 << 20, TIMEOUT_MS = 20000 };

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static unsigned published, too_large;

static int look_at(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	published += type == FTW_F && strcmp(path + ftw->base, "vmcore") == 0;
	too_large += type == FTW_F && st->st_size > MAX_BYTES;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
			struct FTW *ftw UNUSED)
{
	return remove(path);
}

static struct stream frames_of(struct rd *r)
{
	struct stream out = {0};
	uint64_t sequence = 0;

	while (rd_left(r)) {
		const uint8_t *head = rd_bytes(r, 3), *payload;
		size_t n;

		if (!head)
			break;
		n = MIN((size_t)le16_get(head + 1), rd_left(r));
		payload = rd_bytes(r, n);
		if (head[0])
			add_frame(&out, sequence++, head[0], payload, n);
		else
			stream_add(&out, payload, n);
	}
	return out;
}

/* One session, to its end: whether it was done. */
static bool run(const struct stream *frames, size_t step)
{
	const struct store_setup setup = {.dir = scratch_path("dir"),
					  .host = "tiny",
					  .proof = "test",
					  .peer = "test",
					  .max_size_bytes = MAX_BYTES};
	struct session_setup session = {.ops = &store_ops, .timeout_ms = TIMEOUT_MS};
	struct store_result res;
	struct error err = {0};
	struct session *s;
	struct store *store;
	uint64_t now_ms = 1000;
	bool done;
	int r = 0;

	REQUIRE(store_new(&setup, &store, &err) == 0);
	session.ctx = store;
	REQUIRE(session_new(&session, now_ms, &s, &err) == 0);
	for (size_t at = 0; at < frames->size_bytes && r == 0; at += step) {
		const size_t n = MIN(step, frames->size_bytes - at);
		size_t said;

		now_ms += 500;
		r = session_feed(s, frames->bytes + at, n, now_ms, &err);
		if (r == 0)
			r = session_tick(s, now_ms, &err);
		session_output(s, &said);
		session_sent(s, said, now_ms);
	}
	REQUIRE(r >= 0 || err.code == r);
	done = session_state(s) == SESSION_DONE;
	if (r == 0 && !done)
		r = error_set(&err, -ECONNRESET, "cut");
	store_close(store, r < 0 ? &err : NULL, &res);
	REQUIRE(res.complete || !done || !res.begun);
	store_free(store);
	session_free(s);
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	const uint8_t *how = rd_bytes(&r, 1);
	const char *dir = scratch_path("dir");
	struct stream frames;
	bool done;

	if (!how)
		return 0;
	frames = frames_of(&r);
	done = run(&frames, (size_t)*how * *how + 1);
	published = too_large = 0;
	nftw(dir, look_at, 16, FTW_PHYS);
	REQUIRE(too_large == 0);
	REQUIRE(published <= (done ? 1 : 0));
	/* It comes again: what it left last time is gone on with, or is whole. */
	run(&frames, 4096);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	stream_free(&frames);
	return 0;
}
