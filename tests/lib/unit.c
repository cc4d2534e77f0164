/* Runs tests that were collected at run time.
 * Doesn't know what they test. */
#include "tests/lib/unit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void unit_add(struct unit *u, const char *name, CMUnitTestFunction test, const void *row)
{
	assert(u->count < ARRAY_LEN(u->tests));
	u->tests[u->count++] = (struct CMUnitTest){
		.name = name,
		.test_func = test,
		.initial_state = (void *)(uintptr_t)row, /* cmocka has no const */
	};
}

static void pass(void **state UNUSED)
{
}

void unit_skip(struct unit *u, const char *name, const char *reason)
{
	static char names[8][256];
	static size_t used;

	assert(used < ARRAY_LEN(names));
	snprintf(names[used], sizeof(names[used]), "%s # SKIP %s", name, reason);
	unit_add(u, names[used++], pass, NULL);
}

int unit_run(struct unit *u, const char *group, int argc, char **argv)
{
	static char pattern[256];

	if (argc > 1) {
		snprintf(pattern, sizeof(pattern), "*%s*", argv[1]);
		cmocka_set_test_filter(pattern);
	}
	if (!getenv("CMOCKA_MESSAGE_OUTPUT"))
		cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(group, u->tests, u->count, NULL, NULL);
}

char unit_task_state(int id)
{
	char path[64], line[256] = "", *name_end;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", id);
	stat = fopen(path, "re");
	if (!stat)
		return 0;
	if (!fgets(line, sizeof(line), stat)) /* it went meanwhile */
		line[0] = '\0';
	fclose(stat);
	name_end = strrchr(line, ')'); /* a name may have one, too */
	return name_end && name_end[1] == ' ' ? name_end[2] : 0;
}

uint32_t unit_random(uint32_t *state)
{
	/* xorshift32: never 0 from a state that isn't. */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

uint32_t unit_seed(void)
{
	const char *text = getenv("SEED");
	const unsigned long seed = text ? strtoul(text, NULL, 0) : 0;

	return (uint32_t)seed * 2654435761U + 1 ? (uint32_t)seed * 2654435761U + 1 : 1;
}

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

size_t unit_stride(size_t usual)
{
	const char *full = getenv("FULL");

	if (full && *full)
		return 1;
	return IS_SANITIZED ? usual * 4 + 1 : usual;
}
