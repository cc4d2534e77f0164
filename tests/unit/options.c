/* include/base/cli.h and sender/options.h: the command line of vmsend, word by word, and its
 * configuration file, line by line. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cli.h"
#include "sender/options.h"
#include "sender/threads/pipeline.h"

enum { WORDS_MAX = 24 };

/* Split at blanks; "''" is an empty word. argv[0] is the program. */
static int split(const char *line, char *copy, char **argv)
{
	int argc = 0;
	char *rest;

	argv[argc++] = (char *)(uintptr_t) "vmsend";
	strcpy(copy, line);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < WORDS_MAX);
		argv[argc++] = strcmp(w, "''") == 0 ? w + 2 : w;
	}
	argv[argc] = NULL;
	return argc;
}

static int parse(const char *line, struct options *o, struct error *err)
{
	/* What options point into stays for the test. */
	static char copy[512];
	static char *argv[WORDS_MAX + 1];
	const int argc = split(line, copy, argv);

	*err = (struct error){0};
	return options_parse(o, argc, argv, err);
}

/* --- what is taken --- */

struct good {
	const char *name, *line;
	struct options
		want; /* where it differs from the defaults, in the fields that are compared */
	const char *vmcore, *dumpfile;
};

#define DEFAULTS .levels = {31}, .level_count = 1, .log_level = LOG_NOTE

