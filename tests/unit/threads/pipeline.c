/* sender/threads/pipeline.h: order, nothing lost, nothing twice, and how it ends. Run under
 * ThreadSanitizer, too: what the callbacks share is plain memory, so a missing edge in the pipeline
 * is a race here.
 */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "sender/threads/pipeline.h"

enum { WORKERS = 64, ITEMS = 4 * WORKERS, CHUNKS = 3000, BYTES = 48 };

enum { NEVER = CHUNKS };

struct item {
	uint64_t k; /* chunk that it was filled with last; NEVER */
	uint8_t bytes[BYTES];
};

struct pass {
	struct pipeline p;
	struct item item[ITEMS];
	void *items[ITEMS];
	struct worker {
		struct pass *pass;
		uint32_t random;
		bool has_thread;
		pthread_t thread;
	} worker[WORKERS];
	void *workers[WORKERS];

	bool delays;
	uint64_t fill_fails_from, write_fails_at, ends_at; /* chunk, from 0; NEVER */
	bool fewer_threads;			/* chunk 1 makes further threads impossible */
	bool fill_fails_last, fill_fails_first; /* chunk 1, well after or before chunk 0 is written
						 */

	/* What was seen. Plain, for ThreadSanitizer. */
	uint8_t filled[CHUNKS], written[CHUNKS];
	uint64_t write_count;
	atomic_uint wrong; /* cmocka's assertions work in the main thread only */
	atomic_uint fill_failures;
	atomic_int first_ended; /* the thread of who has ended the pass; 0: nobody has */
};

#define CHECK(pass, what)                                                                          \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			atomic_fetch_add(&(pass)->wrong, 1);                                       \
			fprintf(stderr, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #what);       \
		}                                                                                  \
	} while (0)

static void dawdle(uint32_t *random)
{
	const uint32_t dice = unit_random(random) % 16;

	if (dice == 0)
		usleep(unit_random(random) % 300);
	else if (dice < 6)
		sched_yield();
}

static uint8_t byte_of(uint64_t k, size_t i)
{
	return (uint8_t)(k * 7 + i);
}

static void set_stack_bytes(size_t n)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, n) == 0)
		pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

/* More than any address space has: pthread_create() fails. */
#define NO_STACK ((size_t)1 << 55)

/* Wait until the other one has ended the pass, as far as that can be seen from outside: it sleeps,
 * or has gone. */
static void let_go_first(struct pass *pass)
{
	while (!atomic_load(&pass->first_ended))
		usleep(100);
	do
		usleep(20000);
	while (unit_task_state(atomic_load(&pass->first_ended)) == 'R');
}

static int fill(void *worker, uint64_t chunk, void *to, struct error *err)
{
	struct worker *w = worker;
	struct pass *pass = w->pass;
	struct item *item = to;
	const uint64_t k = chunk - pass->p.first_chunk;

	CHECK(pass, chunk >= pass->p.first_chunk && chunk < pass->p.end_chunk);
	CHECK(pass, !w->has_thread || pthread_equal(w->thread, pthread_self()));
	w->has_thread = true;
	w->thread = pthread_self();
	if (pass->fewer_threads && k == 1)
		set_stack_bytes(NO_STACK);
	CHECK(pass, item == &pass->item[k % pass->p.item_count]);
	CHECK(pass, item->k == NEVER || pass->written[item->k]);
	if (pass->delays)
		dawdle(&w->random);
	if (k >= pass->fill_fails_from) {
		atomic_fetch_add(&pass->fill_failures, 1);
		return error_set(err, -EIO, "chunk %d can't be filled", (int)k);
	}
	if (k == 1 && pass->fill_fails_last) {
		let_go_first(pass);
		return error_set(err, -EIO, "chunk 1 can't be filled");
	}
	if (k == 1 && pass->fill_fails_first) {
		atomic_store(&pass->first_ended, gettid());
		return error_set(err, -EIO, "chunk 1 can't be filled");
	}
	item->k = k;
	for (size_t i = 0; i < BYTES; i++)
		item->bytes[i] = byte_of(k, i);
	pass->filled[k]++;
	return 0;
}

