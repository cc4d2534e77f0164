/* sender/kernel/dmesg.h: the kernel log out of memory, in both of its formats. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/dmesg.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernellog.h"

enum {
	COUNT_BITS = 3, /* 8 messages */
	SIZE_BITS = 9,	/* 512 bytes of text */

	TEXT_MAX = 1 << 18,
};

/* A log being laid out, and what is read of it. */
struct fixture {
	struct kernel *k;
	struct kernellog log;
	char text[TEXT_MAX];
	size_t text_bytes;
	int64_t messages;
	struct error err;
};

static struct fixture *new_ring(const char *without, const char *more)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->k = kernel_new(&(struct kernel_setup){.without = without, .more = more});
	f->log = kernellog_add(f->k, COUNT_BITS, SIZE_BITS);
	return f;
}

static int take(void *ctx, const char *text, size_t bytes, struct error *err UNUSED)
{
	struct fixture *f = ctx;

	assert_in_range(bytes, 1, sizeof(f->text) - 1 - f->text_bytes);
	memcpy(f->text + f->text_bytes, text, bytes);
	f->text_bytes += bytes;
	return 0;
}

static void read_log(struct fixture *f)
{
	struct vmcore *core = kernel_open(f->k);
	struct paging paging;

	assert_int_equal(paging_init(&paging, core, &f->err), 0);
	f->messages = dmesg_read(&paging, take, f, &f->err);
	vmcore_free(core);
}

static void free_fixture(struct fixture *f)
{
	kernel_free(f->k);
	free(f);
}

/* --- the ring: one message --- */

struct one {
	const char *name;
	struct kernellog_message m;
	const char *want; /* "": it is left out */
};

/* clang-format off */
static const struct one ones[] = {
	{"ring: gives a finished message", {1, KERNELLOG_FINALIZED, 0, 16, "hello", 0, 1234567890, 0, 0}, "[    1.234567] hello\n"},
	{"ring: gives one that could be continued", {1, KERNELLOG_COMMITTED, 0, 16, "hello", 0, 0, 0, 0}, "[    0.000000] hello\n"},
	{"ring: leaves out one being written", {1, KERNELLOG_RESERVED, 0, 16, "hello", 0, 0, 0, 0}, ""},
	{"ring: leaves out one that was given up", {1, KERNELLOG_REUSABLE, 0, 16, "hello", 0, 0, 0, 0}, ""},
	{"ring: leaves out one whose text was lost", {1, KERNELLOG_FINALIZED, 1, 1, "", 0, 0, 0, 0}, ""},
	{"ring: gives an empty line", {1, KERNELLOG_FINALIZED, 3, 3, "", 0, 5000000, 0, 0}, "[    0.005000] \n"},
	{"ring: leaves out one with one position of an empty line's", {1, KERNELLOG_FINALIZED, 3, 1, "", 0, 0, 0, 0}, ""},
	{"ring: leaves out one whose text was overwritten", {1, KERNELLOG_FINALIZED, 0, 16, "hello", 0, 0, 0, 8}, ""},
	{"ring: finds text that was put at the start", {1, KERNELLOG_FINALIZED, 496, 512 + 24, "wrapped", 0, 0, 0, 0}, "[    0.000000] wrapped\n"},
	{"ring: finds text that ends with the ring", {1, KERNELLOG_FINALIZED, 496, 512, "brink", 0, 0, 0, 0}, "[    0.000000] brink\n"},
	{"ring: clips a length to the block", {1, KERNELLOG_FINALIZED, 0, 16, "12345678", 60000, 0, 0, 0}, "[    0.000000] 12345678\n"},
	{"ring: clips a block to the length", {1, KERNELLOG_FINALIZED, 0, 64, "12345678", 3, 0, 0, 0}, "[    0.000000] 123\n"},
	{"ring: leaves out a block without room for its id", {1, KERNELLOG_FINALIZED, 16, 20, "", 0, 0, 0, 0}, ""},
	{"ring: counts microseconds down", {1, KERNELLOG_FINALIZED, 0, 16, "x", 0, 999999999999, 0, 0}, "[  999.999999] x\n"},
	{"ring: has room for large times", {1, KERNELLOG_FINALIZED, 0, 16, "x", 0, UINT64_MAX, 0, 0}, "[18446744073.709551] x\n"},
	{"ring: says which thread", {1, KERNELLOG_FINALIZED, 0, 16, "x", 0, 0, 1, 0}, "[    0.000000][    T1] x\n"},
	{"ring: says which CPU", {1, KERNELLOG_FINALIZED, 0, 16, "x", 0, 0, 0x80000003, 0}, "[    0.000000][    C3] x\n"},
	{"ring: has room for large threads", {1, KERNELLOG_FINALIZED, 0, 16, "x", 0, 0, 4194304, 0}, "[    0.000000][T4194304] x\n"},
	{"ring: indents further lines", {1, KERNELLOG_FINALIZED, 0, 16, "a\nbc", 0, 0, 0, 0}, "[    0.000000] a\n               bc\n"},
	{"ring: keeps tabs and escapes what isn't printable", {1, KERNELLOG_FINALIZED, 0, 32, "a\tb\x1b[1m\x7f\xc3\xa4", 0, 0, 0, 0}, "[    0.000000] a\tb\\x1b[1m\\x7f\\xc3\\xa4\n"},
};
/* clang-format on */

