/* The memory of a dump: the most that it takes, and the number of threads that fit a limit. */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdint.h>

struct elf_extent;
struct vmcore;

struct budget_setup {
	const struct vmcore *core;
	uint64_t codec_bytes;	  /* memory that a thread's compressors take */
	unsigned threads;	  /* that are wanted; 0: in line */
	uint64_t memory_bytes;	  /* --memory; 0: not given */
	uint64_t available_bytes; /* memory that the system can give; 0: not known */
	uint64_t session_bytes;	  /* memory for a session */
};

struct budget {
	struct budget_setup setup;
	uint64_t limit_bytes; /* of all; 0: none */
	unsigned threads;     /* that fit; in line does, whatever the limit */
	uint64_t pages_bytes; /* memory that the page bitmap may take; 0: no limit */
	uint64_t most_bytes;  /* what the dump takes then, with the bitmap's share */
	uint64_t least_bytes; /* in line, with a bitmap that packs well */
	uint64_t dump_bytes;  /* of that, what isn't there before the dump begins: no code, no
				 session, no bitmap */
};

/* Without --memory the limit of threads is a share of what is available, and the bitmap, for which
 * there is nothing less, may have all. */
struct budget budget_make(const struct budget_setup *setup);

/* As many of budget->threads as fit beside a bitmap of that size. */
unsigned budget_threads(const struct budget *budget, uint64_t pages_bytes);

/*
 * What opening a core takes and a dump of it in line, code and session not included, by what its
 * headers say: for the case that it could not be opened.
 */
uint64_t budget_bytes_unopened(const struct elf_extent *extent, uint64_t codec_bytes);

/* The least limit, in whole MiB, that leaves a bitmap as much as that. */
uint64_t budget_mib_for(const struct budget *budget, uint64_t pages_bytes);

#endif
