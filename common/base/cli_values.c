/* Options into a program's own struct, by what the table says of each field.
 * Doesn't know what any option means. */
#include "base/cli.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

enum { BOUND_ROOM = 32 }; /* characters of a bound as text, with the NUL */

/* The context that cli_parse() and cli_parse_file() hand to take(). */
struct sink {
	const struct cli_table *table;
	void *values;
	bool from_file;
};

static void *field(void *values, size_t offset)
{
	return (char *)values + offset;
}

/* Into a bool, an enum, or an integer of 32 or 64 bits. */
static void put_integer(void *values, const struct cli_option *o, uint64_t n)
{
	const uint32_t n32 = (uint32_t)n;
	const bool b = n;

	assert(o->size_bytes == sizeof(n) || n <= (o->size_bytes == sizeof(b) ? 1 : UINT32_MAX));
	if (o->size_bytes == sizeof(n))
		memcpy(field(values, o->offset), &n, sizeof(n));
	else if (o->size_bytes == sizeof(n32))
		memcpy(field(values, o->offset), &n32, sizeof(n32));
	else
		memcpy(field(values, o->offset), &b, sizeof(b));
}

static int put_text(void *values, const struct cli_option *o, const char *text)
{
	assert(o->size_bytes == sizeof(text));
	memcpy(field(values, o->offset), &text, sizeof(text));
	return 0;
}

static bool is_within(const struct cli_option *o, uint64_t n)
{
	return !o->max || (n >= o->min && n <= o->max);
}

/* A bound as it would be given: in minutes from one minute on. */
static const char *duration_text(char *text, uint64_t ms)
{
	if (ms < 60000)
		snprintf(text, BOUND_ROOM, "%" PRIu64 "s", ms / 1000);
	else
		snprintf(text, BOUND_ROOM, "%" PRIu64 "m", ms / 60000);
	return text;
}

/* In the largest unit of which it has one; rounded down. */
static const char *size_text(char *text, uint64_t bytes)
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	size_t u = 0;

	for (; bytes >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		bytes /= 1024;
	snprintf(text, BOUND_ROOM, "%" PRIu64 "%s", bytes, units[u]);
	return text;
}

static int put_number(void *values, const struct cli_word *w, struct error *err)
{
	long long n;
	const int r =
		parse_number(w->arg, (long long)w->option->min, (long long)w->option->max, &n, err);

	if (r == 0)
		put_integer(values, w->option, (uint64_t)n);
	return r;
}

/* A size or a duration: a number with a unit, in bounds that are told in such numbers, too. */
static int put_measure(void *values, const struct cli_word *w,
		       int (*parse)(const char *text, uint64_t *ret, struct error *err),
		       const char *(*bound_text)(char *text, uint64_t n), struct error *err)
{
	const struct cli_option *o = w->option;
	char min[BOUND_ROOM], max[BOUND_ROOM];
	uint64_t n;
	const int r = parse(w->arg, &n, err);

	if (r < 0)
		return r;
	if (!is_within(o, n))
		return error_set(err, -EINVAL, "\"%s\" isn't from %s to %s", w->arg,
				 bound_text(min, o->min), bound_text(max, o->max));
	put_integer(values, o, n);
	return 0;
}

static int put_choice(void *values, const struct cli_word *w, struct error *err)
{
	unsigned i;
	const int r = parse_choice(w->arg, w->option->names, &i, err);

	if (r == 0)
		put_integer(values, w->option, i);
	return r;
}

/* A list on the command line takes the place of the file's: it isn't added to it. */
static int add_item(void *values, const struct cli_word *w, struct error *err)
{
	const struct cli_option *o = w->option;
	size_t *count = field(values, o->offset);
	bool *from_file = field(values, o->from_file);
	int r;

	if (*from_file && !w->from_file)
		*count = 0;
	*from_file = w->from_file;
	if (*count == o->max)
		return error_set(err, -EINVAL, "more than %" PRIu64 " %s", o->max, o->text);
	r = o->set(values, w, err);
	if (r == 0)
		++*count;
	return r;
}

static int take(void *ctx, size_t option, const char *arg, struct error *err)
{
	const struct sink *s = ctx;
	const struct cli_option *o = &s->table->options[option];
	const struct cli_word w = {.option = o, .arg = arg, .from_file = s->from_file};

	switch (o->kind) {
	case CLI_FLAG:
		put_integer(s->values, o, true);
		return 0;
	case CLI_CONSTANT:
		put_integer(s->values, o, o->value);
		return 0;
	case CLI_CONFIG:
		if (s->from_file)
			return error_set(err, -EINVAL, "a file can't name another");
		return put_text(s->values, o, arg);
	case CLI_TEXT:
	case CLI_PATH:
		return put_text(s->values, o, arg);
	case CLI_NUMBER:
		return put_number(s->values, &w, err);
	case CLI_SIZE:
		return put_measure(s->values, &w, parse_size, size_text, err);
	case CLI_DURATION:
		return put_measure(s->values, &w, parse_duration, duration_text, err);
	case CLI_CHOICE:
		return put_choice(s->values, &w, err);
	case CLI_LIST:
		return add_item(s->values, &w, err);
	case CLI_SET:
		break;
	}
	return o->set(s->values, &w, err);
}

/* The file that the command line named, or NULL. */
static const char *named_file(const struct cli_table *t, void *values)
{
	const char *path = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (t->options[i].kind == CLI_CONFIG)
			memcpy(&path, field(values, t->options[i].offset), sizeof(path));
	return path;
}

int cli_read(const struct cli_table *t, void *values, int argc, char **argv, char **text_ret,
	     struct error *err)
{
	struct sink s = {.table = t, .values = values};
	const char *path;
	int r;

	t->reset(values);
	r = cli_parse(t->options, t->count, argc, argv, take, &s, err);
	*text_ret = NULL;
	if (r < 0 || t->needs_no_file(values))
		return r;
	path = named_file(t, values);
	t->reset(values);
	s.from_file = true;
	r = cli_parse_file(t->options, t->count, path, t->config, take, &s, text_ret, err);
	s.from_file = false;
	return r < 0 ? r : cli_parse(t->options, t->count, argc, argv, take, &s, err);
}
