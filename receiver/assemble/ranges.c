/* A sorted array of byte ranges.
 * Doesn't know what the bytes are. */
#include "receiver/assemble/ranges.h"

#include <errno.h>
#include <string.h>

void ranges_init(struct ranges *set)
{
	*set = (struct ranges){0};
}

void ranges_deinit(struct ranges *set)
{
	free(set->items);
	*set = (struct ranges){0};
}

void ranges_clear(struct ranges *set)
{
	set->count = set->last = 0;
}

/* Whether item i is the first that ends at `at` or later; i == count stands for "none does". */
static bool is_first_ending_from(const struct ranges *set, size_t i, uint64_t at)
{
	return i <= set->count && (i == set->count || set->items[i].end >= at) &&
	       (i == 0 || set->items[i - 1].end < at);
}

/* The index of the first item that ends at `at` or later, or count. */
static size_t first_ending_from(struct ranges *set, uint64_t at)
{
	size_t low = 0, high = set->count;

	if (is_first_ending_from(set, set->last, at))
		return set->last;
	if (is_first_ending_from(set, set->last + 1, at))
		return ++set->last;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (set->items[middle].end < at)
			low = middle + 1;
		else
			high = middle;
	}
	set->last = low;
	return low;
}

static int make_room(struct ranges *set, struct error *err)
{
	const size_t room = set->room ? 2 * set->room : 64;
	struct range *items;

	if (set->count < set->room)
		return 0;
	if (set->count >= RANGES_MAX)
		return error_set(err, -EFBIG, "the data comes in more than %d separate pieces",
				 RANGES_MAX);
	items = reallocarray(set->items, room, sizeof(*items));
	if (!items)
		return error_set(err, -ENOMEM, "out of memory for %zu ranges", room);
	set->items = items;
	set->room = room;
	return 0;
}

int ranges_add(struct ranges *set, uint64_t begin, uint64_t end, struct error *err)
{
	const size_t first = first_ending_from(set, begin);
	size_t past = first;
	int r;

	/* The new range overlaps or touches the items [first, past), and replaces them. */
	while (past < set->count && set->items[past].begin <= end)
		past++;
	if (past == first) {
		r = make_room(set, err);
		if (r < 0)
			return r;
		memmove(set->items + first + 1, set->items + first,
			(set->count - first) * sizeof(*set->items));
		set->items[first] = (struct range){.begin = begin, .end = end};
		set->count++;
		return 0;
	}
	begin = MIN(begin, set->items[first].begin);
	end = MAX(end, set->items[past - 1].end);
	set->items[first] = (struct range){.begin = begin, .end = end};
	memmove(set->items + first + 1, set->items + past,
		(set->count - past) * sizeof(*set->items));
	set->count -= past - first - 1;
	return 0;
}

bool ranges_cover(struct ranges *set, uint64_t begin, uint64_t end)
{
	size_t i;

	if (begin >= end)
		return true;
	i = first_ending_from(set, end);
	return i < set->count && set->items[i].begin <= begin;
}

bool ranges_first_in(struct ranges *set, uint64_t begin, uint64_t end, struct range *part_ret)
{
	size_t i;

	if (begin >= end)
		return false;
	i = first_ending_from(set, begin + 1);
	if (i == set->count || set->items[i].begin >= end)
		return false;
	*part_ret = (struct range){.begin = MAX(begin, set->items[i].begin),
				   .end = MIN(end, set->items[i].end)};
	return true;
}
