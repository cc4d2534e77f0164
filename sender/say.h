/* What vmsend says to the operator about its input, and about a dump that was made. */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delivery_result;
struct dump_result;
struct vmcore;
struct warnings;

/* The warnings that came since the last call: *said of them were said. */
void say_warnings(const struct warnings *warnings, size_t *said);

/* What the vmcore lacks. */
void say_input(const struct vmcore *core);

/* VMCOREINFO is looked for in so much memory. In a crash kernel nobody sees otherwise why that
 * takes so long. */
void say_search(uint64_t bytes);

/* Why there were fewer threads than that. */
void say_threads(const struct dump_result *res, unsigned threads);

/* How much of a dump has to arrive before a dump that is cut short is of use. */
void say_essential(const struct dump_result *res, uint64_t page_bytes);

/* What the dump holds; `live`: of a kernel that ran on meanwhile. */
void say_summary(const struct dump_result *res, bool live, double seconds);

/* Where the dump is; `oneway`: as far as one side knows. */
void say_delivered(const struct dump_result *res, const struct delivery_result *d, bool oneway);

#endif
