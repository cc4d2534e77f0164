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
	NAME_BYTES = 512, /* KSYM_NAME_LEN */
	READ_BYTES = 1 << 16,
};

struct table {
	uint8_t *names; /* compressed, one symbol behind the other */
	size_t names_bytes;
	uint32_t count;
	uint8_t tokens[TOKEN_TABLE_BYTES];
	uint16_t token_at[TOKENS];
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
	    !vmcoreinfo_symbol(info, "kallsyms_offsets", &t->offsets) ||
	    !vmcoreinfo_symbol(info, "kallsyms_relative_base", &base))
		return false;
	if (!paging_read(p, num, raw, 4))
		return false;
	t->count = le32_get(raw);
	if (t->count > SYMBOLS_MAX || !paging_read(p, base, raw, 8))
		return false;
	t->base = le64_get(raw);
	if (!paging_read(p, tokens, t->tokens, sizeof(t->tokens)) ||
	    !paging_read(p, index, indexes, sizeof(indexes)))
		return false;
	for (size_t i = 0; i < TOKENS; i++)
		t->token_at[i] = le16_get(indexes + 2 * i);
	t->tokens[sizeof(t->tokens) - 1] = '\0';
	return read_names(t, p, names, tokens);
}

/* The next name, without its type letter, into `name`: false at the end of what was read. */
static bool next_name(const struct table *t, struct rd *r, char name[static NAME_BYTES])
{
	const uint8_t *first = rd_bytes(r, 1);
	size_t length = first ? *first : 0, used = 0;
	const uint8_t *indexes;

	if (length & 0x80) { /* since 6.1: two bytes, seven bits first */
		const uint8_t *second = rd_bytes(r, 1);

		length = (length & 0x7f) | (second ? (size_t)*second << 7 : 0);
	}
	indexes = rd_bytes(r, length);
	if (!indexes)
		return false;
	for (size_t i = 0; i < length; i++) {
		const size_t at = MIN((size_t)t->token_at[indexes[i]], sizeof(t->tokens) - 1);

		for (const uint8_t *token = t->tokens + at; *token && used < NAME_BYTES; token++)
			name[used++] = (char)*token;
	}
	used = MIN(used, (size_t)NAME_BYTES - 1);
	name[used] = '\0';
	memmove(name, name + 1, used ? used : 0); /* the type letter */
	return true;
}

/*
 * A symbol's address from its entry. Until 6.14 x86_64 has per-CPU variables as absolute, positive
 * offsets and all others negative; else all are unsigned and relative to the base.
 */
static uint64_t address_of(const struct table *t, uint32_t entry, bool percpu_absolute)
{
	if (!percpu_absolute)
		return t->base + entry;
	return (int32_t)entry >= 0 ? entry : t->base - 1 - (uint64_t)(int64_t)(int32_t)entry;
}

/* One pass over the names: the entries of those that are looked for. */
static bool look_up(const struct table *t, const struct paging *paging,
		    struct kallsyms_symbol *symbols, size_t count, uint32_t *entry)
{
	struct rd r = rd_init(t->names, t->names_bytes);
	char name[NAME_BYTES];
	size_t found = 0;

	for (uint32_t i = 0; i < t->count && found < count && next_name(t, &r, name); i++) {
		for (size_t s = 0; s < count; s++) {
			uint8_t raw[4];

			if (symbols[s].found || strcmp(name, symbols[s].name) != 0 ||
			    !paging_read(paging, t->offsets + (uint64_t)i * 4, raw, sizeof(raw)))
				continue;
			entry[s] = le32_get(raw);
			symbols[s].found = true;
			found++;
		}
	}
	return found > 0;
}

bool kallsyms_find(const struct paging *paging, struct kallsyms_symbol *symbols, size_t count)
{
	struct kallsyms_symbol stext = {.name = "_stext"};
	AUTO_FREE struct table *t = calloc(1, sizeof(*t));
	AUTO_FREE uint32_t *entry = calloc(count, sizeof(*entry));
	AUTO_FREE uint8_t *names = NULL;
	uint32_t stext_entry = 0;
	uint64_t stext_vaddr;
	bool percpu_absolute, ok;

	if (!t || !entry || !vmcoreinfo_symbol(paging->core->info, "_stext", &stext_vaddr))
		return false;
	ok = table_open(t, paging);
	names = t->names;
	/* _stext's address is known: it tells which way the table counts, or that it isn't one. */
	if (!ok || !look_up(t, paging, &stext, 1, &stext_entry))
		return false;
	percpu_absolute = address_of(t, stext_entry, true) == stext_vaddr;
	if (!percpu_absolute && address_of(t, stext_entry, false) != stext_vaddr)
		return false;
	ok = look_up(t, paging, symbols, count, entry);
	for (size_t s = 0; s < count; s++)
		if (symbols[s].found)
			symbols[s].vaddr = address_of(t, entry[s], percpu_absolute);
	return ok;
}
