/* `vmdumps list` and `vmdumps show`: tells what dumps there are.
 * Doesn't open a dump. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "receiver/dumps/found.h"
#include "receiver/dumps/record.h"
#include "receiver/dumps/verbs.h"
#include "receiver/inspect/escape.h"

enum { TEXT_BYTES = 1024 };

enum exit_status verb_end(enum exit_status status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("standard output: can't be written");
	return EXIT_FAILED;
}

/* HOST/TIME, as other verbs take it. */
static const char *name_of(char *out, size_t out_bytes, const struct stored *d)
{
	char text[300];

	snprintf(text, sizeof(text), "%.255s/%s", d->host, d->name);
	return escape_text(out, out_bytes, text);
}

static bool is_wanted(const struct request *q, const struct stored *d)
{
	if (d->time_s < q->since_s || (q->incomplete && d->complete))
		return false;
	for (int i = 0; i < q->word_count; i++)
		if (found_matches(d, q->words[i]))
			return true;
	return q->word_count == 0;
}

static struct record record_of(const struct found *f, const struct stored *d)
{
	struct error unused;
	AUTO_CLOSE int fd = found_open(f, d, &unused);

	return fd < 0 ? (struct record){0} : record_read(fd);
}

/* --- list ----------------------------------------------------------------------------------- */

static int name_width(const struct request *q, const struct found *f)
{
	size_t width = strlen("DUMP");
	char text[TEXT_BYTES];

	for (size_t i = 0; i < f->stock.count; i++)
		if (is_wanted(q, &f->stock.dumps[i]))
			width = MAX(width, strlen(name_of(text, sizeof(text), &f->stock.dumps[i])));
	return (int)width;
}

static void print_row(int width, const struct stored *d, const struct record *r)
{
	char name[TEXT_BYTES], kernel[300], panic[TEXT_BYTES], size[16], status[32];
	const char *release = record_text(r, "osrelease"), *why = record_text(r, "panic");

	snprintf(status, sizeof(status), "%s%s", found_status(d), d->pinned ? ", pinned" : "");
	printf("%-*s  %-24s  %10s  %-18s  %s\n", width, name_of(name, sizeof(name), d),
	       escape_text(kernel, sizeof(kernel), release ? release : "-"),
	       format_size(size, sizeof(size), d->bytes), status,
	       escape_text(panic, sizeof(panic), why && *why ? why : "-"));
}

static enum exit_status list(const struct request *q, const struct found *f)
{
	const int width = name_width(q, f);
	struct record_list json = {0};

	if (q->json)
		json = record_list_new();
	else
		printf("%-*s  %-24s  %10s  %-18s  %s\n", width, "DUMP", "KERNEL", "SIZE", "STATUS",
		       "PANIC");
	for (size_t i = 0; i < f->stock.count; i++) {
		const struct stored *d = &f->stock.dumps[i];
		struct record r;

		if (!is_wanted(q, d))
			continue;
		r = record_of(f, d);
		if (q->json)
			record_list_add(&json, q->dir, d, found_status(d), &r);
		else
			print_row(width, d, &r);
		record_deinit(&r);
	}
	if (q->json && !record_list_print(&json))
		return EXIT_FAILED;
	return EXIT_COMPLETE;
}

/* A word that stands for nothing is a mistake, also where others stand for something. */
static enum exit_status check_words(const struct request *q, const struct found *f)
{
	enum exit_status status = EXIT_COMPLETE;
	const struct stored *d;
	struct error err;

	for (int i = 0; i < q->word_count; i++)
		if (found_named(f, q->words[i], &d, &err) < 0) {
			log_error("%s", err.msg);
			status = EXIT_FAILED;
		}
	return status;
}

enum exit_status verb_list(const struct request *q)
{
	enum exit_status status = EXIT_FAILED, words;
	struct found f;
	struct error err;

	if (found_take(&f, q->dir, &err) < 0) {
		log_error("%s", err.msg);
	} else {
		if (f.stock.remark.code)
			log_warning("%s: %s", q->dir, f.stock.remark.msg);
		words = check_words(q, &f);
		status = list(q, &f);
		status = MAX(status, words);
	}
	found_deinit(&f);
	return verb_end(status);
}

/* --- show ----------------------------------------------------------------------------------- */

static void print_line(const char *name, const char *value)
{
	char text[TEXT_BYTES];

	printf("  %-16s %s\n", name, escape_text(text, sizeof(text), value));
}

static void print_dump(const struct request *q, const struct stored *d, const struct record *r)
{
	static const struct {
		const char *name, *key;
	} rows[] = {
		{"kernel", "osrelease"},
		{"build-id", "build_id"},
		{"machine", "arch"},
		{"node name", "node_name"},
		{"crash time", "crash_time"},
		{"panic", "panic"},
		{"panicking task", "panic_task"},
		{"kernel log", "kernel_log"},
		{"kernel log", "kernel_log_else"},
		{"dump level", "dump_level"},
		{"codec", "codec"},
		{"pages", "pages"},
		{"unreadable pages", "unreadable_pages"},
		{"received from", "received_from"},
		{"received until", "received_until"},
		{"received bytes", "received_bytes"},
		{"file bytes", "file_bytes"},
		{"peer", "peer"},
		{"host proved by", "host_proved_by"},
		{"sender", "sender"},
		{"receiver", "receiver"},
		{"dump id", "dump_id"},
		{"digest", "digest"},
	};
	char text[TEXT_BYTES], size[16];

	printf("%s\n", name_of(text, sizeof(text), d));
	snprintf(text, sizeof(text), "%.500s/%.255s/%s", q->dir, d->host, d->name);
	print_line("directory", text);
	print_line("status", found_status(d));
	print_line("pinned", d->pinned ? "yes" : "no");
	print_line("on disk", format_size(size, sizeof(size), d->bytes));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (record_value(r, rows[i].key, text, sizeof(text)) && *text)
			print_line(rows[i].name, text);
	if (!r->meta)
		print_line("record", "there is no meta.json that can be read");
}

enum exit_status verb_show(const struct request *q)
{
	enum exit_status status = EXIT_COMPLETE;
	struct record_list json = {0};
	struct found f;
	struct error err;

	if (found_take(&f, q->dir, &err) < 0) {
		log_error("%s", err.msg);
		found_deinit(&f);
		return EXIT_FAILED;
	}
	if (q->json)
		json = record_list_new();
	for (int i = 0; i < q->word_count; i++) {
		const struct stored *d;
		struct record r;

		if (found_named(&f, q->words[i], &d, &err) < 0) {
			log_error("%s", err.msg);
			status = EXIT_FAILED;
			continue;
		}
		r = record_of(&f, d);
		if (q->json)
			record_list_add(&json, q->dir, d, found_status(d), &r);
		else
			print_dump(q, d, &r);
		record_deinit(&r);
	}
	if (q->json && !record_list_print(&json))
		status = EXIT_FAILED;
	found_deinit(&f);
	return verb_end(status);
}
