/* The record buffer of kernel messages, 3.5 to 5.9.
 * Doesn't know how a message is printed. Source: Linux kernel/printk/printk.c of 5.4, struct
 * printk_log. */
#include "sender/kernel/dmesg.h"

#include <errno.h>
#include <inttypes.h>

#include "format/vmcoreinfo.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

enum {
	LOG_BYTES_MAX = 1 << 30,
	HEADER_BYTES_MAX = 64,

	/* Since 5.1, behind the 16 bytes of the fields that VMCOREINFO names, if the kernel keeps
	   callers. */
	CALLER_OFF = 16,
};

struct record_keys {
	uint64_t log_buf, log_buf_len, first_idx, next_idx; /* addresses of the variables */
	uint64_t header_bytes, time, len, text_len;
};

struct log {
	const struct paging *paging;
	struct record_keys k;
	uint64_t buf; /* virtual address */
	uint32_t bytes, first, next;
	uint64_t walked; /* the bytes of the records that were read */
};

static bool get_keys(struct record_keys *k, const struct vmcoreinfo *info)
{
	return vmcoreinfo_symbol(info, "log_buf", &k->log_buf) &&
	       vmcoreinfo_symbol(info, "log_buf_len", &k->log_buf_len) &&
	       vmcoreinfo_symbol(info, "log_first_idx", &k->first_idx) &&
	       vmcoreinfo_symbol(info, "log_next_idx", &k->next_idx) &&
	       vmcoreinfo_size(info, "printk_log", &k->header_bytes) &&
	       vmcoreinfo_offset(info, "printk_log.ts_nsec", &k->time) &&
	       vmcoreinfo_offset(info, "printk_log.len", &k->len) &&
	       vmcoreinfo_offset(info, "printk_log.text_len", &k->text_len);
}

static int log_open(struct log *log, struct error *err)
{
	const struct record_keys *k = &log->k;

	if (k->header_bytes < CALLER_OFF || k->header_bytes > HEADER_BYTES_MAX ||
	    k->time > k->header_bytes - 8 || k->len > k->header_bytes - 2 ||
	    k->text_len > k->header_bytes - 2)
		return error_set(err, -EBADMSG, "the kernel log's records have impossible sizes");
	if (!kdata_read_ulong(log->paging, k->log_buf, &log->buf) ||
	    !kdata_read_u32(log->paging, k->log_buf_len, &log->bytes) ||
	    !kdata_read_u32(log->paging, k->first_idx, &log->first) ||
	    !kdata_read_u32(log->paging, k->next_idx, &log->next))
		return error_set(err, -EBADMSG, "the kernel log isn't where VMCOREINFO says");
	if (log->bytes > LOG_BYTES_MAX || log->first >= log->bytes || log->next > log->bytes)
		return error_set(err, -EBADMSG,
				 "the kernel log of %" PRIu32 " bytes from %" PRIu32 " to %" PRIu32
				 " is impossible",
				 log->bytes, log->first, log->next);
	return 0;
}

/* The record at *at, which then moves to its end: false if there is no record. */
static bool read_record(struct log *log, uint32_t *at, struct dmesg_record *record, char *text)
{
	const enum elf_data data = log->paging->core->elf.data;
	const struct record_keys *k = &log->k;
	uint8_t header[HEADER_BYTES_MAX];
	uint32_t len, text_len;

	if (*at > log->bytes - k->header_bytes ||
	    !paging_read(log->paging, log->buf + *at, header, (size_t)k->header_bytes))
		return false;
	len = kdata_u16(data, header + k->len);
	text_len = kdata_u16(data, header + k->text_len);
	if (len == 0) { /* the writer went on at the start */
		if (*at == 0)
			return false;
		*at = 0;
		return read_record(log, at, record, text);
	}
	if (len < k->header_bytes || len > log->bytes - *at || text_len > len - k->header_bytes ||
	    !paging_read(log->paging, log->buf + *at + k->header_bytes, text, text_len))
		return false;
	*record = (struct dmesg_record){
		.time_ns = kdata_u64(data, header + k->time),
		.caller = k->header_bytes >= CALLER_OFF + 4 ? kdata_u32(data, header + CALLER_OFF)
							    : 0,
		.text = text,
		.text_bytes = text_len,
	};
	*at += len;
	log->walked += len;
	return true;
}

int dmesg_read_records(const struct paging *paging, struct dmesg_sink *sink, struct error *err)
{
	AUTO_FREE char *text = malloc(UINT16_MAX);
	struct log log = {.paging = paging};
	struct dmesg_record record;
	int r;

	if (!text)
		return error_set(err, -ENOMEM, "out of memory for the kernel log");
	if (!get_keys(&log.k, paging->core->info))
		return error_set(err, -ENODATA, "VMCOREINFO has no kernel log");
	r = log_open(&log, err);
	if (r < 0)
		return r;
	sink->has_caller = log.k.header_bytes >= CALLER_OFF + 4;
	/* Each record takes its part of the buffer: a corrupt chain that goes round ends here. */
	for (uint32_t at = log.first; at != log.next && r == 0 && log.walked < log.bytes;) {
		if (!read_record(&log, &at, &record, text))
			break;
		r = dmesg_put(sink, &record, err);
	}
	return r;
}
