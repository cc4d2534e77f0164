/* include/deflate.h: what is compressed, zlib gives back. */
#include "../lib/unit.h"

#include <string.h>
#include <zlib.h>

#include "deflate.h"

enum { ROOM = 300 << 10, GUARD = 0xa5 };

struct fixture {
	struct deflater *d;
	uint8_t in[256 << 10], out[ROOM + DEFLATE_SLACK + 1], back[256 << 10];
};

static struct fixture *new_fixture(void)
{
	struct fixture *f = malloc(sizeof(*f));

	assert_non_null(f);
	f->d = deflater_new();
	assert_non_null(f->d);
	return f;
}

static void free_fixture(struct fixture *f)
{
	deflater_free(f->d);
	free(f);
}

/* By the reader's own library, to the last byte. */
static void inflates_to(struct fixture *f, size_t size, size_t n)
{
	z_stream z = {.next_in = f->out, .avail_in = (uInt)size, .next_out = f->back};

	z.avail_out = (uInt)n + 1; /* so that one more would be seen */
	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, n);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	assert_memory_equal(f->back, f->in, n);
}

/* f->in there and back, in just the room that it needs, and not in less: its size. */
static size_t there_and_back(struct fixture *f, size_t n)
{
	const size_t size = deflater_run(f->d, f->in, n, f->out, ROOM);

	assert_in_range(size, 1, ROOM);
	inflates_to(f, size, n);
	memset(f->out, GUARD, sizeof(f->out));
	assert_int_equal(deflater_run(f->d, f->in, n, f->out, size), size);
	assert_int_equal(f->out[size + DEFLATE_SLACK], GUARD);
	inflates_to(f, size, n);
	memset(f->out, GUARD, sizeof(f->out));
	assert_int_equal(deflater_run(f->d, f->in, n, f->out, size - 1), 0);
	assert_int_equal(f->out[size - 1 + DEFLATE_SLACK], GUARD);
	return size;
}

static void fill_random(uint8_t *p, size_t n, uint32_t *random)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(unit_random(random) >> 11);
}

/* --- tests --- */

static void test_any_length(void **state UNUSED)
{
	struct fixture *f = new_fixture();
	uint32_t random = unit_seed();

	for (size_t n = 0; n <= 300; n++) {
		memset(f->in, 0, n);
		there_and_back(f, n);
		memset(f->in, 'x', n);
		there_and_back(f, n);
		fill_random(f->in, n, &random);
		there_and_back(f, n);
	}
	free_fixture(f);
}

/* Words of few kinds, noise between them, by chance: all sorts of mixtures. */
static void test_mixtures(void **state UNUSED)
{
	static const size_t sizes[] = {4096, 4096, 4096, 16384, 32768, 65536, 32767, 32769, 262144};
	struct fixture *f = new_fixture();
	uint32_t random = unit_seed();

	for (size_t turn = 0; turn < 60 * ARRAY_LEN(sizes); turn++) {
		const size_t n = sizes[turn % ARRAY_LEN(sizes)];
		const uint32_t kinds = 1 + unit_random(&random) % 200;
		const uint32_t noise = unit_random(&random) % 100;

		if (n > 65536 && turn % 7)
			continue;
		for (size_t i = 0; i < n;) {
			const uint32_t kind = unit_random(&random) % kinds;
			const size_t run = MIN(n - i, (size_t)(1 + unit_random(&random) % 40));

			if (unit_random(&random) % 100 < noise)
				fill_random(f->in + i, run, &random);
			else
				for (size_t k = 0; k < run; k++)
					f->in[i + k] = (uint8_t)(kind * (k % 8 + 1));
			i += run;
		}
		there_and_back(f, n);
	}
	free_fixture(f);
}

