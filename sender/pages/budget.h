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

/* Make the budget. Without --memory, threads are limited by a share of the available memory. The
 * bitmap may take all of it, since it has no smaller form. */
struct budget budget_make(const struct budget_setup *setup);

/* As many of budget->threads as fit beside a bitmap of that size. */
unsigned budget_threads(const struct budget *budget, uint64_t pages_bytes);

/*
 * The memory that it takes to open a core and to dump it in line, without code and session, as its
 * headers tell. For a core that couldn't be opened.
 */
uint64_t budget_bytes_unopened(const struct elf_extent *extent, uint64_t codec_bytes);

/* The least limit, in whole MiB, that leaves a bitmap as much as that. */
uint64_t budget_mib_for(const struct budget *budget, uint64_t pages_bytes);

#endif