static int take(void *writer, const void *from, struct error *err)
{
	struct pass *pass = writer;
	const struct item *item = from;
	const uint64_t k = pass->write_count;
	uint32_t random = (uint32_t)k * 2654435761U + 99;

	CHECK(pass, item->k == k);
	for (size_t i = 0; i < BYTES; i++)
		CHECK(pass, item->bytes[i] == byte_of(k, i));
	if (pass->delays)
		dawdle(&random);
	CHECK(pass, item->k == k);
	if (pass->fill_fails_first)
		let_go_first(pass);
	atomic_store(&pass->first_ended, gettid());
	if (k == pass->write_fails_at)
		return error_set(err, -ENOSPC, "chunk %d can't be written", (int)k);
	pass->written[k]++;
	pass->write_count++;
	return k == pass->ends_at;
}

static struct pass *pass_new(unsigned workers, size_t items, uint64_t first, uint64_t chunks)
{
	struct pass *pass = calloc(1, sizeof(*pass));

	assert_non_null(pass);
	assert_true(workers <= WORKERS && items <= ITEMS && chunks < CHUNKS);
	pass->p = (struct pipeline){
		.workers = workers,
		.first_chunk = first,
		.end_chunk = first + chunks,
		.items = pass->items,
		.item_count = items,
		.fill = fill,
		.worker = pass->workers,
		.write = take,
		.writer = pass,
	};
	pass->fill_fails_from = pass->write_fails_at = pass->ends_at = NEVER;
	for (size_t i = 0; i < ITEMS; i++) {
		pass->item[i].k = NEVER;
		pass->items[i] = &pass->item[i];
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pass->worker[i].pass = pass;
		pass->worker[i].random = unit_seed() + i * 2654435761U + 1;
		pass->workers[i] = &pass->worker[i];
	}
	return pass;
}

static size_t threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Run it; what is always so is checked. */
static int run(struct pass *pass, struct pipeline_crew *crew, struct error *err)
{
	const size_t before = threads();
	int r;

	*err = (struct error){0};
	r = pipeline_run(&pass->p, crew, err);
	assert_int_equal(atomic_load(&pass->wrong), 0);
	assert_int_equal(err->code, MIN(r, 0));
	/* A thread that was joined may be seen for a moment yet. */
	for (int i = 0; threads() > before && i < 1000; i++)
		usleep(1000);
	assert_true(threads() <= before);
	for (uint64_t k = 0; k < pass->p.end_chunk - pass->p.first_chunk; k++) {
		assert_true(pass->filled[k] <= 1);
		assert_int_equal(pass->written[k], k < pass->write_count);
		assert_true(pass->filled[k] >= pass->written[k]);
	}
	return r;
}

static void check_whole(struct pass *pass)
{
	struct pipeline_crew crew = {.workers = 99};
	struct error err;

	assert_int_equal(run(pass, &crew, &err), 0);
	assert_int_equal(crew.workers, pass->p.workers);
	assert_int_equal(pass->write_count, pass->p.end_chunk - pass->p.first_chunk);
	free(pass);
}

/* --- all chunks, in order --- */

struct shape {
	const char *name;
	unsigned workers;
	size_t items;
};

/* clang-format off */
static const struct shape shapes[] = {
	{"in line", 0, 1},
	{"1 worker, 1 item", 1, 1},
	{"1 worker, 4 items", 1, 4},
	{"2 workers, 1 item", 2, 1},
	{"2 workers, 2 items", 2, 2},
	{"2 workers, 8 items", 2, 8},
	{"7 workers, 1 item", 7, 1},
	{"7 workers, 3 items", 7, 3},
	{"7 workers, 28 items", 7, 28},
};
/* clang-format on */

