/* receiver/store/journal.h: what is kept of a session, torn, damaged and gone on with. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

static struct tinysession tiny;

/* --- helpers --- */

static void append(struct journal *j, size_t i)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame f = tinysession_kept(&tiny, i, payload);
	struct error err;

	assert_int_equal(journal_append(j, &f, &err), 0);
}

/* A journal of the first `frames` frames, on disk. */
static void write_journal(const char *path, size_t frames)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame hello = tinysession_kept(&tiny, 0, payload);
	struct journal *j;
	struct error err;

	assert_int_equal(journal_create(AT_FDCWD, path, &hello, &j, &err), 0);
	for (size_t i = 1; i < frames; i++)
		append(j, i);
	assert_int_equal(journal_sync(j, &err), 0);
	journal_free(j);
}

static size_t all_frames(void)
{
	return tiny.segments + 2;
}

/* The facts are those after so many frames. */
static void facts_are(const struct journal_facts *facts, size_t frames)
{
	const size_t segments = MIN(frames - 1, tiny.segments);

	assert_memory_equal(facts->hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	assert_int_equal(facts->whole, frames == all_frames());
	assert_int_equal(facts->cursor.segment, segments);
	if (segments == 0)
		return;
	assert_memory_equal(&facts->cursor, &tiny.checkpoints[segments - 1].cursor,
			    sizeof(facts->cursor));
	assert_memory_equal(facts->chain, tiny.checkpoints[segments - 1].chain, DIGEST_BYTES);
	assert_memory_equal(facts->first, tiny.checkpoints[0].chain, DIGEST_BYTES);
	if (facts->whole)
		assert_int_equal(facts->end.stream_bytes, tiny.end.stream_bytes);
}

/* Where each frame ends in the file. */
static size_t frame_ends(size_t *ends)
{
	static uint8_t payload[TINY_FRAME_MAX];
	size_t at = 0;

	for (size_t i = 0; i < all_frames(); i++) {
		at += FRAME_HEADER_BYTES + tinysession_kept(&tiny, i, payload).payload_bytes;
		ends[i] = at;
	}
	return at;
}

/* Frames that are whole in the first `bytes` bytes. */
static size_t whole_frames(size_t bytes)
{
	size_t ends[TINY_SEGMENTS_MAX + 2], n = 0;

	frame_ends(ends);
	while (n < all_frames() && ends[n] <= bytes)
		n++;
	return n;
}

/* --- tests --- */

static void test_keeps(void **state UNUSED)
{
	const char *path = scratch_path("keeps");
	struct journal_facts facts;
	struct error err;

	for (size_t n = 1; n <= all_frames(); n++) {
		write_journal(path, n);
		assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
		facts_are(&facts, n);
	}
}

static void test_waits(void **state UNUSED)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const char *path = scratch_path("waits");
	const struct frame hello = tinysession_kept(&tiny, 0, payload);
	struct journal_facts facts;
	struct journal *j;
	struct error err;

	assert_int_equal(journal_create(AT_FDCWD, path, &hello, &j, &err), 0);
	assert_int_equal(journal_sync(j, &err), 0);
	assert_int_equal(journal_waiting(j), 0);
	append(j, 1);
	assert_true(journal_waiting(j) > 0);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, 1);
	assert_int_equal(journal_sync(j, &err), 0);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, 2);
	journal_free(j);
}

/* Bytes after the last whole frame are cut off, and the journal goes on. */
static void goes_on(const char *path, size_t frames)
{
	struct journal_facts facts;
	struct journal *j;
	struct error err;
	pid_t holder;

	assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), 0);
	assert_int_equal(journal_load(j, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, frames);
	for (size_t i = frames; i < all_frames(); i++)
		append(j, i);
	assert_int_equal(journal_sync(j, &err), 0);
	journal_free(j);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, all_frames());
}

static void test_torn(void **state UNUSED)
{
	const char *path = scratch_path("torn");
	struct journal_facts facts;
	struct error err;
	uint8_t *bytes;
	size_t size;

	write_journal(path, all_frames());
	bytes = file_read(path, &size);
	for (size_t n = 0; n < size; n++) {
		const size_t frames = whole_frames(n);

		file_write(path, bytes, n);
		if (frames == 0) {
			assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), -EBADMSG);
			continue;
		}
		assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
		facts_are(&facts, frames);
		goes_on(path, frames);
	}
	free(bytes);
}

