/* receiver/inspect/facts.h and agree.h: what is said of a dump is what is in the file. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/bytes.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/agree.h"
#include "receiver/inspect/facts.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"

/* The facts of the first `size_bytes` of it; the caller deinits. */
static struct facts facts_of(const struct tinydump *t, size_t size_bytes)
{
	const char *path = scratch_path("dump");
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct facts f = {0};
	struct error err;

	file_write(path, t->bytes, size_bytes);
	if (kdump_file_open(path, &d, &err) < 0 || facts_init(&f, d, &err) < 0)
		fail_msg("%s", err.msg);
	return f;
}

static void has_trouble(const struct facts *f, const char *what)
{
	for (size_t i = 0; i < f->trouble_count; i++)
		if (strstr(f->troubles[i].msg, what))
			return;
	fail_msg("%zu troubles, none says \"%s\"", f->trouble_count, what);
}

/* Pages that the descriptors promise and whose data is in the first `size_bytes`. */
static uint64_t pages_in(struct tinydump *t, size_t size_bytes)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < t->pages; i++) {
		const struct kdump_desc desc = kdump_get_desc(tinydump_desc(t, i));

		pages += (uint8_t *)tinydump_desc(t, i + 1) <= t->bytes + size_bytes &&
			 desc.off + desc.size_bytes <= size_bytes;
	}
	return pages;
}

static uint64_t pages_told(const struct facts *f)
{
	uint64_t pages = f->odd;

	for (size_t i = 0; i < CODEC_COUNT; i++)
		pages += f->by_codec[i];
	return pages;
}

/* Wherever a copy was cut, it is told, and no page is counted that isn't there. */
static void test_any_cut(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const size_t step = unit_stride(97);

	for (size_t size = TINY_BLOCK + KDUMP_SUB_HEADER_BYTES; size < t.size_bytes; size += step) {
		struct facts f = facts_of(&t, size);
		const bool table = size >= t.at.desc_off;

		assert_false(facts_complete(&f));
		assert_true(f.cut_short);
		assert_int_equal(f.bitmaps_known, table);
		if (!table)
			has_trouble(&f, "inside of the bitmaps");
		else if (size < t.data_off)
			has_trouble(&f, "descriptors of ");
		else
			has_trouble(&f, "lie beyond the end of the file");
		assert_int_equal(pages_told(&f), table ? pages_in(&t, size) : 0);
		assert_int_equal(pages_told(&f) + f.beyond_descs + f.beyond_data,
				 table ? t.pages : 0);
		assert_true(f.payload_bytes <= size);
		facts_deinit(&f);
	}
	tinydump_free(&t);
}

/* What a header or a descriptor claims, and what has to be said of it. */
struct claim_row {
	const char *name;
	enum { HEADER, DESC } where;
	size_t at; /* byte there: of the sub header, or of the second descriptor */
	uint64_t value;
	const char *says;
	bool cut_short, notes, vmcoreinfo; /* what of it is known */
};

/* clang-format off */
static const struct claim_row claims[] = {
	{"facts: notes that the file ends in are a trouble", HEADER, 56, 1 << 30, "inside of the notes", true, false, true},
	{"facts: notes that don't parse are a trouble", HEADER, 56, 400, "reaches out of the area", false, false, true},
	{"facts: VMCOREINFO beyond the file is a trouble", HEADER, 32, 1 << 30, "VMCOREINFO: ", true, true, false},
	{"facts: VMCOREINFO that isn't one is a trouble", HEADER, 32, 8192, "no OSRELEASE", false, true, true},
	{"facts: erase info that the file ends in is a trouble", HEADER, 72, 1 << 30, "inside of the erase info", true, true, true},
	{"facts: a payload beyond the file is a trouble", DESC, 0, 1 << 30, "data of 1 of", true, true, true},
	{"facts: a payload beyond 2^64 is a trouble", DESC, 0, UINT64_MAX, "data of 1 of", true, true, true},
	{"facts: a payload in the table is a trouble", DESC, 0, 8192, "descriptors of 1 of", false, true, true},
	{"facts: a payload at 0 is a trouble", DESC, 0, 0, "descriptors of 1 of", false, true, true},
	{"facts: a payload without a byte is a trouble", DESC, 8, 0, "descriptors of 1 of", false, true, true},
	{"facts: a payload over a page is a trouble", DESC, 8, TINY_BLOCK + 1, "descriptors of 1 of", false, true, true},
};
/* clang-format on */

static void test_claim(void **state)
{
	const struct claim_row *row = *state;
	struct tinydump t = tinydump_make();
	struct facts f;

	if (row->where == HEADER) {
		le64_put(t.bytes + TINY_BLOCK + 64, TINY_BLOCK); /* where erase info begins */
		le64_put(t.bytes + TINY_BLOCK + row->at, row->value);
	} else {
		le64_put(tinydump_desc(&t, 1) + row->at, row->value);
	}
	f = facts_of(&t, t.size_bytes);
	assert_false(facts_complete(&f));
	has_trouble(&f, row->says);
	assert_int_equal(f.trouble_count, 1);
	assert_int_equal(f.cut_short, row->cut_short);
	assert_int_equal(f.notes_known, row->notes);
	assert_int_equal(f.vmcoreinfo_known, row->vmcoreinfo);
	assert_int_equal(pages_told(&f), t.pages - (row->where == DESC));
	facts_deinit(&f);
	tinydump_free(&t);
}

