/* Which pages the kernel image has. */
#ifndef IMAGE_H
#define IMAGE_H

#include "sender/vmcore/memmap.h"

struct vmcore;

/*
 * The pages of the load that is the kernel image; empty where no load is. A load is the image where
 * its virtual addresses are only the image's on this architecture, or else where it has _stext, and
 * has it where VMCOREINFO says.
 */
struct pfn_range image_by_load(const struct vmcore *core);

#endif
