/* LD_PRELOAD: makes one file behave as /proc/kcore does. The kernel copies what is read through one
 * page that belongs to the open file, and locks nothing, so two threads that read by one descriptor
 * get each other's pages.
 *
 *   ONEPAGE_FILE=PATH   the file, which fstatfs() then says is of /proc; without it nothing happens
 */
#include <dlfcn.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FDS_MAX = 1024, PAGE = 4096 };

static struct stat file;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static int (*real_fstatfs)(int, struct statfs *);
static _Atomic int readers; /* relaxed: where a moment is lost, and nothing else, depends on it */
static uint8_t page_of[FDS_MAX][PAGE]; /* whoever reads by the descriptor: that is the fault */

static void read_environment(void)
{
	const char *path = getenv("ONEPAGE_FILE");

	*(void **)&real_pread = dlsym(RTLD_NEXT, "pread64");
	*(void **)&real_fstatfs = dlsym(RTLD_NEXT, "fstatfs64");
	if (path && stat(path, &file) < 0)
		abort();
}

static bool is_the_file(int fd)
{
	struct stat st;

	pthread_once(&once, read_environment);
	return file.st_ino && fd < FDS_MAX && fstat(fd, &st) == 0 && st.st_ino == file.st_ino &&
	       st.st_dev == file.st_dev;
}

static ssize_t by_one_page(int fd, uint8_t *out, size_t n, off64_t off)
{
	size_t done = 0;

	atomic_fetch_add_explicit(&readers, 1, memory_order_relaxed);
	while (done < n) {
		const size_t piece = n - done < PAGE ? n - done : PAGE;
		const ssize_t got = real_pread(fd, page_of[fd], piece, off + (off64_t)done);

		if (got <= 0)
			break;
		if (done == 0 || atomic_load_explicit(&readers, memory_order_relaxed) > 1)
			usleep(1); /* the others' turn */
		memcpy(out + done, page_of[fd], (size_t)got);
		done += (size_t)got;
	}
	atomic_fetch_sub_explicit(&readers, 1, memory_order_relaxed);
	return (ssize_t)done;
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t off)
{
	return is_the_file(fd) ? by_one_page(fd, buf, n, off) : real_pread(fd, buf, n, off);
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	return pread64(fd, buf, n, off);
}

int fstatfs64(int fd, struct statfs64 *fs)
{
	const bool ours = is_the_file(fd);
	const int r = real_fstatfs(fd, (struct statfs *)fs);

	if (r == 0 && ours)
		fs->f_type = PROC_SUPER_MAGIC;
	return r;
}

int fstatfs(int fd, struct statfs *fs)
{
	return fstatfs64(fd, (struct statfs64 *)fs);
}
