/*
 * The memory that a run may take: its budget, and what would do where there is too little. Tells
 * the operator where the budget makes the threads fewer.
 */
#ifndef ALLOWANCE_H
#define ALLOWANCE_H

#include <stdint.h>

#include "base/error.h"
#include "sender/pages/budget.h"

struct options;
struct vmcore;

/* What is enough where nothing is known of the vmcore. */
enum { ALLOWANCE_EARLY_BYTES = 10 << 20 };

/* What the dump may take of memory. Borrows `core`. */
struct budget allowance_budget(const struct options *o, const struct vmcore *core);

/*
 * A dump with that budget failed. Where there was no room for the set of pages, which takes (0: not
 * known) pages_bytes, *err gets what would do, and 0 comes back. Else: what a dump takes in line
 * beside what the process has.
 */
uint64_t allowance_suggest(const struct options *o, const struct budget *budget,
			   uint64_t pages_bytes, struct error *err);

/* The vmcore couldn't be opened: what that and the dump take, by its headers. */
uint64_t allowance_unopened(const struct options *o);

/* Where *err is a lack of memory and the address space is limited: *err gets the limit that would
 * do for so much more. 0: nothing is known, or it was said. */
void allowance_suggest_space(uint64_t more_bytes, struct error *err);

/* Let threads and the C library's heap take little of the address space. */
void allowance_save_space(void);

#endif
