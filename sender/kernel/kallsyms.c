/* The kernel's symbol table.
 * Doesn't know what the symbols are for. */
#include "sender/kernel/kallsyms.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/reader.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

enum {
	TOKENS = 256,
	TOKEN_TABLE_BYTES = 8192, /* some 1,000 are used */
	SYMBOLS_MAX = 1 << 21,	  /* ten times a distribution's kernel */
	NAMES_BYTES_MAX = 64 << 20,
	NAME_BYTES_MAX = 2 + 0x7fff, /* compressed, with its length in front */
	READ_BYTES = 1 << 16,
	WINDOW_BYTES = NAME_BYTES_MAX + READ_BYTES,
};

/* The names, compressed, one behind the other: a window of them. */
struct names {
	const struct paging *paging;
	uint64_t vaddr,
		left_bytes; /* where those behind the window are, and how much at the most */
	size_t first, end;  /* of the window: what wasn't taken yet */
	uint8_t window[WINDOW_BYTES];
};

struct table {
	struct names names;
	uint32_t count;
	uint8_t tokens[TOKEN_TABLE_BYTES];
	uint16_t token_at[TOKENS];    /* in tokens */
	uint16_t token_bytes[TOKENS]; /* its length there */
	bool may_begin[TOKENS];	      /* type letter and beginning of a name that is looked for */
	bool may_follow[TOKENS];      /* the same without a type letter */
	uint64_t offsets, base;
};

/* On all known kernels the token table lies behind the names, whose end isn't given. */
static void names_init(struct names *n, const struct paging *p, uint32_t count, uint64_t vaddr,
		       uint64_t tokens)
{
	n->paging = p;
	n->vaddr = vaddr;
	n->left_bytes =
		MIN((uint64_t)count * 32, (uint64_t)NAMES_BYTES_MAX); /* 16 on the average */
	if (tokens > vaddr)
		n->left_bytes = MIN(n->left_bytes, tokens - vaddr);
}

/* Have the next name whole in the window, as far as it can be read. */
static void names_fill(struct names *n)
{
	if (n->end - n->first >= NAME_BYTES_MAX)
		return;
	memmove(n->window, n->window + n->first, n->end - n->first);
	n->end -= n->first;
	n->first = 0;
	while (n->left_bytes && n->end < NAME_BYTES_MAX) {
		const size_t bytes = (size_t)MIN(n->left_bytes, (uint64_t)READ_BYTES);

		if (!paging_read(n->paging, n->vaddr, n->window + n->end, bytes)) {
			n->left_bytes = 0;
			return;
		}
		n->end += bytes;
		n->vaddr += bytes;
		n->left_bytes -= bytes;
	}
}

static bool table_open(struct table *t, const struct paging *p)
{
	const struct vmcoreinfo *info = p->core->info;
	uint64_t names, num, tokens, index, base;
	uint8_t indexes[2 * TOKENS];

	if (!vmcoreinfo_symbol(info, "kallsyms_names", &names) ||
	    !vmcoreinfo_symbol(info, "kallsyms_num_syms", &num) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_table", &tokens) ||
	    !vmcoreinfo_symbol(info, "kallsyms_token_index", &index) ||
	    !vmcoreinfo_symbol(info, "kallsyms_offsets", &t->offsets))
		return false;
	if (!kdata_read_u32(p, num, &t->count) || t->count > SYMBOLS_MAX)
		return false;
	if (vmcoreinfo_symbol(info, "kallsyms_relative_base", &base) &&
	    !kdata_read_ulong(p, base, &t->base))
		t->base = 0;
	if (!paging_read(p, tokens, t->tokens, sizeof(t->tokens)) ||
	    !paging_read(p, index, indexes, sizeof(indexes)))
		return false;
	t->tokens[sizeof(t->tokens) - 1] = '\0';
	for (size_t i = 0; i < TOKENS; i++) {
		t->token_at[i] = MIN(kdata_u16(p->core->elf.data, indexes + 2 * i),
				     (uint16_t)(sizeof(t->tokens) - 1));
		t->token_bytes[i] = (uint16_t)strlen((const char *)t->tokens + t->token_at[i]);
	}
	names_init(&t->names, p, t->count, names, tokens);
	return true;
}

/* A name as it stands in the table: a token for each byte. */
struct compressed {
	const uint8_t *tokens;
	size_t count;
};

/* The next name, which is there until the call after: false at the end of what can be read. */
static bool next_name(struct names *n, struct compressed *name_ret)
{
	const uint8_t *first;
	struct rd r;
	size_t count;

	names_fill(n);
	r = rd_init(n->window + n->first, n->end - n->first);
	first = rd_bytes(&r, 1);
	count = first ? *first : 0;
	if (count & 0x80) { /* since 6.1: two bytes, seven bits first */
		const uint8_t *second = rd_bytes(&r, 1);

		count = (count & 0x7f) | (second ? (size_t)*second << 7 : 0);
	}
	*name_ret = (struct compressed){.tokens = rd_bytes(&r, count), .count = count};
	n->first = (size_t)(r.pos - n->window);
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
	/* Where the architecture had it, until 6.14: per-CPU variables are absolute and positive,
	   all others base - 1 - offset. */
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

/* Whether a wanted name may begin with these bytes of a token. */
static bool may_begin(const uint8_t *bytes, size_t n, const struct kallsyms_symbol *symbols,
		      size_t count)
{
	for (size_t s = 0; s < count; s++)
		if (strncmp((const char *)bytes, symbols[s].name, n) == 0)
			return true;
	return false;
}

/* Nearly all of some 100,000 names can be told by one look at how they begin. */
static void mark_beginnings(struct table *t, const struct kallsyms_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < TOKENS; i++) {
		const uint8_t *token = t->tokens + t->token_at[i];
		const size_t n = t->token_bytes[i];

		t->may_follow[i] = may_begin(token, n, symbols, count);
		t->may_begin[i] = n == 0 || may_begin(token + 1, n - 1, symbols, count);
	}
}

static inline bool may_be_wanted(const struct table *t, const struct compressed *c)
{
	if (c->count == 0 || !t->may_begin[c->tokens[0]])
		return false;
	/* The first one may be the type letter alone. */
	return t->token_bytes[c->tokens[0]] != 1 || (c->count > 1 && t->may_follow[c->tokens[1]]);
}

/* One pass over the names: the entries of those that are looked for. */
static size_t look_up(struct table *t, const struct paging *paging, struct kallsyms_symbol *symbols,
		      size_t count, struct entry *entry)
{
	struct compressed name;
	size_t found = 0;

	mark_beginnings(t, symbols, count);
	for (uint32_t i = 0; i < t->count && found < count && next_name(&t->names, &name); i++) {
		size_t length;

		if (!may_be_wanted(t, &name))
			continue;
		length = name_length(t, &name);
		for (size_t s = 0; s < count; s++) {
			if (entry[s].name_length + 1 != length || symbols[s].found ||
			    !is_name(t, &name, symbols[s].name) ||
			    !kdata_read_u32(paging, t->offsets + (uint64_t)i * 4, &entry[s].offset))
				continue;
			entry[s].index = i;
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
	enum encoding encoding =
		paging->arch->kallsyms_percpu_absolute ? PERCPU_ABSOLUTE : BASE_RELATIVE;
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
	enum encoding encoding;
	bool ok;

	if (!t || !entry || !wanted)
		return false;
	ok = table_open(t, paging);
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
