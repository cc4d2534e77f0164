/* What dumps have become.
 * Doesn't know the dumps. */
#include "receiver/retention/ratios.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

enum {
	WHOLE = 1000,
	UNKNOWN = 400, /* what a fast codec makes of most memory; a quarter more makes it a half */
	FADE = 8,      /* a smaller share counts for an eighth */
	ROOM = 1024,
};

#define SLACK_BYTES ((uint64_t)16 << 20)

static const char file_name[] = "ratios", new_name[] = "ratios.new";

void ratios_learn(struct ratios *r, unsigned level, uint64_t bytes, uint64_t bound_bytes)
{
	unsigned share;

	if (level >= RATIOS_LEVELS || !bound_bytes)
		return;
	share = (unsigned)((long double)MIN(bytes, bound_bytes) * WHOLE / (long double)bound_bytes);
	share = MAX(share, 1U);
	if (share < r->of[level])
		share = r->of[level] - (r->of[level] - share) / FADE;
	r->of[level] = (uint16_t)share;
}

uint64_t ratios_expect(const struct ratios *r, unsigned level, uint64_t bound_bytes)
{
	long double bytes;

	const unsigned share =
		level < RATIOS_LEVELS && r->of[level] ? r->of[level] : (unsigned)UNKNOWN;

	bytes = (long double)bound_bytes * share * 5 / 4 / WHOLE + (long double)SLACK_BYTES;
	return bytes < (long double)bound_bytes ? (uint64_t)bytes : bound_bytes;
}

void ratios_read(int dir_fd, struct ratios *r_ret)
{
	AUTO_CLOSE int fd = openat(dir_fd, file_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[ROOM] = "";
	const ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, sizeof(text) - 1);

	*r_ret = (struct ratios){0};
	for (const char *line = text; n > 0 && *line;) {
		unsigned level, share;

		if (sscanf(line, "%u %u", &level, &share) == 2 && level < RATIOS_LEVELS &&
		    share <= WHOLE)
			r_ret->of[level] = (uint16_t)share;
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
}

int ratios_write(int dir_fd, const struct ratios *r)
{
	AUTO_CLOSE int fd = openat(dir_fd, new_name,
				   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[ROOM];
	size_t n = 0;
	int e;

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < RATIOS_LEVELS; i++)
		if (r->of[i])
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%u %u\n", i, r->of[i]);
	e = io_write_full(fd, text, n);
	if (e < 0)
		return e;
	return renameat(dir_fd, new_name, dir_fd, file_name) < 0 ? -errno : 0;
}
