/* Which pages the kernel image has. */
#ifndef IMAGE_H
#define IMAGE_H

#include "sender/vmcore/memmap.h"

struct paging;
struct vmcore;

/*
 * The pages of the load that is the kernel image; empty where no load is. A load is the image where
 * its virtual addresses are only the image's on this architecture, or else where it has _stext, and
 * has it where VMCOREINFO says.
 */
struct pfn_range image_by_load(const struct vmcore *core);

/*
 * The same by the page tables, from _stext on in both directions: all that they map to where
 * VMCOREINFO says that the image is. At most 256 MiB, with gaps of at most 32 MiB: arm64 unmaps
 * what was needed at boot only. Empty where the image may not be anywhere: there essential.c looks.
 */
struct pfn_range image_by_tables(const struct paging *p);

#endif
