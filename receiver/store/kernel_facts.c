/* Headers and VMCOREINFO of a dump that is on its way.
 * Doesn't judge the dump: assemble.h does. */
#include "receiver/store/kernel_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/dumpfile.h"
#include "format/vmcoreinfo.h"

/* The kernel's is some 4 KiB long. */
enum { TEXT_MAX_BYTES = 1 << 20 };

static bool read_header(struct dumpfile *df, struct kdump_header *h_ret)
{
	uint8_t main_header[KDUMP_HEADER_BYTES], sub_header[KDUMP_SUB_HEADER_BYTES];
	struct error unused;
	int block_size;

	if (dumpfile_read(df, 0, main_header, sizeof(main_header), &unused) < 0 ||
	    memcmp(main_header, KDUMP_SIGNATURE, strlen(KDUMP_SIGNATURE)) != 0)
		return false;
	block_size = kdump_get_block_size(main_header, &unused);
	return block_size > 0 &&
	       dumpfile_read(df, (uint64_t)block_size, sub_header, sizeof(sub_header), &unused) ==
		       0 &&
	       kdump_get_header(main_header, sub_header, h_ret, &unused) == 0;
}

/* A text of hexadecimal digits, or none. */
static void take_build_id(const struct vmcoreinfo *vi, struct kernel_facts *facts)
{
	const char *id = vmcoreinfo_text(vi, "BUILD-ID");
	const size_t n = id ? strlen(id) : 0;

	if (n && n < sizeof(facts->build_id) && strspn(id, "0123456789abcdef") == n)
		memcpy(facts->build_id, id, n + 1);
}

void kernel_facts_read(struct dumpfile *df, struct kernel_facts *facts_ret)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *vi = NULL;
	AUTO_FREE uint8_t *text = NULL;
	const struct kdump_header *h = &facts_ret->header;
	struct error unused;

	*facts_ret = (struct kernel_facts){0};
	facts_ret->known = read_header(df, &facts_ret->header);
	if (!facts_ret->known || h->vmcoreinfo_bytes == 0 || h->vmcoreinfo_bytes > TEXT_MAX_BYTES)
		return;
	text = malloc((size_t)h->vmcoreinfo_bytes);
	if (text &&
	    dumpfile_read(df, h->vmcoreinfo_off, text, (size_t)h->vmcoreinfo_bytes, &unused) == 0 &&
	    vmcoreinfo_new(text, (size_t)h->vmcoreinfo_bytes, &vi, &unused) == 0)
		take_build_id(vi, facts_ret);
}
