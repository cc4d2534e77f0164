/* FILE.segments: appending, and reading what may be torn.
 * Doesn't know the dump. */
#include "receiver/store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/names.h"
#include "base/owner.h"
#include "wire/frame.h"

enum {
	INPUT_BYTES = 64 << 10,

	/* What waits for a sync: some segments' tables. The session syncs before it is full. */
	WAITING_BYTES = 4 << 20,

	/* How long the process that has the journal may take to let go of it. */
	TAKEOVER_MS = 10000,
	TAKEOVER_STEP_MS = 50,
};

#define LOCKS_OFF ((off_t)1 << 62)

struct journal {
	int fd, dir_fd; /* the latter is borrowed, and has `path` */
	char *path;
	bool torn;	 /* its end hasn't been looked at */
	int sync_failed; /* -errno: what its end is by now, nobody knows */
	struct frame_writer out;
};

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
	struct journal_facts facts;
	struct digester *digester;
	struct checkpoint checkpoint; /* its memory is used again */
	journal_segment_fn *segment;
	void *ctx;
	uint64_t frames;
	bool segment_failed; /* segment() has: that is no fault of the journal */
	uint64_t frames_max; /* where it ends at the latest; 0: where it ends */
};

static int read_checkpoint(struct reading *rd, const struct frame *f, struct error *err)
{
	struct journal_facts *facts = &rd->facts;
	struct checkpoint *c = &rd->checkpoint;
	uint8_t chain[DIGEST_BYTES];
	int r = checkpoint_get(f, c, err);

	if (r < 0)
		return r;
	memcpy(chain, facts->chain, sizeof(chain));
	r = digest_chain(rd->digester, &c->segment, chain, err);
	if (r < 0)
		return r;
	if (facts->whole || c->cursor.segment != facts->cursor.segment + 1 ||
	    memcmp(chain, c->chain, sizeof(chain)) != 0)
		return error_set(err, -EBADMSG, "a segment out of turn, or with a wrong digest");
	r = rd->segment ? rd->segment(rd->ctx, &c->segment, err) : 0;
	rd->segment_failed = r < 0;
	if (r < 0)
		return r;
	facts->cursor = c->cursor;
	memcpy(facts->chain, chain, sizeof(chain));
	if (c->cursor.segment == 1)
		memcpy(facts->first, chain, sizeof(chain));
	return 0;
}

static int read_end(struct reading *rd, const struct frame *f, struct error *err)
{
	struct journal_facts *facts = &rd->facts;
	struct end end;
	const int r = end_get(f, &end, err);

	if (r < 0)
		return r;
	if (facts->whole || end.segments != facts->cursor.segment ||
	    memcmp(end.chain, facts->chain, DIGEST_BYTES) != 0)
		return error_set(err, -EBADMSG, "END doesn't fit");
	facts->end = end;
	facts->whole = true;
	return 0;
}

static int read_frame(struct reading *rd, const struct frame *f, struct error *err)
{
	int r;

	if (rd->frames == 0 && f->type == FRAME_HELLO) {
		r = hello_get(f, &rd->facts.hello, err);
		if (r == 0)
			r = digest_begin(rd->digester, rd->facts.hello.dump_id, rd->facts.chain,
					 err);
	} else if (rd->frames && f->type == FRAME_CHECKPOINT) {
		r = read_checkpoint(rd, f, err);
	} else if (rd->frames && f->type == FRAME_END) {
		r = read_end(rd, f, err);
	} else {
		r = error_set(err, -EBADMSG, "%s out of turn", frame_name(f->type));
	}
	rd->frames += r == 0;
	return r;
}

static bool has_enough(const struct reading *rd)
{
	return rd->frames_max && rd->frames == rd->frames_max;
}

/* All frames of a file that are right: where they end, or an error that isn't the file's. */
static int64_t read_frames(int fd, struct reading *rd, struct error *err)
{
	AUTO_FREE uint8_t *input = malloc(INPUT_BYTES);
	struct frame_reader reader;
	uint64_t off = 0, good = 0;
	int r = 0;

	if (!input)
		return error_set(err, -ENOMEM, "out of memory");
	frame_reader_init(&reader, false);
	while (r == 0 && !has_enough(rd)) {
		const ssize_t n = io_pread_full(fd, input, INPUT_BYTES, off);
		const uint8_t *p = input;
		size_t left = n < 0 ? 0 : (size_t)n;
		struct frame frame;

		if (n < 0) {
			r = (int)n;
			error_set(err, r, "read: %s", strerror(-r));
		}
		if (n <= 0)
			break;
		while (!has_enough(rd) &&
		       (r = frame_reader_feed(&reader, &p, &left, &frame, err)) > 0) {
			r = read_frame(rd, &frame, err);
			if (r < 0)
				break;
			good = off + (uint64_t)(p - input);
		}
		off += (uint64_t)n;
	}
	frame_reader_deinit(&reader);
	/* What is wrong ends the journal; what can't be had or done is an error. */
	if (r < 0 && (rd->segment_failed || (r != -EBADMSG && r != -ENOTSUP)))
		return r;
	return (int64_t)good;
}