static void test_flipped(void **state UNUSED)
{
	const char *path = scratch_path("flipped");
	struct journal_facts facts;
	struct error err;
	uint8_t *bytes;
	size_t size;

	write_journal(path, all_frames());
	bytes = file_read(path, &size);
	for (size_t n = 0; n < size; n++) {
		const size_t frames = whole_frames(n);

		bytes[n] ^= (uint8_t)(1 << n % 8);
		file_write(path, bytes, size);
		if (frames == 0) {
			assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), -EBADMSG);
		} else {
			assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
			facts_are(&facts, frames);
		}
		bytes[n] ^= (uint8_t)(1 << n % 8);
	}
	free(bytes);
}

/* Frames whose CRC is right, in an order that can't be: {frame of tinysession_kept(), …}. */
static const struct order_row {
	const char *name;
	size_t frames[6]; /* behind HELLO; 0: the end */
	size_t good;	  /* that count, with HELLO */
} order_rows[] = {
	{"journal: ends before a segment that comes twice", {1, 1, 2}, 2},
	{"journal: ends before a segment that is missing", {1, 3}, 2},
	{"journal: ends before the first if that isn't segment 0", {2, 3}, 1},
	{"journal: ends before an END that is too early", {1, 2, 999}, 3},
};

static void test_order(void **state)
{
	const struct order_row *row = *state;
	static uint8_t payload[TINY_FRAME_MAX];
	const char *path = scratch_path("order");
	struct stream s = {0};
	struct journal_facts facts;
	struct error err;
	struct frame f = tinysession_kept(&tiny, 0, payload);

	add_frame(&s, 0, f.type, f.payload, f.payload_bytes);
	for (size_t i = 0; row->frames[i]; i++) {
		f = tinysession_kept(&tiny, row->frames[i], payload);
		add_frame(&s, i + 1, f.type, f.payload, f.payload_bytes);
	}
	file_write(path, s.bytes, s.size_bytes);
	stream_free(&s);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, row->good);
}

static void test_behind_end(void **state UNUSED)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const char *path = scratch_path("behind");
	struct stream s = {0};
	struct journal_facts facts;
	struct error err;

	for (size_t i = 0; i < all_frames(); i++) {
		const struct frame f = tinysession_kept(&tiny, i, payload);

		add_frame(&s, i, f.type, f.payload, f.payload_bytes);
	}
	for (size_t i = 0; i < 2; i++) { /* END again, and the last segment's neighbour */
		const struct frame f =
			tinysession_kept(&tiny, i ? all_frames() - 1 : tiny.segments, payload);

		add_frame(&s, all_frames(), f.type, f.payload, f.payload_bytes);
		file_write(path, s.bytes, s.size_bytes);
		assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
		facts_are(&facts, all_frames());
	}
	stream_free(&s);
}

/* A chain that is wrong under a CRC that is right: somebody changed it by hand. */
static void test_wrong_digest(void **state UNUSED)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const char *path = scratch_path("digest");
	struct journal_facts facts;
	struct stream s = {0};
	struct error err;
	struct frame f = tinysession_kept(&tiny, 0, payload);

	add_frame(&s, 0, f.type, f.payload, f.payload_bytes);
	f = tinysession_kept(&tiny, 1, payload);
	payload[f.payload_bytes - 1] ^= 1;
	add_frame(&s, 1, f.type, f.payload, f.payload_bytes);
	file_write(path, s.bytes, s.size_bytes);
	stream_free(&s);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, 1);
}

struct counter {
	size_t segments, fail_at;
	int code;
};

static int count_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct counter *c = ctx;

	assert_int_equal(segment->count, tiny.checkpoints[c->segments].segment.count);
	if (++c->segments == c->fail_at)
		return error_set(err, c->code, "the segment that was waited for");
	return 0;
}

