/* What every unit test includes: cmocka, and tests that are made from the rows of tables. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"

/* The tests of a program, in order. */
struct unit {
	struct CMUnitTest tests[512];
	size_t count;
};

/* Add one. `name` finishes the sentence "it ..."; `row` is what the test finds at *state. */
void unit_add(struct unit *u, const char *name, CMUnitTestFunction test, const void *row);

/* Add one that can't be run here, and say why: TAP counts it as skipped. (cmocka's skip() counts as
 * a failure there.) */
void unit_skip(struct unit *u, const char *name, const char *reason);

/* Add one for each row of a table whose rows begin with `const char *name`. */
#define UNIT_ADD_ROWS(u, table, test)                                                              \
	do {                                                                                       \
		for (size_t row_ = 0; row_ < ARRAY_LEN(table); row_++)                             \
			unit_add(u, (table)[row_].name, test, &(table)[row_]);                     \
	} while (0)

/* Run them, or those whose names contain argv[1]. For main() to return. */
int unit_run(struct unit *u, const char *group, int argc, char **argv);

/* The same bytes each time for the same seed; SEED in the environment is mixed in by unit_seed().
 */
uint32_t unit_random(uint32_t *state);
uint32_t unit_seed(void);

/* What a process or thread does, as proc(5) has it: 'R' runs or wants to, 'Z' has ended, and so on;
 * 0: there is none. */
char unit_task_state(int id);

/* How far it is to the next of many bytes that are tried: 1 with FULL=1 in the environment; else
 * `usual`, or more under a sanitizer, which takes long for each, and for which all are much alike.
 */
size_t unit_stride(size_t usual);

#endif
