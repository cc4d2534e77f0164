/* The filter's self-check: free pages that were found against those that the kernel counts. */
#ifndef FREECHECK_H
#define FREECHECK_H

#include <stdint.h>

struct kmodel;
struct warnings;

/*
 * Compare the number of free pages `found` with the kernel's own counters: a wrong filter shows
 * here, and `warnings` says so. `unseen` is the number of pages of the vmcore's memory of which
 * nobody can say whether they are free. Pages that the kernel counts and the vmcore leaves out
 * (crashkernel=SIZE,cma) are looked for by their struct pages.
 */
void freecheck(const struct kmodel *km, uint64_t found, uint64_t unseen, struct warnings *warnings);

#endif
