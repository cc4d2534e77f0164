/* The filter's self-check: free pages that were found against those that the kernel counts. */
#ifndef FREECHECK_H
#define FREECHECK_H

#include <stdint.h>

struct kmodel;
struct warnings;

/*
 * Hold `found` free pages against the kernel's own counters: a wrong filter shows here, and
 * `warnings` says so. Of `unseen` pages of the vmcore's memory nobody can say whether they are
 * free. What the kernel counts and the vmcore leaves out (crashkernel=SIZE,cma) is looked for by
 * its struct pages.
 */
void freecheck(const struct kmodel *km, uint64_t found, uint64_t unseen, struct warnings *warnings);

#endif
