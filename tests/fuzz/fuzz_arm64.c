/* Any page tables of arm64: walks, lists of tables, the model, the filter and the essential set end
 * and stay in their bounds.
 *
 * The input is a made-up kernel that is changed: the number of its layout, a dump level, then
 *   'i' LENGTH text             lines put in front of VMCOREINFO, which come first
 *   'e' PAGE(2) INDEX(2) ENTRY(8)     8 bytes of a page of memory
 *   'l' LEVEL VADDR(8) ENTRY(8)       in the table by which a walk to vaddr goes
 *   'v' VADDR(8)                an address to translate */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/reader.h"
#include "sender/kernel/image.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/pages/sending_order.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/armkernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ADDRESSES_MAX = 64,
	TABLES_MAX = 512,
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* --- the kernel --- */

static char *take_info(struct rd *r)
{
	const uint8_t *p = rd_left(r) > 2 ? r->pos : NULL;

	if (!p || p[0] != 'i' || rd_left(r) < 2U + p[1])
		return NULL;
	rd_bytes(r, 2);
	return strndup((const char *)rd_bytes(r, p[1]), p[1]);
}

/* The entry of that level on a walk, where all tables above it are in memory. */
static void put_on_walk(struct arm_kernel *k, uint64_t vaddr, unsigned level, uint64_t entry)
{
	const uint64_t before = k->used;

	level = 1 + level % arm_levels(k);
	/* Each may need a table for each level. */
	if (k->used + ((uint64_t)ARCH_LEVELS_MAX << k->layout.page_shift) <= ARM_MEMORY_BYTES)
		le64_put(arm_entry(k, vaddr | arm_lowest(k->layout.top), level), entry);
	must(k->used >= before);
}

struct addresses {
	uint64_t vaddr[ADDRESSES_MAX];
	size_t count;
};

/* A change that needs tables as they were made; others are passed over. */
static bool change_walks(struct arm_kernel *k, struct rd *r, struct addresses *to_ask)
{
	const uint8_t *op = rd_bytes(r, 1), *p;

	if (!op)
		return false;
	switch (*op) {
	case 'e':
		return rd_bytes(r, 12);
	case 'l':
		p = rd_bytes(r, 17);
		if (p)
			put_on_walk(k, le64_get(p + 1), p[0], le64_get(p + 9));
		return p;
	case 'v':
		p = rd_bytes(r, 8);
		if (p && to_ask->count < ADDRESSES_MAX)
			to_ask->vaddr[to_ask->count++] = le64_get(p);
		return p;
	default:
		return true;
	}
}

/* A change of memory, after which tables lead anywhere. */
static bool change_memory(struct arm_kernel *k, struct rd *r)
{
	const uint8_t *op = rd_bytes(r, 1), *p;

	if (!op)
		return false;
	switch (*op) {
	case 'e':
		p = rd_bytes(r, 12);
		if (p) {
			const uint64_t at = ((uint64_t)le16_get(p) << k->layout.page_shift) +
					    le16_get(p + 2) * 8ULL;

			memcpy(k->memory + at % (ARM_MEMORY_BYTES - 8), p + 4, 8);
		}
		return p;
	case 'l':
		return rd_bytes(r, 17);
	case 'v':
		return rd_bytes(r, 8);
	default:
		return true;
	}
}

/* --- what must hold --- */

static void check_address(const struct paging *p, uint64_t vaddr)
{
	uint64_t paddr, other, span, tables[ARCH_LEVELS_MAX];
	uint8_t byte;

	if (paging_translate(p, vaddr, &paddr, &span)) {
		must(span > 0 && paddr < UINT64_C(1) << 52);
		must(span == 1 ||
		     (paging_translate(p, vaddr + span - 1, &other, &span) && span == 1));
	}
	if (paging_code(p, vaddr, &span))
		must(paging_translate(p, vaddr, &paddr, &other) && other == span);
	must(!paging_read(p, vaddr, &byte, 1) || paging_translate(p, vaddr, &paddr, &span));
	must(paging_path(p, vaddr, tables, &span) <= ARCH_LEVELS_MAX);
	if (paging_direct(p, vaddr, &paddr))
		must(paging_path(p, paddr, tables, &span) <= p->levels);
}

static void check_tables(const struct paging *p, const struct addresses *to_ask)
{
	uint64_t tables[TABLES_MAX];
	bool all;

	must(paging_tables(p, tables, TABLES_MAX, &all) <= TABLES_MAX);
	for (size_t i = 0; i < to_ask->count; i++)
		check_address(p, to_ask->vaddr[i]);
	image_by_tables(p);
}

static void check_model(const struct vmcore *core, unsigned level)
{
	struct filter_setup setup = {.exclude = page_classes_of_level(level)};
	struct warnings warnings = {0};
	struct filter_result result;
	struct pageset *pages = NULL;
	struct sending_order order;
	struct kmodel km;
	struct error err;
	uint64_t sent = 0;

	kmodel_init(&km, core, setup.exclude, &warnings);
	setup.km = &km;
	must((kmodel_served_level(&km, level) & ~level) == 0);
	must(filter_run(&setup, &pages, &result, &warnings, &err) == 0);
	pageset_free(pages);
	must(sending_order_init(&order, &km, &warnings, &err) == 0);
	for (size_t i = 0; i < order.count; i++)
		sent += order.extents[i].end - order.extents[i].first;
	must(sent == core->map.max_mapnr);
	sending_order_deinit(&order);
	kmodel_deinit(&km);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size), changes;
	const uint8_t *choice = rd_bytes(&r, 2);
	AUTO_FREE char *info = NULL;
	struct addresses to_ask = {0};
	struct arm_kernel *k;
	struct error err;

	if (!choice)
		return 0;
	info = take_info(&r);
	k = arm_new(&arm_layouts[choice[0] % arm_layout_count]);
	changes = r;
	while (change_walks(k, &r, &to_ask))
		;
	while (change_memory(k, &changes))
		;
	if (arm_open(k, NULL, info, &err) == 0)
		check_tables(&k->paging, &to_ask);
	if (k->layout.ram == ARM_RAM)
		check_model(k->core, choice[1] % (LEVEL_MAX + 1));
	arm_free(k);
	return 0;
}
