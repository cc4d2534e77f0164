/* What a dump that is being written says of the kernel that crashed. */
#ifndef KERNEL_FACTS_H
#define KERNEL_FACTS_H

#include <stdbool.h>

#include "format/kdump.h"

struct dumpfile;

struct kernel_facts {
	bool known; /* the headers are there */
	struct kdump_header header;
	char build_id[2 * 32 + 1]; /* hexadecimal; "": not known, as before Linux 5.9 */
};

/* Read the facts that have come. A fact that hasn't come, or can't be read, isn't known. */
void kernel_facts_read(struct dumpfile *df, struct kernel_facts *facts_ret);

#endif