/* What is wrong in the journal ends it; what whoever looks at it finds wrong is a failure. */
static void test_callback(void **state UNUSED)
{
	static const int codes[] = {-EBADMSG, -ENOTSUP, -EIO, -ENOMEM, -ENODATA};
	const char *path = scratch_path("callback");
	struct journal_facts facts;
	struct error err;

	write_journal(path, all_frames());
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct counter c = {.fail_at = 2, .code = codes[i]};
		struct journal *j;
		pid_t holder;

		err = (struct error){0};
		assert_int_equal(journal_read(path, &facts, count_segment, &c, &err), codes[i]);
		assert_non_null(strstr(err.msg, "waited for"));
		assert_int_equal(c.segments, 2);

		c.segments = 0;
		assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), 0);
		assert_int_equal(journal_load(j, &facts, count_segment, &c, &err), codes[i]);
		/* Nothing was cut off for that. */
		c.fail_at = 0;
		c.segments = 0;
		assert_int_equal(journal_load(j, &facts, count_segment, &c, &err), 0);
		facts_are(&facts, all_frames());
		assert_int_equal(c.segments, tiny.segments);
		journal_free(j);
	}
}

static void test_refused(void **state UNUSED)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame hello = tinysession_kept(&tiny, 0, payload);
	const char *path = scratch_path("target"), *odd = scratch_path("odd");
	struct journal_facts facts;
	struct journal *j;
	struct error err;
	pid_t holder;

	assert_int_equal(journal_read(odd, &facts, NULL, NULL, &err), -ENOENT);
	assert_int_equal(journal_open(AT_FDCWD, odd, &j, &holder, &err), -ENOENT);
	write_journal(path, 3);
	assert_int_equal(symlink(path, odd), 0);
	assert_int_equal(journal_read(odd, &facts, NULL, NULL, &err), -ELOOP);
	assert_int_equal(journal_open(AT_FDCWD, odd, &j, &holder, &err), -ELOOP);
	assert_int_equal(journal_create(AT_FDCWD, odd, &hello, &j, &err), -ELOOP);
	assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
	facts_are(&facts, 3);
	unlink(odd);
	assert_int_equal(mkfifo(odd, 0600), 0);
	assert_int_equal(journal_open(AT_FDCWD, odd, &j, &holder, &err), -EEXIST);
	assert_true(journal_create(AT_FDCWD, odd, &hello, &j, &err) < 0);
	assert_true(journal_read(odd, &facts, NULL, NULL, &err) < 0);
	unlink(odd);
	file_write(odd, "", 0);
	assert_int_equal(journal_read(odd, &facts, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, odd));
}

static void test_busy(void **state UNUSED)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame hello = tinysession_kept(&tiny, 0, payload);
	const char *path = scratch_path("busy");
	struct journal *j;
	struct error err;
	pid_t holder = 0, child;
	int to_us[2], status;
	char c;

	write_journal(path, 3);
	assert_int_equal(pipe(to_us), 0);
	child = fork();
	if (child == 0) {
		const int r = journal_open(AT_FDCWD, path, &j, &holder, &err);

		(void)!write(to_us[1], r == 0 ? "+" : "-", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(to_us[0], &c, 1), 1);
	assert_int_equal(c, '+');
	assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), -EBUSY);
	assert_int_equal(holder, child);
	assert_int_equal(journal_create(AT_FDCWD, path, &hello, &j, &err), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	/* Its lock went with it, and the journal is as it was. */
	assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), 0);
	journal_free(j);
	goes_on(path, 3);
	close(to_us[0]);
	close(to_us[1]);
}

/* Bytes after the cut are as if they had never been, also those that waited to be written. */
static void test_cut(void **state UNUSED)
{
	const char *path = scratch_path("cut back");

	for (size_t segments = 0; segments <= tiny.segments; segments++) {
		struct journal_facts facts;
		struct journal *j;
		struct error err;
		pid_t holder;

		write_journal(path, all_frames());
		assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), 0);
		assert_int_equal(journal_load(j, &facts, NULL, NULL, &err), 0);
		append(j, 1);
		assert_int_equal(journal_cut(j, segments, &err), 0);
		assert_int_equal(journal_waiting(j), 0);
		journal_free(j);
		assert_int_equal(journal_read(path, &facts, NULL, NULL, &err), 0);
		facts_are(&facts, 1 + segments);
		goes_on(path, 1 + segments);
	}
}

static int ask_once(void *ctx, struct error *err)
{
	int *calls = ctx;

	return ++*calls < 3 ? 0 : error_set(err, -ECONNRESET, "nobody wants it any more");
}