static void test_one(void **state)
{
	const struct one *row = *state;
	struct fixture *f = new_ring(NULL, NULL);

	kernellog_set_ids(&f->log, 1, 1);
	kernellog_put(&f->log, &row->m);
	read_log(f);
	assert_int_equal(f->messages, *row->want ? 1 : 0);
	assert_string_equal(f->text, row->want);
	free_fixture(f);
}

/* --- the ring: many --- */

/* Ids count modulo 2^62, and the oldest message is at the tail, wherever in the ring that is. */
static void test_order(void **state UNUSED)
{
	static const uint64_t firsts[] = {0, 5, (UINT64_C(1) << 62) - 3};

	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct fixture *f = new_ring(NULL, NULL);
		const uint64_t mask = (UINT64_C(1) << 62) - 1;
		char want[1000] = "", text[8];

		kernellog_set_ids(&f->log, firsts[i], (firsts[i] + 7) & mask);
		for (uint64_t n = 0; n < 8; n++) {
			struct kernellog_message m = {.id = (firsts[i] + n) & mask,
						      .state = KERNELLOG_FINALIZED,
						      .begin = n * 32,
						      .next = n * 32 + 24,
						      .text = text,
						      .time_ns = n * 1000000000};

			snprintf(text, sizeof(text), "m%d", (int)n);
			kernellog_put(&f->log, &m);
			snprintf(want + strlen(want), sizeof(want) - strlen(want),
				 "[    %d.000000] m%d\n", (int)n, (int)n);
		}
		read_log(f);
		assert_int_equal(f->messages, 8);
		assert_string_equal(f->text, want);
		free_fixture(f);
	}
}

/* A slot that has another id than it should is an old message, or one to come. */
static void test_stale(void **state UNUSED)
{
	struct fixture *f = new_ring(NULL, NULL);

	kernellog_set_ids(&f->log, 8, 10);
	kernellog_put(&f->log,
		      &(struct kernellog_message){8, KERNELLOG_FINALIZED, 0, 16, "a", 0, 0, 0, 0});
	kernellog_put(&f->log, &(struct kernellog_message){1, KERNELLOG_FINALIZED, 32, 48, "old", 0,
							   0, 0, 0});
	kernellog_put(&f->log, &(struct kernellog_message){10, KERNELLOG_FINALIZED, 64, 80, "b", 0,
							   0, 0, 0});
	read_log(f);
	assert_int_equal(f->messages, 2);
	assert_string_equal(f->text, "[    0.000000] a\n[    0.000000] b\n");
	free_fixture(f);
}

/* Ids that are impossibly far apart: no more messages than the ring has room for. */
static void test_far_ids(void **state UNUSED)
{
	struct fixture *f = new_ring(NULL, NULL);

	kernellog_set_ids(&f->log, 1, UINT64_C(1) << 61);
	kernellog_put(&f->log,
		      &(struct kernellog_message){1, KERNELLOG_FINALIZED, 0, 16, "a", 0, 0, 0, 0});
	read_log(f);
	assert_int_equal(f->messages, 1);
	free_fixture(f);
}

