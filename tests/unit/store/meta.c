#include <fcntl.h>
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "format/dumpfile.h"
#include "receiver/store/meta.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"
#include "tests/lib/tinysession.h"

#if WITH_JANSSON
#include <jansson.h>

static struct tinysession tiny;

static struct meta meta_of(const char *status)
{
	return (struct meta){
		.hello = tiny.hello,
		.host = "web1",
		.proof = "certificate",
		.peer = "192.0.2.7",
		.status = status,
		.totals = tiny.totals,
		.end = tiny.end,
		.begun_s = 1795383197,
		.done_s = 1795383257,
		.file_bytes = 12345,
	};
}

static json_t *write_and_read(const struct meta *m)
{
	const char *path = scratch_path("meta.json");
	json_error_t why;
	struct error err;
	json_t *json;

	assert_int_equal(meta_write(AT_FDCWD, path, m, &err), 0);
	assert_false(file_exists(scratch_path("meta.json.part")));
	json = json_load_file(path, 0, &why);
	if (!json)
		fail_msg("%s", why.text);
	return json;
}

static void text_is(const json_t *json, const char *key, const char *want)
{
	const char *got = json_string_value(json_object_get(json, key));

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void test_complete(void **state UNUSED)
{
	const struct meta m = meta_of("complete");
	json_t *json = write_and_read(&m);
	char hex[DIGEST_HEX_ROOM];

	text_is(json, "status", "complete");
	text_is(json, "host", "web1");
	text_is(json, "host_proved_by", "certificate");
	text_is(json, "peer", "192.0.2.7");
	text_is(json, "node_name", "tiny");
	text_is(json, "osrelease", "6.1.0-tiny");
	text_is(json, "dump_id", digest_hex(hex, tiny.hello.dump_id));
	text_is(json, "digest", digest_hex(hex, tiny.end.chain));
	text_is(json, "received_from", "2026-11-22T21:33:17Z");
	assert_int_equal(json_integer_value(json_object_get(json, "file_bytes")), 12345);
	assert_int_equal(json_integer_value(json_object_get(json, "pages")), tiny.totals.pages);
	json_decref(json);
}

/* A fact that isn't known yet is null, and nothing of an earlier one is left. */
static void test_incomplete(void **state UNUSED)
{
	struct meta m = meta_of("complete");
	json_t *json = write_and_read(&m);

	json_decref(json);
	m = meta_of("receiving");
	m.proof = m.peer = NULL;
	m.done_s = 0;
	json = write_and_read(&m);
	text_is(json, "status", "receiving");
	assert_true(json_is_null(json_object_get(json, "digest")));
	assert_true(json_is_null(json_object_get(json, "host_proved_by")));
	assert_true(json_is_null(json_object_get(json, "received_until")));
	json_decref(json);
}

static json_int_t number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

/* While it comes: what has come, and what the dump itself says by then. */
static void test_progress(void **state UNUSED)
{
	static const char log[] = "Kernel panic - not syncing: x\n"
				  "CPU: 3 PID: 17 Comm: bash Not tainted\n";
	const struct attach a = {
		.bytes = (const uint8_t *)log, .size_bytes = sizeof(log) - 1, .total_bytes = 1};
	const char *path = scratch_path("meta.json");
	struct tinydump t = tinydump_make();
	struct meta m = meta_of("receiving");
	struct dumpfile *df;
	struct error err;
	json_t *json;

	scratch_clear();
	assert_int_equal(dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &err),
			 0);
	assert_int_equal(dumpfile_write(df, 0, t.bytes, t.size_bytes, &err), 0);
	meta_take_log(&m, scratch_path("dump"), &a);
	meta_progress(&m, AT_FDCWD, path, df, 4711);
	meta_progress(&m, AT_FDCWD, path, df, 4712); /* too soon to be written */
	assert_false(file_exists(scratch_path("meta.json.part")));
	json = json_load_file(path, 0, NULL);
	text_is(json, "build_id", "00112233445566778899aabbccddeeff00112233");
	text_is(json, "kernel_log", "dump-dmesg.txt");
	text_is(json_object_get(json, "panic_task"), "comm", "bash");
	assert_int_equal(number(json_object_get(json, "panic_task"), "pid"), 17);
	assert_int_equal(number(json, "received_bytes"), 4711);
	assert_int_equal(number(json, "file_bytes"), t.size_bytes);
	assert_true(number(json, "pages") > 0);
	json_decref(json);
	dumpfile_free(df);
	tinydump_free(&t);
}

