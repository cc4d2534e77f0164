/* sender/pages/essential.h, sender/pages/sending_order.h: what readers need first, and the order it
 * makes. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/essential.h"
#include "sender/pages/pageset.h"
#include "sender/pages/sending_order.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernelsyms.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	CPUS = 2,
	AREA_BYTES = 32 << 10,
	PERCPU_START = 0x0, /* per-CPU variables are told from 0 on */
	CURRENT_TASK = 0x1000,
	STACK_BYTES = 16 << 10,
	STACK_END_MAGIC = 0x57ac6e9d, /* the lowest word of a task's. Source: Linux magic.h */
	/* In the image. */
	TEXT_BYTES = 0x20000,
	OFFSETS_AT = 0x30000,
	UNIT_SIZE_AT = 0x31000,
	NR_CPUS_AT = 0x31008,
	BANNER_AT = 0x10000,
	CONSTANTS_AT = 0x12000,
	CONSTANTS_BYTES = 0x2000,
};

/* A kernel with CPUs, tasks and a log, and where each of them lies. */
struct fixture {
	struct kernel *k;
	struct vmcore *core;
	struct kmodel km;
	struct warnings warnings;
	struct pageset *parts[ESSENTIAL_PARTS];
	uint64_t area[CPUS], task[CPUS], stack[CPUS], table, log_text, boot_page, other;
};

static uint8_t *image_at(struct fixture *f, uint64_t at)
{
	return kernel_at(f->k, KERNEL_IMAGE + at);
}

static void add_log(struct fixture *f)
{
	const uint64_t ring = kernel_alloc(f->k, KERNEL_PAGE, KERNEL_PAGE);
	const uint64_t descs = kernel_alloc(f->k, KERNEL_PAGE, KERNEL_PAGE);
	const uint64_t pointer = ring + 0x800;

	f->log_text = kernel_alloc(f->k, 1 << 14, KERNEL_PAGE);
	le64_put(kernel_at(f->k, pointer), KERNEL_DIRECT_MAP + ring);
	le32_put(kernel_at(f->k, ring), 4);
	le64_put(kernel_at(f->k, ring + 8), KERNEL_DIRECT_MAP + descs);
	le64_put(kernel_at(f->k, ring + 16), KERNEL_DIRECT_MAP + descs);
	le32_put(kernel_at(f->k, ring + 40), 14);
	le64_put(kernel_at(f->k, ring + 48), KERNEL_DIRECT_MAP + f->log_text);
	kernel_add_info(f->k,
			"SYMBOL(prb)=%" PRIx64 "\nOFFSET(printk_ringbuffer.desc_ring)=0\nOFFSET("
			"printk_ringbuffer.text_data_ring)=40\n"
			"OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
			"OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_data_ring.size_bits)=0\n"
			"OFFSET(prb_data_ring.data)=8\nSIZE(prb_desc)=24\nSIZE(printk_info)=88\n",
			KERNEL_DIRECT_MAP + pointer);
}

static void add_symbols(struct fixture *f, bool hot)
{
	const struct kernel_symbol symbols[] = {
		{"A__per_cpu_start", PERCPU_START},
		{hot ? "Apcpu_hot" : "Acurrent_task", CURRENT_TASK},
		{"T_stext", KERNEL_IMAGE_VADDR},
		{"Rlinux_banner", KERNEL_IMAGE_VADDR + BANNER_AT},
		{"R__start_ro_after_init", KERNEL_IMAGE_VADDR + CONSTANTS_AT},
		{"R__end_ro_after_init", KERNEL_IMAGE_VADDR + CONSTANTS_AT + CONSTANTS_BYTES},
		{"D_sdata", KERNEL_IMAGE_VADDR + TEXT_BYTES},
		{"D__per_cpu_offset", KERNEL_IMAGE_VADDR + OFFSETS_AT},
		{"Dpcpu_unit_size", KERNEL_IMAGE_VADDR + UNIT_SIZE_AT},
		{"Dnr_cpu_ids", KERNEL_IMAGE_VADDR + NR_CPUS_AT},
	};

	kernel_add_symbols(f->k, symbols, ARRAY_LEN(symbols), KERNEL_PERCPU_ABSOLUTE);
}