/* clang-format off */
static const struct good goods[] = {
	{"options: takes none", "",
	 {DEFAULTS, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes VMCORE", "core",
	 {DEFAULTS, .codec = CODEC_COUNT}, "core", NULL},
	{"options: takes VMCORE and DUMPFILE", "core dump",
	 {DEFAULTS, .codec = CODEC_COUNT}, "core", "dump"},
	{"options: takes makedumpfile's line", "-l --message-level 7 -d 31 /proc/vmcore dump",
	 {DEFAULTS, .codec = CODEC_LZO}, "/proc/vmcore", "dump"},
	{"options: takes letters in one word", "-cfd 1 core",
	 {.levels = {1}, .level_count = 1, .log_level = LOG_NOTE, .codec = CODEC_ZLIB, .force = true}, "core", NULL},
	{"options: takes an argument in the same word", "-d17 core",
	 {.levels = {17}, .level_count = 1, .log_level = LOG_NOTE, .codec = CODEC_COUNT}, "core", NULL},
	{"options: takes options behind operands", "core dump -c --strict",
	 {DEFAULTS, .codec = CODEC_ZLIB, .strict = true}, "core", "dump"},
	{"options: takes operands behind --", "-- -core",
	 {DEFAULTS, .codec = CODEC_COUNT}, "-core", NULL},
	{"options: takes a list of levels", "-d 31,1,0",
	 {.levels = {31, 1, 0}, .level_count = 3, .log_level = LOG_NOTE, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes eight levels", "-d 1,2,3,4,5,6,7,8",
	 {.levels = {1, 2, 3, 4, 5, 6, 7, 8}, .level_count = 8, .log_level = LOG_NOTE, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes the last of two lists", "-d 31,1 -d 0",
	 {.levels = {0}, .level_count = 1, .log_level = LOG_NOTE, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes the last of two codecs", "-p -c",
	 {DEFAULTS, .codec = CODEC_ZLIB}, "/proc/vmcore", NULL},
	{"options: takes --compress", "--compress=snappy",
	 {DEFAULTS, .codec = CODEC_SNAPPY}, "/proc/vmcore", NULL},
	{"options: takes --compress none", "--compress none",
	 {DEFAULTS, .codec = CODEC_NONE}, "/proc/vmcore", NULL},
	{"options: takes the flattened stream", "-F core",
	 {DEFAULTS, .codec = CODEC_COUNT, .flattened = true}, "core", NULL},
	{"options: takes a memory bound", "--memory 64M",
	 {DEFAULTS, .codec = CODEC_COUNT, .memory_bytes = 64 << 20}, "/proc/vmcore", NULL},
	{"options: takes --access", "--access mmap",
	 {DEFAULTS, .codec = CODEC_COUNT, .access = VMCORE_ACCESS_MMAP}, "/proc/vmcore", NULL},
	{"options: takes an abbreviation", "--dump-l 1",
	 {.levels = {1}, .level_count = 1, .log_level = LOG_NOTE, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: is quiet", "-q",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_WARNING, .codec = CODEC_COUNT, .progress = PROGRESS_NONE}, "/proc/vmcore", NULL},
	{"options: is verbose", "-v",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_DETAIL, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes message level 0", "--message-level 0",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_ERROR, .codec = CODEC_COUNT, .progress = PROGRESS_NONE}, "/proc/vmcore", NULL},
	{"options: takes message level 1", "--message-level 1",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_ERROR, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes message level 4", "--message-level 4",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_WARNING, .codec = CODEC_COUNT, .progress = PROGRESS_NONE}, "/proc/vmcore", NULL},
	{"options: takes message level 31", "--message-level 31",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_DETAIL, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: takes the last of two message levels", "-q --message-level 0 --message-level 31",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_DETAIL, .codec = CODEC_COUNT}, "/proc/vmcore", NULL},
	{"options: keeps a progress that was named", "--progress=lines --message-level 31",
	 {.levels = {31}, .level_count = 1, .log_level = LOG_DETAIL, .codec = CODEC_COUNT, .progress = PROGRESS_LINES}, "/proc/vmcore", NULL},
	{"options: takes --help whatever else there is", "--help core",
	 {DEFAULTS, .codec = CODEC_COUNT, .help = true}, "core", NULL},
	{"options: takes -V", "-V",
	 {DEFAULTS, .codec = CODEC_COUNT, .version = true}, "/proc/vmcore", NULL},
};
/* clang-format on */

static void test_good(void **state)
{
	const struct good *row = *state;
	/* LZO unless it isn't built. */
	const enum codec_id usual = codec_is_built(CODEC_LZO) ? CODEC_LZO : CODEC_ZLIB;
	const struct options *want = &row->want;
	struct options o;
	struct error err;
	int min, max, level;

	if (want->codec != CODEC_COUNT && !codec_is_built(want->codec)) {
		assert_int_equal(parse(row->line, &o, &err), -ENOTSUP);
		return;
	}
	assert_int_equal(parse(row->line, &o, &err), 0);
	assert_string_equal(o.vmcore, row->vmcore);
	if (row->dumpfile)
		assert_string_equal(o.dumpfile, row->dumpfile);
	else
		assert_null(o.dumpfile);
	assert_int_equal(o.level_count, want->level_count);
	assert_memory_equal(o.levels, want->levels, want->level_count * sizeof(*o.levels));
	assert_int_equal(o.codec, want->codec == CODEC_COUNT ? usual : want->codec);
	codec_levels(o.codec, &min, &max, &level);
	assert_int_equal(o.codec_level, level);
	assert_int_equal(o.access, want->access);
	assert_int_equal(o.memory_bytes, want->memory_bytes);
	assert_int_equal(o.flattened, want->flattened);
	assert_int_equal(o.force, want->force);
	assert_int_equal(o.strict, want->strict);
	assert_int_equal(o.help, want->help);
	assert_int_equal(o.version, want->version);
	assert_int_equal(o.progress, want->progress);
	assert_int_equal(o.log_level, want->log_level);
}

static void test_levels_of_codecs(void **state UNUSED)
{
	struct options o;
	struct error err;

	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++) {
		int min, max, usual;

		codec_levels(id, &min, &max, &usual);
		for (int level = min - 1; level <= max + 1; level++) {
			const bool good = level >= min && level <= max;
			char line[64];

			snprintf(line, sizeof(line), "--compress=%s:%d", codec_name(id), level);
			if (!codec_is_built(id)) {
				assert_int_equal(parse(line, &o, &err), -ENOTSUP);
				continue;
			}
			assert_int_equal(parse(line, &o, &err), good ? 0 : -EINVAL);
			if (good)
				assert_int_equal(o.codec_level, level);
		}
	}
}

/* What is mixed, and when. */
static void test_mixed(void **state UNUSED)
{
	static const struct {
		const char *line;
		bool mixed;
	} rows[] = {
		{"core", false},
		{"core dump", false},
		{"--stream=session core", false},
		{"--to file:/a", false},
		{"--to tcp://a:1", true},
		{"--to file:/a --to ssh://a", true},
		{"--to tls://a:1 -c", false},
		{"--to tls://a:1 --compress=none", false},
		{"--to tls://a:1 -c --compress=auto", true},
		{"--to tls://a:1 --compress=auto -c", false},
		{"--stream=session --compress=auto core", true},
		{"--compress=auto core", false}, /* the same bytes every time */
		{"--compress=auto --to file:/a", false},
		{"--codecs=zlib --to tcp://a:1", true},
	};
	struct options o;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line, &o, &err), 0);
		assert_int_equal(o.ladder.codecs != 0, rows[i].mixed);
		if (!rows[i].mixed) {
			assert_int_equal(o.ladder.count, 1);
			assert_int_equal(o.ladder.rung[0].codec, o.codec);
			assert_int_equal(o.ladder.rung[0].level, o.codec_level);
		}
	}
	/* Of one codec, its levels. */
	assert_int_equal(parse("--to tcp://a:1 --codecs=zlib", &o, &err), 0);
	assert_int_equal(o.ladder.rung[0].codec, CODEC_ZLIB);
}

static void test_crash_kernel(void **state UNUSED)
{
	static const struct {
		const char *line;
		bool want;
	} rows[] = {
		{"", true},
		{"/proc/vmcore", true},
		{"/proc/vmcore dump", true},
		{"--to tcp://a:1", true},
		{"core", false},
		{"--to tcp://a:1 --probe", false},
		{"--dump-dmesg", false},
		{"--mem-usage", false},
	};
	struct options o;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].line, &o, &err), 0);
		assert_int_equal(o.in_crash_kernel, rows[i].want);
	}
}

static void test_threads(void **state UNUSED)
{
	struct options o;
	struct error err;

	assert_int_equal(parse("--num-threads 0", &o, &err), 0);
	assert_int_equal(o.threads, 0);
	assert_int_equal(parse("--num-threads 1024", &o, &err), 0);
	assert_int_equal(o.threads, PIPELINE_WORKERS_MAX);
	assert_int_equal(parse("", &o, &err), 0);
	assert_int_not_equal(o.threads, 1); /* one worker and no thread besides is in line */
}

/* --- what is refused --- */

struct bad {
	const char *name, *line, *message; /* the message has that in it */
};

/* clang-format off */
static const struct bad bads[] = {
	{"options: refuses an unknown option", "--nope", "unknown option --nope; try --help"},
	{"options: refuses an unknown letter", "-Q", "unknown option -Q; try --help"},
	{"options: refuses an unknown letter among others", "-cQ", "unknown option -Q; try --help"},
	{"options: suggests the option that was mistyped", "--dump-levle=1", "unknown option --dump-levle=1; did you mean --dump-level?"},
	{"options: suggests no option of makedumpfile", "--splitt", "unknown option --splitt; try --help"},
	{"options: says what to use for -E", "-E core dump", "-E: vmsend doesn't have this option of makedumpfile; a dump is kdump-compressed"},
	{"options: says what to use for -x, whatever follows", "-x vmlinux core dump", "-x: vmsend doesn't have this option of makedumpfile; no vmlinux is needed"},
	{"options: says what to use for -X among others", "-cX", "-X: vmsend doesn't have this option of makedumpfile; "},
	{"options: says what to use for --split", "--split core a b", "--split: vmsend doesn't have this option of makedumpfile; one dump is one file"},
	{"options: says what to use for an option with its argument", "--cyclic-buffer=1024", "--cyclic-buffer: vmsend doesn't have this option of makedumpfile; --memory SIZE"},
	{"options: refuses an unknown option behind operands", "core --nope", "unknown option --nope"},
	{"options: refuses an ambiguous abbreviation", "--ver", "unknown option --ver"},
	{"options: refuses an option without its argument", "core -d", "option -d needs an argument"},
	{"options: refuses a long one without its argument", "core --memory", "option --memory needs an argument"},
	{"options: refuses an argument where none goes", "--force=yes", "--force=yes"},
	{"options: refuses a third operand", "core dump more", "\"more\" is one argument too many"},
	{"options: refuses level 32", "-d 32", "--dump-level: \"32\" isn't a number from 0 to 31"},
	{"options: refuses level -1", "-d -1", "--dump-level: \"-1\" isn't"},
	{"options: refuses no level", "-d ''", "--dump-level: \"\" isn't"},
	{"options: refuses a list of nothing", "-d ,,", "--dump-level: \",,\" isn't"},
	{"options: refuses a word in a list", "-d 31,all", "--dump-level: \"all\" isn't"},
	{"options: refuses nine levels", "-d 1,2,3,4,5,6,7,8,9", "more than 8 levels"},
	{"options: refuses an unknown codec", "--compress=gzip", "--compress: \"gzip\" is none of auto, none, zlib"},
	{"options: refuses a level for auto", "--compress=auto:1", "is none of"},
	{"options: refuses a list with an unknown codec", "--codecs=lzo,gzip", "--codecs: \"lzo,gzip\" isn't a list of"},
	{"options: refuses no codec", "--compress=''", "--compress: "},
	{"options: refuses a codec's beginning", "--compress=z", "--compress: \"z\" is none of"},
	{"options: refuses a codec that goes on for long", "--compress=zlibzlibzlibzlibzlibzlib", "is none of"},
	{"options: refuses a codec without the level announced", "--compress=zlib:", "--compress: \"\" isn't a number from 1 to 9"},
	{"options: refuses a level for none", "--compress=none:1", "--compress: \"1\" isn't a number from 0 to 0"},
	{"options: refuses 1025 threads", "--num-threads 1025", "--num-threads: \"1025\" isn't a number from 0 to 1024"},
	{"options: refuses -1 threads", "--num-threads -1", "--num-threads: \"-1\" isn't"},
	{"options: refuses 2^32 + 1 threads", "--num-threads 4294967297", "--num-threads: \"4294967297\" isn't"},
	{"options: refuses level 2^32 + 1", "-d 4294967297", "--dump-level: \"4294967297\" isn't"},
	{"options: refuses level 2^32 + 1 of a codec", "--compress=zlib:4294967297", "--compress: \"4294967297\" isn't"},
	{"options: refuses a time-out below 2 s", "--timeout 1", "--timeout: \"1\" isn't from 2s to 60m"},
	{"options: refuses a time-out beyond an hour", "--timeout 3601s", "--timeout: \"3601s\" isn't from 2s to 60m"},
	{"options: refuses a time-out of 2^32 ms and some", "--timeout 4294970s", "--timeout: \"4294970s\" isn't from 2s to 60m"},
	{"options: refuses a time that has no room", "--deadline 2562047788016h", "--deadline: \"2562047788016h\" isn't a duration"},
	{"options: refuses a rate that has no room", "--bwlimit 16777216T", "--bwlimit: \"16777216T\" isn't a size"},
	{"options: refuses memory that has no room", "--memory 16777216T", "--memory: \"16777216T\" isn't a size"},
	{"options: refuses port 65536", "--to tcp://h:65536", "--to: \"tcp://h:65536\" is none of"},
	{"options: refuses port 2^32 + 22", "--to ssh://h:4294967318", "--to: \"ssh://h:4294967318\" is none of"},
	{"options: refuses a CRL without a CA", "--tls-crl crl --to tls://h:1", "--tls-crl goes with --tls-ca"},
	{"options: refuses message level 32", "--message-level 32", "--message-level: \"32\" isn't"},
	{"options: refuses memory in words", "--memory lots", "--memory: \"lots\" isn't a size"},
	{"options: refuses an unknown access", "--access=dma", "--access: \"dma\" is none of auto, mmap, read"},
	{"options: refuses an unknown progress", "--progress=loud", "--progress: \"loud\" is none of auto, tty, lines, json, none"},
	{"options: refuses a DUMPFILE for the stream", "-F core dump", "--flattened writes to standard output: leave out \"dump\""},
	{"options: refuses two commands", "--dump-dmesg --mem-usage", "two commands"},
	{"options: refuses JSON of a dump", "--json", "goes with --mem-usage"},
};
/* clang-format on */

static void test_bad(void **state)
{
	const struct bad *row = *state;
	struct options o;
	struct error err;

	assert_int_equal(parse(row->line, &o, &err), -EINVAL);
	if (!strstr(err.msg, row->message))
		assert_string_equal(err.msg, row->message);
	assert_null(strchr(err.msg, '\n'));
}

/* --- the configuration file --- */

/* Where a file with that text can be read until the next call. */
static const char *file_with(const char *text, size_t bytes)
{
	static char path[32];
	static int fd = -1;

	if (fd >= 0)
		close(fd);
	fd = memfd_create("config", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, bytes), bytes);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static int parse_with(const char *text, const char *line, struct options *o, struct error *err)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "--config %s %s", file_with(text, strlen(text)), line);
	return parse(whole, o, err);
}

