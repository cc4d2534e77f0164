/* The lockless ring of kernel messages, since 5.10.
 * Doesn't know how a message is printed. Source: Linux kernel/printk/printk_ringbuffer.[ch]. */
#include "sender/kernel/dmesg.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format/vmcoreinfo.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* log_buf_len= takes at most 2^31 bytes; a descriptor for 32 bytes of text each. Source:
	   Linux printk.c, LOG_BUF_LEN_MAX, PRB_AVGBITS. */
	COUNT_BITS_MAX = 26,
	SIZE_BITS_MAX = 31,

	/* States in the top bits of a descriptor's state word, the id in all others. Words of 64
	   bits, as elf_core_init() asks. */
	STATE_SHIFT = 62,
	STATE_COMMITTED = 1,
	STATE_FINALIZED = 2,

	BLOCK_ID_BYTES = 8, /* in front of each text block */
	LPOS_DATALESS = 1,  /* in a position: there is no text */
	LPOS_EMPTY = 3,	    /* both positions: an empty line, which is a message all the same */
	FIELD_STRUCT_MAX = 4096,
};

#define ID_MASK ((UINT64_C(1) << STATE_SHIFT) - 1)

/* Offsets in the kernel's structures; what they are of is their key. */
struct ring_keys {
	uint64_t prb, prb_bytes, desc_ring, text_ring;
	uint64_t count_bits, descs, infos, head_id, tail_id;
	uint64_t size_bits, data;
	uint64_t desc_bytes, state, lpos, begin, next;
	uint64_t info_bytes, time, text_len, caller;
	uint64_t counter;
};

/* One of the ring's arrays, and what was last found of it in one piece of memory: its page tables
 * are walked for each piece, not for each message. */
struct array {
	uint64_t vaddr;
	uint64_t piece_vaddr, piece_paddr, piece_bytes;
};

struct ring {
	const struct paging *paging;
	struct ring_keys k;
	struct array descs, infos, text;
	uint64_t count, text_bytes; /* powers of two */
	uint64_t tail, head;	    /* ids */
	uint64_t left_bytes; /* of the text ring: blocks don't overlap, unless it is corrupt */
	uint8_t *buf;	     /* one message */
	size_t buf_bytes;
};

static bool get_keys(struct ring_keys *k, const struct vmcoreinfo *info)
{
	const struct {
		const char *name;
		uint64_t *to;
	} offsets[] = {
		{"printk_ringbuffer.desc_ring", &k->desc_ring},
		{"printk_ringbuffer.text_data_ring", &k->text_ring},
		{"prb_desc_ring.count_bits", &k->count_bits},
		{"prb_desc_ring.descs", &k->descs},
		{"prb_desc_ring.infos", &k->infos},
		{"prb_desc_ring.head_id", &k->head_id},
		{"prb_desc_ring.tail_id", &k->tail_id},
		{"prb_data_ring.size_bits", &k->size_bits},
		{"prb_data_ring.data", &k->data},
		{"prb_desc.state_var", &k->state},
		{"prb_desc.text_blk_lpos", &k->lpos},
		{"prb_data_blk_lpos.begin", &k->begin},
		{"prb_data_blk_lpos.next", &k->next},
		{"printk_info.ts_nsec", &k->time},
		{"printk_info.text_len", &k->text_len},
		{"printk_info.caller_id", &k->caller},
		{"atomic_long_t.counter", &k->counter},
	};

	if (!vmcoreinfo_symbol(info, "prb", &k->prb) ||
	    !vmcoreinfo_size(info, "printk_ringbuffer", &k->prb_bytes) ||
	    !vmcoreinfo_size(info, "prb_desc", &k->desc_bytes) ||
	    !vmcoreinfo_size(info, "printk_info", &k->info_bytes))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++)
		if (!vmcoreinfo_offset(info, offsets[i].name, offsets[i].to))
			return false;
	return true;
}