static struct fixture *new_fixture(const struct kernel_setup *setup)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->k = kernel_new(setup);
	add_log(f);
	for (unsigned i = 0; i < CPUS; i++) {
		/* Apart from each other by more than the gaps that are filled. */
		f->area[i] = kernel_alloc(f->k, AREA_BYTES, 256 << 10);
		f->task[i] = kernel_alloc(f->k, 16 << 10, 256 << 10);
		f->stack[i] = kernel_alloc(f->k, STACK_BYTES, 256 << 10);
		le64_put(image_at(f, OFFSETS_AT + 8 * i), KERNEL_DIRECT_MAP + f->area[i]);
		le64_put(kernel_at(f->k, f->area[i] + CURRENT_TASK),
			 KERNEL_DIRECT_MAP + f->task[i]);
		/* A vmalloc'ed stack, with the task's address on it. */
		for (uint64_t at = 0; at < STACK_BYTES; at += KERNEL_PAGE)
			f->table = kernel_map(f->k,
					      UINT64_C(0xffffc90000000000) + i * STACK_BYTES + at,
					      f->stack[i] + at, 1);
		le64_put(kernel_at(f->k, f->stack[i] + 0x3e00),
			 KERNEL_DIRECT_MAP + f->task[i] + 64);
		le64_put(kernel_at(f->k, f->stack[i]), STACK_END_MAGIC);
		kernel_add_cpu(f->k, UINT64_C(0xffffc90000000000) + i * STACK_BYTES + 0x3d08);
	}
	le32_put(image_at(f, UNIT_SIZE_AT), AREA_BYTES);
	le32_put(image_at(f, NR_CPUS_AT), CPUS);
	f->other = kernel_alloc(f->k, KERNEL_PAGE, 256 << 10);
	f->boot_page = kernel_alloc(f->k, KERNEL_PAGE, 256 << 10);
	kernel_set_flag(f->k, f->boot_page / KERNEL_PAGE, 12);
	return f;
}

static void find(struct fixture *f)
{
	struct error err = {0};

	f->core = kernel_open(f->k);
	kmodel_init(&f->km, f->core, ALL, &f->warnings);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_new(f->core->map.max_mapnr, &f->parts[i], &err), 0);
	if (essential_find(&f->km, f->parts, &f->warnings, &err) < 0)
		fail_msg("%s", err.msg);
}

static void free_fixture(struct fixture *f)
{
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(f->parts[i]);
	kmodel_deinit(&f->km);
	vmcore_free(f->core);
	kernel_free(f->k);
	free(f);
}

static bool has(const struct fixture *f, unsigned part, uint64_t paddr, uint64_t bytes)
{
	for (uint64_t p = paddr; p < paddr + bytes; p += KERNEL_PAGE)
		if (!pageset_has(f->parts[part], p / KERNEL_PAGE))
			return false;
	return true;
}

static bool has_any(const struct fixture *f, uint64_t paddr)
{
	for (unsigned i = 0; i < ESSENTIAL_PARTS; i++)
		if (has(f, i, paddr, 1))
			return true;
	return false;
}

/* What every kernel has of it. */
static void check_common(const struct fixture *f)
{
	assert_true(has(f, ESSENTIAL_POINTED, kernel_top_table(f->k), 1));
	assert_true(has(f, ESSENTIAL_POINTED, f->table, 1));
	assert_true(has(f, ESSENTIAL_POINTED, f->log_text, 1 << 14));
	for (unsigned i = 0; i < CPUS; i++)
		assert_true(has(f, ESSENTIAL_POINTED, f->stack[i], STACK_BYTES));
	assert_false(has_any(f, f->other));
	assert_false(has_any(f, (uint64_t)(KERNEL_BYTES + 0x10000)));
}