struct config {
	const char *name, *text, *line;
	unsigned level;
	const char *to, *identity; /* to: the first, and how many; NULL: none */
	size_t to_count;
	bool strict;
};

/* clang-format off */
static const struct config configs[] = {
	{"config: may be empty", "", "", 31, NULL, NULL, 0, false},
	{"config: takes a line", "dump-level = 1\n", "", 1, NULL, NULL, 0, false},
	{"config: takes a last line without an end", "dump-level = 1", "", 1, NULL, NULL, 0, false},
	{"config: needs no blanks", "dump-level=1\n", "", 1, NULL, NULL, 0, false},
	{"config: doesn't mind blanks", " \tdump-level\t =  1 \t\n", "", 1, NULL, NULL, 0, false},
	{"config: doesn't mind DOS", "\r\ndump-level = 1\r\nstrict\r\n", "", 1, NULL, NULL, 0, true},
	{"config: takes a name alone", "strict\n", "", 31, NULL, NULL, 0, true},
	{"config: passes over comments", "#strict\n  # strict\ndump-level = 1 # not 2\n#", "", 1, NULL, NULL, 0, false},
	{"config: takes a # in a word", "identity = /a#b\n", "", 31, NULL, "/a#b", 0, false},
	{"config: takes a = in a value", "identity = a=b\n", "", 31, NULL, "a=b", 0, false},
	{"config: takes blanks in a value", "identity = a b\n", "", 31, NULL, "a b", 0, false},
	{"config: lets the last line win", "dump-level = 1\ndump-level = 2\n", "", 2, NULL, NULL, 0, false},
	{"config: lets the command line win", "dump-level = 1\nidentity = a\n", "-d 8 --identity b", 8, NULL, "b", 0, false},
	{"config: adds to the command line", "dump-level = 1\n", "--strict", 1, NULL, NULL, 0, true},
	{"config: takes a list", "to = tcp://a:1\nto = tcp://b:2\n", "", 31, "tcp://a:1", NULL, 2, false},
	{"config: gives way to a list", "to = tcp://a:1\nto = tcp://b:2\n", "--to tcp://c:3", 31, "tcp://c:3", NULL, 1, false},
	{"config: gives way to two", "to = tcp://a:1\n", "--to tcp://c:3 --to tcp://d:4", 31, "tcp://c:3", NULL, 2, false},
	{"config: gives way to a DUMPFILE", "to = tcp://a:1\n", "core dump", 31, NULL, NULL, 0, false},
	{"config: gives way to the stream", "to = tcp://a:1\n", "-F", 31, NULL, NULL, 0, false},
	{"config: gives way to --stream=session", "to = tcp://a:1\n", "--stream=session", 31, NULL, NULL, 0, false},
	{"config: gives way to --dump-dmesg", "to = tcp://a:1\n", "--dump-dmesg", 31, NULL, NULL, 0, false},
	{"config: gives way to --mem-usage", "to = tcp://a:1\n", "--mem-usage", 31, NULL, NULL, 0, false},
	{"config: goes with --probe", "to = tcp://a:1\n", "--probe", 31, "tcp://a:1", NULL, 1, false},
	{"config: isn't read for --help", "nonsense\n", "--help", 31, NULL, NULL, 0, false},
	{"config: isn't read for --version", "nonsense\n", "--version", 31, NULL, NULL, 0, false},
};

