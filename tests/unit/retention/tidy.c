/* receiver/retention/tidy.h, stock.h, removal.h and pin.h: with files, locks, and other processes.
 */
#include "receiver/retention/tidy.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "receiver/retention/pin.h"
#include "receiver/retention/removal.h"
#include "tests/lib/scratch.h"

enum { DAY = 86400 };

/* The locked byte of a journal: receiver/store/journal.c. */
#define JOURNAL_BYTE ((off_t)1 << 62)

static const char *root;

/* --- a process that is killed --------------------------------------------------------------- */

/* Changes of names that are still to be made before SIGKILL; -1: none is sent. */
static int steps_left = -1;

static void step(void)
{
	if (steps_left == 0)
		kill(getpid(), SIGKILL);
	if (steps_left > 0)
		steps_left--;
}

/* These take the place of the C library's. */
int unlinkat(int fd, const char *name, int flags)
{
	step();
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	step();
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

/* --- a store -------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
		      struct FTW *at UNUSED)
{
	return remove(path);
}

static void begin(void)
{
	root = scratch_path("dumps");
	(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(root, 0700), 0);
}

static const char *path_of(const char *dump, const char *file)
{
	static char path[4][400];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s%s%s", root, dump, *file ? "/" : "", file);
	return p;
}

static bool is_there(const char *dump, const char *file)
{
	return access(path_of(dump, file), F_OK) == 0;
}

static void put(const char *dump, const char *file, size_t size_bytes)
{
	uint8_t *bytes = calloc(1, size_bytes + 1);

	memset(bytes, 'x', size_bytes);
	file_write(path_of(dump, file), bytes, size_bytes);
	free(bytes);
}

/* "HOST/TIME" of so many days ago. Good for some calls. */
static const char *days_ago(const char *host, int days)
{
	static char names[8][64];
	static int next;
	char *name = names[next++ % 8];
	const time_t t = time(NULL) - (time_t)days * DAY;
	char text[40];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%SZ", &tm);
	snprintf(name, sizeof(names[0]), "%s/%s", host, text);
	return name;
}

/* A dump, with its file `vmcore` or `vmcore.part`. */
static const char *make(const char *host, int days, const char *file)
{
	const char *dump = days_ago(host, days);
	const struct timespec times[2] = {{.tv_sec = time(NULL) - (time_t)days * DAY},
					  {.tv_sec = time(NULL) - (time_t)days * DAY}};
	static const char *const others[] = {"vmcore.segments", "meta.json", "vmcore-dmesg.txt"};

	(void)mkdir(path_of(host, ""), 0700);
	assert_int_equal(mkdir(path_of(dump, ""), 0700), 0);
	put(dump, file, 10000);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		put(dump, others[i], 100);
	assert_int_equal(utimensat(AT_FDCWD, path_of(dump, file), times, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(utimensat(AT_FDCWD, path_of(dump, others[i]), times, 0), 0);
	return dump;
}

static struct tidy_result tidy_with(const struct tidy_setup *setup)
{
	struct tidy_setup own = *setup;
	struct tidy_result res;
	struct error err = {0};

	own.dir = root;
	if (tidy_once(&own, &res, &err) < 0)
		fail_msg("%s", err.msg);
	return res;
}

static struct tidy_result tidy(struct rules rules)
{
	return tidy_with(&(struct tidy_setup){.rules = rules});
}

#define MONTH ((struct rules){.keep_days = 30})

/* --- what goes ------------------------------------------------------------------------------ */

static void removes(void **state UNUSED)
{
	const char *old, *young, *other;
	struct tidy_result res;

	begin();
	old = make("web1", 40, "vmcore");
	young = make("web1", 3, "vmcore");
	other = make("web2", 40, "vmcore.part");
	res = tidy(MONTH);
	assert_int_equal(res.removed, 2);
	assert_true(res.bytes >= 20000);
	assert_int_equal(res.remark.code, 0);
	assert_false(is_there(old, ""));
	assert_true(is_there(young, "vmcore"));
	assert_false(is_there(other, ""));
	assert_false(is_there("web2", "")); /* the host's directory goes with its last dump */
	assert_int_equal(tidy(MONTH).removed, 0);
}

static void leaves_others_files(void **state UNUSED)
{
	static const char *const names[] = {"web1/2020-01-01",
					    "web1/analysis",
					    "web1/2020-01-01T00-00-00Z.txt",
					    "web1/2020-01-01T00-00-00Zx",
					    "web1/.new",
					    "2020-01-01T00-00-00Z",
					    "web1/2020-1-01T00-00-00Z"};

	begin();
	make("web1", 40, "vmcore");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(mkdir(path_of(names[i], ""), 0700), 0);
	put("2020-01-01T00-00-00Z", "vmcore", 10);
	put("web1", "2020-01-01T00-00-01Z", 10); /* a file of such a name */
	assert_int_equal(symlink("..", path_of("web1", "2020-01-01T00-00-02Z")), 0);
	assert_int_equal(symlink("web1", path_of("web3", "")), 0);
	assert_int_equal(tidy(MONTH).removed, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(is_there(names[i], ""));
	assert_true(is_there("2020-01-01T00-00-00Z", "vmcore"));
	assert_true(is_there("web1", "2020-01-01T00-00-01Z"));
}

static void leaves_what_others_may_write(void **state UNUSED)
{
	const char *dump;

	begin();
	dump = make("web1", 40, "vmcore");
	assert_int_equal(chmod(path_of(dump, ""), 0777), 0);
	assert_int_equal(tidy(MONTH).removed, 0);
	assert_true(is_there(dump, "vmcore"));
}

static void removes_folders_within(void **state UNUSED)
{
	const char *dump;

	begin();
	dump = make("web1", 40, "vmcore");
	assert_int_equal(mkdir(path_of(dump, "analysis"), 0700), 0);
	put(dump, "analysis/bt.txt", 10);
	assert_int_equal(symlink("/etc", path_of(dump, "analysis/link")), 0);
	assert_int_equal(tidy(MONTH).removed, 1);
	assert_false(is_there(dump, ""));
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

static void changes_nothing_dry(void **state UNUSED)
{
	const char *dump;
	struct tidy_result res;

	begin();
	dump = make("web1", 40, "vmcore");
	res = tidy_with(&(struct tidy_setup){.rules = MONTH, .dry_run = true});
	assert_int_equal(res.removed, 1);
	assert_true(is_there(dump, "vmcore"));
	assert_false(is_there(".vmrecv", ""));
}

static void pins(void **state UNUSED)
{
	static const char *const wrong[] = {"",
					    "web1",
					    "/",
					    "web1/",
					    "../web1/x",
					    "web1/..",
					    "web1/2020-01-01",
					    ".x/2020-01-01T00-00-00Z"};
	const char *dump;
	struct error err;
	char slash[80];

	begin();
	dump = make("web1", 40, "vmcore");
	snprintf(slash, sizeof(slash), "%s/", dump);
	assert_int_equal(pin_set(root, dump, true, &err), 1);
	assert_int_equal(pin_set(root, slash, true, &err), 0);
	assert_int_equal(tidy(MONTH).removed, 0);
	assert_int_equal(pin_set(root, dump, false, &err), 1);
	assert_int_equal(pin_set(root, dump, false, &err), 0);
	assert_int_equal(tidy(MONTH).removed, 1);
	assert_int_equal(pin_set(root, dump, true, &err), -ENOENT);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(pin_set(root, wrong[i], true, &err), -EINVAL);
}

/* --- what is in use ------------------------------------------------------------------------- */

/* A child that does `hold` with a file of the dump, and then waits to be killed. */
static pid_t hold(const char *path, void (*hold_fn)(int fd))
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const int fd = open(path, O_RDWR);

		if (fd < 0)
			_exit(1);
		hold_fn(fd);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void release(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void hold_journal(int fd)
{
	const struct flock lock = {.l_type = F_WRLCK, .l_start = JOURNAL_BYTE, .l_len = 1};

	if (fcntl(fd, F_SETLK, &lock) < 0)
		_exit(1);
}

static void hold_shared(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		_exit(1);
}

static void hold_exclusive(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		_exit(1);
}

static void hold_open(int fd UNUSED)
{
}

static const struct busy_row {
	const char *name;
	const char *dump, *held;
	void (*hold)(int fd);
} busy_rows[] = {
	{"leaves a dump that a session receives", "vmcore.part", "vmcore.segments", hold_journal},
	{"leaves a dump that a stream brings", "vmcore.part", "vmcore.part", hold_exclusive},
	{"leaves a dump that is being checked", "vmcore", "vmcore", hold_shared},
	{"leaves a dump that a session has just completed", "vmcore", "vmcore.segments",
	 hold_journal},
	{"leaves a dump that another program has open", "vmcore", "vmcore", hold_open},
};

static bool has_leases(void)
{
	const char *path = scratch_path("lease");
	AUTO_CLOSE int fd = -1;

	file_write(path, "x", 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

/* And in its place another goes, where a limit wants one to go. */
static void leaves_busy(void **state)
{
	const struct busy_row *row = *state;
	const char *dump, *other;
	struct tidy_result res;
	pid_t pid;

	begin();
	dump = make("web1", 40, row->dump);
	other = make("web1", 20, "vmcore");
	make("web1", 10, "vmcore");
	pid = hold(path_of(dump, row->held), row->hold);
	res = tidy((struct rules){.host_dumps = 2});
	assert_int_equal(res.removed, 1);
	assert_true(is_there(dump, row->dump));
	assert_true(is_there(dump, "vmcore.segments"));
	assert_false(is_there(other, ""));
	release(pid);
	assert_int_equal(tidy((struct rules){.host_dumps = 1}).removed, 1);
	assert_false(is_there(dump, ""));
}

static void waits_for_beginners(void **state UNUSED)
{
	const char *dump;
	pid_t pid;
	AUTO_CLOSE int fd = -1;

	begin();
	dump = make("web1", 40, "vmcore");
	fd = open(path_of("web1", ""), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	pid = fork();
	if (pid == 0) {
		struct tidy_result res;
		struct error err;

		close(fd);
		_exit(tidy_once(&(struct tidy_setup){.dir = root, .rules = MONTH}, &res, &err) <
			      0 ||
		      res.removed != 1);
	}
	usleep(100000); /* a test that is too quick here proves less, and doesn't fail */
	assert_true(is_there(dump, "vmcore"));
	flock(fd, LOCK_UN);
	{
		int status;

		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
	assert_false(is_there(dump, ""));
}

/* --- a removal that is cut short ------------------------------------------------------------ */

/* How a dump is there: all of it, not at all, or under the name of a removal. */
static bool is_whole(const char *dump)
{
	return is_there(dump, "vmcore") && is_there(dump, "vmcore.segments") &&
	       is_there(dump, "meta.json") && is_there(dump, "vmcore-dmesg.txt");
}

static void finishes_what_was_killed(void **state UNUSED)
{
	int steps = 0, cut = 0;

	for (bool ended = false; !ended; steps++) {
		const char *dump, *young;
		struct tidy_result res;
		int status;
		pid_t pid;

		begin();
		dump = make("web1", 40, "vmcore");
		young = make("web1", 3, "vmcore");
		pid = fork();
		if (pid == 0) {
			struct error err;

			steps_left = steps;
			_exit(tidy_once(&(struct tidy_setup){.dir = root, .rules = MONTH}, &res,
					&err) < 0);
		}
		waitpid(pid, &status, 0);
		ended = WIFEXITED(status);
		assert_true(!is_there(dump, "") || is_whole(dump));
		assert_true(is_whole(young));
		res = tidy(MONTH);
		cut += res.finished == 1;
		assert_false(is_there(dump, ""));
		assert_true(is_whole(young));
		{
			const int fd = open(path_of("web1", ""), O_RDONLY | O_DIRECTORY);
			struct error remark;

			assert_int_equal(removal_finish(fd, &remark), 0);
			close(fd);
		}
		assert_true(steps < 30);
	}
	assert_true(cut >= 4);
}

static void leaves_similar_names(void **state UNUSED)
{
	static const char *const names[] = {"web1/.gone", "web1/.x.gone", "web1/x.gone",
					    "web1/2020-01-01T00-00-00Z.gone"};

	begin();
	make("web1", 3, "vmcore");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(mkdir(path_of(names[i], ""), 0700), 0);
	assert_int_equal(tidy(MONTH).finished, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(is_there(names[i], ""));
}

/* --- what can't be done --------------------------------------------------------------------- */

static void fails_without_dir(void **state UNUSED)
{
	struct tidy_result res;
	struct error err;

	begin();
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(tidy_once(&(struct tidy_setup){.dir = root}, &res, &err), -ENOENT);
	assert_true(strstr(err.msg, root));
}

/* For a user to whom permissions apply. */
static int as_nobody(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (getuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(77);
		_exit(body());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int without_rights(void)
{
	struct tidy_result res;
	struct error err;
	char dir[] = "/tmp/vmrecv-tidy.XXXXXX", path[100];
	int bad;

	if (!mkdtemp(dir))
		return 77;
	root = dir;
	make("web1", 40, "vmcore");
	make("web2", 40, "vmcore");
	snprintf(path, sizeof(path), "%s/web1", dir);
	chmod(path, 0000);
	bad = tidy_once(&(struct tidy_setup){.dir = dir, .rules = MONTH}, &res, &err) < 0 ||
	      res.removed != 1 || !strstr(res.remark.msg, "web1");
	chmod(path, 0500); /* it can be read now, and nothing in it removed */
	bad |= tidy_once(&(struct tidy_setup){.dir = dir, .rules = MONTH}, &res, &err) < 0 ||
	       res.removed != 0 || !strstr(res.remark.msg, "can't be removed");
	chmod(path, 0700);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return bad;
}

static void says_what_it_may_not(void **state UNUSED)
{
	const int status = as_nobody(without_rights);

	if (status != 77)
		assert_int_equal(status, 0);
}

/* --- the clock ------------------------------------------------------------------------------ */

static void survives_a_step(void **state UNUSED)
{
	const struct tidy_setup trust = {.rules = MONTH, .trust_clock = true};
	const struct reckoning before = {.seen_s = time(NULL) - 400 * DAY};
	struct tidy_result res;
	const char *dump;
	int fd;

	begin();
	dump = make("web1", 40, "vmcore");
	assert_int_equal(mkdir(path_of(".vmrecv", ""), 0700), 0);
	fd = open(path_of(".vmrecv", ""), O_RDONLY | O_DIRECTORY);
	assert_int_equal(reckoning_write(fd, &before), 0);
	close(fd);
	res = tidy(MONTH);
	assert_true(res.stepped);
	assert_int_equal(res.removed, 0);
	res = tidy(MONTH);
	assert_false(res.stepped);
	assert_int_equal(res.removed, 0);
	assert_int_equal(tidy_with(&trust).removed, 1);
	assert_false(is_there(dump, ""));
}

int main(int argc, char **argv)
{
	static struct unit u;

	umask(077);
	unit_add(&u, "removes what goes by a rule, and the directory of a host without dumps",
		 removes, NULL);
	unit_add(&u, "leaves files that are no dump of a collector", leaves_others_files, NULL);
	unit_add(&u, "leaves a directory to which others may write", leaves_what_others_may_write,
		 NULL);
	unit_add(&u, "removes an operator's folders with the dump, and follows no link",
		 removes_folders_within, NULL);
	unit_add(&u, "changes nothing in a dry run", changes_nothing_dry, NULL);
	unit_add(&u, "leaves pinned dumps", pins, NULL);
	for (size_t i = 0; i < ARRAY_LEN(busy_rows); i++) {
		if (busy_rows[i].hold == hold_open && !has_leases())
			unit_skip(&u, busy_rows[i].name, "no leases on this file system");
		else
			unit_add(&u, busy_rows[i].name, leaves_busy, &busy_rows[i]);
	}
	unit_add(&u, "waits for a session that is making a place", waits_for_beginners, NULL);
	unit_add(&u, "finishes a removal that was killed at any step", finishes_what_was_killed,
		 NULL);
	unit_add(&u, "takes no other name for that of a removal", leaves_similar_names, NULL);
	unit_add(&u, "fails where DIR isn't there", fails_without_dir, NULL);
	unit_add(&u, "goes on where a directory may not be read or changed, and says so",
		 says_what_it_may_not, NULL);
	unit_add(&u, "takes nothing by age after the clock has stepped by a year", survives_a_step,
		 NULL);
	return unit_run(&u, "retention/tidy", argc, argv);
}
