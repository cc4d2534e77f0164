/* The kernel's symbol table.
 * Doesn't know what the symbols are for. */
#include "kallsyms.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "compiler.h"
#include "paging.h"
#include "reader.h"
#include "vmcore.h"
#include "vmcoreinfo.h"

enum {
	TOKENS = 256,
	TOKEN_TABLE_BYTES = 8192, /* some 1,000 are used */
	SYMBOLS_MAX = 1 << 21,	  /* ten times a distribution's kernel */
	NAMES_BYTES_MAX = 64 << 20,
	READ_BYTES = 1 << 16,
};

struct table {
	uint8_t *names; /* compressed, one symbol behind the other */
	size_t names_bytes;
	uint32_t count;
	uint8_t tokens[TOKEN_TABLE_BYTES];
	uint16_t token_at[TOKENS];    /* in tokens */
	uint16_t token_bytes[TOKENS]; /* its length there */
	uint64_t offsets, base;
};

/* As much of the names as can be read; the token table lies behind them on all kernels so far,
 * their end isn't said. */
static bool read_names(struct table *t, const struct paging *p, uint64_t vaddr, uint64_t tokens)
{
	size_t want = MIN((size_t)t->count * 32, (size_t)NAMES_BYTES_MAX); /* 16 on the average */

	if (tokens > vaddr)
		want = (size_t)MIN((uint64_t)want, tokens - vaddr);
	t->names = malloc(want + READ_BYTES);
	if (!t->names)
		return false;
	while (t->names_bytes < want &&
	       paging_read(p, vaddr + t->names_bytes, t->names + t->names_bytes, READ_BYTES))
		t->names_bytes += READ_BYTES;
	return t->names_bytes > 0;
}

static bool table_open(struct table *t, const struct paging *p)
{
	const struct vmcoreinfo *info = p->core->info;
	uint64_t names, num, tokens, index, base;
	uint8_t raw[8], indexes[2 * TOKENS];

	if (!vmcoreinfo_symbol(info, "kallsyms_names", &names) ||
	    !vmcoreinfo_symbol(info, "kallsyms_num_syms", &num) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_table", &tokens) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_index", &index) ||
	    !vmcoreinfo_symbol(info, "kallsyms_offsets", &t->offsets))
		return false;
	if (!paging_read(p, num, raw, 4))
		return false;
	t->count = le32_get(raw);
	if (t->count > SYMBOLS_MAX)
		return false;
	if (vmcoreinfo_symbol(info, "kallsyms_relative_base", &base) &&
	    paging_read(p, base, raw, 8))
		t->base = le64_get(raw);
	if (!paging_read(p, tokens, t->tokens, sizeof(t->tokens)) ||
	    !paging_read(p, index, indexes, sizeof(indexes)))
		return false;
	t->tokens[sizeof(t->tokens) - 1] = '\0';
	for (size_t i = 0; i < TOKENS; i++) {
		t->token_at[i] = MIN(le16_get(indexes + 2 * i), (uint16_t)(sizeof(t->tokens) - 1));
		t->token_bytes[i] = (uint16_t)strlen((const char *)t->tokens + t->token_at[i]);
	}
	return read_names(t, p, names, tokens);
}

/* A name as it stands in the table: a token for each byte. */
struct compressed {
	const uint8_t *tokens;
	size_t count;
};

/* The next name: false at the end of what was read. */
static bool next_name(struct rd *r, struct compressed *name_ret)
{
	const uint8_t *first = rd_bytes(r, 1);
	size_t count = first ? *first : 0;

	if (count & 0x80) { /* since 6.1: two bytes, seven bits first */
		const uint8_t *second = rd_bytes(r, 1);

		count = (count & 0x7f) | (second ? (size_t)*second << 7 : 0);
	}
	*name_ret = (struct compressed){.tokens = rd_bytes(r, count), .count = count};
	return name_ret->tokens != NULL;
}

/* How long a name is, with its type letter in front. */
static size_t name_length(const struct table *t, const struct compressed *c)
{
	size_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		sum += t->token_bytes[c->tokens[i]];
	return sum;
}