/* Blocks that lie over each other, each with its id: a corrupt ring must not say more than it has
 * room for. */
static void test_overlap(void **state UNUSED)
{
	struct fixture *f = new_ring(NULL, NULL);
	char text[201];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kernellog_set_ids(&f->log, 1, 8);
	for (uint64_t id = 8; id; id--)
		kernellog_put(&f->log, &(struct kernellog_message){id, KERNELLOG_FINALIZED, id * 8,
								   id * 8 + 208, text, 0, 0, 0, 0});
	/* Each text has written over the ids behind its own. */
	for (uint64_t id = 1; id <= 8; id++)
		le64_put(kernel_at(f->k, f->log.data + id * 8), id);
	read_log(f);
	assert_int_equal(f->messages, (1 << SIZE_BITS) / 208);
	free_fixture(f);
}

static void test_ring_noise(void **state UNUSED)
{
	uint32_t seed = unit_seed();

	for (unsigned n = 0; n < 50; n++) {
		struct fixture *f = new_ring(NULL, NULL);

		for (uint64_t at = f->log.descs; at < f->log.data + (1 << SIZE_BITS); at += 4)
			if (unit_random(&seed) % 4)
				le32_put(kernel_at(f->k, at), unit_random(&seed));
		for (uint64_t id = 0; id < 8; id++) /* some of them believable */
			if (unit_random(&seed) % 2)
				le64_put(kernel_at(f->k, f->log.descs + id * KERNELLOG_DESC_BYTES),
					 id | UINT64_C(2) << 62);
		kernellog_set_ids(&f->log, 0, 7);
		read_log(f);
		assert_in_range(f->messages, 0, 8);
		free_fixture(f);
	}
}

/* --- the ring: what its description says --- */

struct opening {
	const char *name;
	const char *without, *more;
	uint32_t count_bits, size_bits; /* 0: as they should be */
	bool lost;			/* the arrays aren't there */
	int64_t want;
	const char *said;
};

/* clang-format off */
static const struct opening openings[] = {
	{"dmesg_read: finds no log without prb", "SYMBOL(prb)", NULL, 0, 0, false, -ENODATA, "no kernel log"},
	{"dmesg_read: finds no log without its layout", "OFFSET(prb_desc.state_var)", NULL, 0, 0, false, -ENODATA, "no kernel log"},
	{"dmesg_read: refuses a ring that isn't there", NULL, "SYMBOL(prb)=ffffc90000000000", 0, 0, false, -EBADMSG, "isn't where"},
	{"dmesg_read: refuses 2^27 messages", NULL, NULL, 27, 0, false, -EBADMSG, "2^27"},
	{"dmesg_read: refuses 2^32 bytes", NULL, NULL, 0, 32, false, -EBADMSG, "2^32"},
	{"dmesg_read: takes a log of 2^31 bytes", NULL, NULL, 0, 31, false, 1, NULL},
	{"dmesg_read: refuses 2^3 bytes", NULL, NULL, 0, 3, false, -EBADMSG, "impossible"},
	{"dmesg_read: refuses messages of 0 bytes", NULL, "SIZE(prb_desc)=0", 0, 0, false, -EBADMSG, "impossible sizes"},
	{"dmesg_read: refuses a ring of 2^32 bytes", NULL, "SIZE(printk_ringbuffer)=4294967296", 0, 0, false, -EBADMSG, "impossible sizes"},
	{"dmesg_read: gives nothing where the messages aren't there", NULL, NULL, 0, 0, true, 0, NULL},
	{"dmesg_read: takes a field outside of its structure for 0", NULL, "OFFSET(printk_info.ts_nsec)=18446744073709551615", 0, 0, false, 1, NULL},
};
/* clang-format on */

