/*
 * A power cut of the receiver, at each write: of what was written since a file was last synced, any
 * part may be there, and any part of a write. What is left has to be gone on with, from where the
 * sender was told that it is durable or from behind it, and to come to the dump to the byte.
 *
 * The writes of a session are caught below (in the place of the C library's) and put into files
 * again, some of them left out. Names are taken to be durable: tests/faults has those.
 */
#include "tests/lib/dialogue.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

/* --- what was done to the files ------------------------------------------------------------- */

enum file { PART, JOURNAL, FILES };

struct event {
	enum { WRITE, LENGTH, PUNCH, SYNC, ACK } kind;
	enum file file;
	uint64_t off, size_bytes; /* ACK: off is the number */
	uint8_t *bytes;
};

static struct event events[4096];
static size_t event_count, names_synced;
static bool recording;

/* Which of the two files a descriptor is; false for others. */
static bool file_of(int fd, enum file *file_ret)
{
	static const char *const names[FILES] = {"/vmcore.part", "/vmcore.segments"};
	char link[64], path[1024];
	ssize_t n;

	if (!recording)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	for (enum file f = PART; f < FILES; f++) {
		const size_t len = strlen(names[f]);

		*file_ret = f;
		if ((size_t)n > len && strcmp(path + n - len, names[f]) == 0)
			return true;
	}
	return false;
}

static void note(struct event e, const void *bytes)
{
	assert_true(event_count < ARRAY_LEN(events));
	if (e.kind == WRITE) {
		e.bytes = malloc(e.size_bytes + 1);
		memcpy(e.bytes, bytes, e.size_bytes);
	}
	events[event_count++] = e;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size_bytes, off64_t off)
{
	struct event e = {.kind = WRITE, .off = (uint64_t)off, .size_bytes = size_bytes};

	if (file_of(fd, &e.file))
		note(e, bytes);
	return syscall(SYS_pwrite64, fd, bytes, size_bytes, off);
}

