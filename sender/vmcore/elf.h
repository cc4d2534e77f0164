/*
 * ELF64 cores: program headers and notes of /proc/vmcore, of QEMU's dump-guest-memory, of
 * makedumpfile -E. Everything read is hostile until it is checked here.
 */
#ifndef ELF_CORE_H
#define ELF_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	/* /proc/vmcore has a segment per RAM range and CPU, some thousands at the most. */
	ELF_LOADS_MAX = 1 << 18,

	/* Device dumps of drivers come as notes: megabytes each. */
	ELF_NOTES_MAX_BYTES = 256 << 20,

	ELF_EM_X86_64 = 62,
	ELF_EM_AARCH64 = 183,

	ELF_NT_PRSTATUS = 1,
	ELF_NT_VMCOREINFO = 0,
};

/* A PT_LOAD: mem_bytes of physical memory, of which the first file_bytes are in the file. */
struct elf_load {
	uint64_t paddr, vaddr; /* paddr + mem_bytes doesn't wrap, nor off + file_bytes */
	uint64_t off;
	uint64_t file_bytes, mem_bytes; /* file_bytes <= mem_bytes */
};

struct elf_core {
	uint16_t machine;	/* e_machine */
	struct elf_load *loads; /* in the file's order; those with mem_bytes 0 left out */
	size_t load_count;
	uint8_t *notes; /* the contents of all PT_NOTEs, one behind the other */
	size_t notes_bytes;
};

/*
 * Read headers, loads and notes of the ELF core `fd`. The caller's elf_core_deinit() is due
 * whatever comes back. Fails -EBADMSG (no ELF64 little-endian core, impossible values), -ENODATA
 * (the headers or notes are cut off), -EFBIG (over the limits above), or the read's own error.
 * Loads that reach past the end of the file are no error here: see struct memmap.
 */
NODISCARD int elf_core_init(struct elf_core *core, int fd, struct error *err);
void elf_core_deinit(struct elf_core *core);

/* One note; name and desc are borrowed from the notes that were walked. */
struct elf_note {
	uint32_t type;
	const char *name; /* not terminated; name_bytes counts its NUL if it has one */
	const uint8_t *desc;
	size_t name_bytes, desc_bytes;
};

/*
 * The note at *pos, which is moved behind it: 1, or 0 at the end of the notes. A malformed rest
 * ends the walk too: readers see the same bytes, and what came before it counts.
 */
int elf_note_next(const uint8_t *notes, size_t notes_bytes, size_t *pos, struct elf_note *note_ret);

/* Whether the note is called `name`. */
int elf_note_is(const struct elf_note *note, const char *name);

#endif
