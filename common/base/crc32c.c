/* CRC-32C by the CPU's instruction where it has one, else eight bytes at a time by tables; and what
 * a CRC becomes when zeros follow, or are taken away. Doesn't know frames or files. */
#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum {
	POLYNOMIAL = (int)0x82f63b78, /* Castagnoli's, bit-reversed. RFC 3385, RFC 3720 */
	SLICES = 8,

	/* The CPU begins an instruction each cycle, and has its result after three: so many bytes
	   each of three lanes are summed side by side, and put together afterwards. */
	LANE_BYTES = 1280,
	LANES = 3,

	/* Where the CPU multiplies polynomials 32 bytes at a time, too, that goes on beside the
	   lanes: in each of so many steps this much of a block, and five times eight bytes of each
	   lane. */
	FOLD_BYTES = 128,
	FOLD_STEPS = LANE_BYTES / 40,
	FOLDED_BYTES = FOLD_BYTES + FOLD_BYTES * FOLD_STEPS,
	BLOCK_BYTES = FOLDED_BYTES + LANES * LANE_BYTES,

	POWERS = 63, /* powers of two that a number of bytes can have */
	DIGITS = 3,  /* digits of eight bits each that a small number has */
};

static uint32_t table[SLICES][256];

/* The CRC that each byte of a CRC becomes when LANE_BYTES zeros follow. */
static uint32_t lane_table[4][256];

/*
 * A CRC that neither begins nor ends with a complement is a polynomial over GF(2), the lowest bit
 * that of x^31: zeros behind the bytes multiply it by x^8 each, modulo the polynomial. These are
 * x^(8 * 2^k), and the same with negative exponents.
 */
static uint32_t powers[POWERS], inverse_powers[POWERS];

/* By these the two halves of 16 bytes go FOLD_BYTES on: x^(8 * FOLD_BYTES + 32), and - 32. */
static uint64_t fold_powers[2];

/* And x^(8 * 256^i * j): less than 16 MiB of zeros are three steps. */
static uint32_t short_powers[DIGITS][256];

static uint32_t times_x(uint32_t a)
{
	return a >> 1 ^ (a & 1 ? (uint32_t)POLYNOMIAL : 0);
}

static uint32_t times(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1, b = b >> 1 ^ (-(b & 1) & (uint32_t)POLYNOMIAL))
		product ^= b & -(a >> 31);
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
	for (int i = 0; i < DIGITS; i++) {
		short_powers[i][0] = UINT32_C(1) << 31;
		for (int j = 1; j < 256; j++)
			short_powers[i][j] = times(short_powers[i][j - 1], powers[8 * i]);
	}
}

static uint32_t shift(uint32_t crc, const uint32_t by[static POWERS], uint64_t n)
{
	for (int k = 0; n && crc; n >>= 1, k++)
		if (n & 1)
			crc = times(crc, by[k]);
	return crc;
}

