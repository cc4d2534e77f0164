/* The pages of the kernel log.
 * Doesn't know how messages lie in it (sender/kernel/dmesg_ring.c, dmesg_records.c). */
#include "sender/pages/log_pages.h"

#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/finder.h"
#include "sender/vmcore/vmcore.h"

enum {
	LOG_BYTES_MAX = 64 << 20,
};

/* An array of the log: a pointer at `vaddr` to `bytes` bytes. */
static void add_log_part(struct finder *e, uint64_t vaddr, uint64_t bytes)
{
	uint64_t to;

	if (kdata_read_ulong(e->paging, vaddr, &to))
		finder_add_vaddr(e, to, MIN(bytes, (uint64_t)LOG_BYTES_MAX));
}

/* The lockless ring (since 5.10): its arrays hang on SYMBOL(prb). */
static void add_log_ring(struct finder *e, uint64_t prb)
{
	const struct vmcoreinfo *info = e->km->core->info;
	uint64_t desc_ring, text_ring, count_bits, descs, infos, size_bits, data, desc, infob, ring;
	uint32_t bits;

	if (!kdata_read_ulong(e->paging, prb, &ring) ||
	    !vmcoreinfo_offset(info, "printk_ringbuffer.desc_ring", &desc_ring) ||
	    !vmcoreinfo_offset(info, "printk_ringbuffer.text_data_ring", &text_ring) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.count_bits", &count_bits) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.descs", &descs) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.infos", &infos) ||
	    !vmcoreinfo_offset(info, "prb_data_ring.size_bits", &size_bits) ||
	    !vmcoreinfo_offset(info, "prb_data_ring.data", &data) ||
	    !vmcoreinfo_size(info, "prb_desc", &desc) ||
	    !vmcoreinfo_size(info, "printk_info", &infob))
		return;
	finder_add_vaddr(e, ring, e->page_bytes);
	if (kdata_read_u32(e->paging, ring + desc_ring + count_bits, &bits)) {
		const uint64_t count = UINT64_C(1) << MIN(bits, 24U);

		add_log_part(e, ring + desc_ring + descs, count * MIN(desc, e->page_bytes));
		add_log_part(e, ring + desc_ring + infos, count * MIN(infob, e->page_bytes));
	}
	if (kdata_read_u32(e->paging, ring + text_ring + size_bits, &bits))
		add_log_part(e, ring + text_ring + data, UINT64_C(1) << MIN(bits, 30U));
}

void log_pages_add(struct finder *e)
{
	const struct vmcoreinfo *info = e->km->core->info;
	uint64_t prb, buf, len;
	uint32_t bytes;

	if (vmcoreinfo_symbol(info, "prb", &prb))
		add_log_ring(e, prb);
	else if (vmcoreinfo_symbol(info, "log_buf", &buf) &&
		 vmcoreinfo_symbol(info, "log_buf_len", &len) &&
		 kdata_read_u32(e->paging, len, &bytes))
		add_log_part(e, buf, bytes);
}
