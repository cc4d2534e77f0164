/*
 * Integers in the crashed kernel's memory, in that machine's byte order and word size. Page tables
 * are the processor's, not the kernel's: each architecture knows their order itself.
 */
#ifndef KDATA_H
#define KDATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "sender/vmcore/elf.h"

struct paging;

static inline bool kdata_is_big_endian(enum elf_data d)
{
	return d & ELF_DATA_BE64;
}

static inline bool kdata_is_32bit(enum elf_data d)
{
	return d & ELF_DATA_LE32;
}

/* The bytes of a long, and of a pointer. */
static inline size_t kdata_word(enum elf_data d)
{
	return kdata_is_32bit(d) ? 4 : 8;
}

/* --- out of bytes at hand --- */

static inline uint16_t kdata_u16(enum elf_data d, const void *p)
{
	return kdata_is_big_endian(d) ? be16_get(p) : le16_get(p);
}

static inline uint32_t kdata_u32(enum elf_data d, const void *p)
{
	return kdata_is_big_endian(d) ? be32_get(p) : le32_get(p);
}

static inline uint64_t kdata_u64(enum elf_data d, const void *p)
{
	return kdata_is_big_endian(d) ? be64_get(p) : le64_get(p);
}

/* An unsigned long, or a pointer. */
static inline uint64_t kdata_ulong(enum elf_data d, const void *p)
{
	return kdata_is_32bit(d) ? kdata_u32(d, p) : kdata_u64(d, p);
}

/* A long. */
static inline int64_t kdata_long(enum elf_data d, const void *p)
{
	return kdata_is_32bit(d) ? (int32_t)kdata_u32(d, p) : (int64_t)kdata_u64(d, p);
}

/* --- at a virtual address: false where any of it isn't mapped, or can't be read --- */

NODISCARD bool kdata_read_u32(const struct paging *p, uint64_t vaddr, uint32_t *n_ret);

/* The same of an unsigned long, or of a pointer. */
NODISCARD bool kdata_read_ulong(const struct paging *p, uint64_t vaddr, uint64_t *n_ret);

/* The same of a long. */
NODISCARD bool kdata_read_long(const struct paging *p, uint64_t vaddr, int64_t *n_ret);

#endif
