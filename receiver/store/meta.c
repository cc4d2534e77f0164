/* meta.json.
 * Doesn't know where the facts come from. */
#include "receiver/store/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/printable.h"
#include "format/dumpfile.h"

#if WITH_JANSSON
#include <jansson.h>

/* A time as people write it; null if it isn't known. */
static json_t *time_json(int64_t seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (seconds == 0 || !gmtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

/* What a sender counts may be more than JSON's numbers hold. */
static json_int_t count(uint64_t n)
{
	return (json_int_t)MIN(n, (uint64_t)INT64_MAX);
}

/* What isn't known is null. */
static json_t *text_json(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *task_json(const struct panic_task *t)
{
	if (!t->known)
		return json_null();
	return json_pack("{s:s s:I s:I}", "comm", t->comm, "pid", (json_int_t)t->pid, "cpu",
			 (json_int_t)t->cpu);
}

/* HELLO, as far as the dump itself says it. */
static struct hello hello_of(const struct kernel_facts *k)
{
	const struct kdump_header *h = &k->header;
	struct hello hello = {.crash_time_s = h->crash_time_s, .level = h->dump_level};

	/* As in a HELLO: JSON has no room for bytes that are no text. */
	printable_text(hello.host, sizeof(hello.host), h->uts.nodename, strlen(h->uts.nodename));
	printable_text(hello.osrelease, sizeof(hello.osrelease), h->uts.release,
		       strlen(h->uts.release));
	printable_text(hello.arch, sizeof(hello.arch), h->uts.machine, strlen(h->uts.machine));
	return hello;
}

/* What each has, of whatever way it came. */
static json_t *make_common(const struct meta *m, const struct hello *h)
{
	/* vmrecv has no reader of the memory in a dump. */
	static const char in_dump[] = "in the dump: makedumpfile --dump-dmesg vmcore LOGFILE, or "
				      "log in crash";

	return json_pack("{s:s s:s s:s? s:s? s:o s:o s:o s:o s:o s:o s:I s:o s:o s:I s:I s:I s:s}",
			 "status", m->status, "host", m->host, "host_proved_by", m->proof, "peer",
			 m->peer, "osrelease", text_json(h->osrelease), "build_id",
			 text_json(m->kernel.build_id), "crash_time", time_json(h->crash_time_s),
			 "panic_task", task_json(&m->panic.task), "kernel_log", text_json(m->log),
			 "kernel_log_else", *m->log ? json_null() : json_string(in_dump),
			 "dump_level", count(h->level), "received_from", time_json(m->begun_s),
			 "received_until", time_json(m->done_s), "received_bytes",
			 count(m->received_bytes), "pages", count(m->totals.pages), "file_bytes",
			 count(m->file_bytes), "receiver", "vmrecv " VERSION);
}

static json_t *make_session(const struct meta *m)
{
	const struct hello *h = &m->hello;
	const bool complete = strcmp(m->status, "complete") == 0;
	char id[DIGEST_HEX_ROOM], digest[DIGEST_HEX_ROOM];

	return json_pack("{s:s s:s s:s s:b s:s s:s s:i s:s s:o s:o}", "dump_id",
			 digest_hex(id, h->dump_id), "node_name", h->host, "arch", h->arch, "live",
			 (int)h->live, "panic", h->panic, "codec", h->codec, "codec_level",
			 (int)h->codec_level, "sender", h->agent, "unreadable_pages",
			 complete ? json_integer(count(m->end.unreadable)) : json_null(), "digest",
			 complete ? json_string(digest_hex(digest, m->end.chain)) : json_null());
}

/* What nobody has said is null. */
static json_t *make_stream(const struct meta *m, const struct hello *h)
{
	const bool complete = strcmp(m->status, "complete") == 0;

	return json_pack("{s:n s:o s:o s:n s:n s:n s:n s:n s:o s:n}", "dump_id", "node_name",
			 text_json(h->host), "arch", text_json(h->arch), "live", "panic", "codec",
			 "codec_level", "sender", "unreadable_pages",
			 complete ? json_integer(count(m->end.unreadable)) : json_null(), "digest");
}

static json_t *make(const struct meta *m)
{
	const struct hello h = m->stream ? hello_of(&m->kernel) : m->hello;
	json_t *json = make_common(m, &h);
	json_t *rest = m->stream ? make_stream(m, &h) : make_session(m);

	if (!json || !rest || json_object_update(json, rest) < 0) {
		json_decref(json);
		json = NULL;
	}
	json_decref(rest);
	return json;
}

/* Takes `json`. */
static int write_json(int dir_fd, const char *path, json_t *json, struct error *err)
{
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r;

	json_decref(json);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	r = dumpfile_create_at(dir_fd, path, DUMPFILE_REPLACE_ALL, &df, err);
	if (r == 0)
		r = dumpfile_write(df, 0, text, strlen(text), err);
	if (r == 0)
		r = dumpfile_write(df, dumpfile_size(df), "\n", 1, err);
	if (r == 0)
		r = dumpfile_publish(df, err);
	free(text);
	return r;
}

int meta_write(int dir_fd, const char *path, const struct meta *meta, struct error *err)
{
	return write_json(dir_fd, path, make(meta), err);
}

static int write_new(int dir_fd, const char *path, const char *text, struct error *err)
{
	AUTO_CLOSE int fd =
		openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_sys(err, "%s", path);
	r = io_write_full(fd, text, strlen(text));
	if (r == 0)
		r = io_write_full(fd, "\n", 1);
	/* Its name could be durable before its bytes are. Then a power cut would leave zeros in
	 * place of what was good. */
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r < 0 ? error_set(err, r, "%s: write: %s", path, strerror(-r)) : 0;
}

static int update(int dir_fd, const char *path, const struct meta *meta, struct error *err)
{
	json_t *json = make(meta);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	AUTO_FREE char *part = NULL;
	int r = 0;

	json_decref(json);
	if (!text || asprintf(&part, "%s.part", path) < 0) {
		part = NULL; /* asprintf leaves it undefined */
		r = error_set(err, -ENOMEM, "out of memory for %s", path);
	}
	if (r == 0) {
		r = write_new(dir_fd, part, text, err);
		if (r == 0 && renameat(dir_fd, part, dir_fd, path) < 0)
			r = error_sys(err, "%s: can't become %s", part, path);
		if (r < 0 && r != -EEXIST) /* then it isn't ours */
			unlinkat(dir_fd, part, 0);
	}
	free(text);
	return r;
}

static json_t *read_json(int dir_fd, const char *path)
{
	AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : json_loadfd(fd, 0, NULL);
}

int meta_complete(int dir_fd, const char *path, const struct end *end, time_t done_s,
		  uint64_t file_bytes, struct error *err)
{
	json_t *json = read_json(dir_fd, path);
	const char *status = json_string_value(json_object_get(json, "status"));
	char digest[DIGEST_HEX_ROOM];
	json_t *news;

	if (!status || strcmp(status, "complete") == 0) {
		json_decref(json);
		return 0;
	}
	news = json_pack("{s:s s:o s:I s:I s:I s:s}", "status", "complete", "received_until",
			 time_json(done_s), "pages", count(end->pages), "file_bytes",
			 count(file_bytes), "unreadable_pages", count(end->unreadable), "digest",
			 digest_hex(digest, end->chain));
	if (!news || json_object_update(json, news) < 0) {
		json_decref(news);
		json_decref(json);
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	}
	json_decref(news);
	return write_json(dir_fd, path, json, err);
}
#else
static int update(int dir_fd UNUSED, const char *path UNUSED, const struct meta *meta UNUSED,
		  struct error *err UNUSED)
{
	return 0;
}

int meta_write(int dir_fd UNUSED, const char *path UNUSED, const struct meta *meta UNUSED,
	       struct error *err UNUSED)
{
	return 0;
}

int meta_complete(int dir_fd UNUSED, const char *path UNUSED, const struct end *end UNUSED,
		  time_t done_s UNUSED, uint64_t file_bytes UNUSED, struct error *err UNUSED)
{
	return 0;
}
#endif

/* How old it may get while a dump comes. */
enum { AGE_MS = 2000 };

void meta_progress(struct meta *m, int dir_fd, const char *path, struct dumpfile *df,
		   uint64_t received_bytes)
{
	const uint64_t now_ms = clock_ms();
	struct error unused;

	m->file_bytes = dumpfile_size(df);
	m->received_bytes = received_bytes;
	if (m->written_ms && now_ms - m->written_ms < AGE_MS)
		return;
	m->written_ms = now_ms;
	if (!*m->kernel.build_id)
		kernel_facts_read(df, &m->kernel);
	(void)!update(dir_fd, path, m, &unused);
}

void meta_take_log(struct meta *m, const char *dump_path, const struct attach *a)
{
	const char *slash = strrchr(dump_path, '/');

	if (a->off == 0)
		m->panic = (struct panic_search){0};
	panic_search_feed(&m->panic, a->bytes, a->size_bytes);
	snprintf(m->log, sizeof(m->log), "%.200s-dmesg.txt", slash ? slash + 1 : dump_path);
}
