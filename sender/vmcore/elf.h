/*
 * ELF64 cores: program headers and notes of /proc/vmcore, of QEMU's dump-guest-memory, of
 * makedumpfile -E. All bytes are hostile until they are checked here.
 */
#ifndef ELF_CORE_H
#define ELF_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/vmcore/elf_notes.h"

enum {
	/* /proc/vmcore has a segment per RAM range and CPU, some thousands at the most. */
	ELF_LOADS_MAX = 1 << 18,
};

/* A PT_LOAD: mem_bytes of physical memory, of which the first file_bytes are in the file. */
struct elf_load {
	uint64_t paddr, vaddr; /* paddr + mem_bytes doesn't wrap, nor off + file_bytes */
	uint64_t off;
	uint64_t file_bytes, mem_bytes; /* file_bytes <= mem_bytes */
};

/* How the machine keeps integers in memory: byte order (EI_DATA), and the bits of a long and of a
 * pointer (EI_CLASS). elf_core_init() takes only the first as yet. */
enum elf_data {
	ELF_DATA_LE64,
	ELF_DATA_BE64 = 1,
	ELF_DATA_LE32 = 2,
	ELF_DATA_BE32 = ELF_DATA_BE64 | ELF_DATA_LE32,
};

struct elf_core {
	uint16_t machine; /* e_machine */
	enum elf_data data;
	struct elf_load *loads; /* in the file's order, without those of mem_bytes 0 */
	size_t load_count;
	struct elf_notes notes;
};

/*
 * Read headers and loads of the ELF core `fd`, and find its notes, which borrow fd. The caller
 * calls elf_core_deinit() in any case. Fails -EBADMSG (no ELF64 little-endian core, impossible
 * values), -ENODATA (the headers or notes are cut off), -EFBIG (over the limits above), or the
 * read's own error. Loads that reach past the end of the file are no error here: see struct memmap.
 */
NODISCARD int elf_core_init(struct elf_core *core, int fd, struct error *err);
void elf_core_deinit(struct elf_core *core);

/* The size of the memory that a core describes. */
struct elf_extent {
	uint32_t phdrs;
	uint64_t paddr_end; /* of the highest memory */
};

/* Measure a core without taking memory, for an error message where elf_core_init() had no memory.
 * Fails as elf_core_init(). */
NODISCARD int elf_core_measure(int fd, struct elf_extent *extent_ret, struct error *err);

#endif
