/* receiver/retention/rules.h, reckoning.h and ratios.h. */
#include "receiver/retention/rules.h"
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver/retention/ratios.h"
#include "receiver/retention/reckoning.h"
#include "tests/lib/scratch.h"

enum { DAY = 86400, HOUR = 3600, MANY = 12 };

#define NOW ((int64_t)20000 * DAY)

/* A dump: host, age in days (negative: from the future), size, and letters: i incomplete, p pinned,
 * b busy, e without pages, r its last bytes came just now. */
struct given {
	const char *host;
	int age;
	unsigned size;
	const char *is;
};

static struct stored stored_of(const struct given *g)
{
	struct stored d = {.host = g->host,
			   .time_s = NOW - (int64_t)g->age * DAY,
			   .number = 1,
			   .bytes = g->size};
	const char *is = g->is ? g->is : "";

	d.complete = !strchr(is, 'i');
	d.has_pages = !strchr(is, 'e');
	d.pinned = strchr(is, 'p');
	d.busy = strchr(is, 'b');
	d.changed_s = strchr(is, 'r') ? NOW - 60 : d.time_s;
	snprintf(d.name, sizeof(d.name), "%s%d", g->host, g->age);
	return d;
}

static const struct rule_row {
	const char *name;
	struct rules rules;
	struct given dumps[MANY];
	const char *gone; /* "HOSTAGE:rule ", the oldest of each host first */
	int64_t even_s;
} rows[] = {
	{"takes nothing without rules", {0}, {{"a", 9000, 1, ""}, {"a", 1, 1, ""}}, "", 0},
	{"takes by age what is a day too old, and not a second earlier",
	 {.keep_days = 30},
	 {{"a", 31, 1, ""}, {"a", 30, 1, ""}, {"a", 29, 1, ""}},
	 "a31:keep-days a30:keep-days ",
	 0},
	{"takes no dump by age that is pinned or busy",
	 {.keep_days = 30},
	 {{"a", 40, 1, "p"}, {"a", 41, 1, "b"}, {"a", 42, 1, ""}},
	 "a42:keep-days ",
	 0},
	{"takes incomplete dumps by the days of all where they have none of their own",
	 {.keep_days = 30},
	 {{"a", 40, 1, "i"}, {"a", 3, 1, "i"}},
	 "a40:keep-days ",
	 0},
	{"takes incomplete dumps by their own days, complete ones not",
	 {.keep_incomplete_days = 7},
	 {{"a", 8, 1, "i"}, {"a", 8, 1, ""}, {"a", 6, 1, "i"}},
	 "a8:keep-incomplete-days ",
	 0},
	{"counts the age of an incomplete dump from its last byte",
	 {.keep_incomplete_days = 7},
	 {{"a", 80, 1, "ir"}},
	 "",
	 0},
	{"counts ages from the time since which the clock goes evenly",
	 {.keep_days = 30, .keep_incomplete_days = 30},
	 {{"a", 400, 1, ""}, {"a", 390, 1, "i"}},
	 "",
	 NOW - DAY},
	{"takes nothing by age from the future",
	 {.keep_days = 30},
	 {{"a", -365, 1, ""}, {"a", -1, 1, ""}},
	 "",
	 0},
	{"keeps the newest complete dumps of each host by number",
	 {.keep_dumps = 2},
	 {{"a", 4, 1, ""},
	  {"a", 3, 1, ""},
	  {"a", 2, 1, ""},
	  {"a", 1, 1, "i"},
	  {"b", 9, 1, ""},
	  {"b", 8, 1, ""}},
	 "a4:keep-dumps ",
	 0},
	{"counts no pinned dump among those that are kept by number",
	 {.keep_dumps = 1},
	 {{"a", 4, 1, ""}, {"a", 3, 1, "p"}, {"a", 2, 1, ""}},
	 "a4:keep-dumps ",
	 0},
	{"takes a dump from the future before those that have come since",
	 {.keep_dumps = 1},
	 {{"a", -365, 1, ""}, {"a", 1, 1, ""}},
	 "a-365:keep-dumps ",
	 0},
	{"makes room by a host's number, the oldest first, pinned and busy ones left",
	 {.host_dumps = 3},
	 {{"a", 6, 1, "p"}, {"a", 5, 1, "b"}, {"a", 4, 1, ""}, {"a", 3, 1, ""}, {"a", 0, 1, "ib"}},
	 "a4:host-dumps a3:host-dumps ",
	 0},
	{"counts no log without a dump",
	 {.host_dumps = 1},
	 {{"a", 4, 1, "ie"}, {"a", 3, 1, ""}},
	 "",
	 0},
	{"takes a host's newest complete dump last",
	 {.host_quota_bytes = 10},
	 {{"a", 6, 5, ""}, {"a", 5, 4, "i"}, {"a", 4, 8, ""}},
	 "a6:host-quota a5:host-quota ",
	 0},
	{"takes a host's newest complete dump where nothing else is left",
	 {.host_quota_bytes = 10},
	 {{"a", 4, 8, ""}, {"a", 0, 8, "ib"}},
	 "a4:host-quota ",
	 0},
	{"leaves a dump by limits whose sender may come back within the hour",
	 {.host_quota_bytes = 10},
	 {{"a", 6, 9, "ir"}, {"a", 5, 9, ""}},
	 "a5:host-quota ",
	 0},
	{"takes by the quota of all from the host that has most, not the oldest of all",
	 {.quota_bytes = 100},
	 {{"a", 90, 30, ""}, {"a", 80, 10, ""}, {"b", 3, 40, ""}, {"b", 2, 40, ""}},
	 "b3:quota ",
	 0},
	{"takes by the number of all from the host that has most",
	 {.total_dumps = 3},
	 {{"a", 90, 99, ""}, {"b", 3, 1, ""}, {"b", 2, 1, ""}, {"b", 1, 1, ""}},
	 "b3:total-dumps ",
	 0},
	{"leaves each host its newest complete dump by the limits of all",
	 {.quota_bytes = 10},
	 {{"a", 2, 30, ""}, {"b", 3, 40, ""}, {"c", 1, 20, "i"}},
	 "c1:quota ",
	 0},
	{"tells the first rule that takes a dump",
	 {.keep_days = 5, .keep_dumps = 1, .host_dumps = 1},
	 {{"a", 6, 1, ""}, {"a", 4, 1, ""}, {"a", 3, 1, "i"}, {"a", 2, 1, ""}},
	 "a6:keep-days a4:keep-dumps a3:host-dumps ",
	 0},
};