static void test_opening(void **state)
{
	const struct opening *row = *state;
	struct fixture *f = new_ring(row->without, row->more);

	kernellog_set_ids(&f->log, 1, 1);
	kernellog_put(&f->log,
		      &(struct kernellog_message){1, KERNELLOG_FINALIZED, 0, 16, "a", 0, 0, 0, 0});
	if (row->count_bits)
		le32_put(kernel_at(f->k, f->log.ring + KERNELLOG_DESC_RING), row->count_bits);
	if (row->size_bits)
		le32_put(kernel_at(f->k, f->log.ring + KERNELLOG_TEXT_RING), row->size_bits);
	if (row->lost)
		le64_put(kernel_at(f->k, f->log.ring + KERNELLOG_DESC_RING + 8), UINT64_MAX - 100);
	read_log(f);
	assert_int_equal(f->messages, row->want);
	if (row->said)
		assert_non_null(strstr(f->err.msg, row->said));
	free_fixture(f);
}

/* --- the record buffer of before 5.10 --- */

enum { LOG_BYTES = 256, HEADER = 16 };

static const char record_keys[] =
	"SIZE(printk_log)=%d\nOFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\n"
	"OFFSET(printk_log.text_len)=10\n";

/* Its variables: the buffer's pointer, its length, the first index and the next one. */
static struct fixture *new_records(uint32_t first, uint32_t next, int header)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint64_t vars;

	assert_non_null(f);
	f->k = kernel_new(&(struct kernel_setup){.series = kernel_series_find("5.4")});
	f->log.data = kernel_alloc(f->k, LOG_BYTES, 64);
	vars = kernel_alloc(f->k, 32, 8);
	le64_put(kernel_at(f->k, vars), KERNEL_DIRECT_MAP + f->log.data);
	le32_put(kernel_at(f->k, vars + 8), LOG_BYTES);
	le32_put(kernel_at(f->k, vars + 16), first);
	le32_put(kernel_at(f->k, vars + 24), next);
	kernel_add_info(f->k,
			"SYMBOL(log_buf)=%" PRIx64 "\nSYMBOL(log_buf_len)=%" PRIx64
			"\nSYMBOL(log_first_idx)=%" PRIx64 "\nSYMBOL(log_next_idx)=%" PRIx64 "\n",
			KERNEL_DIRECT_MAP + vars, KERNEL_DIRECT_MAP + vars + 8,
			KERNEL_DIRECT_MAP + vars + 16, KERNEL_DIRECT_MAP + vars + 24);
	kernel_add_info(f->k, record_keys, header);
	return f;
}

static void put_record(struct fixture *f, uint32_t at, uint16_t len, uint16_t text_len,
		       const char *text, int header)
{
	uint8_t *p = kernel_at(f->k, f->log.data + at);

	le64_put(p, UINT64_C(2000000000) + at);
	le16_put(p + 8, len);
	le16_put(p + 10, text_len);
	if (header > HEADER)
		le32_put(p + 16, 7);
	memcpy(p + header, text, strlen(text));
}

static void test_records(void **state UNUSED)
{
	struct fixture *f = new_records(192, 64, HEADER);

	put_record(f, 192, 32, 3, "one", HEADER);
	put_record(f, 224, 0, 0, "", HEADER); /* the writer went on at the start */
	put_record(f, 0, 32, 3, "two", HEADER);
	put_record(f, 32, 32, 5, "three", HEADER);
	read_log(f);
	assert_int_equal(f->messages, 3);
	assert_string_equal(f->text,
			    "[    2.000000] one\n[    2.000000] two\n[    2.000000] three\n");
	free_fixture(f);
}

/* Kernels that keep callers have a header of 24 bytes. */
static void test_record_callers(void **state UNUSED)
{
	struct fixture *f = new_records(0, 40, 24);

	put_record(f, 0, 40, 3, "one", 24);
	read_log(f);
	assert_string_equal(f->text, "[    2.000000][    T7] one\n");
	free_fixture(f);
}

struct torn {
	const char *name;
	uint32_t first, next;
	uint16_t len, text_len; /* of the second record, at 32 */
	int64_t want;
};

