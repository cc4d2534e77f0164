/* Extents to chunks.
 * Doesn't know why the extents are in this order, nor reads any page. */
#include "sender/pages/plan.h"

#include <errno.h>

#include "base/checked.h"
#include "sender/pages/pageset.h"

struct plan_extent {
	uint64_t first_rank, pages;
	uint64_t first_chunk;
};

struct plan {
	const struct pageset *set;
	struct plan_extent *extents; /* those without pages left out */
	size_t extent_count;
	uint64_t chunk_count;
	uint32_t chunk_pages;
};

int plan_new(const struct pageset *set, const struct pfn_range *extents, size_t count,
	     uint32_t pages, struct plan **plan_ret, struct error *err)
{
	AUTO(plan_free) struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return error_set(err, -ENOMEM, "out of memory for the sending order");
	plan->set = set;
	plan->chunk_pages = pages;
	plan->extents = calloc(count + 1, sizeof(*plan->extents));
	if (!plan->extents)
		return error_set(err, -ENOMEM, "out of memory for %zu extents", count);
	for (size_t i = 0; i < count; i++) {
		const uint64_t rank = pageset_rank(set, extents[i].first);
		const uint64_t members = pageset_rank(set, extents[i].end) - rank;

		if (members == 0)
			continue;
		plan->extents[plan->extent_count++] = (struct plan_extent){
			.first_rank = rank, .pages = members, .first_chunk = plan->chunk_count};
		plan->chunk_count += div_round_up(members, pages);
	}
	*plan_ret = TAKE_PTR(plan);
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->extents);
	free(plan);
}

uint64_t plan_chunk_count(const struct plan *plan)
{
	return plan->chunk_count;
}

/* The extent that chunk k < plan_chunk_count() is of. */
static const struct plan_extent *extent_of(const struct plan *plan, uint64_t k)
{
	size_t low = 0, high = plan->extent_count;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (plan->extents[middle].first_chunk <= k)
			low = middle;
		else
			high = middle;
	}
	return &plan->extents[low];
}

struct plan_chunk plan_chunk(const struct plan *plan, uint64_t k)
{
	const struct plan_extent *e = extent_of(plan, k);
	const uint64_t done = (k - e->first_chunk) * plan->chunk_pages;

	return (struct plan_chunk){
		.first_pfn = pageset_select(plan->set, e->first_rank + done),
		.first_rank = e->first_rank + done,
		.pages = (uint32_t)MIN((uint64_t)plan->chunk_pages, e->pages - done),
	};
}

uint64_t plan_pages_before(const struct plan *plan, uint64_t k)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < plan->extent_count && plan->extents[i].first_chunk < k; i++)
		pages += MIN(plan->extents[i].pages,
			     (k - plan->extents[i].first_chunk) * plan->chunk_pages);
	return pages;
}