/* What is refused; the message begins with the file's name and has the rest in it. */
static const struct bad bad_configs[] = {
	{"config: refuses an unknown name", "strict\n\nnope = 1\n", ":3: unknown option \"nope\""},
	{"config: suggests the name that was mistyped", "bwlimt = 1M\n", ":1: unknown option \"bwlimt\" (did you mean bwlimit?): "},
	{"config: says what to use for an option of makedumpfile", "split\n", ":1: split: vmsend doesn't have this option of makedumpfile; one dump is one file"},
	{"config: refuses an abbreviation", "dump-lev = 1\n", ":1: unknown option \"dump-lev\""},
	{"config: refuses a letter", "d = 1\n", ":1: unknown option \"d\""},
	{"config: refuses dashes", "--strict\n", ":1: unknown option \"--strict\""},
	{"config: refuses no name", " = 1\n", ":1: unknown option \"\""},
	{"config: refuses a name without its value", "dump-level\n", ":1: dump-level needs a value: \"dump-level = N[,N...]\""},
	{"config: refuses a value where none goes", "strict = yes\n", ":1: strict takes no value: let it stand alone"},
	{"config: refuses a bad value", "# levels\ndump-level = 32\n", ":2: dump-level: \"32\" isn't a number from 0 to 31"},
	{"config: refuses an empty value", "dump-level =\n", ":1: dump-level: \"\" isn't"},
	{"config: refuses another file", "config = /etc/other\n", ":1: config: a file can't name another"},
};
/* clang-format on */