/* Whether a compressed name, without its type letter, is `name`, which is as long. */
static bool is_name(const struct table *t, const struct compressed *c, const char *name)
{
	size_t used = 0;

	for (size_t i = 0; i < c->count; i++) {
		const uint8_t *token = t->tokens + t->token_at[c->tokens[i]];

		for (size_t b = 0; b < t->token_bytes[c->tokens[i]]; b++, used++)
			if (used && (uint8_t)name[used - 1] != token[b])
				return false;
	}
	return true;
}

/* How a table says addresses, oldest kernels first. */
enum encoding {
	/* x86_64 until 6.14: per-CPU variables are absolute and positive, all others base - 1 -
	   offset. */
	PERCPU_ABSOLUTE,
	BASE_RELATIVE,	/* base + offset */
	PLACE_RELATIVE, /* 7.x, without a base: each offset counts from where it stands itself */
	ENCODINGS,
};

/* Where a name was found, and what stands there. */
struct entry {
	size_t name_length; /* known before */
	uint32_t index, offset;
};

static uint64_t address_of(const struct table *t, struct entry e, enum encoding encoding)
{
	const uint64_t place = t->offsets + (uint64_t)e.index * 4;
	const uint64_t offset = (uint64_t)(int64_t)(int32_t)e.offset;

	switch (encoding) {
	case PERCPU_ABSOLUTE:
		return (int32_t)e.offset >= 0 ? offset : t->base - 1 - offset;
	case BASE_RELATIVE:
		return t->base + e.offset;
	case PLACE_RELATIVE:
	case ENCODINGS:
		break;
	}
	return place + offset;
}

/* One pass over the names: the entries of those that are looked for. */
static size_t look_up(const struct table *t, const struct paging *paging,
		      struct kallsyms_symbol *symbols, size_t count, struct entry *entry)
{
	struct rd r = rd_init(t->names, t->names_bytes);
	struct compressed name;
	size_t found = 0;

	for (uint32_t i = 0; i < t->count && found < count && next_name(&r, &name); i++) {
		const size_t length = name_length(t, &name);

		for (size_t s = 0; s < count; s++) {
			uint8_t raw[4];

			if (entry[s].name_length + 1 != length || symbols[s].found ||
			    !is_name(t, &name, symbols[s].name) ||
			    !paging_read(paging, t->offsets + (uint64_t)i * 4, raw, sizeof(raw)))
				continue;
			entry[s].index = i;
			entry[s].offset = le32_get(raw);
			symbols[s].found = true;
			found++;
		}
	}
	return found;
}

/* The address of _stext is known: it tells which way the table says addresses, or that it isn't
 * one. */
static enum encoding find_encoding(const struct table *t, const struct paging *paging,
				   struct entry stext)
{
	enum encoding encoding = 0;
	uint64_t vaddr;

	if (!vmcoreinfo_symbol(paging->core->info, "_stext", &vaddr))
		return ENCODINGS;
	while (encoding < ENCODINGS && address_of(t, stext, encoding) != vaddr)
		encoding++;
	return encoding;
}

bool kallsyms_find(const struct paging *paging, struct kallsyms_symbol *symbols, size_t count)
{
	AUTO_FREE struct table *t = calloc(1, sizeof(*t));
	AUTO_FREE struct entry *entry = calloc(count + 1, sizeof(*entry));
	AUTO_FREE struct kallsyms_symbol *wanted = calloc(count + 1, sizeof(*wanted));
	AUTO_FREE uint8_t *names = NULL;
	enum encoding encoding;
	bool ok;

	if (!t || !entry || !wanted)
		return false;
	ok = table_open(t, paging);
	names = t->names;
	memcpy(wanted, symbols, count * sizeof(*wanted));
	wanted[count] = (struct kallsyms_symbol){.name = "_stext"};
	for (size_t s = 0; s <= count; s++)
		entry[s].name_length = strlen(wanted[s].name);
	if (!ok || look_up(t, paging, wanted, count + 1, entry) < 2 || !wanted[count].found)
		return false;
	encoding = find_encoding(t, paging, entry[count]);
	if (encoding == ENCODINGS)
		return false;
	for (size_t s = 0; s < count; s++) {
		symbols[s].found = wanted[s].found;
		if (wanted[s].found)
			symbols[s].vaddr = address_of(t, entry[s], encoding);
	}
	return true;
}
