/* Which pages go into the dump.
 * Doesn't know their order, nor what they hold. */
#include "filter.h"

#include "pageset.h"
#include "vmcore.h"

int filter_run(const struct vmcore *core, unsigned level UNUSED, struct pageset **pages_ret,
	       struct error *err)
{
	struct pageset *pages;
	int r = pageset_new(core->map.max_mapnr, &pages, err);

	if (r < 0)
		return r;
	/* A page of which the core has no data was left out by who made the core (makedumpfile -E).
	 */
	for (size_t i = 0; i < core->map.data_count; i++)
		pageset_add(pages, core->map.data[i].first, core->map.data[i].end);
	pageset_index(pages);
	*pages_ret = pages;
	return 0;
}
