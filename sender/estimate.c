/* The size of a dump that isn't made.
 * Doesn't know destinations. */
#include "sender/estimate.h"

#include "base/clock.h"
#include "sender/kernel/find_info.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/machine/meminfo.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"

/* A machine with much memory has many struct pages, and somebody waits for the probe. */
enum { LOOK_MS = 20000 };

/* Bytes of the pages that are left in; 0: that can't be told. */
static uint64_t count_pages(const struct estimate_setup *setup)
{
	const unsigned exclude = page_classes_of_level(setup->level);
	AUTO(pageset_free) struct pageset *pages = NULL;
	struct vmcore *core = NULL;
	struct warnings warnings = {0}; /* a dump will say them */
	struct filter_result result;
	struct kmodel km;
	struct error err;
	uint64_t bytes = 0, until_ms = clock_ms() + LOOK_MS;
	struct filter_setup filter = {.km = &km, .exclude = exclude, .threads = setup->threads};

	if (vmcore_open(setup->core, setup->access, &core, &err) < 0)
		return 0;
	filter.stop = setup->stop;
	if (!filter.stop.deadline_ms || filter.stop.deadline_ms > until_ms)
		filter.stop.deadline_ms = until_ms;
	core->stop = filter.stop;
	if (find_info(core, NULL, &warnings, &err) == 0) {
		kmodel_init(&km, core, exclude, &warnings);
		if (filter_run(&filter, &pages, &result, &warnings, &err) == 0 &&
		    !stop_is_due(&setup->stop))
			bytes = pageset_count(pages) * core->page_bytes;
		kmodel_deinit(&km);
	}
	vmcore_free(core);
	return bytes;
}

/* All memory, but for what the kernel counts of the classes that are left out. */
static uint64_t bound(const struct estimate_setup *setup)
{
	static const struct {
		unsigned level;
		const char *key;
	} left_out[] = {
		{LEVEL_FREE, "MemFree:"},
		{LEVEL_USER, "AnonPages:"},
		{LEVEL_CACHE | LEVEL_CACHE_PRIVATE, "Cached:"},
		{LEVEL_CACHE | LEVEL_CACHE_PRIVATE, "Buffers:"},
	};
	uint64_t bytes = meminfo_value(setup->meminfo, "MemTotal:");

	for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
		if ((setup->level & left_out[i].level) == left_out[i].level)
			bytes -= MIN(bytes, meminfo_value(setup->meminfo, left_out[i].key));
	return bytes;
}

struct probe_need estimate_dump(const struct estimate_setup *setup)
{
	struct probe_need need = {.pages_bytes = count_pages(setup)};

	if (!need.pages_bytes) {
		need.pages_bytes = bound(setup);
		need.is_bound = true;
	}
	need.bytes = setup->compressed ? need.pages_bytes / 2 : need.pages_bytes;
	return need;
}
