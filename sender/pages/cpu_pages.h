/* The pages of each CPU's own variables, and of the task that it runs: a part of the essential set.
 */
#ifndef CPU_PAGES_H
#define CPU_PAGES_H

struct finder;
struct kallsyms_symbol;

/* Add them, by the symbols of finder.h (SYM_COUNT of them); nothing where those of per-CPU areas
 * aren't found. 128 MiB at the most. */
void cpu_pages_add(struct finder *e, const struct kallsyms_symbol *sym);

#endif
