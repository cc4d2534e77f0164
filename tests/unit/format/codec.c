/* include/format/codec.h: pages there and back, and payloads that nobody vouches for. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "format/codec.h"
#include "format/kdump.h"
#include "tests/lib/corefile.h"

enum { SMALL = 4096, LARGE = 65536, HUGE = 262144 };

/* A compressor's setting. */
struct setting {
	enum codec_id id;
	int level;
};

/* Codecs that are built, with the levels that are worth a try: ends and defaults. */
static size_t settings(struct setting out[static 32])
{
	size_t n = 0;

	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		int min, max, usual;

		codec_levels(id, &min, &max, &usual);
		for (int level = min; level <= max && codec_is_built(id); level++)
			if (id != CODEC_ZSTD || level < 4 || level == max)
				out[n++] = (struct setting){id, level};
	}
	return n;
}

/* --- contents --- */

enum look { ZEROS, ONES, SAME_WORD, TEXT, COUNTER, NOISE, HALF_NOISE, LAST_BYTE, POINTERS, LOOKS };

static void make_page(enum look look, uint8_t *page, size_t n, uint32_t random)
{
	memset(page, 0, n);
	for (size_t i = 0; i < n; i++) {
		switch (look) {
		case ONES:
			page[i] = 0xff;
			break;
		case SAME_WORD:
			page[i] = (uint8_t) "\xde\xad\xbe\xef"[i % 4];
			break;
		case TEXT:
			page[i] = (uint8_t) "the quick brown fox jumps over "[(i + i / 977) % 31];
			break;
		case COUNTER:
			page[i] = (uint8_t)(i / 8 >> i % 8 * 8);
			break;
		case NOISE:
			page[i] = (uint8_t)(unit_random(&random) >> 11);
			break;
		case HALF_NOISE:
			page[i] = i % 2 ? (uint8_t)(unit_random(&random) >> 11) : 0;
			break;
		case LAST_BYTE:
			page[i] = i == n - 1;
			break;
		case ZEROS:
		case POINTERS:
		case LOOKS:
			break;
		}
	}
	if (look == POINTERS)
		for (size_t at = 0; at < n; at += CORE_PAGE)
			core_memory(at, 4, page + at, CORE_PAGE);
}

struct pages {
	uint8_t *page[LOOKS];
	size_t bytes;
};

static struct pages make_pages(size_t bytes)
{
	struct pages p = {.bytes = bytes};

	for (enum look look = 0; look < LOOKS; look++) {
		p.page[look] = malloc(bytes);
		assert_non_null(p.page[look]);
		make_page(look, p.page[look], bytes, unit_seed());
	}
	return p;
}

static void free_pages(struct pages *p)
{
	for (enum look look = 0; look < LOOKS; look++)
		free(p->page[look]);
}

/* --- there and back --- */

static void round_trip(const struct setting *s, const struct pages *p, struct decompressor *d)
{
	uint8_t *got = malloc(p->bytes), *out;
	struct compressor *c;
	struct error err;

	assert_int_equal(compressor_new(s->id, s->level, p->bytes, &c, &err), 0);
	/* What the bound says is enough, exactly. */
	out = malloc(compressor_bound(c));
	assert_true(got && out);
	for (enum look look = 0; look < LOOKS; look++) {
		const size_t n = compressor_run(c, p->page[look], out);

		assert_true(n < p->bytes);
		if (s->id == CODEC_NONE || look == NOISE)
			assert_int_equal(n, 0);
		else if (look == ZEROS || look == ONES || look == SAME_WORD || look == TEXT)
			assert_in_range(n, 1, p->bytes / 8);
		if (n == 0)
			continue;
		assert_int_equal(decompressor_run(d, s->id, out, n, got, p->bytes, &err), 0);
		assert_memory_equal(got, p->page[look], p->bytes);
	}
	compressor_free(c);
	free(out);
	free(got);
}

static void test_round_trip(void **state)
{
	const size_t *bytes = *state;
	struct pages p = make_pages(*bytes);
	struct decompressor *d;
	struct setting all[32];
	const size_t count = settings(all);
	struct error err;

	assert_int_equal(decompressor_new(&d, &err), 0);
	for (size_t i = 0; i < count; i++)
		round_trip(&all[i], &p, d);
	decompressor_free(d);
	free_pages(&p);
}

