/* The pages of the CPUs' stacks, by the registers in the vmcore's notes: a part of the essential
 * set. */
#ifndef STACK_PAGES_H
#define STACK_PAGES_H

#include <stdbool.h>

#include "base/error.h"

struct finder;

/*
 * Add the stack of each CPU, and to ESSENTIAL_CALLERS the code that it returns to. Where the tasks
 * aren't known by name (`named` is false), add what stacks and registers point at, too: a task's
 * struct is among it. Bounded in pages and in time. Fails -ENOMEM.
 */
NODISCARD int stack_pages_add(struct finder *e, bool named, struct error *err);

#endif