static void test_config(void **state)
{
	const struct config *row = *state;
	struct options o;
	struct error err;

	assert_int_equal(parse_with(row->text, row->line, &o, &err), 0);
	assert_int_equal(o.levels[0], row->level);
	assert_int_equal(o.strict, row->strict);
	assert_int_equal(o.to_count, row->to_count);
	if (row->to)
		assert_string_equal(o.to[0].text, row->to);
	if (row->identity)
		assert_string_equal(o.connect.identity, row->identity);
	options_deinit(&o);
}

static void test_bad_config(void **state)
{
	const struct bad *row = *state;
	struct options o;
	struct error err;

	assert_int_equal(parse_with(row->line, "", &o, &err), -EINVAL);
	assert_true(strncmp(err.msg, "/proc/self/fd/", 14) == 0);
	if (!strstr(err.msg, row->message))
		assert_string_equal(err.msg, row->message);
}

/* clang-format off */
static const struct config_size {
	const char *name;
	size_t blanks, nuls;
	int want;
} sizes[] = {
	{"config: takes 64 KiB", 65536, 0, 0},
	{"config: refuses a byte more", 65537, 0, -EFBIG},
	{"config: refuses what isn't text", 10, 1, -EINVAL},
};
/* clang-format on */

static void test_config_size(void **state)
{
	const struct config_size *row = *state;
	AUTO_FREE char *text = malloc(row->blanks + row->nuls);
	struct options o;
	struct error err;
	char line[64];

	memset(text, ' ', row->blanks);
	memset(text + row->blanks, '\0', row->nuls);
	snprintf(line, sizeof(line), "--config %s", file_with(text, row->blanks + row->nuls));
	assert_int_equal(parse(line, &o, &err), row->want);
	if (row->want == 0)
		options_deinit(&o);
}

