/* The time by which ages are reckoned.
 * Doesn't know dumps. */
#include "receiver/retention/reckoning.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

enum {
	HOUR_S = 3600,
	DAY_S = 24 * HOUR_S,
	REST_DAYS = 2, /* a daily timer is never later than that */
	QUARTER = 4,
};

static const char file_name[] = "clock", new_name[] = "clock.new";

bool reckoning_look(struct reckoning *r, int64_t now_s, unsigned keep_days)
{
	const int64_t rest_s =
		MAX((int64_t)REST_DAYS * DAY_S, (int64_t)keep_days * DAY_S / QUARTER);
	const int64_t since_s = now_s - r->seen_s;
	const bool stepped = r->seen_s && (since_s < -HOUR_S || since_s > rest_s);

	if (stepped)
		r->even_s = now_s;
	r->seen_s = now_s;
	return stepped;
}

void reckoning_read(int dir_fd, struct reckoning *r_ret)
{
	AUTO_CLOSE int fd = openat(dir_fd, file_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[100] = "";
	struct reckoning r = {0};
	const ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, sizeof(text) - 1);

	if (n < 0 || sscanf(text, "seen %" SCNd64 " even %" SCNd64, &r.seen_s, &r.even_s) != 2 ||
	    r.seen_s < 0 || r.even_s < 0)
		r = (struct reckoning){0};
	*r_ret = r;
}

int reckoning_write(int dir_fd, const struct reckoning *r)
{
	AUTO_CLOSE int fd = openat(dir_fd, new_name,
				   O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char text[100];
	const int n = snprintf(text, sizeof(text), "seen %" PRId64 " even %" PRId64 "\n", r->seen_s,
			       r->even_s);
	int e;

	if (fd < 0)
		return -errno;
	e = io_write_full(fd, text, (size_t)n);
	if (e < 0)
		return e;
	return renameat(dir_fd, new_name, dir_fd, file_name) < 0 ? -errno : 0;
}
