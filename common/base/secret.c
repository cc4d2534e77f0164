/* Files with secrets in them.
 * Doesn't know what the secrets are for. */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static int check(const char *path, const struct stat *st, struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, -EINVAL, "%s is no regular file", path);
	if (st->st_mode & 077)
		return error_set(err, -EACCES, "%s can be read by others: chmod 600 %s", path,
				 path);
	return 0;
}

int secret_read(const char *path, size_t max_bytes, uint8_t **bytes_ret, size_t *size_bytes_ret,
		struct error *err)
{
	/* A file that blocks when it is opened, such as a pipe, is no key. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint8_t *bytes;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", path);
	r = check(path, &st, err);
	if (r < 0)
		return r;
	bytes = malloc(max_bytes + 1);
	if (!bytes)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	n = io_read_full(fd, bytes, max_bytes + 1);
	if (n < 0) {
		errno = (int)-n;
		r = error_sys(err, "%s", path);
	} else if ((size_t)n > max_bytes) {
		r = error_set(err, -EFBIG, "%s is longer than %zu bytes", path, max_bytes);
	}
	if (r < 0) {
		secret_free(bytes, max_bytes + 1);
		return r;
	}
	bytes[n] = '\0';
	*bytes_ret = bytes;
	*size_bytes_ret = (size_t)n;
	return 0;
}

void secret_free(uint8_t *bytes, size_t size_bytes)
{
	if (bytes)
		explicit_bzero(bytes, size_bytes);
	free(bytes);
}
