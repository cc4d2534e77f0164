/* Pins dumps.
 * Doesn't know rules. */
#include "receiver/retention/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"
#include "receiver/retention/removal.h"
#include "receiver/retention/stock.h"

/* HOST and TIME of "HOST/TIME", perhaps with a slash at the end. */
static int split(const char *dump, char host[static 256], char name[static 40], struct error *err)
{
	const char *slash = strchr(dump, '/');
	const size_t len = slash ? (size_t)(slash - dump) : 0;
	int64_t unused;
	unsigned number;

	if (len > 0 && len < 256 && *dump != '.' && strlen(slash + 1) < 40) {
		snprintf(host, 256, "%.*s", (int)len, dump);
		snprintf(name, 40, "%s", slash + 1);
		if (*name && name[strlen(name) - 1] == '/')
			name[strlen(name) - 1] = '\0';
		if (stock_time(name, &unused, &number))
			return 0;
	}
	return error_set(err, -EINVAL, "\"%.100s\" is no dump: name HOST/TIME", dump);
}

static int change(int fd, bool pinned)
{
	AUTO_CLOSE int file = -1;
	int r;

	if (pinned == io_exists_at(fd, STOCK_KEEP))
		return 0;
	if (pinned) {
		file = openat(fd, STOCK_KEEP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			      0600);
		if (file < 0)
			return -errno;
	} else if (unlinkat(fd, STOCK_KEEP, 0) < 0) {
		return -errno;
	}
	r = dirsync(fd, fd);
	return r < 0 ? r : 1;
}

static int change_below(const char *dir, const char *host, const char *name, bool pinned)
{
	AUTO_CLOSE int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int host_fd = dir_fd < 0 ? -errno : stock_open(dir_fd, host);
	AUTO_CLOSE int fd = -1;
	int r;

	if (host_fd < 0)
		return host_fd;
	/* Else a removal that has just looked for the file would go on. */
	r = removal_lock_host(host_fd);
	if (r < 0)
		return r;
	fd = stock_open(host_fd, name);
	return fd < 0 ? fd : change(fd, pinned);
}

int pin_set(const char *dir, const char *dump, bool pinned, struct error *err)
{
	char host[256], name[40];
	int r = split(dump, host, name, err);

	if (r < 0)
		return r;
	r = change_below(dir, host, name, pinned);
	if (r >= 0)
		return r;
	return error_set(err, r, "%s/%s/%s: %s", dir, host, name,
			 r == -EBUSY ? "a session of this host is beginning" : strerror(-r));
}
