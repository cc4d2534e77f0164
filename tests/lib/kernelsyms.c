/* The symbol table of a kernel made up for tests.
 * Doesn't know what the symbols are for. */
#include "tests/lib/kernelsyms.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"
#include "tests/lib/kernel.h"

enum {
	NAMES_BYTES = 4096, /* at the least; tests spoil bytes behind the names too */
	TOKENS_BYTES = 8192,
	FIRST_PAIR = 0x80, /* tokens of several characters; below, each is its own character */
};

/* Some that the symbols of the tests have in them. */
static const char *const pairs[] = {"__", "per_cpu", "cpu_", "start", "_o", "te", "tpcpu"};

/* The lowest address there is. */
#define BASE KERNEL_IMAGE_VADDR

static void put_tokens(struct kernel *k, uint64_t tokens, uint64_t index)
{
	uint16_t at = 0;

	for (unsigned i = 0; i < 256; i++) {
		const char one[2] = {(char)i, '\0'};
		const char *token = i < FIRST_PAIR ? one : "";

		if (i >= FIRST_PAIR && i - FIRST_PAIR < ARRAY_LEN(pairs))
			token = pairs[i - FIRST_PAIR];
		kernel_put16(k, kernel_at(k, index + i * 2), at);
		strcpy((char *)kernel_at(k, tokens + at), token);
		at = (uint16_t)(at + strlen(token) + 1);
	}
}

/* A name's tokens, into `out`: how many. */
static size_t compress(const char *name, uint8_t *out)
{
	size_t n = 0;

	while (*name) {
		uint8_t token = (uint8_t)*name;
		size_t length = 1;

		for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
			if (strncmp(name, pairs[i], strlen(pairs[i])) == 0 &&
			    strlen(pairs[i]) > length) {
				token = (uint8_t)(FIRST_PAIR + i);
				length = strlen(pairs[i]);
			}
		out[n++] = token;
		name += length;
	}
	return n;
}

static size_t put_name(uint8_t *out, const char *name)
{
	uint8_t tokens[1024];
	const size_t n = compress(name, tokens);
	size_t used = 0;

	if (n < 0x80) {
		out[used++] = (uint8_t)n;
	} else { /* seven bits first; since 6.1 */
		out[used++] = (uint8_t)(n & 0x7f) | 0x80;
		out[used++] = (uint8_t)(n >> 7);
	}
	memcpy(out + used, tokens, n);
	return used + n;
}

static uint32_t encode(uint64_t vaddr, uint64_t place, enum kernel_encoding encoding)
{
	switch (encoding) {
	case KERNEL_PERCPU_ABSOLUTE:
		/* Absolute ones are positive, of all others offset = base - 1 - address is below 0.
		 */
		return vaddr < UINT32_MAX / 2 ? (uint32_t)vaddr : (uint32_t)(BASE - 1 - vaddr);
	case KERNEL_BASE_RELATIVE:
		return (uint32_t)(vaddr - BASE);
	case KERNEL_PLACE_RELATIVE:
		break;
	}
	return (uint32_t)(vaddr - place);
}

struct kernel_symbols kernel_add_symbols(struct kernel *k, const struct kernel_symbol *symbols,
					 size_t count, enum kernel_encoding encoding)
{
	struct kernel_symbols s = {0};
	size_t used = 0, room = 0;

	for (size_t i = 0; i < count; i++)
		room += strlen(symbols[i].name) + 2;
	room = MAX(room, (size_t)NAMES_BYTES);

	/* Tables lie behind the image's other data, as they do in a kernel; addresses there. */
	s.names = kernel_alloc(k, room, 8);
	s.tokens = kernel_alloc(k, TOKENS_BYTES, 8);
	s.index = kernel_alloc(k, 512, 8);
	s.offsets = kernel_alloc(k, count * 4, 8);
	s.count = kernel_alloc(k, 4, 8);
	s.base = kernel_alloc(k, 8, 8);
	put_tokens(k, s.tokens, s.index);
	for (size_t i = 0; i < count; i++) {
		const uint64_t at = s.offsets + i * 4;

		assert(used + strlen(symbols[i].name) + 2 <= room);
		used += put_name(kernel_at(k, s.names + used), symbols[i].name);
		kernel_put32(k, kernel_at(k, at),
			     encode(symbols[i].vaddr, KERNEL_SYMBOL_TABLES + at, encoding));
	}
	kernel_put32(k, kernel_at(k, s.count), (uint32_t)count);
	kernel_put64(k, kernel_at(k, s.base), BASE);
	kernel_add_info(k,
			"SYMBOL(kallsyms_names)=%" PRIx64 "\nSYMBOL(kallsyms_num_syms)=%" PRIx64
			"\nSYMBOL(kallsyms_token_table)=%" PRIx64
			"\nSYMBOL(kallsyms_token_index)=%" PRIx64
			"\nSYMBOL(kallsyms_offsets)=%" PRIx64 "\n",
			KERNEL_SYMBOL_TABLES + s.names, KERNEL_SYMBOL_TABLES + s.count,
			KERNEL_SYMBOL_TABLES + s.tokens, KERNEL_SYMBOL_TABLES + s.index,
			KERNEL_SYMBOL_TABLES + s.offsets);
	if (encoding != KERNEL_PLACE_RELATIVE)
		kernel_add_info(k, "SYMBOL(kallsyms_relative_base)=%" PRIx64 "\n",
				KERNEL_SYMBOL_TABLES + s.base);
	return s;
}
