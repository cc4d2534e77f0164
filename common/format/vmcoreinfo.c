/* The VMCOREINFO text as a table.
 * Doesn't know where the text lies, nor what any key means. */
#include "format/vmcoreinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct entry {
	const char *key, *value; /* into text */
};

struct vmcoreinfo {
	char *text;	       /* each '=' and newline turned into NUL */
	struct entry *entries; /* sorted by key, then by place in the text */
	size_t count;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const int order = strcmp(x->key, y->key);

	return order ? order : (x->key > y->key) - (x->key < y->key);
}

int vmcoreinfo_new(const void *text, size_t size_bytes, struct vmcoreinfo **vi_ret,
		   struct error *err)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *vi = calloc(1, sizeof(*vi));
	size_t lines = 1;
	char *line, *rest;

	if (size_bytes > VMCOREINFO_MAX_BYTES)
		return error_set(err, -EFBIG, "VMCOREINFO: %zu bytes, at most %d are plausible",
				 size_bytes, VMCOREINFO_MAX_BYTES);
	if (!vi)
		return error_set(err, -ENOMEM, "out of memory for VMCOREINFO");
	vi->text = malloc(size_bytes + 1);
	if (!vi->text)
		return error_set(err, -ENOMEM, "out of memory for VMCOREINFO");
	memcpy(vi->text, text, size_bytes);
	vi->text[size_bytes] = '\0';

	for (const char *p = vi->text; *p; p++)
		lines += *p == '\n';
	vi->entries = calloc(lines, sizeof(*vi->entries));
	if (!vi->entries)
		return error_set(err, -ENOMEM, "out of memory for VMCOREINFO");
	for (line = strtok_r(vi->text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strchr(line, '=');

		if (!equals)
			continue;
		*equals = '\0';
		vi->entries[vi->count++] = (struct entry){.key = line, .value = equals + 1};
	}
	qsort(vi->entries, vi->count, sizeof(*vi->entries), compare_entries);
	*vi_ret = TAKE_PTR(vi);
	return 0;
}

void vmcoreinfo_free(struct vmcoreinfo *vi)
{
	if (!vi)
		return;
	free(vi->entries);
	free(vi->text);
	free(vi);
}

const char *vmcoreinfo_text(const struct vmcoreinfo *vi, const char *key)
{
	size_t low = 0, high = vi ? vi->count : 0;

	/* The lowest entry that isn't below the key: the first of those that repeat it. */
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(vi->entries[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!vi || low == vi->count || strcmp(vi->entries[low].key, key) != 0)
		return NULL;
	return vi->entries[low].value;
}

/* All of `text` as a number of that base, digits alone: no sign, no blank, no 0x, no overflow. */
static bool parse_unsigned(const char *text, int base, uint64_t *n_ret)
{
	const char *const digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";

	if (!*text || text[strspn(text, digits)])
		return false;
	errno = 0;
	*n_ret = strtoull(text, NULL, base);
	return errno == 0;
}

/* The value of "KIND(name)", or NULL. */
static const char *bracketed(const struct vmcoreinfo *vi, const char *kind, const char *name)
{
	char key[128];

	if ((size_t)snprintf(key, sizeof(key), "%s(%s)", kind, name) >= sizeof(key))
		return NULL;
	return vmcoreinfo_text(vi, key);
}

static bool get(const char *text, int base, uint64_t *n_ret)
{
	uint64_t n;

	if (!text || !parse_unsigned(text, base, &n))
		return false;
	*n_ret = n;
	return true;
}

bool vmcoreinfo_symbol(const struct vmcoreinfo *vi, const char *name, uint64_t *vaddr_ret)
{
	return get(bracketed(vi, "SYMBOL", name), 16, vaddr_ret);
}

bool vmcoreinfo_offset(const struct vmcoreinfo *vi, const char *name, uint64_t *offset_ret)
{
	return get(bracketed(vi, "OFFSET", name), 10, offset_ret);
}

bool vmcoreinfo_size(const struct vmcoreinfo *vi, const char *name, uint64_t *size_ret)
{
	return get(bracketed(vi, "SIZE", name), 10, size_ret);
}

bool vmcoreinfo_length(const struct vmcoreinfo *vi, const char *name, uint64_t *length_ret)
{
	return get(bracketed(vi, "LENGTH", name), 10, length_ret);
}

bool vmcoreinfo_number(const struct vmcoreinfo *vi, const char *name, uint64_t *number_ret)
{
	const char *text = bracketed(vi, "NUMBER", name);

	if (!text)
		return false;
	if (strncmp(text, "0x", 2) == 0)
		return get(text + 2, 16, number_ret);
	if (*text == '-') {
		uint64_t n;

		if (!get(text + 1, 10, &n) || n > (uint64_t)INT64_MAX + 1)
			return false;
		*number_ret = -n;
		return true;
	}
	return get(text, 10, number_ret);
}

bool vmcoreinfo_decimal(const struct vmcoreinfo *vi, const char *key, uint64_t *number_ret)
{
	return get(vmcoreinfo_text(vi, key), 10, number_ret);
}