/* A process that does `fn` with the journal, and says "+" once it has begun. */
static pid_t start_other(void (*fn)(const char *path, int to_us), const char *path, int to_us[2])
{
	pid_t child;

	assert_int_equal(pipe(to_us), 0);
	child = fork();
	if (child == 0) {
		signal(SIGUSR1, SIG_DFL);
		fn(path, to_us[1]);
		_exit(0);
	}
	close(to_us[1]);
	return child;
}

static void await_other(const int to_us[2], char expected)
{
	char c = 0;

	assert_int_equal(read(to_us[0], &c, 1), 1);
	assert_int_equal(c, expected);
}

static void end_other(pid_t child, const int to_us[2], int expected)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, expected);
	close(to_us[0]);
}

/* A session that has it, and lets go when a newer one waits. */
static void hold(const char *path, int to_us)
{
	struct journal *j;
	struct error err;
	pid_t holder;

	(void)!write(to_us, journal_open(AT_FDCWD, path, &j, &holder, &err) == 0 ? "+" : "-", 1);
	while (!journal_is_wanted(j))
		usleep(1000);
	_exit(7);
}

/* One that doesn't let go. */
static void hold_fast(const char *path, int to_us)
{
	struct journal *j;
	struct error err;
	pid_t holder;

	(void)!write(to_us, journal_open(AT_FDCWD, path, &j, &holder, &err) == 0 ? "+" : "-", 1);
	pause();
}

static int say_begun(void *ctx, struct error *err UNUSED)
{
	const int *to_us = ctx;

	(void)!write(*to_us, "w", 1);
	return 0;
}

/* One that waits, and gives way to who comes later. */
static void wait_for_it(const char *path, int to_us)
{
	struct keepalive alive = {say_begun, &to_us};
	struct journal *j;
	struct error err;

	_exit(journal_take_over(AT_FDCWD, path, &alive, &j, &err) == -EALREADY ? 7 : 1);
}

/* What a backup program does: the whole file, for reading. It minds no signals. */
static void lock_all(const char *path, int to_us)
{
	struct flock all = {.l_type = F_RDLCK};
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)!write(to_us, fcntl(fd, F_SETLK, &all) == 0 ? "+" : "-", 1);
	pause();
}

static void test_take_over(void **state UNUSED)
{
	const char *path = scratch_path("taken over");
	struct journal *j;
	struct error err;
	int to_us[2], calls = 0;
	struct keepalive alive = {ask_once, &calls};
	pid_t child;

	write_journal(path, 3);
	child = start_other(hold, path, to_us);
	await_other(to_us, '+');
	assert_int_equal(journal_take_over(AT_FDCWD, path, NULL, &j, &err), 0);
	assert_false(journal_is_wanted(j));
	end_other(child, to_us, 7 << 8);
	journal_free(j);

	/* One that doesn't let go: the waiting ends when nobody wants it. */
	child = start_other(hold_fast, path, to_us);
	await_other(to_us, '+');
	assert_int_equal(journal_take_over(AT_FDCWD, path, &alive, &j, &err), -ECONNRESET);
	assert_int_equal(calls, 3);
	kill(child, SIGKILL);
	end_other(child, to_us, SIGKILL);
	goes_on(path, 3);
}

static void test_last_is_next(void **state UNUSED)
{
	const char *path = scratch_path("waited for");
	int to_us[2], of_next[2], calls = 0;
	struct keepalive alive = {ask_once, &calls};
	struct journal *j;
	struct error err;
	pid_t holder, next;

	write_journal(path, 3);
	holder = start_other(hold_fast, path, to_us);
	await_other(to_us, '+');
	next = start_other(wait_for_it, path, of_next);
	await_other(of_next, 'w');
	/* It gives way, whether we get further or not. */
	assert_int_equal(journal_take_over(AT_FDCWD, path, &alive, &j, &err), -ECONNRESET);
	end_other(next, of_next, 7 << 8);
	kill(holder, SIGKILL);
	end_other(holder, to_us, SIGKILL);
}

