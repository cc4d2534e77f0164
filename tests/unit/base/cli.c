/* include/base/cli.h: options by a table into a struct, from the defaults, a file, and the command
 * line. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cli.h"

enum { WORDS_MAX = 24, ITEMS_MAX = 2 };

enum size { SMALL = 1, LARGE };

struct values {
	const char *config, *path, *word;
	bool flag;
	enum size size;
	unsigned number;
	uint64_t bytes, bounded_bytes, long_ms;
	uint32_t ms;
	const char *items[ITEMS_MAX];
	size_t item_count;
	bool items_from_file;
	unsigned choice;
	bool set_from_file;
	bool help;
};

static int add_item(void *values, const struct cli_word *w, struct error *err)
{
	struct values *v = values;

	if (strcmp(w->arg, "bad") == 0)
		return error_set(err, -EINVAL, "no such item");
	v->items[v->item_count] = w->arg;
	return 0;
}

static int set_it(void *values, const struct cli_word *w, struct error *err)
{
	struct values *v = values;

	v->set_from_file = w->from_file;
	v->number = w->option->value;
	return strcmp(w->arg, "bad") == 0 ? error_set(err, -ERANGE, "%s", w->option->text) : 0;
}

static const char *const choices[] = {"red", "green", "blue", NULL};

/* clang-format off */
#define AT(member) CLI_FIELD(struct values, member)
static const struct cli_option options[] = {
	{"bounded", 0, "SIZE", "", .kind = CLI_SIZE, AT(bounded_bytes), .min = 1, .max = INT64_MAX},
	{"bytes", 0, "SIZE", "", .kind = CLI_SIZE, AT(bytes)},
	{"choice", 0, "COLOUR", "", .kind = CLI_CHOICE, AT(choice), .names = choices},
	{"config", 0, "FILE", "", .kind = CLI_CONFIG, AT(config)},
	{"flag", 0, NULL, "", .kind = CLI_FLAG, AT(flag)},
	{"help", 0, NULL, "", .kind = CLI_FLAG, AT(help)},
	{"item", 0, "ITEM", "", .kind = CLI_LIST, AT(item_count), .from_file = offsetof(struct values, items_from_file),
	 .max = ITEMS_MAX, .text = "items", .set = add_item},
	{"large", 0, NULL, "", .kind = CLI_CONSTANT, AT(size), .value = LARGE},
	{"long", 0, "TIME", "", .kind = CLI_DURATION, AT(long_ms)},
	{"ms", 0, "TIME", "", .kind = CLI_DURATION, AT(ms), .min = 2000, .max = 3600000},
	{"number", 0, "N", "", .kind = CLI_NUMBER, AT(number), .min = 3, .max = 9},
	{"path", 0, "FILE", "", .kind = CLI_PATH, AT(path)},
	{"set", 0, "X", "", .kind = CLI_SET, .value = 77, .text = "its text", .set = set_it},
	{"word", 0, "WORD", "", .kind = CLI_TEXT, AT(word)},
};
/* clang-format on */

static void reset(void *values)
{
	*(struct values *)values = (struct values){.number = 5, .size = SMALL};
}

static bool needs_no_file(const void *values)
{
	return ((const struct values *)values)->help;
}

/* Read a command line's words after a file of that text; the file's text is *text_ret. */
static int read_both(const char *file, const char *line, struct values *v, char **text_ret,
		     struct error *err)
{
	static char copy[256];
	static int fd = -1;
	char path[32], *argv[WORDS_MAX + 1] = {copy}, *rest;
	struct cli_table table = {options, ARRAY_LEN(options), path, reset, needs_no_file};
	int argc = 1;

	if (fd >= 0)
		close(fd);
	fd = memfd_create("config", MFD_CLOEXEC);
	assert_int_equal(write(fd, file, strlen(file)), strlen(file));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < WORDS_MAX);
		argv[argc++] = w;
	}
	*err = (struct error){0};
	return cli_read(&table, v, argc, argv, text_ret, err);
}

/* --- what each kind takes --- */

static void test_kinds(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	struct values v;
	struct error err;

	assert_int_equal(read_both("",
				   "--flag --large --word=w --path /p --number 9 --bytes=2K "
				   "--bounded 8388607T --long 3h --ms 60m --choice=blue --item a",
				   &v, &text, &err),
			 18);
	assert_true(v.flag);
	assert_int_equal(v.size, LARGE);
	assert_string_equal(v.word, "w");
	assert_string_equal(v.path, "/p");
	assert_int_equal(v.number, 9);
	assert_int_equal(v.bytes, 2048);
	assert_int_equal(v.bounded_bytes, UINT64_C(8388607) << 40);
	assert_int_equal(v.long_ms, 10800000);
	assert_int_equal(v.ms, 3600000);
	assert_int_equal(v.choice, 2);
	assert_int_equal(v.item_count, 1);
	assert_string_equal(v.items[0], "a");
	assert_false(v.help);
}