/* A payload depends on nothing that the compressor did before. */
static void test_deterministic(void **state UNUSED)
{
	struct pages p = make_pages(SMALL);
	struct setting all[32];
	const size_t count = settings(all);
	struct error err;

	for (size_t i = 0; i < count; i++) {
		struct compressor *used, *fresh;
		uint8_t *a, *b;

		assert_int_equal(compressor_new(all[i].id, all[i].level, SMALL, &used, &err), 0);
		a = malloc(compressor_bound(used));
		b = malloc(compressor_bound(used));
		assert_true(a && b);
		memset(b, 0x5a, compressor_bound(used));
		for (size_t turn = 0; turn < 3 * LOOKS * LOOKS; turn++) {
			const enum look look = (enum look)(turn * 7 % LOOKS);
			const size_t n = compressor_run(used, p.page[look], a);

			(void)compressor_run(used, p.page[turn / LOOKS % LOOKS], b);
			assert_int_equal(
				compressor_new(all[i].id, all[i].level, SMALL, &fresh, &err), 0);
			assert_int_equal(compressor_run(fresh, p.page[look], b), n);
			assert_memory_equal(a, b, n);
			compressor_free(fresh);
			if (all[i].level > 3) /* those take their time */
				turn += 30;
		}
		compressor_free(used);
		free(a);
		free(b);
	}
	free_pages(&p);
}

/* --- payloads that are not what they should be --- */

/* Decode an exact copy of n bytes into an exact page, so that a sanitizer sees what leaves either.
 */
static int decode(struct decompressor *d, enum codec_id id, const uint8_t *payload, size_t n,
		  size_t page_bytes)
{
	uint8_t *copy = malloc(n ? n : 1), *page = malloc(page_bytes);
	struct error err = {0};
	int r;

	assert_true(copy && page);
	memcpy(copy, payload, n);
	r = decompressor_run(d, id, copy, n, page, page_bytes, &err);
	assert_int_equal(err.code, r);
	free(copy);
	free(page);
	return r;
}

static void test_cut(void **state UNUSED)
{
	struct pages p = make_pages(SMALL);
	uint8_t out[2 * SMALL];
	struct decompressor *d;
	struct compressor *c;
	struct error err;

	assert_int_equal(decompressor_new(&d, &err), 0);
	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++) {
		if (!codec_is_built(id))
			continue;
		assert_int_equal(compressor_new(id, 1, SMALL, &c, &err), 0);
		for (enum look look = 0; look < LOOKS; look++) {
			const size_t n = compressor_run(c, p.page[look], out);

			for (size_t cut = 0; cut < n; cut++)
				assert_int_equal(decode(d, id, out, cut, SMALL), -EBADMSG);
		}
		compressor_free(c);
	}
	decompressor_free(d);
	free_pages(&p);
}

static void test_other_length(void **state UNUSED)
{
	struct pages p = make_pages(SMALL);
	uint8_t out[2 * SMALL];
	struct decompressor *d;
	struct compressor *c;
	struct error err;

	assert_int_equal(decompressor_new(&d, &err), 0);
	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++) {
		size_t n;

		if (!codec_is_built(id))
			continue;
		assert_int_equal(compressor_new(id, 1, SMALL, &c, &err), 0);
		n = compressor_run(c, p.page[TEXT], out);
		assert_int_equal(decode(d, id, out, n, SMALL), 0);
		assert_int_equal(decode(d, id, out, n, SMALL - 1), -EBADMSG);
		assert_int_equal(decode(d, id, out, n, SMALL + 1), -EBADMSG);
		assert_int_equal(decode(d, id, out, n, 2 * SMALL), -EBADMSG);
		compressor_free(c);
	}
	assert_int_equal(decode(d, CODEC_NONE, p.page[TEXT], SMALL, SMALL), 0);
	assert_int_equal(decode(d, CODEC_NONE, p.page[TEXT], SMALL - 1, SMALL), -EBADMSG);
	assert_int_equal(decode(d, CODEC_NONE, p.page[TEXT], SMALL, SMALL - 1), -EBADMSG);
	assert_int_equal(decode(d, CODEC_NONE, p.page[TEXT], 0, SMALL), -EBADMSG);
	decompressor_free(d);
	free_pages(&p);
}

