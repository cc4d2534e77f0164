/*
 * VMCOREINFO: facts about the crashed kernel that it has written itself, lines of KEY=value in an
 * ELF note. Source: Linux kernel/vmcore_info.c (crash_core.c before 6.9).
 */
#ifndef VMCOREINFO_H
#define VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vmcoreinfo;

/*
 * Parse the text: `size_bytes` from the note, with or without a final newline or NUL. It is copied.
 * A line without '=' is skipped; of a repeated key the first counts.
 * Fails -ENOMEM, or -EFBIG past VMCOREINFO_MAX_BYTES.
 */
NODISCARD int vmcoreinfo_new(const void *text, size_t size_bytes, struct vmcoreinfo **vi_ret,
			     struct error *err);
void vmcoreinfo_free(struct vmcoreinfo *vi);
DEFINE_AUTO(struct vmcoreinfo, vmcoreinfo_free)

enum {
	/* One page until 6.x, more in 7.0; this is room for a hundred times that. */
	VMCOREINFO_MAX_BYTES = 1 << 20,
};

/* The value as text, or NULL. Borrowed until vmcoreinfo_free(). `vi` NULL has no keys. */
const char *vmcoreinfo_text(const struct vmcoreinfo *vi, const char *key);

/*
 * Numbers, false where the key is missing or its value is no number of that kind.
 * SYMBOL(name): an address, hexadecimal without 0x. OFFSET(name), SIZE(name), LENGTH(name):
 * decimal. NUMBER(name): signed decimal, or hexadecimal with 0x; negative ones come as two's
 * complement.
 */
bool vmcoreinfo_symbol(const struct vmcoreinfo *vi, const char *name, uint64_t *vaddr_ret);
bool vmcoreinfo_offset(const struct vmcoreinfo *vi, const char *name, uint64_t *offset_ret);
bool vmcoreinfo_size(const struct vmcoreinfo *vi, const char *name, uint64_t *size_ret);
bool vmcoreinfo_length(const struct vmcoreinfo *vi, const char *name, uint64_t *length_ret);
bool vmcoreinfo_number(const struct vmcoreinfo *vi, const char *name, uint64_t *number_ret);

/* A key without brackets, such as PAGESIZE or CRASHTIME: decimal. */
bool vmcoreinfo_decimal(const struct vmcoreinfo *vi, const char *key, uint64_t *number_ret);

#endif
