/* The ring of messages. Source: Linux kernel/printk/printk_ringbuffer.h. */
#include "tests/lib/kernellog.h"

#include <inttypes.h>
#include <string.h>

#include "tests/lib/kernel.h"

static const char ring_keys[] =
	"SIZE(printk_ringbuffer)=96\nSIZE(prb_desc)=24\nSIZE(printk_info)=32\n"
	"OFFSET(printk_ringbuffer.desc_ring)=8\nOFFSET(printk_ringbuffer.text_data_ring)=56\n"
	"OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
	"OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
	"OFFSET(prb_desc_ring.tail_id)=32\nOFFSET(prb_data_ring.size_bits)=0\n"
	"OFFSET(prb_data_ring.data)=8\nOFFSET(prb_desc.state_var)=0\n"
	"OFFSET(prb_desc.text_blk_lpos)=8\nOFFSET(prb_data_blk_lpos.begin)=0\n"
	"OFFSET(prb_data_blk_lpos.next)=8\nOFFSET(printk_info.ts_nsec)=8\n"
	"OFFSET(printk_info.text_len)=16\nOFFSET(printk_info.caller_id)=20\n"
	"OFFSET(atomic_long_t.counter)=0\n";

struct kernellog kernellog_add(struct kernel *k, unsigned count_bits, unsigned size_bits)
{
	const struct kernellog log = {
		.k = k,
		.count_bits = count_bits,
		.size_bits = size_bits,
		.ring = kernel_alloc(k, KERNELLOG_RING_BYTES, 64),
		.descs = kernel_alloc(k, (size_t)KERNELLOG_DESC_BYTES << count_bits, 64),
		.infos = kernel_alloc(k, (size_t)KERNELLOG_INFO_BYTES << count_bits, 64),
		.data = kernel_alloc(k, (size_t)1 << size_bits, 64),
	};
	const uint64_t pointer = kernel_alloc(k, 8, 8);

	kernel_put64(k, kernel_at(k, pointer), KERNEL_DIRECT_MAP + log.ring);
	kernel_put32(k, kernel_at(k, log.ring + KERNELLOG_DESC_RING), count_bits);
	kernel_put64(k, kernel_at(k, log.ring + KERNELLOG_DESC_RING + 8),
		     KERNEL_DIRECT_MAP + log.descs);
	kernel_put64(k, kernel_at(k, log.ring + KERNELLOG_DESC_RING + 16),
		     KERNEL_DIRECT_MAP + log.infos);
	kernel_put32(k, kernel_at(k, log.ring + KERNELLOG_TEXT_RING), size_bits);
	kernel_put64(k, kernel_at(k, log.ring + KERNELLOG_TEXT_RING + 8),
		     KERNEL_DIRECT_MAP + log.data);
	kernel_add_info(k, "SYMBOL(prb)=%" PRIx64 "\n%s", KERNEL_DIRECT_MAP + pointer, ring_keys);
	return log;
}

void kernellog_set_ids(const struct kernellog *log, uint64_t tail, uint64_t head)
{
	kernel_put64(log->k, kernel_at(log->k, log->ring + KERNELLOG_DESC_RING + 24), head);
	kernel_put64(log->k, kernel_at(log->k, log->ring + KERNELLOG_DESC_RING + 32), tail);
}

void kernellog_put(const struct kernellog *log, const struct kernellog_message *m)
{
	const uint64_t slot = m->id % (UINT64_C(1) << log->count_bits), size = UINT64_C(1)
									       << log->size_bits;
	uint8_t *desc = kernel_at(log->k, log->descs + slot * KERNELLOG_DESC_BYTES);
	uint8_t *info = kernel_at(log->k, log->infos + slot * KERNELLOG_INFO_BYTES);
	uint64_t at = m->begin % size;

	kernel_put64(log->k, desc, m->id | (uint64_t)m->state << 62);
	kernel_put64(log->k, desc + 8, m->begin);
	kernel_put64(log->k, desc + 16, m->next);
	kernel_put64(log->k, info + 8, m->time_ns);
	kernel_put16(log->k, info + 16, (uint16_t)(m->text_len ? m->text_len : strlen(m->text)));
	kernel_put32(log->k, info + 20, m->caller);
	if (m->begin & 1)
		return;
	/* A block that doesn't fit behind is put at the start. */
	if (m->next % size && m->next % size < at)
		at = 0;
	kernel_put64(log->k, kernel_at(log->k, log->data + at), m->id + m->block_id);
	memcpy(kernel_at(log->k, log->data + at + 8), m->text, strlen(m->text));
}
