/*
 * ELF cores made up for tests: loads at any place, in any order, overlapping if need be, and notes.
 * What memory holds follows from address and salt alone, so a test can say what it wants to read.
 */
#ifndef COREFILE_H
#define COREFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CORE_PAGE = 4096,
	CORE_EHDR_BYTES = 64,
	CORE_PHDR_BYTES = 56,
	CORE_LOADS_MAX = 64,
	CORE_NOTES_MAX = 8192,
};

struct core_load {
	uint64_t paddr, file_bytes, mem_bytes;
	uint64_t vaddr;
	uint64_t off;  /* in the file; 0: core_make() finds a place, and says here where */
	unsigned salt; /* loads of the same salt agree about memory */
};

/* The salt of memory that is all zero. */
#define CORE_ZEROS (~0U)

/* What to make. Zero is an x86_64 core without loads and notes. */
struct core_plan {
	struct core_load loads[CORE_LOADS_MAX];
	size_t load_count;
	uint8_t notes[CORE_NOTES_MAX];
	size_t notes_bytes;

	uint16_t machine; /* 0: x86_64 */
	uint16_t ehsize;  /* 0: as it should be */
	uint64_t phoff;	  /* 0: behind the ELF header */
	bool xnum;	  /* the number of program headers is in section header 0 */
	bool unaligned;	  /* contents at odd offsets */
};

/* A file in memory. */
struct core {
	uint8_t *bytes;
	size_t size_bytes;
};

/* Append a load, and a note. */
struct core_load *core_add_load(struct core_plan *plan, uint64_t paddr, uint64_t file_bytes,
				uint64_t mem_bytes);
void core_add_note(struct core_plan *plan, const char *name, uint32_t type, const void *desc,
		   size_t desc_bytes);
void core_add_vmcoreinfo(struct core_plan *plan, const char *text);

/* Make it: the caller frees what is in it. Sets the loads' offsets in `plan`. */
struct core core_make(struct core_plan *plan);
void core_free(struct core *core);

/* What memory holds at [paddr, paddr + n): zero pages, text, numbers and noise by turns. */
void core_memory(uint64_t paddr, unsigned salt, void *out, size_t n);

/* Whether the page of `paddr` is one of zeros. */
bool core_is_zero_page(uint64_t paddr, unsigned salt);

/*
 * A file of these bytes: `path` is what to open it by. Returns the descriptor that keeps it alive,
 * the caller's to close.
 */
int core_file(const void *bytes, size_t size_bytes, char path[static 32]);

#endif