static void test_named(void **state UNUSED)
{
	for (unsigned hot = 0; hot < 2; hot++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){0});

		add_symbols(f, hot);
		find(f);
		check_common(f);
		for (unsigned i = 0; i < CPUS; i++) {
			assert_true(has(f, ESSENTIAL_POINTED, f->area[i], AREA_BYTES));
			assert_true(has(f, ESSENTIAL_POINTED, f->task[i], 16 << 10));
		}
		/* Code comes last, but for the page that tells which vmlinux it is, and for what
		 * was constant from boot on. */
		assert_true(has(f, ESSENTIAL_IMAGE_TEXT, KERNEL_IMAGE, TEXT_BYTES));
		assert_true(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE + TEXT_BYTES,
				KERNEL_IMAGE_BYTES - TEXT_BYTES));
		assert_false(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE + 0x8000, 1));
		assert_true(has(f, ESSENTIAL_POINTED, KERNEL_IMAGE + BANNER_AT, 1));
		assert_true(
			has(f, ESSENTIAL_POINTED, KERNEL_IMAGE + CONSTANTS_AT, CONSTANTS_BYTES));
		/* The tasks are known: no need to guess. */
		assert_false(has_any(f, f->boot_page));
		free_fixture(f);
	}
}

/* Without a symbol table the code is known by being executable, and still comes last. */
static void test_unnamed_code(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){0});

	for (uint64_t p = 0; p < TEXT_BYTES; p += KERNEL_PAGE) {
		uint8_t *entry = kernel_at(
			f->k, kernel_map(f->k, KERNEL_IMAGE_VADDR + p, KERNEL_IMAGE + p, 1));

		le64_put(entry, le64_get(entry) & ~(UINT64_C(1) << 63));
	}
	find(f);
	check_common(f);
	assert_true(has(f, ESSENTIAL_IMAGE_TEXT, KERNEL_IMAGE, TEXT_BYTES));
	assert_true(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE + TEXT_BYTES,
			KERNEL_IMAGE_BYTES - TEXT_BYTES));
	assert_false(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE + 0x8000, 1));
	/* It has PG_reserved, as all of the image in use. */
	assert_false(has(f, ESSENTIAL_POINTED, KERNEL_IMAGE + 0x8000, 1));
	free_fixture(f);
}

/* Without a symbol table: what the stacks point at, and what was allocated at boot. */
static void test_unnamed(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){0});

	find(f);
	check_common(f);
	for (unsigned i = 0; i < CPUS; i++)
		assert_true(has(f, ESSENTIAL_POINTED, f->task[i], 16 << 10));
	assert_true(has(f, ESSENTIAL_POINTED, f->boot_page, 1));
	assert_true(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE, KERNEL_IMAGE_BYTES));
	assert_int_equal(pageset_next(f->parts[ESSENTIAL_IMAGE_TEXT], 0), f->core->map.max_mapnr);
	free_fixture(f);
}

/* Init memory, by a page of data and one of code that have lost PG_reserved. */
static void test_freed_image(void **state UNUSED)
{
	for (unsigned named = 0; named < 2; named++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){0});
		const uint64_t freed[] = {KERNEL_IMAGE + 0x5000,
					  KERNEL_IMAGE + TEXT_BYTES + 0x5000};

		if (named)
			add_symbols(f, false);
		for (size_t i = 0; i < ARRAY_LEN(freed); i++)
			memset(kernel_page(f->k, freed[i] / KERNEL_PAGE) + PAGE_FLAGS, 0, 8);
		find(f);
		check_common(f);
		for (size_t i = 0; i < ARRAY_LEN(freed); i++) {
			assert_false(has_any(f, freed[i]));
			assert_true(has_any(f, freed[i] - KERNEL_PAGE));
			assert_true(has_any(f, freed[i] + KERNEL_PAGE));
		}
		free_fixture(f);
	}
}

