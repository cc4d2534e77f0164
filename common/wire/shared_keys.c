/* Files of shared keys.
 * Doesn't know what the keys are used for. */
#include "wire/shared_keys.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"

enum {
	FILE_BYTES_MAX = 4 << 20, /* ten thousands of lines */
};

static int nibble(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "00ff…" to bytes; false if it isn't that, or too long or short. */
static bool parse_key(const char *digits, struct shared_key *key)
{
	const size_t count = strlen(digits);

	if (count % 2 || count / 2 < SHARED_KEY_BYTES_MIN || count / 2 > SHARED_KEY_BYTES_MAX)
		return false;
	key->size_bytes = count / 2;
	for (size_t i = 0; i < key->size_bytes; i++) {
		const int high = nibble(digits[2 * i]), low = nibble(digits[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key->bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* An identity may have colons in it, a key has none. What is wrong with a line; NULL: nothing. */
static const char *parse_line(char *line, struct shared_key *key)
{
	char *colon = strrchr(line, ':');

	if (!colon)
		return "not IDENTITY:KEY";
	*colon = '\0';
	if (!host_name_is_good(line))
		return "an identity is a host's name: letters, digits, \"._:-\", at most 255";
	strcpy(key->identity, line);
	if (!parse_key(colon + 1, key))
		return "a key has 32 to 128 hexadecimal digits";
	return NULL;
}

static int parse_lines(const char *path, char *text, struct shared_keys *keys, struct error *err)
{
	unsigned number = 1;
	char *line, *rest = text;

	for (; (line = strsep(&rest, "\n")); number++) {
		const char *wrong;

		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		wrong = parse_line(line, &keys->items[keys->count]);
		if (wrong)
			return error_set(err, -EINVAL, "%s:%u: %s", path, number, wrong);
		keys->count++;
	}
	if (keys->count == 0)
		return error_set(err, -EINVAL, "%s has no key", path);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct shared_key *const *x = a, *const *y = b;

	return strcasecmp((*x)->identity, (*y)->identity);
}

static int sort(const char *path, struct shared_keys *keys, struct error *err)
{
	/* Keys themselves stay where they are: a sort would leave copies that nobody wipes. */
	for (size_t i = 0; i < keys->count; i++)
		keys->by_name[i] = &keys->items[i];
	qsort(keys->by_name, keys->count, sizeof(*keys->by_name), compare);
	for (size_t i = 1; i < keys->count; i++)
		if (compare(&keys->by_name[i - 1], &keys->by_name[i]) == 0)
			return error_set(err, -EINVAL, "%s: the identity \"%.60s\" is there twice",
					 path, keys->by_name[i]->identity);
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

int shared_keys_load(const char *path, struct shared_keys *keys, struct error *err)
{
	uint8_t *text;
	size_t size_bytes;
	int r = secret_read(path, FILE_BYTES_MAX, &text, &size_bytes, err);

	*keys = (struct shared_keys){0};
	if (r < 0)
		return r;
	keys->room = count_lines((char *)text);
	keys->items = calloc(keys->room, sizeof(*keys->items));
	keys->by_name = calloc(keys->room, sizeof(*keys->by_name));
	if (!keys->items || !keys->by_name)
		r = error_set(err, -ENOMEM, "%s: out of memory", path);
	else if (strlen((char *)text) != size_bytes)
		r = error_set(err, -EINVAL, "%s has a zero byte in it", path);
	if (r == 0)
		r = parse_lines(path, (char *)text, keys, err);
	if (r == 0)
		r = sort(path, keys, err);
	secret_free(text, size_bytes);
	if (r < 0)
		shared_keys_deinit(keys);
	return r;
}

const struct shared_key *shared_keys_find(const struct shared_keys *keys,
					  const unsigned char *identity, size_t size_bytes)
{
	struct shared_key wanted;
	const struct shared_key *p = &wanted, **found;

	if (size_bytes >= sizeof(wanted.identity) || memchr(identity, '\0', size_bytes))
		return NULL;
	memcpy(wanted.identity, identity, size_bytes);
	wanted.identity[size_bytes] = '\0';
	found = bsearch(&p, keys->by_name, keys->count, sizeof(*keys->by_name), compare);
	return found && strcmp((*found)->identity, wanted.identity) == 0 ? *found : NULL;
}

void shared_keys_deinit(struct shared_keys *keys)
{
	/* A line that is wrong may have left its key after the last good one. */
	if (keys->items)
		explicit_bzero(keys->items, keys->room * sizeof(*keys->items));
	free(keys->items);
	free(keys->by_name);
	*keys = (struct shared_keys){0};
}
