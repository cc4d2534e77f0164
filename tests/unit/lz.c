/* include/lz.h and include/deflate.h: what other programs' decoders make of it is the page again.
 */
#include "../lib/unit.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "codec.h"
#include "deflate.h"
#include "lz.h"

enum { PAGE = 4096, LARGE = LZ_PAGE_BYTES_MAX, ROOM_MAX = 4 * LARGE };

/* Bytes that end where the next one must not be touched, nor the one before them. */
struct fenced {
	uint8_t *map, *bytes;
	size_t map_bytes;
};

static struct fenced fence(size_t n)
{
	struct fenced f = {.map_bytes = ROOM_MAX + 2 * PAGE};

	f.map = mmap(NULL, f.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f.map, MAP_FAILED);
	assert_int_equal(mprotect(f.map, PAGE, PROT_NONE), 0);
	assert_int_equal(mprotect(f.map + PAGE + ROOM_MAX, PAGE, PROT_NONE), 0);
	f.bytes = f.map + PAGE + ROOM_MAX - n;
	return f;
}

static void unfence(struct fenced *f)
{
	munmap(f->map, f->map_bytes);
}

/* --- pages --- */

/* So many new bytes, so many from so far back, and so on. */
static size_t put_run(uint8_t *page, size_t at, size_t page_bytes, size_t new_bytes,
		      size_t old_bytes, size_t distance, uint32_t *random)
{
	for (; new_bytes && at < page_bytes; new_bytes--)
		page[at++] = (uint8_t)(unit_random(random) >> 9);
	for (; old_bytes && at < page_bytes; old_bytes--, at++)
		page[at] = at >= distance ? page[at - distance] : 0;
	return at;
}

/* Lengths at which a format says something in another way, and both sides of them. */
static const uint16_t edges[] = {0,   1,   2,	3,   4,	  5,   7,   8,	 9,   11,  12,	13,  15,
				 16,  17,  18,	19,  20,  32,  33,  34,	 35,  59,  60,	61,  62,
				 63,  64,  65,	66,  67,  68,  69,  128, 129, 237, 238, 239, 240,
				 255, 256, 257, 258, 259, 260, 261, 262, 263, 272, 273, 274, 288,
				 289, 290, 516, 517, 520, 543, 544, 545, 800};

/* Distances, the same. */
static const uint16_t reaches[] = {1,	 2,    3,    4,	   7,	 8,    9,    64,
				   255,	 256,  257,  1023, 1024, 1025, 2047, 2048,
				   2049, 4095, 8191, 8192, 8193, 16000};

#define PICK(table, random) ((table)[unit_random(random) % ARRAY_LEN(table)])

static void make_runs(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	size_t at = 0;

	while (at < page_bytes) {
		const size_t new_bytes = PICK(edges, random), old_bytes = PICK(edges, random);

		at = put_run(page, at, page_bytes, new_bytes, old_bytes, PICK(reaches, random),
			     random);
	}
}

/* Few kinds of bytes, each half as often as the one before: the longest codes. */
static void make_skewed(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	const unsigned kinds = 2 + unit_random(random) % 24;

	for (size_t i = 0; i < page_bytes; i++) {
		const unsigned bits = (unsigned)__builtin_ctz(unit_random(random) | 1U << 30);

		page[i] = (uint8_t)(MIN(bits, kinds) * 37);
	}
}

/* Each kind as often as the two before it together: a code that would grow a bit with each. */
static void make_fibonacci(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	size_t a = 1, b = 1, at = 0;

	for (unsigned kind = 0; at < page_bytes; kind++) {
		const size_t sum = a + b;

		for (size_t n = a; n && at < page_bytes; n--)
			page[at++] = (uint8_t)(kind * 11);
		a = b;
		b = sum;
	}
	for (size_t i = page_bytes - 1; i; i--) { /* in an order that has no matches */
		const size_t j = unit_random(random) % (i + 1);
		const uint8_t byte = page[i];

		page[i] = page[j];
		page[j] = byte;
	}
}