/* The code that stacks return to, from a page before on, goes ahead of all other code. */
static void test_callers(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){0});
	const uint64_t code[] = {0, 0x4010, TEXT_BYTES - 1};

	add_symbols(f, false);
	for (size_t i = 0; i < ARRAY_LEN(code); i++)
		le64_put(kernel_at(f->k, f->stack[1] + 0x800 + 8 * i),
			 KERNEL_IMAGE_VADDR + code[i]);
	le64_put(kernel_at(f->k, f->stack[1] + 0x900), KERNEL_IMAGE_VADDR - 1);
	le64_put(kernel_at(f->k, f->stack[1] + 0x908), KERNEL_IMAGE_VADDR + TEXT_BYTES);
	find(f);
	for (size_t i = 0; i < ARRAY_LEN(code); i++)
		assert_true(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + code[i], 1));
	assert_true(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + 0x3000, 1));
	assert_true(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + TEXT_BYTES - 2 * KERNEL_PAGE, 1));
	assert_false(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE - KERNEL_PAGE, 1));
	assert_false(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + 0x1000, 1));
	assert_false(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + 0x5000, 1));
	assert_false(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + TEXT_BYTES, 1));
	free_fixture(f);
}

static void test_section_roots(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){0});
	uint64_t roots = 0;

	/* The one word that points at the array of sections. */
	find(f);
	for (uint64_t at = 0; at < KERNEL_BYTES && !roots; at += KERNEL_PAGE)
		if (le64_get(kernel_at(f->k, at)) > KERNEL_DIRECT_MAP &&
		    le64_get(kernel_at(f->k, at)) < KERNEL_DIRECT_MAP + KERNEL_BYTES &&
		    (le64_get(kernel_at(f->k, le64_get(kernel_at(f->k, at)) - KERNEL_DIRECT_MAP)) &
		     0xfff) == 0xf)
			roots = at;
	assert_int_not_equal(roots, 0);
	assert_true(has(f, ESSENTIAL_POINTED, roots, 1));
	assert_true(
		has(f, ESSENTIAL_POINTED, le64_get(kernel_at(f->k, roots)) - KERNEL_DIRECT_MAP, 1));
	free_fixture(f);
}

/* Without an image load (QEMU's cores) the image is found by _stext. */
static void test_image_by_stext(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){.no_image_load = true});

	find(f);
	assert_true(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE, KERNEL_IMAGE_BYTES));
	free_fixture(f);
}

static void test_nothing_known(void **state UNUSED)
{
	struct fixture *f = new_fixture(&(struct kernel_setup){.no_info = true});
	struct sending_order order;
	struct error err;

	find(f);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_next(f->parts[i], 0), f->core->map.max_mapnr);
	assert_int_equal(sending_order_init(&order, &f->km, &f->warnings, &err), 0);
	assert_int_equal(order.essential_count, 0);
	assert_int_equal(order.count, 1);
	assert_int_equal(order.extents[0].first, 0);
	assert_int_equal(order.extents[0].end, f->core->map.max_mapnr);
	sending_order_deinit(&order);
	free_fixture(f);
}

/* --- corrupt kernels --- */

/* Values that would make everything essential, or keep it busy for ever. */
static void test_bounds(void **state UNUSED)
{
	static const char *const more[] = {
		"LENGTH(mem_section)=18446744073709551615",
		"SIZE(prb_desc)=18446744073709551615",
		"SIZE(printk_info)=9223372036854775808",
		"OFFSET(prb_data_ring.data)=18446744073709551615",
	};

	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){.more = more[i]});

		add_symbols(f, false);
		le32_put(image_at(f, UNIT_SIZE_AT), UINT32_MAX);
		le32_put(image_at(f, NR_CPUS_AT), UINT32_MAX);
		find(f);
		assert_true(has(f, ESSENTIAL_IMAGE_DATA, KERNEL_IMAGE + TEXT_BYTES, 1));
		free_fixture(f);
	}
}

