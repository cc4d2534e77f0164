/* receiver/retention/tidy.h, stock.h, removal.h, pin.h and space.h: with files, locks, and other
 * processes.
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
#include "receiver/retention/space.h"
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

/* --- space ---------------------------------------------------------------------------------- */

/* A session that has begun: its dump's part, whose journal it has. */
static pid_t receiving(const char **dump_ret, const char *host)
{
	*dump_ret = make(host, 0, "vmcore.part");
	return hold(path_of(*dump_ret, "vmcore.segments"), hold_journal);
}

static struct space_answer admit(struct space_limits limits, const char *dump, uint64_t bound,
				 uint64_t least, bool raw)
{
	struct reserve_want want = {
		.bound_bytes = bound, .least_bytes = least, .level = 31, .raw = raw};
	const struct tidy_setup setup = {.dir = root, .rules = limits.rules};
	const char *slash = strchr(dump, '/');
	struct space_answer answer;
	struct error err;
	struct tidy t;

	snprintf(want.host, sizeof(want.host), "%.*s", (int)(slash - dump), dump);
	snprintf(want.name, sizeof(want.name), "%.39s", slash + 1);
	assert_int_equal(tidy_open(&t, &setup, &err), 0);
	space_admit(&t, &limits, &want, &answer);
	tidy_close(&t);
	return answer;
}

#define MIB ((uint64_t)1 << 20)

static void makes_room(void **state UNUSED)
{
	const struct space_limits limits = {.rules.host_quota_bytes = 100 * MIB};
	struct space_answer a;
	const char *old, *dump;
	pid_t pid;

	begin();
	old = make("web1", 9, "vmcore");
	pid = receiving(&dump, "web1");
	a = admit(limits, dump, 99 * MIB, 0, true);
	assert_int_equal(a.code, 0);
	assert_int_equal(a.granted_bytes, 99 * MIB);
	assert_true(is_there(old, "")); /* it fits beside it */
	a = admit(limits, dump, 100 * MIB, 0, true);
	assert_int_equal(a.code, 0);
	assert_false(is_there(old, "")); /* by the old one's 12 KiB it doesn't */
	a = admit(limits, dump, 101 * MIB, 0, true);
	assert_int_equal(a.code, -ENOSPC);
	assert_non_null(strstr(a.text, "1.0 MiB more than host-quota"));
	release(pid);
}

/* What can't make enough room isn't removed for that. */
static void removes_nothing_in_vain(void **state UNUSED)
{
	const struct space_limits limits = {.rules.quota_bytes = 100 * MIB};
	const char *old, *dump;
	pid_t pid;

	begin();
	old = make("web1", 9, "vmcore");
	make("web1", 8, "vmcore");
	pid = receiving(&dump, "web2");
	assert_int_equal(admit(limits, dump, 101 * MIB, 0, true).code, -ENOSPC);
	assert_true(is_there(old, "vmcore"));
	/* The log of the dump that was refused takes what it takes, and nothing of that stays. */
	assert_int_equal(admit(limits, dump, 90 * MIB, 0, true).code, 0);
	assert_true(is_there(old, "vmcore"));
	release(pid);
}

static void shares_limits(void **state UNUSED)
{
	const struct space_limits quota = {.rules.quota_bytes = 100 * MIB},
				  number = {.rules.total_dumps = 1};
	const char *one, *two;
	pid_t first, second;

	begin();
	first = receiving(&one, "web1");
	second = receiving(&two, "web2");
	assert_int_equal(admit(quota, one, 60 * MIB, 0, true).code, 0);
	assert_int_equal(admit(quota, two, 60 * MIB, 0, true).code, -ENOBUFS);
	assert_int_equal(admit(number, two, 1, 0, true).code, -ENOBUFS);
	release(first); /* a session that was killed holds nothing */
	assert_int_equal(admit(quota, two, 60 * MIB, 0, true).code, 0);
	release(second);
}

