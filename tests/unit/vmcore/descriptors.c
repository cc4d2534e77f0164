/* sender/vmcore/descriptors.h: threads that read one file at the same time. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sender/vmcore/descriptors.h"
#include "tests/lib/scratch.h"

enum { THREADS = 8, READS = 200, BYTES = 5000 };

struct reading {
	struct descriptors *d;
	const uint8_t *want;
	_Atomic unsigned bad; /* relaxed: a count that is looked at when the threads have ended */
};

static void *read_all(void *arg)
{
	struct reading *r = arg;
	uint8_t got[100];

	for (size_t i = 0; i < READS; i++) {
		const size_t off = i * 37 % (BYTES - sizeof(got));

		if (descriptors_pread(r->d, got, sizeof(got), off) != sizeof(got) ||
		    memcmp(got, r->want + off, sizeof(got)) != 0)
			atomic_fetch_add_explicit(&r->bad, 1, memory_order_relaxed);
	}
	return NULL;
}

static void read_by_threads(struct descriptors *d, const uint8_t *want)
{
	struct reading r = {.d = d, .want = want};
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_all, &r), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(atomic_load_explicit(&r.bad, memory_order_relaxed), 0);
}

/* A file of BYTES, its name and an open descriptor. */
static int make_file(uint8_t *bytes, char *path, size_t room)
{
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	snprintf(path, room, "%s", scratch_path("file"));
	file_write(path, bytes, BYTES);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void test_threads(void **state UNUSED)
{
	AUTO(descriptors_free) struct descriptors *d = NULL;
	uint8_t bytes[BYTES], got[10];
	char path[200];
	AUTO_CLOSE int fd = make_file(bytes, path, sizeof(path));
	struct error err;

	assert_int_equal(descriptors_new(path, fd, &d, &err), 0);
	read_by_threads(d, bytes);
	assert_int_equal(descriptors_pread(d, got, sizeof(got), BYTES - 3), 3);
	assert_int_equal(descriptors_pread(d, got, sizeof(got), BYTES), 0);
	scratch_clear();
}

/* Another file by that name is none of ours, and no more descriptors may be had: they wait. */
static void test_one_for_all(void **state UNUSED)
{
	AUTO(descriptors_free) struct descriptors *replaced = NULL, *limited = NULL;
	uint8_t bytes[BYTES];
	char path[200];
	AUTO_CLOSE int fd = make_file(bytes, path, sizeof(path));
	struct rlimit before, none;
	struct error err;

	assert_int_equal(descriptors_new(path, fd, &limited, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	read_by_threads(limited, bytes);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

	assert_int_equal(descriptors_new(path, fd, &replaced, &err), 0);
	assert_int_equal(unlink(path), 0);
	file_write(path, "another", 7);
	read_by_threads(replaced, bytes);
	scratch_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "descriptors_pread: reads the same by any number of threads", test_threads,
		 NULL);
	unit_add(&u, "descriptors_pread: waits where the file can't be opened again",
		 test_one_for_all, NULL);
	return unit_run(&u, "descriptors", argc, argv);
}