/* Stack pointers that lead nowhere. */
static void test_stacks_nowhere(void **state UNUSED)
{
	static const uint64_t rsp[] = {0, 8, UINT64_MAX, UINT64_C(0x7ffe00000000),
				       UINT64_C(0xffffeb0000000000)};
	struct fixture *f = new_fixture(&(struct kernel_setup){0});

	for (size_t i = 0; i < ARRAY_LEN(rsp); i++)
		kernel_add_cpu(f->k, rsp[i]);
	find(f);
	check_common(f);
	free_fixture(f);
}

/* --- a signal --- */

/* How often the program is asked before it is told to end. */
static unsigned asked, end_after;

static bool cancelled(void)
{
	return asked++ >= end_after;
}

/* Wherever it comes: nobody takes what was found so far for all there is. */
static void test_cancelled(void **state UNUSED)
{
	bool ended = true;

	for (end_after = 0; ended; end_after = end_after * 5 / 4 + 1) {
		struct fixture *f = new_fixture(&(struct kernel_setup){0});
		struct sending_order order;
		struct error err;
		int r;

		add_symbols(f, false);
		f->core = kernel_open(f->k);
		f->core->stop.signalled = cancelled;
		asked = 0;
		kmodel_init(&f->km, f->core, ALL, &f->warnings);
		r = sending_order_init(&order, &f->km, &f->warnings, &err);
		ended = asked > end_after;
		if (f->km.has_paging && ended)
			assert_int_equal(r, -ECANCELED);
		else
			assert_int_equal(r, 0);
		/* It is soon done. */
		assert_true(asked < end_after + 3000);
		sending_order_deinit(&order);
		free_fixture(f);
	}
	assert_true(end_after > 100);
}

/* --- the order --- */

static int by_first(const void *a, const void *b)
{
	const struct pfn_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* All pfns once, the essential ones in front, part by part. */
static void test_order(void **state UNUSED)
{
	for (unsigned named = 0; named < 2; named++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){.pages = 20001});
		struct sending_order order;
		uint64_t essential = 0, pfn = 0;
		struct error err;

		if (named)
			add_symbols(f, false);
		find(f);
		assert_int_equal(sending_order_init(&order, &f->km, &f->warnings, &err), 0);
		for (size_t i = 0; i < order.essential_count; i++) {
			bool any = false;

			essential += order.extents[i].end - order.extents[i].first;
			for (uint64_t p = order.extents[i].first; p < order.extents[i].end; p++)
				any |= has_any(f, p * KERNEL_PAGE);
			assert_true(any);
		}
		assert_int_equal(order.essential_pages, essential);
		assert_int_equal(order.data_count < order.essential_count, named);
		for (size_t i = order.essential_count; i < order.count; i++)
			for (uint64_t p = order.extents[i].first; p < order.extents[i].end; p++)
				assert_false(has_any(f, p * KERNEL_PAGE));
		qsort(order.extents, order.count, sizeof(*order.extents), by_first);
		for (size_t i = 0; i < order.count; i++) {
			assert_int_equal(order.extents[i].first, pfn);
			assert_true(order.extents[i].end > pfn);
			pfn = order.extents[i].end;
		}
		assert_int_equal(pfn, f->core->map.max_mapnr);
		sending_order_deinit(&order);
		free_fixture(f);
	}
}

static bool maps_nothing(const struct paging *p UNUSED, uint64_t vaddr UNUSED,
			 uint64_t *paddr_ret UNUSED, uint64_t *span_ret UNUSED)
{
	return false;
}

