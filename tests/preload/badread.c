/* LD_PRELOAD: makes parts of one file unreadable, or its reads short, as a crashed machine may.
 *
 *   BADREAD_FILE=PATH            the file; without it nothing happens
 *   BADREAD_RANGES=OFF+LEN,…     a pread() that touches one of these bytes fails with EIO, an
 *                                mmap() with ENOMEM; numbers as strtoull() reads them
 *   BADREAD_SHORT=N              a pread() returns at most N bytes, and each third one EINTR
 *   BADREAD_LOG=PATH             what was refused, a line each: "pread OFF+LEN", "mmap OFF+LEN" */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANGES_MAX = 64 };

static struct {
	uint64_t off, end;
} ranges[RANGES_MAX];
static size_t range_count, short_bytes;
static struct stat bad_file;
static int log_fd = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static void *(*real_mmap)(void *, size_t, int, int, int, off64_t);

static void read_environment(void)
{
	const char *path = getenv("BADREAD_FILE"), *at = getenv("BADREAD_RANGES");
	const char *bytes = getenv("BADREAD_SHORT"), *log = getenv("BADREAD_LOG");

	*(void **)&real_pread = dlsym(RTLD_NEXT, "pread64");
	*(void **)&real_mmap = dlsym(RTLD_NEXT, "mmap64");
	if (!path)
		return;
	if (stat(path, &bad_file) < 0)
		abort();
	if (log)
		log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (bytes)
		short_bytes = (size_t)strtoull(bytes, NULL, 0);
	while (at && *at) {
		char *end;

		if (range_count == RANGES_MAX)
			abort();
		ranges[range_count].off = strtoull(at, &end, 0);
		if (*end != '+')
			abort();
		ranges[range_count].end = ranges[range_count].off + strtoull(end + 1, &end, 0);
		range_count++;
		at = *end == ',' ? end + 1 : end;
	}
}

static bool is_bad_file(int fd)
{
	struct stat st;

	pthread_once(&once, read_environment);
	return bad_file.st_ino && fstat(fd, &st) == 0 && st.st_ino == bad_file.st_ino &&
	       st.st_dev == bad_file.st_dev;
}

static bool refused(const char *call, int fd, uint64_t off, size_t n)
{
	char line[80];
	int len;

	if (!is_bad_file(fd))
		return false;
	for (size_t i = 0; i < range_count; i++) {
		if (off >= ranges[i].end || off + n <= ranges[i].off)
			continue;
		len = snprintf(line, sizeof(line), "%s %" PRIu64 "+%zu\n", call, off, n);
		if (log_fd >= 0 && write(log_fd, line, (size_t)len) != len)
			abort();
		return true;
	}
	return false;
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t off)
{
	static _Thread_local unsigned calls;

	if (refused("pread", fd, (uint64_t)off, n)) {
		errno = EIO;
		return -1;
	}
	if (short_bytes && is_bad_file(fd)) {
		if (++calls % 3 == 0) {
			errno = EINTR;
			return -1;
		}
		n = n < short_bytes ? n : short_bytes;
	}
	return real_pread(fd, buf, n, off);
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	return pread64(fd, buf, n, off);
}

/* What _FORTIFY_SOURCE makes of pread(). */
ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t off, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t off, size_t room)
{
	if (n > room)
		abort();
	return pread64(fd, buf, n, off);
}

void *mmap64(void *addr, size_t n, int prot, int flags, int fd, off64_t off)
{
	if (fd >= 0 && refused("mmap", fd, (uint64_t)off, n)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	pthread_once(&once, read_environment);
	return real_mmap(addr, n, prot, flags, fd, off);
}

void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off)
{
	return mmap64(addr, n, prot, flags, fd, off);
}
