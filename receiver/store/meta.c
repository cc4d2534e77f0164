/* meta.json.
 * Doesn't know where the facts come from. */
#include "receiver/store/meta.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static json_t *make(const struct meta *m)
{
	const struct hello *h = &m->hello;
	char id[DIGEST_HEX_ROOM], digest[DIGEST_HEX_ROOM];
	const bool complete = strcmp(m->status, "complete") == 0;

	return json_pack(
		"{s:s s:s s:s s:s? s:s? s:s s:s s:s s:o s:b s:s s:I s:s s:i s:s s:o s:o s:I s:I "
		"s:o "
		"s:o s:s}",
		"status", m->status, "dump_id", digest_hex(id, h->dump_id), "host", m->host,
		"host_proved_by", m->proof, "peer", m->peer, "node_name", h->host, "osrelease",
		h->osrelease, "arch", h->arch, "crash_time", time_json(h->crash_time_s), "live",
		(int)h->live, "panic", h->panic, "dump_level", count(h->level), "codec", h->codec,
		"codec_level", (int)h->codec_level, "sender", h->agent, "received_from",
		time_json(m->begun_s), "received_until", time_json(m->done_s), "pages",
		count(m->totals.pages), "file_bytes", count(m->file_bytes), "unreadable_pages",
		complete ? json_integer(count(m->end.unreadable)) : json_null(), "digest",
		complete ? json_string(digest_hex(digest, m->end.chain)) : json_null(), "receiver",
		"vmrecv " VERSION);
}

/* Takes `json`. */
static int write_json(const char *path, json_t *json, struct error *err)
{
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r;

	json_decref(json);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	r = dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, err);
	if (r == 0)
		r = dumpfile_write(df, 0, text, strlen(text), err);
	if (r == 0)
		r = dumpfile_write(df, dumpfile_size(df), "\n", 1, err);
	if (r == 0)
		r = dumpfile_publish(df, err);
	free(text);
	return r;
}

int meta_write(const char *path, const struct meta *meta, struct error *err)
{
	return write_json(path, make(meta), err);
}

int meta_complete(const char *path, const struct end *end, time_t done_s, uint64_t file_bytes,
		  struct error *err)
{
	json_t *json = json_load_file(path, 0, NULL);
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
	return write_json(path, json, err);
}
#else
int meta_write(const char *path UNUSED, const struct meta *meta UNUSED, struct error *err UNUSED)
{
	return 0;
}

int meta_complete(const char *path UNUSED, const struct end *end UNUSED, time_t done_s UNUSED,
		  uint64_t file_bytes UNUSED, struct error *err UNUSED)
{
	return 0;
}
#endif