static size_t has_no_tables(const struct paging *p UNUSED, uint64_t *paddr UNUSED,
			    size_t max UNUSED, bool *all_ret)
{
	*all_ret = true;
	return 0;
}

/* As many CPUs and loads as a vmcore may have: words times loads is hours. */
static void test_many_stacks(void **state UNUSED)
{
	enum { CPU_NOTES = 20000, DESC_BYTES = 336, NOTE_BYTES = 20 + DESC_BYTES };
	struct vmcore core = {.page_bytes = KERNEL_PAGE, .map.max_mapnr = 4096};
	struct kmodel km = {.core = &core, .has_paging = true};
	struct arch arch = arch_x86_64;
	struct pageset *parts[ESSENTIAL_PARTS];
	struct warnings warnings = {0};
	struct error err;

	arch.translate = maps_nothing;
	arch.tables = has_no_tables;
	km.paging = (struct paging){.core = &core, .arch = &arch};
	core.elf.load_count = ELF_LOADS_MAX;
	core.elf.loads = calloc(ELF_LOADS_MAX, sizeof(*core.elf.loads));
	core.elf.notes.bytes = CPU_NOTES * NOTE_BYTES;
	core.elf.notes.held = calloc(CPU_NOTES, NOTE_BYTES);
	assert_non_null(core.elf.loads);
	assert_non_null(core.elf.notes.held);
	for (size_t i = 0; i < ELF_LOADS_MAX; i++)
		core.elf.loads[i] = (struct elf_load){.vaddr = 1 + i, .mem_bytes = 1};
	for (size_t i = 0; i < CPU_NOTES; i++) {
		uint8_t *note = core.elf.notes.held + i * NOTE_BYTES;

		le32_put(note, 5);
		le32_put(note + 4, DESC_BYTES);
		le32_put(note + 8, ELF_NT_PRSTATUS);
		memcpy(note + 12, "CORE", 5);
	}
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_new(core.map.max_mapnr, &parts[i], &err), 0);
	alarm(300); /* rather than for hours, on a machine that is busy */
	assert_int_equal(essential_find(&km, parts, &warnings, &err), 0);
	alarm(0);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(parts[i]);
	free(core.elf.loads);
	free(core.elf.notes.held);
}

static uint64_t walks;
static bool (*walk)(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
		    uint64_t *span_ret);

static bool count_walk(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
		       uint64_t *span_ret)
{
	walks++;
	return walk(p, vaddr, paddr_ret, span_ret);
}

static bool walked_enough(void)
{
	return walks > 1 << 23;
}

/* More memory than any machine has, all of it with struct pages that aren't there. */
static void test_no_struct_pages(void **state UNUSED)
{
	static const uint64_t nowhere[] = {KERNEL_VMEMMAP + (UINT64_C(1) << 40), 0};

	for (size_t n = 0; n < ARRAY_LEN(nowhere); n++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){0});
		const uint64_t sections = 1 << 20;
		struct pagemap *map = &f->km.pagemap;
		struct memmap *memory;
		struct arch counting;
		struct error err = {0};

		find(f);
		assert_int_equal(f->warnings.count, 0);
		memory = &f->core->map;
		map->mapnr = sections * KERNEL_SECTION_PAGES;
		memory->data[memory->data_count - 1].end = map->mapnr;
		free(map->section_vaddr);
		map->section_vaddr = calloc(sections, sizeof(*map->section_vaddr));
		assert_non_null(map->section_vaddr);
		for (size_t i = 0; i < sections; i++)
			map->section_vaddr[i] = nowhere[n];
		map->section_count = sections;

		walks = 0;
		counting = *f->km.paging.arch;
		walk = counting.translate;
		counting.translate = count_walk;
		f->km.paging.arch = &counting;
		f->km.paging.stop.signalled = walked_enough;
		assert_int_equal(essential_find(&f->km, f->parts, &f->warnings, &err), 0);
		/* Where there is no address there is nothing to look at, and so no end to be told.
		 */
		assert_int_equal(f->warnings.count, nowhere[n] ? 1 : 0);
		if (nowhere[n])
			assert_non_null(strstr(f->warnings.line[0], "131072 GiB of memory"));
		free_fixture(f);
	}
}

