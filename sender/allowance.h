/*
 * The memory that a run may take: its budget, and how much would be enough where there is too
 * little. Tells the operator where the budget makes the threads fewer.
 */
#ifndef ALLOWANCE_H
#define ALLOWANCE_H

#include <stdint.h>

#include "base/error.h"
#include "sender/pages/budget.h"

struct options;
struct vmcore;

/* The memory that is enough where nothing is known of the vmcore. */
enum { ALLOWANCE_EARLY_BYTES = 10 << 20 };

/* What the dump may take of memory. Borrows `core`. */
struct budget allowance_budget(const struct options *o, const struct vmcore *core);

/*
 * To be called when a dump with that budget has failed. Where there was no room for the set of
 * pages, which takes pages_bytes (0: not known), *err gets the limit that would be enough, and 0 is
 * returned. Else returns the memory that a dump in line takes beside the memory that the process
 * has.
 */
uint64_t allowance_suggest(const struct options *o, const struct budget *budget,
			   uint64_t pages_bytes, struct error *err);

/* To be called when the vmcore couldn't be opened: the memory that opening it and the dump take, as
 * its headers tell. */
uint64_t allowance_unopened(const struct options *o);

/* Where *err is a lack of memory and the address space is limited: *err gets the limit that would
 * do for so much more. 0: nothing is known, or it was said. */
void allowance_suggest_space(uint64_t more_bytes, struct error *err);

/* Let threads and the C library's heap take little of the address space. */
void allowance_save_space(void);

#endif
