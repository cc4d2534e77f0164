/* sender/dump.h: a dump from beginning to end, and how it ends before that. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/progress.h"
#include "sender/dump.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/output/sink.h"
#include "sender/pages/budget.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/corestream.h"

enum { MIB = 1 << 20 };

struct fixture {
	struct core_plan plan;
	int fd;
	struct vmcore *core;
	struct kmodel km;
	struct warnings warnings;
	struct progress *progress;
};

static void init(struct fixture *f, size_t bytes)
{
	struct core file;
	struct error err;
	char path[32];

	*f = (struct fixture){0};
	core_add_load(&f->plan, 0x1000, bytes, bytes)->salt = 5;
	core_add_vmcoreinfo(&f->plan, "OSRELEASE=6.1.0\nPAGESIZE=4096\n");
	file = core_make(&f->plan);
	f->fd = core_file(file.bytes, file.size_bytes, path);
	core_free(&file);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &f->core, &err), 0);
	kmodel_init(&f->km, f->core, 0, &f->warnings);
	assert_int_equal(progress_new(PROGRESS_NONE, &f->progress, &err), 0);
}

static void deinit(struct fixture *f)
{
	progress_free(f->progress);
	kmodel_deinit(&f->km);
	vmcore_free(f->core);
	close(f->fd);
}

static int run(struct fixture *f, int fd, unsigned threads, bool (*cancelled)(void),
	       struct dump_result *res, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	const struct budget budget = budget_make(
		&(struct budget_setup){.core = f->core, .codec_bytes = MIB, .threads = threads});
	struct dump_setup setup = {
		.core = f->core,
		.km = &f->km,
		.level = 1,
		.ladder = codec_ladder_fixed(CODEC_SNAPPY, 1),
		.budget = &budget,
		.progress = f->progress,
		.warnings = &f->warnings,
		.stop = {.signalled = cancelled},
	};

	*err = (struct error){0};
	assert_int_equal(sink_new_flat(fd, &sink, err), 0);
	setup.sink = sink;
	return dump_run(&setup, res, err);
}

static const unsigned thread_counts[] = {0, 1, 2, 7};

static void test_whole(void **state UNUSED)
{
	struct fixture f;
	uint8_t *first = NULL;
	size_t first_bytes = 0;

	init(&f, 3 * MIB);
	for (size_t i = 0; i < ARRAY_LEN(thread_counts); i++) {
		AUTO_CLOSE int fd = memfd_create("stream", MFD_CLOEXEC);
		struct dump_result res;
		struct error err;
		struct core_stream s;
		struct stat st;
		uint8_t *stream;

		assert_int_equal(run(&f, fd, thread_counts[i], NULL, &res, &err), 0);
		assert_int_equal(fstat(fd, &st), 0);
		stream = malloc((size_t)st.st_size);
		assert_non_null(stream);
		assert_int_equal(pread(fd, stream, (size_t)st.st_size, 0), st.st_size);
		s = core_stream_check(stream, (size_t)st.st_size);
		assert_true(s.whole);
		assert_int_equal(res.crew.workers, thread_counts[i]);
		assert_int_equal(res.pages, s.pages);
		assert_int_equal(res.ram_pages, 3 * MIB / 4096);
		assert_int_equal(writer_counts_all(&res.counts) - res.counts.unreadable, res.pages);
		assert_int_equal(res.bytes_in, 3 * MIB);
		assert_int_equal(res.bytes_out, st.st_size);
		assert_int_equal(res.table_end, s.layout.desc_off + 24 * s.pages);
		assert_false(res.uname_known);
		core_stream_free(&s);
		if (first) {
			assert_int_equal(st.st_size, first_bytes);
			assert_memory_equal(stream, first, first_bytes);
			free(stream);
		} else {
			first = stream;
			first_bytes = (size_t)st.st_size;
		}
	}
	free(first);
	deinit(&f);
}

/* --- ends early --- */

static unsigned asked;

static bool cancel_third(void)
{
	return ++asked == 3;
}

static void test_cancelled(void **state UNUSED)
{
	struct fixture f;

	init(&f, 8 * MIB);
	for (size_t i = 0; i < ARRAY_LEN(thread_counts); i++) {
		AUTO_CLOSE int fd = memfd_create("stream", MFD_CLOEXEC);
		struct dump_result res;
		struct error err;
		const struct writer_counts *c = &res.counts;

		asked = 0;
		assert_int_equal(run(&f, fd, thread_counts[i], cancel_third, &res, &err),
				 -ECANCELED);
		assert_string_equal(err.msg, "stopped by a signal");
		assert_int_equal(asked, 3); /* and no chunk after that */
		assert_int_equal(writer_counts_all(c) - c->unreadable, 3 * 64);
	}
	deinit(&f);
}

/* The reader of the pipe goes away after `bytes`. */
struct reader {
	int fd;
	size_t bytes;
};

static void *read_some(void *arg)
{
	const struct reader *r = arg;
	uint8_t buf[4096];
	size_t done = 0;

	while (done < r->bytes) {
		const ssize_t n = read(r->fd, buf, MIN(sizeof(buf), r->bytes - done));

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(r->fd);
	return NULL;
}

static void test_broken_pipe(void **state UNUSED)
{
	struct fixture f;

	init(&f, 8 * MIB);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(thread_counts); i++) {
		/* Within the prologue, and within the pages. */
		for (size_t bytes = 4096 + 100; bytes < MIB; bytes = bytes * 9 + 77) {
			struct reader reader = {.bytes = bytes};
			struct dump_result res;
			struct error err;
			pthread_t thread;
			int fds[2];

			assert_int_equal(pipe(fds), 0);
			reader.fd = fds[0];
			assert_int_equal(pthread_create(&thread, NULL, read_some, &reader), 0);
			assert_int_equal(run(&f, fds[1], thread_counts[i], NULL, &res, &err),
					 -EPIPE);
			assert_string_equal(err.msg, "writing the stream: Broken pipe");
			assert_true(res.table_end != 0);
			pthread_join(thread, NULL);
			close(fds[1]);
		}
	}
	deinit(&f);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "dump_run: makes the same dump with any number of threads", test_whole, NULL);
	unit_add(&u, "dump_run: ends at the chunk where it is cancelled", test_cancelled, NULL);
	unit_add(&u, "dump_run: ends where the reader goes away", test_broken_pipe, NULL);
	return unit_run(&u, "dump", argc, argv);
}