static void test_set(void **state UNUSED)
{
	AUTO_FREE char *text = NULL, *none = NULL;
	struct values v;
	struct error err;

	assert_int_equal(read_both("set = x\n", "", &v, &text, &err), 1);
	assert_true(v.set_from_file);
	assert_int_equal(v.number, 77);
	assert_int_equal(read_both("", "--set x", &v, &none, &err), 3);
	assert_false(v.set_from_file);
}

static const struct bad {
	const char *name, *line, *message;
} bads[] = {
	{"cli_read: refuses a number below the least", "--number 2",
	 "--number: \"2\" isn't a number from 3 to 9"},
	{"cli_read: refuses a number beyond the most", "--number 10",
	 "--number: \"10\" isn't a number from 3 to 9"},
	{"cli_read: refuses a number of 2^32 and some", "--number 4294967301",
	 "--number: \"4294967301\" isn't a number from 3 to 9"},
	{"cli_read: refuses a size below the least", "--bounded 0",
	 "--bounded: \"0\" isn't from 1 to 8388607T"},
	{"cli_read: refuses a size beyond the most", "--bounded 8388608T",
	 "--bounded: \"8388608T\" isn't from 1 to 8388607T"},
	{"cli_read: refuses a size in words", "--bytes lots",
	 "--bytes: \"lots\" isn't a size such as 4096, 512M or 2G"},
	{"cli_read: refuses a duration below the least", "--ms 1",
	 "--ms: \"1\" isn't from 2s to 60m"},
	{"cli_read: refuses a duration beyond the most", "--ms 3601",
	 "--ms: \"3601\" isn't from 2s to 60m"},
	{"cli_read: refuses what isn't among the names", "--choice=pink",
	 "--choice: \"pink\" is none of red, green, blue"},
	{"cli_read: refuses the beginning of a name", "--choice=gre",
	 "--choice: \"gre\" is none of red, green, blue"},
	{"cli_read: refuses one item too many", "--item a --item b --item c",
	 "--item: more than 2 items"},
	{"cli_read: tells what set() says of an item", "--item bad", "--item: no such item"},
	{"cli_read: gives set() the row", "--set bad", "--set: its text"},
};

static void test_bad(void **state)
{
	const struct bad *row = *state;
	char *text;
	struct values v;
	struct error err;

	/* The file is wrong, too: the command line's mistake is told first. */
	assert_in_range(-read_both("nonsense\n", row->line, &v, &text, &err), 1, 4095);
	assert_string_equal(err.msg, row->message);
	assert_null(text);
}

/* --- which of them wins --- */

static void test_command_line_wins(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	struct values v;
	struct error err;

	assert_int_equal(read_both("word = file\npath = /file\nflag\n", "--word line operand", &v,
				   &text, &err),
			 3);
	assert_string_equal(v.word, "line");
	assert_string_equal(v.path, "/file");
	assert_true(v.flag);
	assert_int_equal(v.number, 5);
}

static const struct list {
	const char *name, *file, *line, *first;
	size_t count;
	bool from_file;
} lists[] = {
	{"cli_read: keeps the file's list", "item = a\nitem = b\n", "--flag", "a", 2, true},
	{"cli_read: puts the command line's list in its place", "item = a\nitem = b\n",
	 "--item c --item d", "c", 2, false},
	{"cli_read: takes a list from the command line alone", "flag\n", "--item c", "c", 1, false},
};

static void test_list(void **state)
{
	const struct list *row = *state;
	AUTO_FREE char *text = NULL;
	struct values v;
	struct error err;

	assert_true(read_both(row->file, row->line, &v, &text, &err) > 0);
	assert_int_equal(v.item_count, row->count);
	assert_string_equal(v.items[0], row->first);
	assert_int_equal(v.items_from_file, row->from_file);
}

static void test_no_file_needed(void **state UNUSED)
{
	char *text;
	struct values v;
	struct error err;

	assert_int_equal(read_both("nonsense\n", "--help", &v, &text, &err), 2);
	assert_true(v.help);
	assert_null(text);
}

static void test_config(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	char *none;
	struct values v;
	struct error err;

	assert_int_equal(read_both("config = /etc/other\n", "", &v, &none, &err), -EINVAL);
	assert_non_null(strstr(err.msg, ":1: config: a file can't name another"));
	assert_null(none);
	assert_int_equal(read_both("nonsense\n", "--config /dev/null", &v, &text, &err), 3);
	assert_string_equal(v.config, "/dev/null");
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "cli_read: puts each kind of argument into its field", test_kinds, NULL);
	unit_add(&u, "cli_read: tells set() where a word stands", test_set, NULL);
	UNIT_ADD_ROWS(&u, bads, test_bad);
	unit_add(&u, "cli_read: lets the command line win over the file", test_command_line_wins,
		 NULL);
	UNIT_ADD_ROWS(&u, lists, test_list);
	unit_add(&u, "cli_read: reads no file where none is needed", test_no_file_needed, NULL);
	unit_add(&u, "cli_read: reads the file that is named, and no other", test_config, NULL);
	return unit_run(&u, "cli", argc, argv);
}
