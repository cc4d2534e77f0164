/*
 * A receiver whose disk fails once while a directory is synced, at each time that it does that in a
 * session: what it says of the dump is what there is, and the next session brings it to its end.
 */
#include "tests/lib/dialogue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

/* In the place of the library's. */
static unsigned syncs, failing; /* of directories; which of them fails, from 1 on */
static int failure;
static bool always; /* all of them do */

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && (++syncs == failing || always)) {
		errno = failure;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static struct ending run(const struct tinysession *t, unsigned which)
{
	const struct script script = dialogue_undisturbed(t);
	struct ending end;

	dialogue_clear();
	syncs = 0;
	failing = which;
	failure = EIO;
	end = dialogue_run(&script);
	failing = 0;
	return end;
}

static void test_each(void **state)
{
	const struct tinysession *t = *state;
	unsigned count, with_part = 0, with_dump = 0;

	assert_true(run(t, 0).complete);
	count = syncs;
	assert_true(count > 5);
	for (unsigned i = 1; i <= count; i++) {
		struct ending end = run(t, i);
		bool is_there, has_part;

		/* What is beside the dump may fail without a word: the dump counts. */
		if (end.done) {
			dialogue_published(t);
			continue;
		}
		assert_int_equal(end.receiver, -EIO);
		if (!file_exists(scratch_path("dir/tiny")) ||
		    (end.begin == 0 && end.acked == 0 && !end.complete && i < count / 2)) {
			/* Not so far that there is a directory, perhaps; and nothing is left of
			   nothing. */
			const struct script again = dialogue_undisturbed(t);

			assert_true(dialogue_run(&again).complete);
			dialogue_published(t);
			continue;
		}
		is_there = file_exists(dialogue_path("vmcore"));
		/* One name, or none of what had no byte so far. */
		has_part = file_exists(dialogue_path("vmcore.part"));
		assert_false(is_there && has_part);
		assert_true(is_there || has_part || end.acked == 0);
		with_part += has_part;
		with_dump += is_there;
		end.complete = is_there; /* then the next one hears that it is there already */
		(void)dialogue_finish(t, &end);
	}
	assert_true(with_part >= 2); /* before the rename, and after it */
	assert_true(with_dump >= 1); /* what tells of it */
}

/* A file system that has no such call: all is well, and said to be unsure. */
static void test_unsupported(void **state)
{
	const struct tinysession *t = *state;
	const int errors[] = {EBADF, EINVAL, ENOTSUP, EACCES};

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const struct script script = dialogue_undisturbed(t);

		dialogue_clear();
		failure = errors[i];
		always = true;
		assert_true(dialogue_run(&script).complete);
		always = false;
		dialogue_published(t);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;
	struct tinysession_shape shape = {.small = true, .pages_per_segment = 1};
	struct tinysession tiny = tinysession_make(&shape);
	int r;

	unit_add(&u,
		 "names: a directory that can't be synced is said to be, and the dump is gone on "
		 "with",
		 test_each, &tiny);
	unit_add(&u, "names: file systems that can't sync a directory take dumps", test_unsupported,
		 &tiny);
	r = unit_run(&u, "names", argc, argv);
	dialogue_clear();
	tinysession_free(&tiny);
	return r;
}
