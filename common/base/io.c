/* Whole reads and writes.
 * Doesn't know what the bytes are, and doesn't print. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Whether the call that just failed is worth another try. A descriptor that another process made
 * non-blocking (ssh does that to a pipe it shares) is waited for.
 */
static bool try_again(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	return poll(&pfd, 1, -1) >= 0 || errno == EINTR;
}

ssize_t io_read_full(int fd, void *buf, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		const ssize_t n = read(fd, (char *)buf + done, size_bytes - done);

		if (n < 0 && try_again(fd, POLLIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t io_pread_full(int fd, void *buf, size_t size_bytes, uint64_t off)
{
	size_t done = 0;

	while (done < size_bytes) {
		const ssize_t n =
			pread(fd, (char *)buf + done, size_bytes - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_next_data(int fd, uint64_t off, uint64_t end, uint64_t *begin_ret, uint64_t *end_ret)
{
	off_t data, hole;

	if (off >= end)
		return 0;
	data = lseek(fd, (off_t)off, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0 && errno != EINVAL && errno != EOPNOTSUPP)
		return -errno;
	if (data >= 0 && (uint64_t)data >= end)
		return 0;
	*begin_ret = data < 0 ? off : (uint64_t)data;
	hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
	*end_ret = hole < 0 ? end : MIN((uint64_t)hole, end);
	return 1;
}

void *io_buffer(size_t size_bytes)
{
	const size_t page = 4096; /* the unit that matters to the CPU, whatever the size of a memory
				     page is */

	return aligned_alloc(page, (size_bytes + page - 1) & ~(page - 1));
}

int io_write_full(int fd, const void *buf, size_t size_bytes)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = size_bytes};

	return io_writev_full(fd, &iov, 1);
}

int io_pwrite_full(int fd, const void *buf, size_t size_bytes, uint64_t off)
{
	size_t done = 0;

	while (done < size_bytes) {
		const ssize_t n = pwrite(fd, (const char *)buf + done, size_bytes - done,
					 (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int io_writev_full(int fd, struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t n;

		if (iov->iov_len == 0) {
			iov++;
			count--;
			continue;
		}
		n = writev(fd, iov, count);
		if (n < 0 && try_again(fd, POLLOUT))
			continue;
		if (n < 0)
			return -errno;
		for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
			n -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

void io_fill_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The wrong way round: reading standard input fails then, and so does writing to
		 * the others. */
		const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode) < 0)
			return;
	}
}

bool io_exists(const char *path)
{
	return io_exists_at(AT_FDCWD, path);
}

bool io_exists_at(int dir_fd, const char *path)
{
	struct stat st;

	return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static uint64_t free_bytes_of(const struct statvfs *fs)
{
	/* Without blocks there is nothing to count: ramfs, an unlimited tmpfs, many a FUSE. */
	if (fs->f_blocks == 0)
		return INT64_MAX;
	return MIN((uint64_t)fs->f_bavail * fs->f_frsize, (uint64_t)INT64_MAX);
}

uint64_t io_free_bytes(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) < 0 ? (uint64_t)INT64_MAX : free_bytes_of(&fs);
}

uint64_t io_free_bytes_of(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) < 0 ? (uint64_t)INT64_MAX : free_bytes_of(&fs);
}

uint64_t io_free_bytes_beside(const char *path)
{
	AUTO_FREE char *copy = strdup(path);

	return copy ? io_free_bytes(dirname(copy)) : INT64_MAX;
}