#define KEY_A "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB+"
#define KEY_C "SHA256:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC/="

static const struct host_keys {
	const char *name, *text, *line, *first;
	size_t count;
} host_keys[] = {
	{"host keys: none by default", "", "", NULL, 0},
	{"host keys: takes one", "", "--host-key=" KEY_A, KEY_A, 1},
	{"host keys: takes several", "", "--host-key=" KEY_A " --host-key " KEY_C, KEY_A, 2},
	{"host keys: takes those of the file", "host-key = " KEY_B "\nhost-key = " KEY_A "\n", "",
	 KEY_B, 2},
	{"host keys: lets the command line win", "host-key = " KEY_B "\nhost-key = " KEY_A "\n",
	 "--host-key=" KEY_C, KEY_C, 1},
};

static void test_host_keys(void **state)
{
	const struct host_keys *row = *state;
	struct options o;
	struct error err;

	assert_int_equal(parse_with(row->text, row->line, &o, &err), 0);
	assert_int_equal(o.connect.host_key_count, row->count);
	if (row->first)
		assert_string_equal(o.connect.host_keys[0], row->first);
	options_deinit(&o);
}

static void test_many_host_keys(void **state UNUSED)
{
	char text[HOST_KEYS_MAX * 80 + 80] = "";
	struct options o;
	struct error err;

	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		strcat(text, "host-key = " KEY_A "\n");
	assert_int_equal(parse_with(text, "", &o, &err), 0);
	options_deinit(&o);
	strcat(text, "host-key = " KEY_A "\n");
	assert_int_equal(parse_with(text, "", &o, &err), -EINVAL);
	assert_non_null(strstr(err.msg, ":17: host-key: more than 16 keys"));
}