/* A field of 2, 4 or 8 bytes at `off` of a structure that was read; 0 where it lies outside. */
static uint64_t field(const struct ring *ring, const uint8_t *raw, uint64_t raw_bytes, uint64_t off,
		      size_t bytes)
{
	const enum elf_data data = ring->paging->core->elf.data;

	if (off > raw_bytes || bytes > raw_bytes - off)
		return 0;
	switch (bytes) {
	case 2:
		return kdata_u16(data, raw + off);
	case 4:
		return kdata_u32(data, raw + off);
	default:
		return kdata_u64(data, raw + off);
	}
}

/* The ring's own description: where its arrays are and how long. */
static int ring_open(struct ring *ring, struct error *err)
{
	const struct ring_keys *k = &ring->k;
	uint8_t raw[FIELD_STRUCT_MAX];
	uint64_t vaddr, count_bits, size_bits;

	if (k->prb_bytes > sizeof(raw) || !k->desc_bytes || k->desc_bytes > sizeof(raw) ||
	    !k->info_bytes || k->info_bytes > sizeof(raw))
		return error_set(err, -EBADMSG,
				 "the kernel log's structures have impossible sizes");
	if (!kdata_read_ulong(ring->paging, k->prb, &vaddr) ||
	    !paging_read(ring->paging, vaddr, raw, (size_t)k->prb_bytes))
		return error_set(err, -EBADMSG, "the kernel log isn't where VMCOREINFO says");
	count_bits = field(ring, raw, k->prb_bytes, k->desc_ring + k->count_bits, 4);
	size_bits = field(ring, raw, k->prb_bytes, k->text_ring + k->size_bits, 4);
	if (count_bits > COUNT_BITS_MAX || size_bits > SIZE_BITS_MAX || size_bits < 4)
		return error_set(err, -EBADMSG,
				 "the kernel log of 2^%" PRIu64 " messages in 2^%" PRIu64
				 " bytes is impossible",
				 count_bits, size_bits);
	ring->count = UINT64_C(1) << count_bits;
	ring->text_bytes = UINT64_C(1) << size_bits;
	ring->descs.vaddr = field(ring, raw, k->prb_bytes, k->desc_ring + k->descs, 8);
	ring->infos.vaddr = field(ring, raw, k->prb_bytes, k->desc_ring + k->infos, 8);
	ring->text.vaddr = field(ring, raw, k->prb_bytes, k->text_ring + k->data, 8);
	ring->head =
		field(ring, raw, k->prb_bytes, k->desc_ring + k->head_id + k->counter, 8) & ID_MASK;
	ring->tail =
		field(ring, raw, k->prb_bytes, k->desc_ring + k->tail_id + k->counter, 8) & ID_MASK;
	return 0;
}

/* `n` bytes at `off` of an array. */
static bool read_array(const struct paging *paging, struct array *a, uint64_t off, void *buf,
		       size_t n)
{
	const uint64_t vaddr = a->vaddr + off;
	uint64_t within = vaddr - a->piece_vaddr;

	if (within >= a->piece_bytes) {
		if (!paging_translate(paging, vaddr, &a->piece_paddr, &a->piece_bytes)) {
			a->piece_bytes = 0;
			return false;
		}
		a->piece_vaddr = vaddr;
		within = 0;
	}
	if (n > a->piece_bytes - within)
		return paging_read(paging, vaddr, buf, n);
	return !paging_stopped(paging) &&
	       vmcore_read(paging->core, a->piece_paddr + within, buf, n) == 0;
}

/* Where in the text ring the block [begin, next) has its bytes: false if that is impossible. */
static bool find_block(const struct ring *ring, uint64_t begin, uint64_t next, uint64_t *at_ret,
		       uint64_t *bytes_ret)
{
	const uint64_t size = ring->text_bytes;
	uint64_t at = begin % size, end = next % size;

	if ((begin | next) & LPOS_DATALESS || begin == next)
		return false;
	if (end == 0)
		end = size; /* the block ends exactly at the ring's end */
	if (end < at)
		at = 0; /* it would have wrapped: all of it stands at the start */
	if (end - at < BLOCK_ID_BYTES)
		return false;
	*at_ret = at;
	*bytes_ret = end - at;
	return true;
}

/* The text of message `id`, into ring->buf: false if it isn't there, or not this message's any
 * more. */