/* A program that isn't ours is left alone, and so is a session that it looks at. */
static void test_others(void **state UNUSED)
{
	const char *path = scratch_path("backed up");
	int to_us[2], calls = 0;
	struct keepalive alive = {ask_once, &calls};
	struct flock all = {.l_type = F_WRLCK};
	struct journal *j;
	struct error err;
	pid_t backup, holder;
	int fd;

	write_journal(path, 3);
	backup = start_other(lock_all, path, to_us);
	await_other(to_us, '+');
	assert_int_equal(journal_take_over(AT_FDCWD, path, &alive, &j, &err), -ECONNRESET);
	assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), -EBUSY);
	assert_int_equal(holder, backup);
	assert_non_null(strstr(err.msg, "locked by another program"));
	assert_int_equal(waitpid(backup, NULL, WNOHANG), 0);
	kill(backup, SIGKILL);
	end_other(backup, to_us, SIGKILL); /* and nothing else has ended it */

	/* It comes second: it has to wait, and the session isn't taken over by it. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	holder = start_other(hold, path, to_us);
	await_other(to_us, '+');
	assert_int_equal(fcntl(fd, F_SETLK, &all), -1);
	all = (struct flock){.l_type = F_WRLCK, .l_len = 1};
	assert_int_equal(fcntl(fd, F_SETLK, &all), 0);
	usleep(50000);
	assert_int_equal(waitpid(holder, NULL, WNOHANG), 0);
	kill(holder, SIGKILL);
	end_other(holder, to_us, SIGKILL);
	close(fd);
}

static size_t bytes_read;

/* In the place of the C library's. */
ssize_t pread64(int fd, void *buf, size_t size_bytes, off64_t off)
{
	const ssize_t n = syscall(SYS_pread64, fd, buf, size_bytes, off);

	bytes_read += n > 0 ? (size_t)n : 0;
	return n;
}

/* A host's dumps are looked through for the one that it offers: their tables are long. */
static void test_hello(void **state UNUSED)
{
	static const uint8_t long_payload[FRAME_PAYLOAD_MAX];
	static uint8_t payload[TINY_FRAME_MAX];
	const char *path = scratch_path("j");
	const struct frame f = tinysession_kept(&tiny, 0, payload);
	struct stream s = {0};
	struct hello hello;
	struct error err;

	add_frame(&s, 0, f.type, f.payload, f.payload_bytes);
	for (size_t i = 1; i < 9; i++)
		add_frame(&s, i, FRAME_OPTIONAL, long_payload, sizeof(long_payload));
	file_write(path, s.bytes, s.size_bytes);
	stream_free(&s);
	bytes_read = 0;
	assert_int_equal(journal_read_hello(AT_FDCWD, path, &hello, &err), 0);
	assert_memory_equal(hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	assert_in_range(bytes_read, 1, 100000);
	file_write(path, "VMSF", 4);
	assert_int_equal(journal_read_hello(AT_FDCWD, path, &hello, &err), -EBADMSG);
	assert_int_equal(journal_read_hello(AT_FDCWD, scratch_path("none"), &hello, &err), -ENOENT);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true, .pages_per_segment = 1});
	unit_add(&u, "journal: keeps what was synced", test_keeps, NULL);
	unit_add(&u, "journal: tells whose it is without reading all of it", test_hello, NULL);
	unit_add(&u, "journal: holds back what wasn't", test_waits, NULL);
	unit_add(&u, "journal: torn at any byte, goes on from the last whole frame", test_torn,
		 NULL);
	unit_add(&u, "journal: damaged at any byte, ends before it", test_flipped, NULL);
	UNIT_ADD_ROWS(&u, order_rows, test_order);
	unit_add(&u, "journal: ends with END", test_behind_end, NULL);
	unit_add(&u, "journal: computes the digest itself", test_wrong_digest, NULL);
	unit_add(&u, "journal: tells what its reader found, whatever the code", test_callback,
		 NULL);
	unit_add(&u, "journal: refuses what isn't one, and doesn't follow links", test_refused,
		 NULL);
	unit_add(&u, "journal: has one writer, who can be told", test_busy, NULL);
	unit_add(&u, "journal: is cut behind any segment, and goes on from there", test_cut, NULL);
	unit_add(&u, "journal: is taken over from who has it, as long as somebody waits",
		 test_take_over, NULL);
	unit_add(&u, "journal: of several that wait, the last who came is next", test_last_is_next,
		 NULL);
	unit_add(&u, "journal: asks no program that isn't a session", test_others, NULL);
	r = unit_run(&u, "journal", argc, argv);
	tinysession_free(&tiny);
	return r;
}