/* Words that differ in their low bytes, as pointers do. */
static void make_words(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	const uint32_t low = 1U << unit_random(random) % 24;

	for (size_t i = 0; i < page_bytes; i++)
		page[i] = "\0\0\0\x12\x81\x88\xff\xff"[i % 8];
	for (size_t i = 0; i + 8 <= page_bytes; i += 8) {
		const uint32_t n = unit_random(random) % low;

		if (unit_random(random) % 3 == 0)
			memset(page + i, 0, 8);
		else
			memcpy(page + i, &n, 3);
	}
}

static void make_constant(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	memset(page, (int)(unit_random(random) & 0xff), page_bytes);
	for (unsigned n = unit_random(random) % 4; n; n--) /* but for a few */
		page[unit_random(random) % page_bytes] = (uint8_t)(unit_random(random) >> 7);
}

static void make_noise(uint8_t *page, size_t page_bytes, uint32_t *random)
{
	for (size_t i = 0; i < page_bytes; i++)
		page[i] = (uint8_t)(unit_random(random) >> 13);
}

static const struct look {
	const char *name;
	void (*make)(uint8_t *page, size_t page_bytes, uint32_t *random);
	unsigned turns;
} looks[] = {
	{"runs and copies of every length", make_runs, 600},
	{"few kinds of bytes", make_skewed, 200},
	{"counts that make the longest codes", make_fibonacci, 40},
	{"words like pointers", make_words, 200},
	{"one byte again and again", make_constant, 200},
	{"noise", make_noise, 20},
};

/* --- formats --- */

static void must_decode(enum codec_id id, const uint8_t *payload, size_t n, const uint8_t *page,
			size_t page_bytes)
{
	static uint8_t got[LARGE];
	struct decompressor *d;
	struct error err;

	if (!codec_is_built(id))
		return;
	assert_int_equal(decompressor_new(&d, &err), 0);
	assert_int_equal(decompressor_run(d, id, payload, n, got, page_bytes, &err), 0);
	assert_memory_equal(got, page, page_bytes);
	decompressor_free(d);
}

static void must_follow(const struct lz_step *steps, size_t count, const uint8_t *literals,
			const uint8_t *page, size_t page_bytes)
{
	size_t at = 0;

	assert_in_range(count, 1, LZ_STEPS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_true(at + steps[i].literal_bytes + steps[i].match_bytes <= page_bytes);
		assert_memory_equal(page + at, literals, steps[i].literal_bytes);
		at += steps[i].literal_bytes;
		literals += steps[i].literal_bytes;
		if (i + 1 == count) {
			assert_int_equal(steps[i].match_bytes, 0);
			break;
		}
		assert_true(steps[i].match_bytes >= LZ_MATCH_MIN);
		assert_in_range(steps[i].distance, 1, at);
		for (unsigned n = steps[i].match_bytes; n; n--, at++)
			assert_int_equal(page[at], page[at - steps[i].distance]);
	}
	assert_int_equal(at, page_bytes);
}

static void must_inflate(const uint8_t *payload, size_t n, const uint8_t *page, size_t page_bytes)
{
	static uint8_t got[LARGE + 1];
	z_stream z = {.next_in = (Bytef *)(uintptr_t)payload,
		      .avail_in = (uInt)n,
		      .next_out = got,
		      .avail_out = (uInt)page_bytes + 1};

	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, page_bytes);
	assert_memory_equal(got, page, page_bytes);
	inflateEnd(&z);
}