/* A stream has no HELLO: what isn't in the dump is null, and where its log is, is said. */
static void test_stream(void **state UNUSED)
{
	static const char *const unknown[] = {"dump_id", "panic",      "codec", "sender",
					      "digest",	 "panic_task", "live",	"kernel_log"};
	struct meta m = {.stream = true, .host = "web1", .status = "receiving"};
	json_t *json = write_and_read(&m);

	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_true(json_is_null(json_object_get(json, unknown[i])));
	assert_true(json_is_null(json_object_get(json, "osrelease")));
	assert_non_null(strstr(json_string_value(json_object_get(json, "kernel_log_else")),
			       "makedumpfile --dump-dmesg"));
	json_decref(json);
	strcpy(m.kernel.header.uts.release, "6.1.0-tiny");
	strcpy(m.kernel.header.uts.nodename, "tiny");
	json = write_and_read(&m);
	text_is(json, "osrelease", "6.1.0-tiny");
	text_is(json, "node_name", "tiny");
	json_decref(json);
}

/* Names in a dump's header may be any bytes. */
static void test_stream_texts(void **state UNUSED)
{
	struct meta m = {.stream = true, .host = "web1", .status = "complete"};
	json_t *json;

	strcpy(m.kernel.header.uts.nodename, "\xff\xfe\"");
	strcpy(m.kernel.header.uts.release, "6.1\x80");
	strcpy(m.kernel.header.uts.machine, "\n");
	json = write_and_read(&m);
	text_is(json, "node_name", "??\"");
	text_is(json, "osrelease", "6.1?");
	text_is(json, "arch", "?");
	json_decref(json);
}

/* A peer's text can't end its string, whatever is in it. */
static void test_texts(void **state UNUSED)
{
	struct meta m = meta_of("complete");
	json_t *json;

	strcpy(m.hello.panic, "\"}, {\"host\": \"db1\\");
	json = write_and_read(&m);
	text_is(json, "panic", "\"}, {\"host\": \"db1\\");
	text_is(json, "host", "web1");
	json_decref(json);
}

/* Numbers from the wire that no file has. */
static void test_numbers(void **state UNUSED)
{
	struct meta m = meta_of("complete");
	struct error err;
	json_t *json;

	m.totals.pages = m.end.unreadable = UINT64_MAX;
	m.hello.crash_time_s = INT64_MAX;
	m.hello.level = UINT32_MAX;
	json = write_and_read(&m);
	assert_true(json_integer_value(json_object_get(json, "pages")) >= 0);
	assert_true(json_integer_value(json_object_get(json, "unreadable_pages")) >= 0);
	assert_true(json_is_null(json_object_get(json, "crash_time")));
	assert_true(json_integer_value(json_object_get(json, "dump_level")) >= 0);
	json_decref(json);

	/* The same of a journal, for a session that has ended too early. */
	m.status = "receiving";
	m.end.pages = UINT64_MAX;
	json_decref(write_and_read(&m));
	assert_int_equal(
		meta_complete(AT_FDCWD, scratch_path("meta.json"), &m.end, 1, UINT64_MAX, &err), 0);
	json = json_load_file(scratch_path("meta.json"), 0, NULL);
	text_is(json, "status", "complete");
	assert_true(json_integer_value(json_object_get(json, "pages")) > 0);
	assert_true(json_integer_value(json_object_get(json, "file_bytes")) > 0);
	assert_true(json_integer_value(json_object_get(json, "unreadable_pages")) > 0);
	json_decref(json);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "meta: says what a dump is", test_complete, NULL);
	unit_add(&u, "meta: says null for what isn't known", test_incomplete, NULL);
	unit_add(&u, "meta: says how far a dump is while it comes", test_progress, NULL);
	unit_add(&u, "meta: says of a stream what its dump says", test_stream, NULL);
	unit_add(&u, "meta: takes any bytes for a dump's names", test_stream_texts, NULL);
	unit_add(&u, "meta: keeps a peer's texts in their place", test_texts, NULL);
	unit_add(&u, "meta: has no negative counts", test_numbers, NULL);
	r = unit_run(&u, "meta", argc, argv);
	tinysession_free(&tiny);
	return r;
}
#else
int main(int argc, char **argv)
{
	static struct unit u;

	unit_skip(&u, "meta: says what a dump is", "this build has no JSON");
	return unit_run(&u, "meta", argc, argv);
}
#endif