static size_t make(const struct given *given, struct stored *dumps)
{
	size_t n = 0;

	for (; n < MANY && given[n].host; n++)
		dumps[n] = stored_of(&given[n]);
	return n;
}

static void applies(void **state)
{
	const struct rule_row *row = *state;
	const struct moment at = {NOW, row->even_s};
	struct stored dumps[MANY];
	const size_t count = make(row->dumps, dumps);
	char gone[400] = "";

	rules_apply(&row->rules, &at, dumps, count);
	for (size_t i = 0; i < count; i++)
		if (dumps[i].gone)
			snprintf(gone + strlen(gone), sizeof(gone) - strlen(gone), "%s:%s ",
				 dumps[i].name, rule_name(dumps[i].gone));
	assert_string_equal(gone, row->gone);
}

static void tells_excess(void **state UNUSED)
{
	const struct given given[MANY] = {{"a", 3, 50, "p"}, {"a", 2, 50, "ib"}, {"b", 1, 70, ""}};
	const struct moment at = {NOW, 0};
	struct rules rules = {.host_quota_bytes = 90};
	struct stored dumps[MANY];
	const size_t count = make(given, dumps);
	uint64_t over;

	rules_apply(&rules, &at, dumps, count);
	assert_int_equal(rules_exceeded(&rules, dumps, count, "a", &over), RULE_HOST_QUOTA);
	assert_int_equal(over, 10);
	assert_int_equal(rules_exceeded(&rules, dumps, count, "b", &over), RULE_NONE);
	rules = (struct rules){.quota_bytes = 160};
	rules_apply(&rules, &at, dumps, count);
	assert_int_equal(rules_exceeded(&rules, dumps, count, "b", &over), RULE_QUOTA);
	assert_int_equal(over, 10);
	rules = (struct rules){.total_dumps = 2};
	rules_apply(&rules, &at, dumps, count);
	assert_int_equal(rules_exceeded(&rules, dumps, count, "b", &over), RULE_TOTAL_DUMPS);
	assert_int_equal(over, 1);
}