ssize_t write(int fd, const void *bytes, size_t size_bytes)
{
	struct event e = {.kind = WRITE, .size_bytes = size_bytes};

	if (file_of(fd, &e.file)) {
		e.off = (uint64_t)lseek(fd, 0, SEEK_CUR);
		note(e, bytes);
	}
	return syscall(SYS_write, fd, bytes, size_bytes);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t done = 0;

	/* One by one, which is a way that the kernel might take. */
	for (int i = 0; i < count; i++) {
		const ssize_t n = write(fd, iov[i].iov_base, iov[i].iov_len);

		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

int ftruncate64(int fd, off64_t size_bytes)
{
	struct event e = {.kind = LENGTH, .size_bytes = (uint64_t)size_bytes};

	if (file_of(fd, &e.file))
		note(e, NULL);
	return (int)syscall(SYS_ftruncate, fd, size_bytes);
}

int fallocate64(int fd, int mode, off64_t off, off64_t size_bytes)
{
	struct event e = {.kind = PUNCH, .off = (uint64_t)off, .size_bytes = (uint64_t)size_bytes};

	if (file_of(fd, &e.file))
		note(e, NULL);
	return (int)syscall(SYS_fallocate, fd, mode, off, size_bytes);
}

int fsync(int fd)
{
	struct event e = {.kind = SYNC};
	struct stat st;

	names_synced += recording && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	if (file_of(fd, &e.file))
		note(e, NULL);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	struct event e = {.kind = SYNC};

	if (file_of(fd, &e.file))
		note(e, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

static void note_ack(uint64_t number)
{
	if (recording)
		note((struct event){.kind = ACK, .off = number}, NULL);
}

static void forget_events(void)
{
	for (size_t i = 0; i < event_count; i++)
		free(events[i].bytes);
	event_count = 0;
}

/* --- what of it is there after the cut ------------------------------------------------------ */

enum { IMAGE_BYTES = 1 << 16 };

struct image {
	uint8_t bytes[IMAGE_BYTES];
	size_t size_bytes;
};

/* As far as `part` bytes of a write. */
static void apply(struct image *image, const struct event *e, size_t part)
{
	assert_true(e->off + e->size_bytes <= IMAGE_BYTES);
	switch (e->kind) {
	case WRITE:
		memcpy(image->bytes + e->off, e->bytes, MIN(part, (size_t)e->size_bytes));
		image->size_bytes =
			MAX(image->size_bytes, (size_t)e->off + MIN(part, (size_t)e->size_bytes));
		break;
	case LENGTH:
		if (e->size_bytes < image->size_bytes)
			memset(image->bytes + e->size_bytes, 0,
			       image->size_bytes - (size_t)e->size_bytes);
		image->size_bytes = (size_t)e->size_bytes;
		break;
	case PUNCH:
		memset(image->bytes + e->off, 0, (size_t)e->size_bytes);
		break;
	default:
		break;
	}
}

/* The last time that a file was synced before event `cut`. */
static size_t last_sync(enum file file, size_t cut)
{
	while (cut > 0)
		if (events[--cut].kind == SYNC && events[cut].file == file)
			return cut;
	return 0;
}

/* Events of both files that may be there or not. */
static size_t loose_events(size_t cut)
{
	size_t n = 0;

	for (size_t i = 0; i < cut; i++)
		n += events[i].kind <= PUNCH && i > last_sync(events[i].file, cut);
	return n;
}

/*
 * The files after a cut before event `cut`: bit i of `kept` says whether the i-th loose event is
 * there. One that has all of the bits of `torn` below it is there in part.
 */
static void make_files(size_t cut, uint64_t kept, size_t torn)
{
	static struct image images[FILES];
	size_t loose = 0;

	memset(images, 0, sizeof(images));
	for (size_t i = 0; i < cut; i++) {
		const struct event *e = &events[i];
		size_t part = SIZE_MAX;

		if (e->kind > PUNCH)
			continue;
		if (i > last_sync(e->file, cut)) {
			const bool is_there = kept >> (loose & 63) & 1;

			if (loose == torn)
				part = (size_t)e->size_bytes / 2;
			loose++;
			if (!is_there)
				continue;
		}
		apply(&images[e->file], e, part);
	}
	file_write(dialogue_path("vmcore.part"), images[PART].bytes, images[PART].size_bytes);
	file_write(dialogue_path("vmcore.segments"), images[JOURNAL].bytes,
		   images[JOURNAL].size_bytes);
}

static uint64_t acked_before(size_t cut)
{
	while (cut > 0)
		if (events[--cut].kind == ACK)
			return events[cut].off;
	return 0;
}

/* The journal was begun, durably: before that nothing was promised, and nothing is found. */
static bool has_hello(size_t cut)
{
	return last_sync(JOURNAL, cut) > 0;
}

static void power_cut(const struct tinysession *t, const struct script *script, size_t cut,
		      uint64_t kept, size_t torn)
{
	const struct ending before = {.acked = acked_before(cut)};

	dialogue_clear();
	/* So far that the directory is there. */
	(void)dialogue_run(script);
	unlink(dialogue_path("vmcore"));
	make_files(cut, kept, torn);
	dialogue_finish(t, &before);
}

/* --- tests --- */

/* Some hundred cuts for each event: all subsets where there are few. */
static void try_cut(const struct tinysession *t, const struct script *script, size_t cut,
		    uint32_t *random)
{
	const size_t loose = loose_events(cut);
	const uint64_t all = loose < 64 ? (UINT64_C(1) << loose) - 1 : UINT64_MAX;

	for (uint64_t kept = 0; loose <= 5 && kept <= all; kept++)
		power_cut(t, script, cut, kept, SIZE_MAX);
	for (int i = 0; loose && i < (loose <= 5 ? 4 : 24); i++) {
		const uint64_t bits = (uint64_t)unit_random(random) << 32 | unit_random(random);
		const size_t torn = i & 1 ? unit_random(random) % loose : SIZE_MAX;

		power_cut(t, script, cut, bits, torn);
	}
}

/* At each event from where the journal is there on. */
static void try_cuts(const struct tinysession *t, const struct script *script)
{
	uint32_t random = unit_seed();
	size_t cut = 0;

	while (cut < event_count && !has_hello(cut))
		cut++;
	assert_true(cut < event_count / 2);
	for (; cut <= event_count; cut++)
		try_cut(t, script, cut, &random);
}

/* What a first session does to the files is caught, and cut at each event. */
static void test_first(void **state)
{
	const struct tinysession *t = *state;
	struct script script = dialogue_undisturbed(t), first = script;
	struct ending end;

	dialogue_clear();
	script.acked = note_ack;
	recording = true;
	/* All but END. */
	script.out = dialogue_run(&script).sent_out - 1;
	forget_events();
	dialogue_clear();
	end = dialogue_run(&script);
	recording = false;
	assert_false(end.complete);
	assert_true(event_count > 10);
	first.out = 1000; /* HELLO, and no page */
	try_cuts(t, &first);
	forget_events();
}

/* The same of a session that goes on with what an earlier one left: bringing the part back is cut,
 * too. */
static void test_resumed(void **state)
{
	const struct tinysession *t = *state;
	struct script script = dialogue_undisturbed(t), first = script;
	struct ending end;

	dialogue_clear();
	script.out = dialogue_run(&script).sent_out - 800;
	dialogue_clear();
	script.acked = note_ack;
	script.kill = true;
	recording = true;
	end = dialogue_run(&script);
	assert_true(end.acked > 0 && !end.complete);
	script.out = 900;
	end = dialogue_run(&script);
	recording = false;
	assert_true(end.begin > 0 && !end.complete);
	first.out = 1000;
	try_cuts(t, &first);
	forget_events();
}

/* The order that all of this rests on. */
static void test_order(void **state)
{
	const struct tinysession *t = *state;
	struct script script = dialogue_undisturbed(t);
	bool part_dirty = false, journal_dirty = false;
	size_t acks = 0;

	dialogue_clear();
	script.acked = note_ack;
	recording = true;
	(void)dialogue_run(&script);
	recording = false;
	for (size_t i = 0; i < event_count; i++) {
		const struct event *e = &events[i];
		bool *dirty = e->file == PART ? &part_dirty : &journal_dirty;

		if (e->kind == ACK) {
			acks++;
		} else if (e->kind == SYNC) {
			*dirty = false;
		} else {
			/* A table is written once its data is synced. */
			if (e->file == JOURNAL)
				assert_false(part_dirty);
			*dirty = true;
		}
	}
	assert_true(acks > 0);
	assert_false(part_dirty || journal_dirty);
	forget_events();
}

/* A process that was killed may have left frames that it wrote and didn't sync: they are synced
 * before anybody is told of them. */
static void test_load(void **state)
{
	const char *path = scratch_path("vmcore.segments");
	static uint8_t payload[TINY_FRAME_MAX];
	struct journal_facts facts;
	struct stream s = {0};
	struct journal *j;
	struct error err;
	pid_t holder;
	size_t syncs = 0;

	for (size_t i = 0; i < 3; i++) {
		const struct frame f = tinysession_kept(*state, i, payload);

		add_frame(&s, i, f.type, f.payload, f.payload_bytes);
	}
	file_write(path, s.bytes, s.size_bytes);
	stream_free(&s);
	recording = true;
	assert_int_equal(journal_open(AT_FDCWD, path, &j, &holder, &err), 0);
	assert_int_equal(journal_load(j, &facts, NULL, NULL, &err), 0);
	recording = false;
	for (size_t i = 0; i < event_count; i++)
		syncs += events[i].kind == SYNC && events[i].file == JOURNAL;
	assert_int_equal(facts.cursor.segment, 2);
	assert_int_equal(syncs, 1);
	journal_free(j);
	forget_events();
}

/* Who published it may have been killed before it synced the name: DONE is said of what is durable.
 */
static void test_name(void **state)
{
	const struct script script = dialogue_undisturbed(*state);
	struct ending end;

	dialogue_clear();
	(void)dialogue_run(&script);
	names_synced = 0;
	recording = true;
	end = dialogue_run(&script);
	recording = false;
	assert_true(end.was_there);
	assert_true(names_synced > 0);
	forget_events();
}

int main(int argc, char **argv)
{
	static struct unit u;
	struct tinysession_shape shape = {.small = true, .pages_per_segment = 1};
	struct tinysession tiny = tinysession_make(&shape), marked;
	int r;

	shape.unreadable = true;
	marked = tinysession_make(&shape);
	unit_add(&u, "power cut: tables come behind their data, and acknowledgements behind both",
		 test_order, &tiny);
	unit_add(&u, "power cut: at any write of a session, loses nothing acknowledged", test_first,
		 &tiny);
	unit_add(&u, "power cut: of an incomplete dump", test_first, &marked);
	unit_add(&u, "power cut: while an earlier session's part is brought back", test_resumed,
		 &tiny);
	unit_add(&u, "power cut: a journal is synced before it is gone on with", test_load, &tiny);
	unit_add(&u, "power cut: a dump's name is synced before it is called done", test_name,
		 &tiny);
	r = unit_run(&u, "powercut", argc, argv);
	dialogue_clear();
	tinysession_free(&tiny);
	tinysession_free(&marked);
	return r;
}
