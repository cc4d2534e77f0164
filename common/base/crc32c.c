/* CRC-32C by the CPU's instruction where it has one, else eight bytes at a time by tables.
 * Doesn't know frames. */
#include "base/crc32c.h"

#include <pthread.h>

#include "base/bytes.h"

enum {
	POLYNOMIAL = (int)0x82f63b78, /* Castagnoli's, bit-reversed. RFC 3385, RFC 3720 */
	SLICES = 8,
};

static uint32_t table[SLICES][256];

/* table[0] is that of one byte; table[i] that of a byte with i zeros behind it. */
static void make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 0xff];
}

static uint32_t by_tables(uint32_t crc, const uint8_t *p, size_t n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_tables);
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

__attribute__((target("sse4.2"))) static uint32_t by_cpu(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;

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