/* A CPU in an interrupt: its registers are on a stack that isn't where a task's would be, two pages
 * of it, between pages that aren't mapped; the task's stack is found through it. */
static void test_interrupt(void **state UNUSED)
{
	const uint64_t vaddr = UINT64_C(0xffffc90000803000);

	for (unsigned magic = 0; magic < 2; magic++) {
		struct fixture *f = new_fixture(&(struct kernel_setup){0});
		const uint64_t irq = kernel_alloc(f->k, 2 * KERNEL_PAGE, 256 << 10);
		const uint64_t task = kernel_alloc(f->k, STACK_BYTES, 256 << 10);

		kernel_map(f->k, vaddr, irq, 1);
		kernel_map(f->k, vaddr + KERNEL_PAGE, irq + KERNEL_PAGE, 1);
		for (uint64_t at = 0; at < STACK_BYTES; at += KERNEL_PAGE)
			kernel_map(f->k, UINT64_C(0xffffc90000a00000) + at, task + at, 1);
		le64_put(kernel_at(f->k, task), magic ? STACK_END_MAGIC : 1);
		/* Where it was, and on its stack a caller. */
		le64_put(kernel_at(f->k, irq + 2 * KERNEL_PAGE - 8), UINT64_C(0xffffc90000a03e10));
		le64_put(kernel_at(f->k, task + 0x3e18), KERNEL_IMAGE_VADDR + 0x9123);
		kernel_add_cpu(f->k, vaddr + 0xf08);
		add_symbols(f, false);
		find(f);
		check_common(f);
		assert_true(has(f, ESSENTIAL_POINTED, irq, 2 * KERNEL_PAGE));
		assert_int_equal(has(f, ESSENTIAL_POINTED, task, STACK_BYTES), magic);
		assert_int_equal(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + 0x9000, 1), magic);
		free_fixture(f);
	}
}

/* Words that all point at stacks: no more than a few are taken for interrupted. */
static void test_interrupts(void **state UNUSED)
{
	enum { STACKS = 12 };
	const uint64_t vaddr = UINT64_C(0xffffc90000803000), stacks = UINT64_C(0xffffc90000a00000);
	struct fixture *f = new_fixture(&(struct kernel_setup){0});
	const uint64_t irq = kernel_alloc(f->k, KERNEL_PAGE, 256 << 10);
	const uint64_t tasks = kernel_alloc(f->k, STACKS * STACK_BYTES, 256 << 10);
	unsigned found = 0;

	kernel_map(f->k, vaddr, irq, 1);
	for (uint64_t at = 0; at < STACKS * STACK_BYTES; at += KERNEL_PAGE)
		kernel_map(f->k, stacks + at, tasks + at, 1);
	for (unsigned i = 0; i < STACKS; i++) {
		le64_put(kernel_at(f->k, tasks + i * STACK_BYTES), STACK_END_MAGIC);
		le64_put(kernel_at(f->k, irq + i * 8), stacks + i * STACK_BYTES + 0x100);
	}
	kernel_add_cpu(f->k, vaddr + 8);
	add_symbols(f, false);
	find(f);
	for (unsigned i = 0; i < STACKS; i++)
		found += has(f, ESSENTIAL_POINTED, tasks + i * STACK_BYTES, STACK_BYTES);
	assert_int_equal(found, 4);
	free_fixture(f);
}

/* KASAN doubles stacks. A stack that is followed by another, or by nothing, isn't doubled. */
struct doubled {
	const char *name;
	uint64_t vaddr, pointer; /* of the stack, into it */
	uint64_t bytes;		 /* that are mapped */
	bool other;		 /* another stack begins after half of it */
	bool second_half;	 /* is found */
};