/* The same with the frames' count, and where they end. */
static int load(int fd, const char *path, struct reading *rd, uint64_t *good_bytes_ret,
		struct error *err)
{
	AUTO(digester_free) struct digester *digester = NULL;
	int64_t good;
	int r = digester_new(&digester, err);

	if (r < 0)
		return r;
	rd->digester = digester;
	good = read_frames(fd, rd, err);
	segment_deinit(&rd->checkpoint.segment);
	if (good < 0)
		return error_prefix(err, "%s", path);
	if (rd->frames == 0)
		return error_set(err, -EBADMSG, "%s: no segment table", path);
	*good_bytes_ret = (uint64_t)good;
	return 0;
}

static int read_path(int dir_fd, const char *path, struct reading *rd, struct error *err)
{
	AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint64_t good;

	return fd < 0 ? error_sys(err, "%s", path) : load(fd, path, rd, &good, err);
}

int journal_read(const char *path, struct journal_facts *facts_ret, journal_segment_fn *segment,
		 void *ctx, struct error *err)
{
	struct reading rd = {.segment = segment, .ctx = ctx};
	const int r = read_path(AT_FDCWD, path, &rd, err);

	if (r == 0)
		*facts_ret = rd.facts;
	return r;
}

int journal_read_hello(int dir_fd, const char *path, struct hello *hello_ret, struct error *err)
{
	struct reading rd = {.frames_max = 1};
	const int r = read_path(dir_fd, path, &rd, err);

	if (r == 0)
		*hello_ret = rd.facts.hello;
	return r;
}

char *journal_path_of(const char *file)
{
	static const char part[] = ".part";
	const size_t len = strlen(file), part_len = sizeof(part) - 1;
	const bool is_part = len > part_len && strcmp(file + len - part_len, part) == 0;
	AUTO_FREE char *whole = is_part ? strndup(file, len - part_len) : NULL;
	char *path;

	if ((is_part && !whole) || asprintf(&path, "%s.segments", file) < 0)
		return NULL;
	if (!is_part || access(path, F_OK) == 0 || access(whole, F_OK) == 0)
		return path;
	free(path);
	return asprintf(&path, "%s.segments", whole) < 0 ? NULL : path;
}

/* --- writing -------------------------------------------------------------------------------- */

/*
 * Three bytes, which no journal is long enough to have, are locked: by who has the journal, by who
 * is next, and by who wants to be next. So who has it, or is next, looks at the byte after its own:
 * a lock of just that byte is a session's, and says that a newer one waits. Nobody else is asked
 * for anything: a backup program that locks the whole file has another range, and only who may
 * write the journal can have such a lock at all. No process' number is needed, which may be of
 * another machine, or of another process by now.
 *
 * Locks go with the process, and with the first descriptor of the file that it closes: nothing else
 * here opens a journal that is being written.
 */
enum lock {
	LOCK_HELD,
	LOCK_NEXT,
	LOCK_LATER,
};

static struct flock lock_of(enum lock which, short type)
{
	return (struct flock){.l_type = type, .l_start = LOCKS_OFF + (off_t)which, .l_len = 1};
}

static bool is_sessions(const struct flock *lock, enum lock which)
{
	return lock->l_start == LOCKS_OFF + (off_t)which && lock->l_len == 1;
}