static void test_garbage(void **state UNUSED)
{
	struct pages p = make_pages(SMALL);
	uint32_t random = unit_seed();
	uint8_t good[2 * SMALL], bad[2 * SMALL];
	struct decompressor *d;
	struct compressor *c;
	struct error err;

	assert_int_equal(decompressor_new(&d, &err), 0);
	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++) {
		if (!codec_is_built(id))
			continue;
		assert_int_equal(compressor_new(id, 1, SMALL, &c, &err), 0);
		for (int turn = 0; turn < 4000; turn++) {
			const enum look look = (enum look)(turn % LOOKS);
			size_t n = compressor_run(c, p.page[look], good);

			if (turn % 5 == 0 || n == 0) { /* noise */
				n = unit_random(&random) % 300;
				make_page(NOISE, bad, n, random);
			} else { /* some bytes of a good one changed */
				memcpy(bad, good, n);
				for (int i = 0; i < 1 + turn % 4; i++)
					bad[unit_random(&random) % n] =
						(uint8_t)unit_random(&random);
			}
			/* Whatever comes back, it is safe; what isn't 0 is -EBADMSG. */
			if (decode(d, id, bad, n, SMALL) != 0)
				assert_int_equal(decode(d, id, bad, n, SMALL), -EBADMSG);
		}
		/* And it goes on working. */
		assert_int_equal(decode(d, id, good, compressor_run(c, p.page[TEXT], good), SMALL),
				 0);
		compressor_free(c);
	}
	decompressor_free(d);
	free_pages(&p);
}

/* --- names, flags, levels --- */

static void test_names(void **state UNUSED)
{
	static const struct {
		const char *name;
		uint32_t flag;
	} want[CODEC_COUNT] = {
		[CODEC_NONE] = {"none", 0},	     [CODEC_ZLIB] = {"zlib", KDUMP_ZLIB},
		[CODEC_LZO] = {"lzo", KDUMP_LZO},    [CODEC_SNAPPY] = {"snappy", KDUMP_SNAPPY},
		[CODEC_ZSTD] = {"zstd", KDUMP_ZSTD},
	};
	enum codec_id id;

	for (enum codec_id i = 0; i < CODEC_COUNT; i++) {
		assert_string_equal(codec_name(i), want[i].name);
		assert_true(codec_by_text(want[i].name, strlen(want[i].name), &id));
		assert_int_equal(id, i);
		assert_int_equal(codec_kdump_flag(i), want[i].flag);
		assert_true(codec_by_kdump_flag(want[i].flag, &id));
		assert_int_equal(id, i);
	}
	assert_false(codec_by_text("", strlen(""), &id));
	assert_false(codec_by_text("zli", strlen("zli"), &id));
	assert_false(codec_by_text("zlibx", strlen("zlibx"), &id));
	assert_false(codec_by_text("ZLIB", strlen("ZLIB"), &id));
	assert_false(codec_by_kdump_flag(KDUMP_ZLIB | KDUMP_LZO, &id));
	assert_false(codec_by_kdump_flag(KDUMP_INCOMPLETE, &id));
	assert_false(codec_by_kdump_flag(UINT32_MAX, &id));
}

static void test_levels(void **state UNUSED)
{
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		struct compressor *c = NULL;
		struct error err;
		int min, max, usual;

		codec_levels(id, &min, &max, &usual);
		assert_in_range(usual - min, 0, max - min);
		if (!codec_is_built(id)) {
			assert_int_equal(compressor_new(id, usual, SMALL, &c, &err), -ENOTSUP);
			continue;
		}
		assert_int_equal(compressor_new(id, min - 1, SMALL, &c, &err), -EINVAL);
		assert_int_equal(compressor_new(id, max + 1, SMALL, &c, &err), -EINVAL);
		assert_null(c);
	}
	compressor_free(NULL);
	decompressor_free(NULL);
}

int main(int argc, char **argv)
{
	static const size_t small = SMALL, large = LARGE, huge = HUGE;
	static struct unit u;

	unit_add(&u, "codec: gives pages of 4 KiB back, with every codec and level",
		 test_round_trip, &small);
	unit_add(&u, "codec: gives pages of 64 KiB back", test_round_trip, &large);
	unit_add(&u, "codec: gives pages of 256 KiB back", test_round_trip, &huge);
	unit_add(&u, "compressor_run: makes the same of a page whatever came before",
		 test_deterministic, NULL);
	unit_add(&u, "decompressor_run: refuses payloads cut at any byte", test_cut, NULL);
	unit_add(&u, "decompressor_run: refuses pages of another length", test_other_length, NULL);
	unit_add(&u, "decompressor_run: is safe whatever it is given", test_garbage, NULL);
	unit_add(&u, "codec: knows names and flags", test_names, NULL);
	unit_add(&u, "compressor_new: refuses levels that aren't", test_levels, NULL);
	return unit_run(&u, "codec", argc, argv);
}