static void test_counts(void **state)
{
	const struct shape *s = *state;
	const uint64_t counts[] = {0, 1, s->items - 1, s->items, s->items + 1, 3 * s->items + 1};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (int again = 0; again < 20; again++)
			check_whole(pass_new(s->workers, s->items, 0, counts[i]));
	check_whole(pass_new(s->workers, s->items, 0, CHUNKS - 1));
}

static void test_first_chunk(void **state)
{
	const struct shape *s = *state;

	check_whole(pass_new(s->workers, s->items, 5, 100));
	check_whole(pass_new(s->workers, s->items, (UINT64_C(1) << 40) + 3, 100));
}

static void test_delays(void **state)
{
	const struct shape *s = *state;

	for (int again = 0; again < 3; again++) {
		struct pass *pass = pass_new(s->workers, s->items, 0, 200);

		pass->delays = true;
		for (unsigned i = 0; i < WORKERS; i++)
			pass->worker[i].random += (uint32_t)again * 40503U;
		check_whole(pass);
	}
}

/* --- ends --- */

static void test_write_fails(void **state)
{
	const struct shape *s = *state;

	for (uint64_t at = 0; at < 60; at += 1 + at / 9) {
		struct pass *pass = pass_new(s->workers, s->items, 7, 60);
		struct pipeline_crew crew;
		struct error err;

		pass->delays = at % 2;
		pass->write_fails_at = at;
		assert_int_equal(run(pass, &crew, &err), -ENOSPC);
		assert_non_null(strstr(err.msg, "can't be written"));
		assert_int_equal(pass->write_count, at);
		free(pass);
	}
}

static void test_write_ends(void **state)
{
	const struct shape *s = *state;

	for (uint64_t at = 0; at < 60; at += 1 + at / 9) {
		struct pass *pass = pass_new(s->workers, s->items, 7, 60);
		struct pipeline_crew crew;
		struct error err;

		pass->delays = at % 2;
		pass->ends_at = at;
		assert_int_equal(run(pass, &crew, &err), 1);
		assert_int_equal(pass->write_count, at + 1);
		free(pass);
	}
}

static void test_fill_fails(void **state)
{
	const struct shape *s = *state;

	for (uint64_t at = 0; at < 60; at += 1 + at / 9) {
		struct pass *pass = pass_new(s->workers, s->items, 7, 60);
		struct pipeline_crew crew;
		struct error err;

		pass->delays = at % 2;
		pass->fill_fails_from = at; /* and all after it, by several workers at once */
		assert_int_equal(run(pass, &crew, &err), -EIO);
		assert_non_null(strstr(err.msg, "can't be filled"));
		assert_true(pass->write_count <= at);
		assert_true(atomic_load(&pass->fill_failures) <= MAX(s->workers, 1U));
		free(pass);
	}
}

static void test_both_fail(void **state)
{
	const struct shape *s = *state;

	for (uint64_t at = 1; at < 40; at += 3) {
		struct pass *pass = pass_new(s->workers, s->items, 0, 60);
		struct pipeline_crew crew;
		struct error err;
		int r;

		pass->delays = true;
		pass->write_fails_at = at;
		pass->fill_fails_from = at + 1;
		r = run(pass, &crew, &err);
		/* Whichever was first; the text is that of the code. */
		assert_true(r == -EIO || r == -ENOSPC);
		assert_int_equal(r == -EIO, strstr(err.msg, "can't be filled") != NULL);
		assert_true(pass->write_count <= at);
		free(pass);
	}
}

static void test_first_wins(void **state UNUSED)
{
	struct pass *write_first = pass_new(2, 2, 0, 60), *fill_first = pass_new(2, 2, 0, 60);
	struct pipeline_crew crew;
	struct error err;

	write_first->write_fails_at = 0;
	write_first->fill_fails_last = true;
	assert_int_equal(run(write_first, &crew, &err), -ENOSPC);
	free(write_first);

	fill_first->fill_fails_first = true;
	fill_first->ends_at = 0;
	assert_int_equal(run(fill_first, &crew, &err), -EIO);
	assert_true(fill_first->write_count <= 1);
	free(fill_first);
}

