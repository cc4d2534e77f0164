/* The ELF notes that a dump carries: registers of each CPU, VMCOREINFO, device dumps. */
#ifndef NOTES_H
#define NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct kdump_file;
struct vmcoreinfo;

struct notes {
	uint64_t count;	   /* of all kinds */
	bool live;	   /* "SNAP", NT_TASKSTRUCT: the kernel ran on while it was dumped */
	uint64_t prstatus; /* "CORE", NT_PRSTATUS: one for each CPU that was saved */

	/* The place of the VMCOREINFO text in the file; 0 bytes: there is none. */
	uint64_t vmcoreinfo_off, vmcoreinfo_bytes;
};

/*
 * Walk the note area, which may be empty. Fails -EBADMSG (a note reaches out of the area), -ENODATA
 * (the file ends inside of it), -ENOMEM.
 */
NODISCARD int notes_read(const struct kdump_file *d, struct notes *notes_ret, struct error *err);

/*
 * The VMCOREINFO that the header points at, else the one of the notes: 1 and *vi_ret set (the
 * caller's), or 0 if there is none. Fails -ENODATA, -EFBIG (too long to be right), -ENOMEM.
 */
NODISCARD int notes_vmcoreinfo(const struct kdump_file *d, const struct notes *notes,
			       struct vmcoreinfo **vi_ret, struct error *err);

#endif