/* The page ends where reading on would fault, and so does what is written. */
static void round_trip(const struct look *look, size_t page_bytes, uint32_t *random)
{
	static struct lz lz;
	static struct lz_step steps[LZ_STEPS_MAX];
	static struct deflater d;
	const size_t room = page_bytes - 1;
	struct fenced page = fence(page_bytes), out = fence(lz_bound(page_bytes)),
		      deflated = fence(room + DEFLATE_SLACK_BYTES);
	size_t n;

	look->make(page.bytes, page_bytes, random);
	memset(&lz, (int)(unit_random(random) & 1) * 0xff, sizeof(lz));
	memset(&d, (int)(unit_random(random) & 1) * 0xff, sizeof(d));

	n = lz_snappy(&lz, page.bytes, page_bytes, out.bytes);
	must_decode(CODEC_SNAPPY, out.bytes, n, page.bytes, page_bytes);
	n = lz_lzo(&lz, page.bytes, page_bytes, out.bytes);
	must_decode(CODEC_LZO, out.bytes, n, page.bytes, page_bytes);
	n = lz_steps(&lz, page.bytes, page_bytes, steps, out.bytes);
	must_follow(steps, n, out.bytes, page.bytes, page_bytes);

	n = deflate_page(&d, page.bytes, page_bytes, deflated.bytes, room);
	if (n)
		must_inflate(deflated.bytes, n, page.bytes, page_bytes);
	else
		assert_ptr_equal(look->make, make_noise);
	unfence(&page);
	unfence(&out);
	unfence(&deflated);
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = {PAGE, PAGE, 2 * PAGE, LARGE, LZ_PAGE_BYTES_MIN};
	const struct look *look = *state;
	uint32_t random = unit_seed();

	for (unsigned turn = 0; turn < look->turns; turn++) {
		const size_t page_bytes = sizes[turn % ARRAY_LEN(sizes)];

		/* The smallest has no room for a table of codes. */
		if (page_bytes > LZ_PAGE_BYTES_MIN || look->make == make_noise)
			round_trip(look, page_bytes, &random);
	}
}

/* --- DEFLATE --- */

static void test_room(void **state UNUSED)
{
	static struct deflater d;
	uint8_t page[PAGE], out[PAGE + DEFLATE_SLACK_BYTES];
	uint32_t random = unit_seed();

	for (unsigned turn = 0; turn < 20; turn++) {
		size_t n;

		make_words(page, PAGE, &random);
		n = deflate_page(&d, page, PAGE, out, PAGE);
		assert_in_range(n, 1, PAGE);
		assert_int_equal(deflate_page(&d, page, PAGE, out, n - 1), 0);
		assert_int_equal(deflate_page(&d, page, PAGE, out, n), n);
		must_inflate(out, n, page, PAGE);
	}
}

/* One look at a page's worth of what is usual: no format does badly. */
static void test_sizes(void **state UNUSED)
{
	static struct lz lz;
	static struct deflater d;
	uint8_t page[PAGE], out[2 * PAGE];
	uint32_t random = 1;
	uLongf usual = sizeof(out);

	make_words(page, PAGE, &random);
	assert_int_equal(compress2(out, &usual, page, PAGE, 1), Z_OK);
	assert_in_range(deflate_page(&d, page, PAGE, out, PAGE), 1, usual + usual / 10);
	assert_in_range(lz_lzo(&lz, page, PAGE, out), 1, 2 * usual);
	assert_in_range(lz_snappy(&lz, page, PAGE, out), 1, 2 * usual);
	memset(page, 0, PAGE);
	assert_in_range(deflate_page(&d, page, PAGE, out, PAGE), 1, 24);
	assert_in_range(lz_lzo(&lz, page, PAGE, out), 1, 40);
	assert_in_range(lz_snappy(&lz, page, PAGE, out), 1, 200);
}

int main(int argc, char **argv)
{
	struct unit u = {.count = 0};

	UNIT_ADD_ROWS(&u, looks, test_round_trip);
	unit_add(&u, "fills its room to the byte, and no further", test_room, NULL);
	unit_add(&u, "is about as small as others make it", test_sizes, NULL);
	return unit_run(&u, "lz", argc, argv);
}
