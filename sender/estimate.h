/* The space that a dump of the running kernel is likely to take on a disk, before there is a
 * dump. */
#ifndef ESTIMATE_H
#define ESTIMATE_H

#include "sender/delivery/probe.h"
#include "sender/vmcore/vmcore.h"

/* Where the facts are: /proc, but in tests. */
struct estimate_setup {
	const char *core;    /* a vmcore, or /proc/kcore */
	const char *meminfo; /* asked where the core can't be read */
	unsigned level;	     /* of the dump */
	bool compressed;     /* pages are, and take half of it */
	unsigned threads;
	enum vmcore_access access;
	struct stop stop;
};

/* The pages of the core that the level leaves in; or, where it can't be read (that takes root) or
 * that takes too long, a bound by what the kernel counts. */
struct probe_need estimate_dump(const struct estimate_setup *setup);

#endif
