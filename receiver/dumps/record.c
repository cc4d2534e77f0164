/* Reads meta.json, and writes what --json shows.
 * Doesn't know which dumps are wanted. */
#include "receiver/dumps/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/io.h"

#if WITH_JANSSON
#include <jansson.h>

enum { META_MAX_BYTES = 64 << 10 }; /* one has 2 KiB */

struct record record_read(int dump_fd)
{
	AUTO_CLOSE int fd =
		openat(dump_fd, "meta.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO_FREE char *text = fd < 0 ? NULL : malloc(META_MAX_BYTES);
	const ssize_t n = text ? io_read_full(fd, text, META_MAX_BYTES) : 0;
	struct record r = {0};

	if (n > 0 && n < META_MAX_BYTES)
		r.meta = json_loadb(text, (size_t)n, 0, NULL);
	if (r.meta && !json_is_object(r.meta))
		record_deinit(&r);
	return r;
}

void record_deinit(struct record *r)
{
	json_decref(r->meta);
	r->meta = NULL;
}

const char *record_text(const struct record *r, const char *key)
{
	return json_string_value(json_object_get(r->meta, key));
}

bool record_value(const struct record *r, const char *key, char *out, size_t out_bytes)
{
	json_t *value = json_object_get(r->meta, key);
	char *text;

	if (!value || json_is_null(value))
		return false;
	if (json_is_string(value)) {
		snprintf(out, out_bytes, "%s", json_string_value(value));
		return true;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	snprintf(out, out_bytes, "%s", text ? text : "");
	free(text);
	return true;
}

struct record_list record_list_new(void)
{
	return (struct record_list){json_array()};
}

/* JSON has no room for bytes that aren't UTF-8: a file's name may be any. */
static json_t *name_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_null();
}

void record_list_add(struct record_list *l, const char *dir, const struct stored *d,
		     const char *status, const struct record *r)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s/%s", dir, d->host, d->name) < 0) {
		path = NULL; /* asprintf leaves it undefined */
		return;
	}
	json_array_append_new(l->array, json_pack("{s:o s:s s:o s:s s:b s:I s:O?}", "host",
						  name_json(d->host), "time", d->name, "path",
						  name_json(path), "status", status, "pinned",
						  (int)d->pinned, "disk_bytes",
						  (json_int_t)MIN(d->bytes, (uint64_t)INT64_MAX),
						  "meta", r->meta));
}

bool record_list_print(struct record_list *l)
{
	const bool ok =
		l->array && json_dumpf(l->array, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0;

	putchar('\n');
	json_decref(l->array);
	l->array = NULL;
	return ok;
}
#else
struct record record_read(int dump_fd UNUSED)
{
	return (struct record){0};
}

void record_deinit(struct record *r UNUSED)
{
}

const char *record_text(const struct record *r UNUSED, const char *key UNUSED)
{
	return NULL;
}

bool record_value(const struct record *r UNUSED, const char *key UNUSED, char *out UNUSED,
		  size_t out_bytes UNUSED)
{
	return false;
}

struct record_list record_list_new(void)
{
	return (struct record_list){0};
}

void record_list_add(struct record_list *l UNUSED, const char *dir UNUSED,
		     const struct stored *d UNUSED, const char *status UNUSED,
		     const struct record *r UNUSED)
{
}

bool record_list_print(struct record_list *l UNUSED)
{
	return false;
}
#endif
