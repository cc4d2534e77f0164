/* include/base/nearest.h: how far words are apart, and which one was meant. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/nearest.h"

struct distance {
	const char *name, *a, *b;
	size_t want;
};

/* clang-format off */
static const struct distance distances[] = {
	{"nearest_distance: is 0 from a word to itself", "strict", "strict", 0},
	{"nearest_distance: counts a letter too many", "stricct", "strict", 1},
	{"nearest_distance: counts a letter that lacks", "stict", "strict", 1},
	{"nearest_distance: counts another letter", "strick", "strict", 1},
	{"nearest_distance: counts exchanged neighbours once", "stritc", "strict", 1},
	{"nearest_distance: is a word's length from nothing", "", "strict", 6},
	{"nearest_distance: adds up", "kitten", "sitting", 3},
	{"nearest_distance: works with the longest words", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 1},
	{"nearest_distance: takes a longer word for far away", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a", 41},
};
/* clang-format on */

static void test_distance(void **state)
{
	const struct distance *row = *state;

	assert_int_equal(nearest_distance(row->a, strlen(row->a), row->b, strlen(row->b)),
			 row->want);
	assert_int_equal(nearest_distance(row->b, strlen(row->b), row->a, strlen(row->a)),
			 row->want);
}

static const char *const names[] = {"dump-level", NULL, "tls-ca", "tls-cert", "to", "verbose"};

struct meant {
	const char *name, *word;
	size_t want;
};

/* clang-format off */
static const struct meant meants[] = {
	{"nearest_name: finds the name itself", "tls-ca", 2},
	{"nearest_name: finds a name by its beginning", "dum", 0},
	{"nearest_name: takes no two letters for a beginning", "ve", ARRAY_LEN(names)},
	{"nearest_name: finds a name with a slip", "vrebose", 5},
	{"nearest_name: takes the nearest of several", "tls-crt", 3},
	{"nearest_name: finds nothing in a short word that is another", "at", ARRAY_LEN(names)},
	{"nearest_name: finds nothing in a word that is another", "frobnicate", ARRAY_LEN(names)},
	{"nearest_name: finds nothing in nothing", "", ARRAY_LEN(names)},
	{"nearest_name: allows three slips at the most", "dmupelvle", ARRAY_LEN(names)},
};
/* clang-format on */

static void test_meant(void **state)
{
	const struct meant *row = *state;

	assert_int_equal(nearest_name(row->word, strlen(row->word), names, ARRAY_LEN(names)),
			 row->want);
}

int main(int argc, char **argv)
{
	struct unit u = {.count = 0};

	UNIT_ADD_ROWS(&u, distances, test_distance);
	UNIT_ADD_ROWS(&u, meants, test_meant);
	return unit_run(&u, "nearest", argc, argv);
}