static void test_no_config(void **state UNUSED)
{
	struct options o;
	struct error err;

	assert_int_equal(parse("--config /nonexistent/file", &o, &err), -ENOENT);
	assert_string_equal(err.msg, "/nonexistent/file: No such file or directory");
	assert_int_equal(parse("--config /", &o, &err), -EISDIR);
}

static void test_last_config(void **state UNUSED)
{
	struct options o;
	struct error err;

	assert_int_equal(parse_with("strict\n", "--config /dev/null", &o, &err), 0);
	assert_false(o.strict);
	options_deinit(&o);
}

/* --- help --- */

/* What `print` writes on standard output. */
static char *printed(void (*print)(void))
{
	AUTO_CLOSE int fd = memfd_create("stdout", MFD_CLOEXEC), saved = dup(STDOUT_FILENO);
	static char text[16384];
	ssize_t n;

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	print();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

static void test_help(void **state UNUSED)
{
	char *rest, *text = printed(options_print_help);
	char last[80] = "";

	assert_non_null(strstr(text, "  -d, --dump-level=N"));
	assert_non_null(strstr(text, "      --access=HOW"));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *option = strstr(line, "--");

		for (const char *p = line; *p; p++)
			assert_in_range(*p, ' ', '~');
		assert_true(strlen(line) <= 80);
		if (strncmp(line, "  ", 2) != 0 || !option || option > line + 6)
			continue;
		/* Sorted, and two blanks before the help. */
		assert_true(strncmp(last, option, strcspn(option, "= ")) <= 0);
		snprintf(last, sizeof(last), "%.*s", (int)strcspn(option, "= "), option);
		assert_non_null(strstr(option, "  "));
	}
	assert_string_equal(last, "--zstd");
}

static void test_version(void **state UNUSED)
{
	const char *text = printed(options_print_version);

	assert_true(strncmp(text, "vmsend ", 7) == 0);
	assert_non_null(strstr(text, VERSION));
	assert_non_null(strstr(text, codec_is_built(CODEC_LZO) ? " lzo" : " no-lzo"));
}