static void keeps_free(void **state UNUSED)
{
	struct space_limits limits = {.min_free_bytes = 0};
	struct space_answer a;
	const char *old, *dump;
	pid_t pid;

	begin();
	old = make("web1", 900, "vmcore");
	pid = receiving(&dump, "web1");
	assert_int_equal(admit(limits, dump, MIB, 0, true).code, 0);
	limits.min_free_bytes = INT64_MAX;
	a = admit(limits, dump, MIB, 0, true);
	assert_int_equal(a.code, -ENOSPC);
	assert_non_null(strstr(a.text, "min-free keeps"));
	assert_true(is_there(old, "vmcore"));
	limits.rules.keep_days = 1000; /* then the old dump goes one day */
	assert_int_equal(admit(limits, dump, MIB, 0, true).code, -ENOBUFS);
	limits = (struct space_limits){.min_free_bytes = SPACE_MIN_FREE_DEFAULT};
	assert_int_equal(admit(limits, dump, (uint64_t)1 << 60, 0, true).code, -ENOSPC);
	release(pid);
}

static void learns(void **state UNUSED)
{
	const struct space_limits none = {.min_free_bytes = 0};
	const char *dump;
	pid_t pid;

	begin();
	pid = receiving(&dump, "web1");
	assert_int_equal(admit(none, dump, 800 * MIB, 0, false).granted_bytes, 416 * MIB);
	release(pid);
	/* It becomes 100 MiB. */
	put(dump, "vmcore", 100 * MIB);
	unlink(path_of(dump, "vmcore.part"));
	assert_true(is_there(dump, ".reserved"));
	(void)tidy((struct rules){0});
	assert_false(is_there(dump, ".reserved"));
	sleep(1); /* a place of another name */
	pid = receiving(&dump, "web1");
	assert_in_range(admit(none, dump, 800 * MIB, 0, false).granted_bytes, 140 * MIB, 142 * MIB);
	/* Uncompressed, all that was announced counts. */
	assert_int_equal(admit(none, dump, 800 * MIB, 0, true).granted_bytes, 800 * MIB);
	/* It gets more than was reserved: a quarter, 64 MiB at the least, up to what was announced.
	 */
	assert_int_equal(admit(none, dump, 800 * MIB, 400 * MIB, false).granted_bytes, 500 * MIB);
	assert_int_equal(admit(none, dump, 800 * MIB, 100 * MIB, false).granted_bytes, 164 * MIB);
	assert_int_equal(admit(none, dump, 800 * MIB, 790 * MIB, false).granted_bytes, 800 * MIB);
	assert_int_equal(admit(none, dump, 0, 400 * MIB, true).granted_bytes, 500 * MIB);
	release(pid);
}

static void grants_what_has_gone(void **state UNUSED)
{
	const struct space_limits limits = {.rules.quota_bytes = 1};
	struct space_answer a;

	begin();
	make("web1", 9, "vmcore");
	a = admit(limits, "web1/2026-01-01T00-00-00Z", MIB, 0, true);
	assert_int_equal(a.code, 0);
	assert_int_equal(a.granted_bytes, MIB);
	assert_int_equal(admit(limits, "web1/..", MIB, 0, true).code, 0);
	assert_int_equal(admit(limits, "web2/../web1", MIB, 0, true).code, 0);
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
	unit_add(&u, "makes room for a dump by its host's quota, and no more than it needs",
		 makes_room, NULL);
	unit_add(&u, "removes nothing for a dump that doesn't fit all the same",
		 removes_nothing_in_vain, NULL);
	unit_add(&u, "shares limits among sessions, as long as they live", shares_limits, NULL);
	unit_add(&u, "keeps min-free, and removes nothing for it", keeps_free, NULL);
	unit_add(&u, "learns from a dump what such dumps become", learns, NULL);
	unit_add(&u, "grants space for a place that isn't there", grants_what_has_gone, NULL);
	return unit_run(&u, "retention/tidy", argc, argv);
}