static void counts_reserved(void **state UNUSED)
{
	const struct given given[MANY] = {{"a", 3, 50, ""}, {"a", 0, 1, "ib"}};
	const struct moment at = {NOW, 0};
	const struct rules rules = {.host_quota_bytes = 90};
	struct stored dumps[MANY];
	const size_t count = make(given, dumps);

	dumps[1].reserved_bytes = 41;
	rules_apply(&rules, &at, dumps, count);
	assert_int_equal(dumps[0].gone, RULE_HOST_QUOTA);
	dumps[1].reserved_bytes = 40;
	rules_apply(&rules, &at, dumps, count);
	assert_int_equal(dumps[0].gone, RULE_NONE);
}

/* A thousand hosts of a hundred dumps, of which most go: this ends. */
static void is_quick(void **state UNUSED)
{
	enum { HOSTS = 1000, EACH = 100 };
	static char names[HOSTS][8];
	struct stored *dumps = calloc((size_t)HOSTS * EACH, sizeof(*dumps));
	const struct moment at = {NOW, 0};
	const struct rules rules = {.total_dumps = HOSTS};
	size_t gone = 0;

	for (size_t i = 0; i < (size_t)HOSTS * EACH; i++) {
		snprintf(names[i % HOSTS], sizeof(names[0]), "%zu", i % HOSTS);
		dumps[i] = (struct stored){.host = names[i % HOSTS],
					   .time_s = NOW - (int64_t)i,
					   .complete = true,
					   .has_pages = true,
					   .bytes = 1};
	}
	rules_apply(&rules, &at, dumps, (size_t)HOSTS * EACH);
	for (size_t i = 0; i < (size_t)HOSTS * EACH; i++)
		gone += dumps[i].gone != RULE_NONE;
	assert_int_equal(gone, (size_t)HOSTS * (EACH - 1));
	free(dumps);
}

/* --- the clock ------------------------------------------------------------------------------ */

static const struct clock_row {
	const char *name;
	int64_t step_s;
	unsigned keep_days;
	bool stepped;
} clock_rows[] = {
	{"takes an hour for an hour", HOUR, 30, false},
	{"takes a daily timer that is late for no step", 2 * DAY, 1, false},
	{"takes more than two days for a step", 2 * DAY + 1, 1, true},
	{"takes a quarter of keep-days for no step", 90 * DAY, 360, false},
	{"takes more than a quarter of keep-days for a step", 90 * DAY + 1, 360, true},
	{"takes a year for a step", 365 * DAY, 30, true},
	{"takes an hour back for no step", -HOUR, 30, false},
	{"takes more than an hour back for a step", -HOUR - 1, 30, true},
	{"takes a year back for a step", -365 * DAY, 30, true},
};

static void reckons(void **state)
{
	const struct clock_row *row = *state;
	struct reckoning r = {.seen_s = NOW, .even_s = 7};

	assert_int_equal(reckoning_look(&r, NOW + row->step_s, row->keep_days), row->stepped);
	assert_int_equal(r.seen_s, NOW + row->step_s);
	assert_int_equal(r.even_s, row->stepped ? NOW + row->step_s : 7);
}

static void first_look(void **state UNUSED)
{
	struct reckoning r = {0};

	assert_false(reckoning_look(&r, NOW, 30));
	assert_int_equal(r.seen_s, NOW);
	assert_int_equal(r.even_s, 0);
}

/* Forth and back a year, with a dump of each time: none goes but by days that have passed. */
static void survives_steps(void **state UNUSED)
{
	const struct rules rules = {.keep_days = 30};
	struct reckoning r = {0};
	struct stored dumps[MANY];
	size_t count = 1;

	dumps[0] = stored_of(&(struct given){"a", 20, 1, ""});
	for (int i = 0; i < 6; i++) {
		const int64_t now_s = NOW + (i % 2 ? 365 : 0) * (int64_t)DAY + i * HOUR;
		struct moment at;

		(void)reckoning_look(&r, now_s, rules.keep_days);
		at = (struct moment){now_s, r.even_s};
		dumps[count] = dumps[0];
		dumps[count++].time_s = now_s;
		rules_apply(&rules, &at, dumps, count);
		for (size_t k = 0; k < count; k++)
			assert_int_equal(dumps[k].gone, RULE_NONE);
	}
}

