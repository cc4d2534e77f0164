/* The pages of the kernel log: a part of the essential set. */
#ifndef LOG_PAGES_H
#define LOG_PAGES_H

struct finder;

/* Add the log's buffer, and what describes it, as far as they can be found; 64 MiB of each array at
 * the most. */
void log_pages_add(struct finder *e);

#endif