/* --- no thread --- */

static size_t default_stack_bytes(void)
{
	pthread_attr_t attr;
	size_t n = 0;

	assert_int_equal(pthread_getattr_default_np(&attr), 0);
	assert_int_equal(pthread_attr_getstacksize(&attr, &n), 0);
	pthread_attr_destroy(&attr);
	return n;
}

static void test_no_threads(void **state UNUSED)
{
	const size_t stack = default_stack_bytes();
	struct pass *pass = pass_new(7, 28, 0, 500);
	struct pipeline_crew crew = {.workers = 99};
	struct error err;
	int r;

	set_stack_bytes(NO_STACK);
	r = run(pass, &crew, &err);
	set_stack_bytes(stack);
	assert_int_equal(r, 0);
	assert_int_equal(crew.workers, 1);
	assert_int_equal(crew.refused, -EAGAIN);
	assert_int_equal(pass->write_count, 500);
	free(pass);
}

static void test_nothing_to_spare(void **state UNUSED)
{
	static const struct {
		size_t spare_bytes;
		unsigned started;
		int refused;
	} rows[] = {{(size_t)1 << 60, 1, -ENOMEM}, {1 << 20, 7, 0}, {0, 7, 0}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pass *pass = pass_new(7, 28, 0, 500);
		struct pipeline_crew crew = {.workers = 99};
		struct error err;

		pass->p.spare_bytes = rows[i].spare_bytes;
		assert_int_equal(run(pass, &crew, &err), 0);
		assert_int_equal(crew.workers, rows[i].started);
		assert_int_equal(crew.refused, rows[i].refused);
		assert_int_equal(pass->write_count, 500);
		free(pass);
	}
}

static void test_fewer_threads(void **state UNUSED)
{
	const size_t stack = default_stack_bytes();

	for (int again = 0; again < 10; again++) {
		struct pass *pass = pass_new(WORKERS, ITEMS, 0, 500);
		struct pipeline_crew crew = {.workers = 99};
		struct error err;
		int r;

		pass->fewer_threads = true;
		r = run(pass, &crew, &err);
		set_stack_bytes(stack);
		assert_int_equal(r, 0);
		assert_in_range(crew.workers, 1, WORKERS);
		assert_int_equal(pass->write_count, 500);
		free(pass);
	}
}

static void add_shapes(struct unit *u, const char *what, CMUnitTestFunction test)
{
	static char names[128][96];
	static size_t used;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++, used++) {
		snprintf(names[used], sizeof(names[used]), "pipeline_run: %s, %s", what,
			 shapes[i].name);
		unit_add(u, names[used], test, &shapes[i]);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	static struct unit u;
	pthread_t thread;

	/* With the first thread a sanitizer may start one of its own, which isn't ours to count. */
	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
	alarm(300); /* a pass that never ends is a failure, too */
	add_shapes(&u, "writes every chunk once, in order", test_counts);
	add_shapes(&u, "begins at any chunk", test_first_chunk);
	add_shapes(&u, "keeps order whoever is slow", test_delays);
	add_shapes(&u, "ends where writing fails", test_write_fails);
	add_shapes(&u, "ends behind the chunk where it is asked to", test_write_ends);
	add_shapes(&u, "ends where filling fails", test_fill_fails);
	add_shapes(&u, "reports the first of two failures", test_both_fail);
	unit_add(&u, "pipeline_run: reports what failed first", test_first_wins, NULL);
	unit_add(&u, "pipeline_run: does all by itself where no thread can be had", test_no_threads,
		 NULL);
	unit_add(&u, "pipeline_run: starts no thread that leaves too little memory",
		 test_nothing_to_spare, NULL);
	unit_add(&u, "pipeline_run: goes on with fewer threads", test_fewer_threads, NULL);
	return unit_run(&u, "pipeline", argc, argv);
}