static void test_complete(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct facts f = facts_of(&t, t.size_bytes);

	assert_true(facts_complete(&f));
	facts_deinit(&f);
	t.bytes[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
	f = facts_of(&t, t.size_bytes);
	assert_false(facts_complete(&f));
	assert_int_equal(f.trouble_count, 0);
	facts_deinit(&f);
	t.bytes[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
	memset(tinydump_desc(&t, 3), 0, KDUMP_DESC_BYTES);
	f = facts_of(&t, t.size_bytes);
	assert_false(facts_complete(&f));
	assert_int_equal(f.trouble_count, 0);
	facts_deinit(&f);
	tinydump_free(&t);
}

/* Sharing that isn't looked for doesn't make more data than there is. */
static void test_payload_bytes(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct kdump_desc desc = {.size_bytes = TINY_BLOCK};
	struct facts f;

	desc.off = t.size_bytes - TINY_BLOCK;
	for (size_t i = 1; i < t.pages; i++)
		kdump_put_desc(tinydump_desc(&t, i), &desc);
	f = facts_of(&t, t.size_bytes);
	assert_int_equal(f.payload_bytes, t.size_bytes - t.data_off);
	facts_deinit(&f);
	tinydump_free(&t);
}

/* --- one kernel or two --- */

struct agree_row {
	const char *name;
	const char *release, *machine;
	const char *vmcoreinfo;
	const char *says; /* NULL: they agree */
};

/* clang-format off */
static const struct agree_row kernels[] = {
	{"agree: one kernel", "6.1.0", "x86_64", "OSRELEASE=6.1.0\nNUMBER(phys_base)=0\nPAGESIZE=4096\n", NULL},
	{"agree: finds another release", "6.1.0", "x86_64", "OSRELEASE=6.1.1\n", "different kernels, \"6.1.0\" and \"6.1.1\""},
	{"agree: finds a release that is longer", "6.1.0", "x86_64", "OSRELEASE=6.1.0-1\n", "different kernels"},
	{"agree: finds a release that is shorter", "6.1.0-1", "x86_64", "OSRELEASE=6.1.0\n", "different kernels"},
	{"agree: a header without names contradicts nothing", "", "", "OSRELEASE=6.1.0\nNUMBER(phys_base)=0\n", NULL},
	{"agree: finds another machine", "6.1.0", "aarch64", "OSRELEASE=6.1.0\nNUMBER(phys_base)=0\n", "different machines, \"aarch64\" and \"x86_64\""},
	{"agree: finds another machine the other way", "6.1.0", "x86_64", "OSRELEASE=6.1.0\nNUMBER(kimage_voffset)=0x1\n", "different machines, \"x86_64\" and \"aarch64\""},
	{"agree: a machine that we don't know contradicts nothing", "6.1.0", "riscv64", "OSRELEASE=6.1.0\nNUMBER(phys_base)=0\n", NULL},
	{"agree: VMCOREINFO that tells no machine contradicts none", "6.1.0", "aarch64", "OSRELEASE=6.1.0\n", NULL},
	{"agree: finds another page size", "6.1.0", "x86_64", "OSRELEASE=6.1.0\nPAGESIZE=65536\n", "pages of 65536 bytes"},
	{"agree: finds VMCOREINFO without a release", "6.1.0", "x86_64", "PAGESIZE=4096\n", "no OSRELEASE"},
};
/* clang-format on */

static void test_agree(void **state)
{
	const struct agree_row *row = *state;
	struct kdump_header h = {.block_size = 4096};
	AUTO(vmcoreinfo_free) struct vmcoreinfo *vi = NULL;
	struct error err;
	int r;

	strcpy(h.uts.release, row->release);
	strcpy(h.uts.machine, row->machine);
	assert_int_equal(agree_check(&h, NULL, &err), 0);
	assert_int_equal(vmcoreinfo_new(row->vmcoreinfo, strlen(row->vmcoreinfo), &vi, &err), 0);
	r = agree_check(&h, vi, &err);
	assert_int_equal(r < 0, row->says != NULL);
	if (row->says && !strstr(err.msg, row->says))
		fail_msg("says \"%s\", not \"%s\"", err.msg, row->says);
}

static void test_other_kernel(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct facts f;

	strcpy(t.header.uts.release, "6.1.0-stale");
	kdump_put_header(t.bytes, &t.header);
	f = facts_of(&t, t.size_bytes);
	has_trouble(&f, "\"6.1.0-stale\" and \"6.1.0-tiny\"");
	assert_false(facts_complete(&f));
	facts_deinit(&f);
	tinydump_free(&t);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "facts: a copy that was cut anywhere isn't complete", test_any_cut, NULL);
	UNIT_ADD_ROWS(&u, claims, test_claim);
	unit_add(&u, "facts: complete is what lacks neither bit nor page", test_complete, NULL);
	unit_add(&u, "facts: there is no more page data than file", test_payload_bytes, NULL);
	UNIT_ADD_ROWS(&u, kernels, test_agree);
	unit_add(&u, "facts: a header of another kernel is a trouble", test_other_kernel, NULL);
	return unit_run(&u, "facts", argc, argv);
}