static const struct torn torns[] = {
	{"records: ends at a record shorter than its header", 0, 64, 15, 0, 1},
	{"records: ends at a record past the buffer", 0, 64, 240, 1, 1},
	{"records: ends at a text past its record", 0, 64, 32, 17, 1},
	{"records: takes a text that fills its record", 0, 64, 32, 16, 2},
	{"records: ends with the buffer where the end is missed", 0, 16, 32, 3, LOG_BYTES / 32},
	{"records: refuses a first index past the buffer", 256, 64, 32, 3, -EBADMSG},
	{"records: refuses a next index past the buffer", 0, 257, 32, 3, -EBADMSG},
	{"records: gives nothing of an empty buffer", 32, 32, 32, 3, 0},
};

static void test_torn(void **state)
{
	const struct torn *row = *state;
	struct fixture *f = new_records(row->first, row->next, HEADER);

	for (uint32_t at = 0; at < LOG_BYTES; at += 32)
		put_record(f, at, 32, 3, "one", HEADER);
	put_record(f, 32, row->len, row->text_len, "two", HEADER);
	read_log(f);
	assert_int_equal(f->messages, row->want);
	free_fixture(f);
}

/* A chain that goes on at the start, and never meets the next index: once round, no more. */
static void test_record_circle(void **state UNUSED)
{
	struct fixture *f = new_records(0, 16, HEADER);

	for (uint32_t at = 0; at < LOG_BYTES - 32; at += 32)
		put_record(f, at, 32, 3, "one", HEADER);
	put_record(f, LOG_BYTES - 32, 0, 0, "", HEADER);
	read_log(f);
	assert_int_equal(f->messages, LOG_BYTES / 32);
	free_fixture(f);
}

/* --- writing --- */

static int refuse(void *ctx UNUSED, const char *text UNUSED, size_t bytes UNUSED, struct error *err)
{
	return error_set(err, -ENOSPC, "no space");
}

static void test_refused(void **state UNUSED)
{
	struct fixture *f = new_ring(NULL, NULL);
	struct vmcore *core;
	struct paging paging;

	kernellog_set_ids(&f->log, 1, 1);
	kernellog_put(&f->log,
		      &(struct kernellog_message){1, KERNELLOG_FINALIZED, 0, 16, "a", 0, 0, 0, 0});
	core = kernel_open(f->k);
	assert_int_equal(paging_init(&paging, core, &f->err), 0);
	assert_int_equal(dmesg_read(&paging, refuse, NULL, &f->err), -ENOSPC);
	assert_string_equal(f->err.msg, "no space");
	vmcore_free(core);
	free_fixture(f);
}

/* Longer than what is given at once, and full of what takes four characters. */
static void test_long(void **state UNUSED)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct dmesg_sink sink = {.emit = take, .ctx = f};
	char text[60000];

	assert_non_null(f);
	memset(text, 1, sizeof(text));
	text[100] = '\n';
	assert_int_equal(dmesg_put(&sink,
				   &(struct dmesg_record){.text = text, .text_bytes = sizeof(text)},
				   &f->err),
			 0);
	assert_int_equal(f->text_bytes, 15 + (sizeof(text) - 1) * 4 + 1 + 15 + 1);
	assert_int_equal(sink.records, 1);
	free(f);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, ones, test_one);
	unit_add(&u, "ring: gives messages from the oldest on, wherever it is", test_order, NULL);
	unit_add(&u, "ring: leaves out slots of other messages", test_stale, NULL);
	unit_add(&u, "ring: is bounded where ids are far apart", test_far_ids, NULL);
	unit_add(&u, "ring: gives no more text than it has room for", test_overlap, NULL);
	unit_add(&u, "ring: stands any bytes", test_ring_noise, NULL);
	UNIT_ADD_ROWS(&u, openings, test_opening);
	unit_add(&u, "records: gives messages across the buffer's end", test_records, NULL);
	unit_add(&u, "records: says callers where they are kept", test_record_callers, NULL);
	UNIT_ADD_ROWS(&u, torns, test_torn);
	unit_add(&u, "records: goes round once where the end is missed", test_record_circle, NULL);
	unit_add(&u, "dmesg_read: fails with what the writing says", test_refused, NULL);
	unit_add(&u, "dmesg_put: gives long messages in pieces", test_long, NULL);
	return unit_run(&u, "dmesg", argc, argv);
}
