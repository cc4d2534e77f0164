/*
 * How much of what senders announced their dumps have become, for each dump level. A sender's bound
 * counts all pages uncompressed; a reservation of that would keep others out for nothing.
 */
#ifndef RATIOS_H
#define RATIOS_H

#include <stdint.h>

enum { RATIOS_LEVELS = 32 };

/* In thousandths; 0: no dump of that level has come. */
struct ratios {
	uint16_t of[RATIOS_LEVELS];
};

/* A dump of that level has become `bytes`, of `bound_bytes` that were announced. A larger share
 * counts at once, a smaller one little by little. */
void ratios_learn(struct ratios *r, unsigned level, uint64_t bytes, uint64_t bound_bytes);

/* What to reserve for a dump: a quarter and 16 MiB more than such dumps have become, or a half
 * where none has come; and never more than was announced. */
uint64_t ratios_expect(const struct ratios *r, unsigned level, uint64_t bound_bytes);

/* Read and write them: DIR/.vmrecv/ratios, `dir_fd` is DIR/.vmrecv. Nothing known where the file
 * isn't there, or isn't right. The second returns 0 or -errno. */
void ratios_read(int dir_fd, struct ratios *r_ret);
int ratios_write(int dir_fd, const struct ratios *r);

#endif
