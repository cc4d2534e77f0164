/* A descriptor for each thread that reads.
 * Doesn't know what is in the file. */
#include "sender/vmcore/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

struct descriptors {
	char *path;
	int first; /* borrowed: not to be closed */
	struct stat file;

	/* The lock guards the fields below. It is held for a few instructions, or while the file is
	 * opened, which happens once for each thread; never during a read. */
	pthread_mutex_t lock;
	pthread_cond_t given_back;
	int idle[DESCRIPTORS_MAX];
	size_t idle_count, open_count;
	bool no_more; /* the file couldn't be opened again: no more descriptors come */
};

int descriptors_new(const char *path, int fd, struct descriptors **d_ret, struct error *err)
{
	AUTO(descriptors_free) struct descriptors *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(err, -ENOMEM, "out of memory for descriptors");
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->given_back, NULL);
	d->first = fd;
	d->idle[d->idle_count++] = fd;
	d->open_count = 1;
	d->path = strdup(path);
	if (!d->path)
		return error_set(err, -ENOMEM, "out of memory for descriptors");
	if (fstat(fd, &d->file) < 0)
		return error_sys(err, "stat");
	*d_ret = TAKE_PTR(d);
	return 0;
}

void descriptors_free(struct descriptors *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->idle_count; i++)
		if (d->idle[i] != d->first)
			close(d->idle[i]);
	pthread_cond_destroy(&d->given_back);
	pthread_mutex_destroy(&d->lock);
	free(d->path);
	free(d);
}

/* The same file once more, or -1. */
static int open_again(const struct descriptors *d)
{
	AUTO_CLOSE int fd = open(d->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != d->file.st_dev ||
	    st.st_ino != d->file.st_ino)
		return -1;
	return TAKE_FD(fd);
}

static int take(struct descriptors *d)
{
	int fd = -1;

	pthread_mutex_lock(&d->lock);
	while (d->idle_count == 0) {
		if (d->open_count < DESCRIPTORS_MAX && !d->no_more) {
			fd = open_again(d);
			if (fd >= 0) {
				d->open_count++;
				break;
			}
			d->no_more = true;
		}
		pthread_cond_wait(&d->given_back, &d->lock);
	}
	if (fd < 0)
		fd = d->idle[--d->idle_count];
	pthread_mutex_unlock(&d->lock);
	return fd;
}

static void give_back(struct descriptors *d, int fd)
{
	pthread_mutex_lock(&d->lock);
	d->idle[d->idle_count++] = fd;
	pthread_cond_signal(&d->given_back);
	pthread_mutex_unlock(&d->lock);
}

ssize_t descriptors_pread(struct descriptors *d, void *buf, size_t size_bytes, uint64_t off)
{
	const int fd = take(d);
	const ssize_t n = io_pread_full(fd, buf, size_bytes, off);

	give_back(d, fd);
	return n;
}