static void keeps_clock(void **state UNUSED)
{
	const char *dir = scratch_path("state");
	const struct reckoning w = {.seen_s = NOW, .even_s = NOW - 5};
	const char *const wrong[] = {"", "seen", "seen 5 even", "seen -5 even 3\n",
				     "even 1 seen 2"};
	struct reckoning r = {1, 1};
	char path[200];
	int fd;

	mkdir(dir, 0700);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	reckoning_read(fd, &r);
	assert_int_equal(r.seen_s | r.even_s, 0);
	assert_int_equal(reckoning_write(fd, &w), 0);
	reckoning_read(fd, &r);
	assert_memory_equal(&r, &w, sizeof(r));
	snprintf(path, sizeof(path), "%s/clock", dir);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		file_write(path, wrong[i], strlen(wrong[i]));
		reckoning_read(fd, &r);
		assert_int_equal(r.seen_s | r.even_s, 0);
	}
	unlink(path);
	rmdir(dir);
	close(fd);
}

/* --- ratios --------------------------------------------------------------------------------- */

#define GIB ((uint64_t)1 << 30)

static void expects(void **state UNUSED)
{
	struct ratios r = {0};

	assert_int_equal(ratios_expect(&r, 31, 8 * GIB),
			 4 * GIB + (16 << 20)); /* nothing is known */
	ratios_learn(&r, 31, GIB, 8 * GIB);
	assert_int_equal(r.of[31], 125);
	assert_true(ratios_expect(&r, 31, 8 * GIB) > GIB + GIB / 4);
	assert_true(ratios_expect(&r, 31, 8 * GIB) < GIB + GIB / 2);
	/* another level */
	assert_int_equal(ratios_expect(&r, 1, 8 * GIB), 4 * GIB + (16 << 20));
	assert_int_equal(ratios_expect(&r, 31, 1 << 20), 1 << 20); /* never more than announced */
	ratios_learn(&r, 31, 4 * GIB, 8 * GIB);
	assert_int_equal(r.of[31], 500); /* more counts at once */
	ratios_learn(&r, 31, 0, 8 * GIB);
	assert_int_equal(r.of[31], 438); /* less little by little */
	ratios_learn(&r, 31, 80 * GIB, 8 * GIB);
	assert_int_equal(r.of[31], 1000);
	assert_int_equal(ratios_expect(&r, 31, 8 * GIB), 8 * GIB);
	ratios_learn(&r, 32, GIB, GIB); /* there is no such level */
	ratios_learn(&r, 5, GIB, 0);
	assert_int_equal(r.of[5], 0);
	assert_int_equal(ratios_expect(&r, 99, GIB), GIB / 2 + (16 << 20));
	assert_int_equal(ratios_expect(&r, 31, UINT64_MAX), UINT64_MAX);
}

static void keeps_ratios(void **state UNUSED)
{
	const char *dir = scratch_path("state");
	struct ratios w = {.of = {[0] = 1000, [1] = 7, [31] = 125}}, r;
	char path[200];
	int fd;

	mkdir(dir, 0700);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(ratios_write(fd, &w), 0);
	ratios_read(fd, &r);
	assert_memory_equal(&r, &w, sizeof(r));
	snprintf(path, sizeof(path), "%s/ratios", dir);
	file_write(path, "31 2000\nx\n40 5\n3 9", 18);
	ratios_read(fd, &r);
	w = (struct ratios){.of = {[3] = 9}};
	assert_memory_equal(&r, &w, sizeof(r));
	unlink(path);
	rmdir(dir);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, applies);
	unit_add(&u, "tells by how much which limit is exceeded", tells_excess, NULL);
	unit_add(&u, "counts what a dump has reserved", counts_reserved, NULL);
	unit_add(&u, "chooses among 100,000 dumps in no time", is_quick, NULL);
	UNIT_ADD_ROWS(&u, clock_rows, reckons);
	unit_add(&u, "takes the first look for no step", first_look, NULL);
	unit_add(&u, "takes no dump by age while the clock steps by years", survives_steps, NULL);
	unit_add(&u, "keeps the clock in a file, and trusts no wrong one", keeps_clock, NULL);
	unit_add(&u, "expects a little more than dumps have become", expects, NULL);
	unit_add(&u, "keeps ratios in a file, and trusts no wrong ones", keeps_ratios, NULL);
	return unit_run(&u, "retention/rules", argc, argv);
}