/* --- cli_parse() --- */

static const struct cli_option few[] = {
	{.name = "alpha", .letter = 'a', .help = "first"},
	{.name = "beta", .arg = "ARG", .help = "second"},
	{.name = "hidden", .letter = 'z'},
};

struct seen {
	size_t option[8];
	const char *arg[8];
	size_t count;
	size_t fail_at;
};

static int see(void *ctx, size_t option, const char *arg, struct error *err)
{
	struct seen *seen = ctx;

	if (seen->count == seen->fail_at)
		return error_set(err, -ERANGE, "no");
	seen->option[seen->count] = option;
	seen->arg[seen->count++] = arg;
	return 0;
}

static void test_order(void **state UNUSED)
{
	char copy[128], *argv[WORDS_MAX + 1];
	const int argc = split("one -a --beta=x two -z --beta y", copy, argv);
	struct seen seen = {.fail_at = 99};
	struct error err;
	const int operand = cli_parse(few, ARRAY_LEN(few), argc, argv, see, &seen, &err);

	assert_int_equal(seen.count, 4);
	assert_int_equal(seen.option[0], 0);
	assert_null(seen.arg[0]);
	assert_int_equal(seen.option[1], 1);
	assert_string_equal(seen.arg[1], "x");
	assert_int_equal(seen.option[2], 2);
	assert_int_equal(seen.option[3], 1);
	assert_string_equal(seen.arg[3], "y");
	assert_int_equal(operand, argc - 2);
	assert_string_equal(argv[operand], "one");
	assert_string_equal(argv[operand + 1], "two");
}

static void test_apply_fails(void **state UNUSED)
{
	char copy[128], *argv[WORDS_MAX + 1];
	const int argc = split("-a --beta=x -z", copy, argv);
	struct seen seen = {.fail_at = 1};
	struct error err;

	assert_int_equal(cli_parse(few, ARRAY_LEN(few), argc, argv, see, &seen, &err), -ERANGE);
	assert_string_equal(err.msg, "--beta: no");
	assert_int_equal(seen.count, 1);
}

static void print_few(void)
{
	cli_help(few, ARRAY_LEN(few));
}

static void test_few_help(void **state UNUSED)
{
	assert_string_equal(printed(print_few), "  -a, --alpha                   first\n"
						"      --beta=ARG                second\n");
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, goods, test_good);
	UNIT_ADD_ROWS(&u, bads, test_bad);
	UNIT_ADD_ROWS(&u, configs, test_config);
	UNIT_ADD_ROWS(&u, bad_configs, test_bad_config);
	UNIT_ADD_ROWS(&u, sizes, test_config_size);
	unit_add(&u, "config: has to be there if it is named", test_no_config, NULL);
	unit_add(&u, "config: is the last that is named", test_last_config, NULL);
	unit_add(&u, "options: takes the levels that a codec has", test_levels_of_codecs, NULL);
	unit_add(&u, "options: takes 0 to 1024 threads", test_threads, NULL);
	unit_add(&u, "options: mixes codecs where a server takes the dump", test_mixed, NULL);
	unit_add(&u, "options: knows a crash kernel by /proc/vmcore", test_crash_kernel, NULL);
	unit_add(&u, "options_print_help: is sorted, and 80 columns wide", test_help, NULL);
	unit_add(&u, "options_print_version: says what was built in", test_version, NULL);
	unit_add(&u, "cli_parse: applies options in order, and leaves operands", test_order, NULL);
	unit_add(&u, "cli_parse: ends where an option fails, and names it", test_apply_fails, NULL);
	unit_add(&u, "cli_help: shows what is not hidden", test_few_help, NULL);
	UNIT_ADD_ROWS(&u, host_keys, test_host_keys);
	unit_add(&u, "host keys: refuses more than sixteen", test_many_host_keys, NULL);
	return unit_run(&u, "options", argc, argv);
}