static const struct doubled doubled_stacks[] = {
	{"essential_find: finds a doubled stack by a pointer into its first half",
	 UINT64_C(0xffffc90000a00000), 0x2108, 2 * STACK_BYTES, false, true},
	{"essential_find: finds a doubled stack by a pointer into its second half",
	 UINT64_C(0xffffc90000a00000), STACK_BYTES + 0x2108, 2 * STACK_BYTES, false, true},
	{"essential_find: takes a stack that isn't aligned as doubled ones are for a single one",
	 UINT64_C(0xffffc90000a04000), 0x2108, 2 * STACK_BYTES, false, false},
	{"essential_find: takes a stack before another one for a single one",
	 UINT64_C(0xffffc90000a00000), 0x2108, 2 * STACK_BYTES, true, false},
};

static void test_doubled(void **state)
{
	const struct doubled *row = *state;
	struct fixture *f = new_fixture(&(struct kernel_setup){0});
	const uint64_t stack = kernel_alloc(f->k, 2 * STACK_BYTES, 256 << 10);

	for (uint64_t at = 0; at < row->bytes; at += KERNEL_PAGE)
		kernel_map(f->k, row->vaddr + at, stack + at, 1);
	le64_put(kernel_at(f->k, stack), STACK_END_MAGIC);
	if (row->other)
		le64_put(kernel_at(f->k, stack + STACK_BYTES), STACK_END_MAGIC);
	le64_put(kernel_at(f->k, stack + 2 * STACK_BYTES - 16), KERNEL_IMAGE_VADDR + 0x9123);
	kernel_add_cpu(f->k, row->vaddr + row->pointer);
	add_symbols(f, false);
	find(f);
	assert_true(has(f, ESSENTIAL_POINTED, stack, STACK_BYTES));
	assert_int_equal(has(f, ESSENTIAL_POINTED, stack + STACK_BYTES, STACK_BYTES),
			 row->second_half);
	assert_int_equal(has(f, ESSENTIAL_CALLERS, KERNEL_IMAGE + 0x9000, 1), row->second_half);
	free_fixture(f);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "essential_find: finds CPUs and tasks by the symbol table", test_named, NULL);
	unit_add(&u, "essential_find: finds them without", test_unnamed, NULL);
	unit_add(&u, "essential_find: knows code without a symbol table", test_unnamed_code, NULL);
	unit_add(&u, "essential_find: has the code that stacks return to", test_callers, NULL);
	unit_add(&u, "essential_find: leaves out what was freed of the image", test_freed_image,
		 NULL);
	unit_add(&u, "essential_find: has the memory sections", test_section_roots, NULL);
	unit_add(&u, "essential_find: finds an image that has no load", test_image_by_stext, NULL);
	unit_add(&u, "essential_find: is empty where nothing is known", test_nothing_known, NULL);
	unit_add(&u, "essential_find: is bounded on corrupt kernels", test_bounds, NULL);
	unit_add(&u, "essential_find: stands stack pointers that lead nowhere", test_stacks_nowhere,
		 NULL);
	unit_add(&u, "essential_find: takes seconds for any number of stacks and loads",
		 test_many_stacks, NULL);
	unit_add(&u, "essential_find: takes seconds where struct pages aren't there",
		 test_no_struct_pages, NULL);
	unit_add(&u, "essential_find: ends wherever it is told to", test_cancelled, NULL);
	unit_add(&u, "sending_order: has all pages once, the essential ones first", test_order,
		 NULL);
	unit_add(&u, "essential_find: finds the stack of a task that was interrupted",
		 test_interrupt, NULL);
	unit_add(&u, "essential_find: takes few stacks for interrupted", test_interrupts, NULL);
	UNIT_ADD_ROWS(&u, doubled_stacks, test_doubled);
	return unit_run(&u, "essential", argc, argv);
}