static uint32_t shift_short(uint32_t crc, uint32_t n)
{
	for (int i = 0; n; n >>= 8, i++)
		if (n & 0xff)
			crc = times(crc, short_powers[i][n & 0xff]);
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
	fold_powers[0] = (uint64_t)short_powers[0][FOLD_BYTES + 4] << 1;
	fold_powers[1] = (uint64_t)short_powers[0][FOLD_BYTES - 4] << 1;
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

#if defined(__x86_64__) || defined(__aarch64__)
static uint32_t behind_lane(uint64_t crc)
{
	return lane_table[0][crc & 0xff] ^ lane_table[1][crc >> 8 & 0xff] ^
	       lane_table[2][crc >> 16 & 0xff] ^ lane_table[3][crc >> 24 & 0xff];
}
#endif

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint64_t three_lanes(uint64_t crc, const uint8_t *p)
{
	uint64_t second = 0, third = 0;

	/* Counting would be half of the instructions. */
#pragma GCC unroll 20
	for (size_t i = 0; i < LANE_BYTES; i += 8) {
		crc = _mm_crc32_u64(crc, le64_get(p + i));
		second = _mm_crc32_u64(second, le64_get(p + LANE_BYTES + i));
		third = _mm_crc32_u64(third, le64_get(p + 2 * LANE_BYTES + i));
	}
	return behind_lane(behind_lane(crc) ^ second) ^ third;
}

#define FOLDING __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))

/* Both halves of each 16 bytes go FOLD_BYTES on, where they meet the bytes that are there. */
FOLDING static inline __m256i fold(__m256i sum, __m256i powers_of_x, const uint8_t *p)
{
	const __m256i there = _mm256_loadu_si256((const __m256i *)(const void *)p);

	return _mm256_xor_si256(_mm256_xor_si256(_mm256_clmulepi64_epi128(sum, powers_of_x, 0x00),
						 _mm256_clmulepi64_epi128(sum, powers_of_x, 0x11)),
				there);
}

/* FOLDED_BYTES by folding, and the three lanes behind them at the same time. */
FOLDING static uint64_t fold_beside_lanes(uint64_t crc, const uint8_t *p)
{
	const __m256i powers_of_x = _mm256_broadcastsi128_si256(
		_mm_set_epi64x((int64_t)fold_powers[1], (int64_t)fold_powers[0]));
	const uint8_t *lane = p + FOLDED_BYTES;
	uint64_t first = 0, second = 0, third = 0;
	uint8_t folded[FOLD_BYTES];
	__m256i sum[4];

	memcpy(folded, p, FOLD_BYTES);
	le64_put(folded, le64_get(folded) ^ crc);
	for (int i = 0; i < 4; i++)
		sum[i] = _mm256_loadu_si256((const __m256i *)(const void *)(folded + 32 * i));
	for (int step = 0; step < FOLD_STEPS; step++, lane += 40) {
		p += FOLD_BYTES;
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			sum[i] = fold(sum[i], powers_of_x, p + 32 * i);
#pragma GCC unroll 5
		for (int i = 0; i < 40; i += 8) {
			first = _mm_crc32_u64(first, le64_get(lane + i));
			second = _mm_crc32_u64(second, le64_get(lane + LANE_BYTES + i));
			third = _mm_crc32_u64(third, le64_get(lane + 2 * LANE_BYTES + i));
		}
	}
	for (int i = 0; i < 4; i++)
		_mm256_storeu_si256((__m256i *)(void *)(folded + 32 * i), sum[i]);
	crc = 0;
	for (int i = 0; i < FOLD_BYTES; i += 8)
		crc = _mm_crc32_u64(crc, le64_get(folded + i));
	return behind_lane(behind_lane(behind_lane(crc) ^ first) ^ second) ^ third;
}

static bool cpu_folds(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
}

__attribute__((target("sse4.2"))) static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;

	if (n >= LANES * LANE_BYTES)
		need_tables();
	if (cpu_folds())
		for (; n >= BLOCK_BYTES; p += BLOCK_BYTES, n -= BLOCK_BYTES)
			wide = fold_beside_lanes(wide, p);
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
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

/* Named to the assembler: the compiler is told of no more than the CPUs have that it compiles for,
 * and its own functions for these instructions aren't there then with each compiler. */
static inline uint32_t crc_of_eight(uint32_t crc, uint64_t bytes)
{
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(bytes));
	return crc;
}

static inline uint32_t crc_of_one(uint32_t crc, uint8_t byte)
{
	__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)byte));
	return crc;
}

static uint32_t three_lanes(uint32_t crc, const uint8_t *p)
{
	uint32_t second = 0, third = 0;

#pragma GCC unroll 20
	for (size_t i = 0; i < LANE_BYTES; i += 8) {
		crc = crc_of_eight(crc, le64_get(p + i));
		second = crc_of_eight(second, le64_get(p + LANE_BYTES + i));
		third = crc_of_eight(third, le64_get(p + 2 * LANE_BYTES + i));
	}
	return behind_lane(behind_lane(crc) ^ second) ^ third;
}

static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	if (n >= LANES * LANE_BYTES)
		need_tables();
	for (; n >= LANES * LANE_BYTES; p += LANES * LANE_BYTES, n -= LANES * LANE_BYTES)
		crc = three_lanes(crc, p);
	for (; n >= 8; p += 8, n -= 8)
		crc = crc_of_eight(crc, le64_get(p));
	while (n--)
		crc = crc_of_one(crc, *p++);
	return crc;
}

static int cpu_has_it(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; /* optional before ARMv8.1 */
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
	if (zero_bytes >= 0 && zero_bytes >> (8 * DIGITS) == 0)
		return shift_short(bare, (uint32_t)zero_bytes);
	return zero_bytes < 0 ? shift(bare, inverse_powers, -(uint64_t)zero_bytes)
			      : shift(bare, powers, (uint64_t)zero_bytes);
}

uint32_t crc32c_of_bare(uint32_t bare, uint64_t size_bytes)
{
	need_tables();
	return ~(bare ^ shift(UINT32_MAX, powers, size_bytes));
}