/* 0, or -EBUSY and who has the lock; 0 where that can't be told. */
static int take_lock(const struct journal *j, enum lock which, pid_t *holder_ret, struct error *err)
{
	struct flock lock = lock_of(which, F_WRLCK);

	*holder_ret = 0;
	/* A file system without locks loses only the protection. */
	if (fcntl(j->fd, F_SETLK, &lock) == 0 || (errno != EACCES && errno != EAGAIN))
		return 0;
	if (fcntl(j->fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return error_set(err, -EBUSY, "%s is being written by another process", j->path);
	*holder_ret = MAX(lock.l_pid, 0);
	if (is_sessions(&lock, which))
		return error_set(err, -EBUSY, "%s is being written by another session", j->path);
	return error_set(err, -EBUSY,
			 "%s is locked by another program (process %d): no session can go on "
			 "with the dump until that ends",
			 j->path, (int)lock.l_pid);
}

static void leave_lock(const struct journal *j, enum lock which)
{
	struct flock lock = lock_of(which, F_UNLCK);

	(void)fcntl(j->fd, F_SETLK, &lock);
}

/* Whether another session has it. */
static bool is_locked(const struct journal *j, enum lock which)
{
	struct flock lock = lock_of(which, F_WRLCK);

	return fcntl(j->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK &&
	       is_sessions(&lock, which);
}

int journal_look(int dir_fd, const char *name, struct journal_state *state_ret)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct reading rd = {.frames_max = 3};
	struct flock lock = lock_of(LOCK_HELD, F_WRLCK);
	struct error err;
	uint64_t good;
	int r;

	if (fd < 0)
		return -errno;
	r = load(fd, name, &rd, &good, &err);
	if (r < 0)
		return r;
	*state_ret = (struct journal_state){
		.has_checkpoints = rd.facts.cursor.segment > 0,
		.has_pages = rd.facts.cursor.segment > 1,
		.is_held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK,
	};
	return 0;
}

bool journal_is_held(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = lock_of(LOCK_HELD, F_WRLCK);

	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int journal_lock(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = lock_of(LOCK_HELD, F_WRLCK);

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETLK, &lock) < 0 && (errno == EACCES || errno == EAGAIN))
		return -EBUSY;
	return TAKE_FD(fd);
}

bool journal_is_wanted(const struct journal *j)
{
	return is_locked(j, LOCK_NEXT);
}

/* Who had it before may have removed it. */
static int is_still_there(const struct journal *j, struct error *err)
{
	if (!io_exists_at(j->dir_fd, j->path))
		return error_sys(err, "%s", j->path);
	if (!names_lead_to(j->dir_fd, j->path, j->fd))
		return error_set(err, -ENOENT, "%s was removed by another process", j->path);
	return 0;
}

static int open_file(int dir_fd, const char *path, int flags, struct journal **j_ret,
		     struct error *err)
{
	AUTO(journal_free) struct journal *j = calloc(1, sizeof(*j));
	struct stat st;
	int r;

	if (!j)
		return error_set(err, -ENOMEM, "out of memory");
	j->path = strdup(path);
	j->dir_fd = dir_fd;
	j->fd = openat(dir_fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return error_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) /* by another name it may be another's */
		return error_set(err, -EEXIST, "%s isn't a regular file of its own", path);
	r = flags & O_EXCL ? 0 : owner_check(&st, dir_fd, path, err);
	if (r < 0)
		return r;
	if (!j->path)
		return error_set(err, -ENOMEM, "out of memory");
	r = frame_writer_init(&j->out, WAITING_BYTES + FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES, err);
	if (r < 0)
		return r;
	*j_ret = TAKE_PTR(j);
	return 0;
}

static int open_locked(int dir_fd, const char *path, int flags, struct journal **j_ret,
		       pid_t *holder_ret, struct error *err)
{
	AUTO(journal_free) struct journal *j = NULL;
	int r = open_file(dir_fd, path, flags, &j, err);

	*holder_ret = 0;
	if (r == 0)
		r = take_lock(j, LOCK_HELD, holder_ret, err);
	if (r == 0)
		r = is_still_there(j, err);
	if (r < 0)
		return r;
	*j_ret = TAKE_PTR(j);
	return 0;
}

int journal_create(int dir_fd, const char *path, const struct frame *hello, struct journal **j_ret,
		   struct error *err)
{
	AUTO(journal_free) struct journal *j = NULL;
	pid_t unused;
	/* One that is there is taken as it is: it may be locked. It is judged, too. */
	int r = open_locked(dir_fd, path, io_exists_at(dir_fd, path) ? 0 : O_CREAT | O_EXCL, &j,
			    &unused, err);

	if (r < 0)
		return r;
	if (ftruncate(j->fd, 0) < 0)
		return error_sys(err, "%s", path);
	r = journal_append(j, hello, err);
	if (r < 0)
		return r;
	*j_ret = TAKE_PTR(j);
	return 0;
}

int journal_open(int dir_fd, const char *path, struct journal **j_ret, pid_t *holder_ret,
		 struct error *err)
{
	const int r = open_locked(dir_fd, path, 0, j_ret, holder_ret, err);

	if (r == 0)
		(*j_ret)->torn = true;
	return r;
}

/* One step on the way to the journal, from the present state: 0 when it is ours, -EBUSY while it
 * isn't. */
static int step_forward(const struct journal *j, bool *next, struct error *err)
{
	pid_t unused;
	int r = 0;

	if (!*next) {
		/* Later, so that who is next gives way. */
		r = take_lock(j, LOCK_LATER, &unused, err);
		if (r == 0)
			r = take_lock(j, LOCK_NEXT, &unused, err);
		if (r < 0)
			return r;
		*next = true;
		leave_lock(j, LOCK_LATER);
	}
	r = take_lock(j, LOCK_HELD, &unused, err);
	if (r == 0)
		leave_lock(j, LOCK_NEXT);
	else if (is_locked(j, LOCK_LATER))
		return error_set(err, -EALREADY, "a newer link has taken the dump over");
	return r;
}

/* Until the lock is ours: who has it sees that we wait. */
static int await_lock(struct journal *j, const struct keepalive *alive, struct error *err)
{
	const struct timespec step = {.tv_nsec = TAKEOVER_STEP_MS * 1000000};
	bool next = false;

	for (int ms = 0;; ms += TAKEOVER_STEP_MS) {
		struct error gone;
		int r = step_forward(j, &next, err);

		if (r != -EBUSY || ms >= TAKEOVER_MS)
			return r;
		r = keepalive(alive, &gone);
		if (r < 0) {
			*err = gone;
			return r;
		}
		nanosleep(&step, NULL);
	}
}

int journal_take_over(int dir_fd, const char *path, const struct keepalive *alive,
		      struct journal **j_ret, struct error *err)
{
	AUTO(journal_free) struct journal *j = NULL;
	int r = open_file(dir_fd, path, 0, &j, err);

	if (r == 0)
		r = await_lock(j, alive, err);
	if (r == 0)
		r = is_still_there(j, err);
	if (r < 0)
		return r;
	j->torn = true;
	*j_ret = TAKE_PTR(j);
	return 0;
}

int journal_load(struct journal *j, struct journal_facts *facts_ret, journal_segment_fn *segment,
		 void *ctx, struct error *err)
{
	struct reading rd = {.segment = segment, .ctx = ctx};
	uint64_t good;
	const int r = load(j->fd, j->path, &rd, &good, err);

	if (r < 0)
		return r;
	if (j->torn) {
		/* A receiver that was killed after a write may not have synced it: nobody is told
		 * of a cursor that could be lost. */
		if (ftruncate(j->fd, (off_t)good) < 0 || lseek(j->fd, (off_t)good, SEEK_SET) < 0 ||
		    fdatasync(j->fd) < 0)
			return error_sys(err, "%s", j->path);
		j->out.sequence = rd.frames;
		j->torn = false;
	}
	*facts_ret = rd.facts;
	return 0;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	if (j->fd > 0)
		close(j->fd);
	frame_writer_deinit(&j->out);
	free(j->path);
	free(j);
}

int journal_cut(struct journal *j, uint64_t segments, struct error *err)
{
	struct reading rd = {.frames_max = 1 + segments};
	uint64_t good;
	size_t waiting;
	int r = load(j->fd, j->path, &rd, &good, err);

	if (r < 0)
		return r;
	if (ftruncate(j->fd, (off_t)good) < 0 || lseek(j->fd, (off_t)good, SEEK_SET) < 0 ||
	    fdatasync(j->fd) < 0)
		return error_sys(err, "%s", j->path);
	frame_writer_pending(&j->out, &waiting);
	frame_writer_sent(&j->out, waiting);
	j->out.sequence = rd.frames;
	return 0;
}

int journal_append(struct journal *j, const struct frame *frame, struct error *err)
{
	struct outbuf payload = frame_begin(&j->out);

	put_bytes(&payload, frame->payload, frame->payload_bytes);
	return frame_end(&j->out, (enum frame_type)frame->type, &payload, err);
}

size_t journal_waiting(const struct journal *j)
{
	size_t waiting;

	frame_writer_pending(&j->out, &waiting);
	return waiting;
}

uint64_t journal_size(const struct journal *j)
{
	struct stat st;

	return (fstat(j->fd, &st) == 0 ? (uint64_t)st.st_size : 0) + journal_waiting(j);
}

int journal_sync(struct journal *j, struct error *err)
{
	size_t waiting;
	const uint8_t *bytes = frame_writer_pending(&j->out, &waiting);
	int r;

	if (j->sync_failed)
		return error_set(err, j->sync_failed, "%s: an earlier write failed: %s", j->path,
				 strerror(-j->sync_failed));
	if (waiting == 0)
		return 0;
	r = io_write_full(j->fd, bytes, waiting);
	if (r == 0 && fdatasync(j->fd) < 0)
		r = -errno;
	j->sync_failed = r;
	if (r < 0)
		return error_set(err, r, "%s: write: %s", j->path, strerror(-r));
	frame_writer_sent(&j->out, waiting);
	return 0;
}
