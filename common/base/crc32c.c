/* CRC-32C by the CPU's instruction where it has one, else eight bytes at a time by tables; and what
 * a CRC becomes when zeros follow, or are taken away. Doesn't know frames or files. */
#include "base/crc32c.h"

#include <pthread.h>

#include "base/bytes.h"

enum {
	POLYNOMIAL = (int)0x82f63b78, /* Castagnoli's, bit-reversed. RFC 3385, RFC 3720 */
	SLICES = 8,

	/* The CPU begins an instruction each cycle, and has its result after three: so many bytes
	   each of three lanes are summed side by side, and put together afterwards. */
	LANE_BYTES = 1024,
	LANES = 3,

	POWERS = 63, /* of two, that a number of bytes is made of */
};

static uint32_t table[SLICES][256];

/* What each byte of a CRC comes to when LANE_BYTES zeros follow. */
static uint32_t lane_table[4][256];

/*
 * A CRC that neither begins nor ends with a complement is a polynomial over GF(2), the lowest bit
 * that of x^31: zeros behind the bytes multiply it by x^8 each, modulo the polynomial. These are
 * x^(8 * 2^k), and the same with negative exponents.
 */
static uint32_t powers[POWERS], inverse_powers[POWERS];

static uint32_t times_x(uint32_t a)
{
	return a >> 1 ^ (a & 1 ? (uint32_t)POLYNOMIAL : 0);
}

static uint32_t times(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1, b = times_x(b))
		product ^= a >> 31 ? b : 0;
	return product;
}

/* The polynomial has the bit of x^0, which shifting right loses, as its highest: so the way back is
 * clear. */
static uint32_t divided_by_x(uint32_t a)
{
	return a >> 31 ? (a ^ (uint32_t)POLYNOMIAL) << 1 | 1 : a << 1;
}

static void make_powers(void)
{
	uint32_t up = UINT32_C(1) << 31, down = up; /* x^0 */

	for (int i = 0; i < 8; i++) {
		up = times_x(up);
		down = divided_by_x(down);
	}
	for (int k = 0; k < POWERS; k++) {
		powers[k] = up;
		inverse_powers[k] = down;
		up = times(up, up);
		down = times(down, down);
	}
}

static uint32_t shift(uint32_t crc, const uint32_t by[static POWERS], uint64_t n)
{
	for (int k = 0; n && crc; n >>= 1, k++)
		if (n & 1)
			crc = times(crc, by[k]);
	return crc;
}

/* table[0] is that of one byte; table[i] that of a byte with i zeros behind it. */
static void make_tables(void)
{
	make_powers();
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 0xff];
	for (uint32_t i = 0; i < 256; i++)
		for (int s = 0; s < 4; s++)
			lane_table[s][i] = shift(i << (8 * s), powers, LANE_BYTES);
}

static void need_tables(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_tables);
}

static uint32_t by_tables(uint32_t crc, const uint8_t *p, size_t n)
{
	need_tables();
	for (; n >= SLICES; p += SLICES, n -= SLICES) {
		const uint64_t v = le64_get(p) ^ crc;

		crc = 0;
		for (int s = 0; s < SLICES; s++)
			crc ^= table[SLICES - 1 - s][v >> (8 * s) & 0xff];
	}
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t behind_lane(uint64_t crc)
{
	return lane_table[0][crc & 0xff] ^ lane_table[1][crc >> 8 & 0xff] ^
	       lane_table[2][crc >> 16 & 0xff] ^ lane_table[3][crc >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static uint64_t three_lanes(uint64_t crc, const uint8_t *p)
{
	uint64_t second = 0, third = 0;

	for (size_t i = 0; i < LANE_BYTES; i += 8) {
		crc = _mm_crc32_u64(crc, le64_get(p + i));
		second = _mm_crc32_u64(second, le64_get(p + LANE_BYTES + i));
		third = _mm_crc32_u64(third, le64_get(p + 2 * LANE_BYTES + i));
	}
	return behind_lane(behind_lane(crc) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;

	if (n >= LANES * LANE_BYTES)
		need_tables();
	for (; n >= LANES * LANE_BYTES; p += LANES * LANE_BYTES, n -= LANES * LANE_BYTES)
		wide = three_lanes(wide, p);
	for (; n >= 8; p += 8, n -= 8)
		wide = _mm_crc32_u64(wide, le64_get(p));
	crc = (uint32_t)wide;
	while (n--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}

static int cpu_has_it(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8)
		crc = __crc32cd(crc, le64_get(p));
	while (n--)
		crc = __crc32cb(crc, *p++);
	return crc;
}

static int cpu_has_it(void)
{
	return 1; /* or the compiler would not have been told to use it */
}
#else
static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	return by_tables(crc, p, n);
}

static int cpu_has_it(void)
{
	return 0;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes)
{
	return ~(cpu_has_it() ? by_cpu : by_tables)(~crc, bytes, size_bytes);
}

uint32_t crc32c_by_tables(uint32_t crc, const void *bytes, size_t size_bytes)
{
	return ~by_tables(~crc, bytes, size_bytes);
}

uint32_t crc32c_bare(const void *bytes, size_t size_bytes)
{
	return (cpu_has_it() ? by_cpu : by_tables)(0, bytes, size_bytes);
}

uint32_t crc32c_shift(uint32_t bare, int64_t zero_bytes)
{
	need_tables();
	return zero_bytes < 0 ? shift(bare, inverse_powers, -(uint64_t)zero_bytes)
			      : shift(bare, powers, (uint64_t)zero_bytes);
}

uint32_t crc32c_of_bare(uint32_t bare, uint64_t size_bytes)
{
	need_tables();
	return ~(bare ^ shift(UINT32_MAX, powers, size_bytes));
}