/* One match in noise: every length, and every distance at an end of what a symbol stands for. */
static void test_every_match(void **state UNUSED)
{
	struct fixture *f = new_fixture();
	uint32_t random = unit_seed();
	const size_t n = 32768;

	fill_random(f->in, n, &random);
	for (size_t length = 3; length <= 520; length++) {
		memcpy(f->in + 2000, f->in + 100, length);
		f->in[2000 + length] = f->in[100 + length] ^ 1;
		there_and_back(f, 4096);
	}
	for (size_t power = 1; power <= 16384; power *= 2) {
		for (size_t at = 0; at < 9; at++) {
			const size_t distance = power + power / 2 * (at / 3) + at % 3;

			if (distance < 4 || distance + 16 > n)
				continue;
			fill_random(f->in, n, &random);
			memcpy(f->in + n - 12, f->in + n - 12 - distance, 12);
			there_and_back(f, n);
		}
	}
	free_fixture(f);
}

/* Bytes as frequent as Fibonacci's numbers: the shortest code would need more bits than there may
 * be. */
static void test_deep_codes(void **state UNUSED)
{
	struct fixture *f = new_fixture();
	uint32_t random = unit_seed();
	size_t n = 0, a = 1, b = 1;

	for (unsigned byte = 0; n + a <= 32768; byte++) {
		const size_t next = a + b;

		memset(f->in + n, (int)byte, a);
		n += a;
		a = b;
		b = next;
	}
	for (int turn = 0; turn < 50; turn++) {
		for (size_t i = n - 1; i > 0; i--) {
			const size_t other = unit_random(&random) % (i + 1);
			const uint8_t byte = f->in[i];

			f->in[i] = f->in[other];
			f->in[other] = byte;
		}
		there_and_back(f, n);
	}
	free_fixture(f);
}

/* What is alike becomes small, and noise hardly larger. */
static void test_sizes(void **state UNUSED)
{
	struct fixture *f = new_fixture();
	uint32_t random = unit_seed();

	memset(f->in, 0, 4096);
	assert_in_range(there_and_back(f, 4096), 1, 24);
	for (size_t i = 0; i < 4096; i++)
		f->in[i] = (uint8_t) "\xff\xff\x88\x88\x00\x12\x34\x56"[i % 8];
	assert_in_range(there_and_back(f, 4096), 1, 56);
	for (size_t i = 0; i < 4096; i++)
		f->in[i] = (uint8_t) "0123456789abcdef"[unit_random(&random) >> 11 & 15];
	assert_in_range(there_and_back(f, 4096), 2048, 2300);
	fill_random(f->in, 4096, &random);
	assert_in_range(there_and_back(f, 4096), 4097, 4400);
	free_fixture(f);
}

/* Workers take pages in any order: what a page becomes must not tell. */
static void test_same_bytes(void **state UNUSED)
{
	struct fixture *used = new_fixture(), *fresh;
	uint32_t random = unit_seed();

	for (int turn = 0; turn < 200; turn++) {
		const size_t n = turn % 5 ? 4096 : 65536, at = unit_random(&random) % 64;
		size_t size;

		fill_random(used->in, n + at, &random);
		deflater_run(used->d, used->in, n, used->out, ROOM);
		fresh = new_fixture();
		for (size_t i = 0; i < n; i++)
			fresh->in[i] = (uint8_t)(unit_random(&random) >> 11 & 3);
		memcpy(used->in + at, fresh->in, n);
		size = deflater_run(fresh->d, fresh->in, n, fresh->out, ROOM);
		assert_int_equal(deflater_run(used->d, used->in + at, n, used->out, ROOM), size);
		assert_memory_equal(used->out, fresh->out, size);
		free_fixture(fresh);
	}
	free_fixture(used);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "deflater_run: gives any number of bytes back, in no room more than it says",
		 test_any_length, NULL);
	unit_add(&u, "deflater_run: gives mixtures of words and noise back", test_mixtures, NULL);
	unit_add(&u, "deflater_run: gives back matches of every length and distance",
		 test_every_match, NULL);
	unit_add(&u, "deflater_run: keeps codes as short as the format wants", test_deep_codes,
		 NULL);
	unit_add(&u,
		 "deflater_run: makes the same bytes whatever came before, and wherever it lies",
		 test_same_bytes, NULL);
	unit_add(&u, "deflater_run: makes small what is alike", test_sizes, NULL);
	return unit_run(&u, "deflate", argc, argv);
}