static bool read_text(struct ring *ring, uint64_t id, const uint8_t *desc, uint64_t text_len,
		      struct dmesg_record *record)
{
	const struct ring_keys *k = &ring->k;
	const uint64_t begin = field(ring, desc, k->desc_bytes, k->lpos + k->begin, 8);
	const uint64_t next = field(ring, desc, k->desc_bytes, k->lpos + k->next, 8);
	uint64_t at, bytes, block_bytes;

	if (begin == LPOS_EMPTY && next == LPOS_EMPTY) {
		record->text = "";
		record->text_bytes = 0;
		return true;
	}
	if (!find_block(ring, begin, next, &at, &bytes))
		return false;
	block_bytes = bytes;
	bytes = MIN(bytes, BLOCK_ID_BYTES + text_len);
	if (bytes > ring->buf_bytes ||
	    !read_array(ring->paging, &ring->text, at, ring->buf, (size_t)bytes))
		return false;
	if ((kdata_u64(ring->paging->core->elf.data, ring->buf) & ID_MASK) != id ||
	    block_bytes > ring->left_bytes)
		return false;
	ring->left_bytes -= block_bytes;
	record->text = (const char *)ring->buf + BLOCK_ID_BYTES;
	record->text_bytes = (size_t)(bytes - BLOCK_ID_BYTES);
	return true;
}

/* Message `id` whole: false if it was never finished, or overwritten, or has no text. */
static bool read_message(struct ring *ring, uint64_t id, struct dmesg_record *record)
{
	const struct ring_keys *k = &ring->k;
	const uint64_t slot = id % ring->count;
	uint8_t desc[FIELD_STRUCT_MAX], info[FIELD_STRUCT_MAX];
	uint64_t state;

	if (!read_array(ring->paging, &ring->descs, slot * k->desc_bytes, desc,
			(size_t)k->desc_bytes) ||
	    !read_array(ring->paging, &ring->infos, slot * k->info_bytes, info,
			(size_t)k->info_bytes))
		return false;
	state = field(ring, desc, k->desc_bytes, k->state + k->counter, 8);
	if ((state & ID_MASK) != id)
		return false;
	if (state >> STATE_SHIFT != STATE_COMMITTED && state >> STATE_SHIFT != STATE_FINALIZED)
		return false;
	record->time_ns = field(ring, info, k->info_bytes, k->time, 8);
	record->caller = (uint32_t)field(ring, info, k->info_bytes, k->caller, 4);
	return read_text(ring, id, desc, field(ring, info, k->info_bytes, k->text_len, 2), record);
}

/* Whether any message has a caller: a kernel that doesn't keep them has 0 everywhere. */
static bool keeps_callers(struct ring *ring, uint64_t messages)
{
	struct dmesg_record record;

	ring->left_bytes = ring->text_bytes;
	for (uint64_t i = 0; i < messages; i++)
		if (read_message(ring, (ring->tail + i) & ID_MASK, &record) && record.caller)
			return true;
	return false;
}

int dmesg_read_ring(const struct paging *paging, struct dmesg_sink *sink, struct error *err)
{
	AUTO_FREE uint8_t *buf = malloc(BLOCK_ID_BYTES + UINT16_MAX); /* text_len has 16 bits */
	struct ring ring = {.paging = paging, .buf = buf, .buf_bytes = BLOCK_ID_BYTES + UINT16_MAX};
	uint64_t messages;
	int r;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory for the kernel log");
	if (!get_keys(&ring.k, paging->core->info))
		return error_set(err, -ENODATA, "VMCOREINFO has no kernel log (prb)");
	r = ring_open(&ring, err);
	if (r < 0)
		return r;
	messages = MIN(((ring.head - ring.tail) & ID_MASK) + 1, ring.count);
	sink->has_caller = keeps_callers(&ring, messages);
	ring.left_bytes = ring.text_bytes;
	for (uint64_t i = 0; i < messages && r == 0; i++) {
		struct dmesg_record record;

		if (read_message(&ring, (ring.tail + i) & ID_MASK, &record))
			r = dmesg_put(sink, &record, err);
	}
	return r;
}
