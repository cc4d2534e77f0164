/* Files of host keys.
 * Doesn't know where the files lie, nor what happens with a key that isn't in them. */
#include "sender/transport/known_hosts.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/reader.h"
#include "sender/transport/base64.h"

enum {
	NAME_ROOM = 272, /* a host name, brackets and a port */
	TYPE_ROOM = 64,
	ENTRIES_MAX = 1024, /* of one server */
	HASH_BYTES = 20,    /* HMAC-SHA1 */
	SALT_BYTES_MAX = 64,
	LINE_BYTES_MAX = 64 << 10,
};

enum mark { MARK_NONE, MARK_REVOKED, MARK_AUTHORITY };

/* A line about the server. */
struct entry {
	enum mark mark;
	bool without_port; /* the line has the host, but not the port */
	char type[TYPE_ROOM];
	char *key;   /* Base64, without its padding */
	char *where; /* "FILE:LINE" */
};

struct known_hosts {
	char name[NAME_ROOM]; /* "[host]:port", or the same as: */
	char host[NAME_ROOM]; /* in lower case */
	struct entry *entries;
	size_t count;
};

int known_hosts_new(const char *host, const char *port, struct known_hosts **k_ret,
		    struct error *err)
{
	struct known_hosts *k = calloc(1, sizeof(*k));

	if (!k)
		return error_set(err, -ENOMEM, "out of memory");
	snprintf(k->host, sizeof(k->host), "%s", host);
	for (char *c = k->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	snprintf(k->name, sizeof(k->name), strcmp(port, "22") == 0 ? "%.255s" : "[%.255s]:%.8s",
		 k->host, port);
	*k_ret = k;
	return 0;
}

void known_hosts_free(struct known_hosts *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++) {
		free(k->entries[i].key);
		free(k->entries[i].where);
	}
	free(k->entries);
	free(k);
}

const char *known_hosts_name(const struct known_hosts *k)
{
	return k->name;
}

/* --- names ---------------------------------------------------------------------------------- */

/* '*' is any number of characters, '?' any one. The name is in lower case. */
static bool matches_pattern(const char *pattern, size_t len, const char *name)
{
	const char *end = pattern + len, *star = NULL, *from = NULL;

	/* Only the last star may have to take more: those before it are settled. */
	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			from = name;
		} else if (pattern < end &&
			   (*pattern == '?' || tolower((unsigned char)*pattern) == *name)) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++from;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* "a,b*,!bc": one of them fits, and none with a '!' does. */
static bool matches_list(const char *list, size_t len, const char *name)
{
	const char *end = list + len;
	bool found = false;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *next = comma ? comma : end;
		const bool negated = *list == '!';

		list += negated;
		if (matches_pattern(list, (size_t)(next - list), name)) {
			if (negated)
				return false;
			found = true;
		}
		list = comma ? comma + 1 : end;
	}
	return found;
}

/* "|1|SALT|HASH", both in Base64: the hash is of the name, by HMAC-SHA1 with the salt. */
static bool matches_hash(const char *text, size_t len, const char *name)
{
	const char *salt_text = text + 3;
	const char *bar = len > 3 ? memchr(salt_text, '|', len - 3) : NULL;
	uint8_t salt[SALT_BYTES_MAX], want[HASH_BYTES], got[EVP_MAX_MD_SIZE];
	unsigned got_bytes = 0;
	ssize_t salt_bytes;

	if (!bar)
		return false;
	salt_bytes = base64_get(salt_text, (size_t)(bar - salt_text), salt, sizeof(salt));
	if (salt_bytes <= 0 ||
	    base64_get(bar + 1, len - (size_t)(bar + 1 - text), want, sizeof(want)) != HASH_BYTES)
		return false;
	return HMAC(EVP_sha1(), salt, (int)salt_bytes, (const uint8_t *)name, strlen(name), got,
		    &got_bytes) &&
	       got_bytes == HASH_BYTES && memcmp(got, want, HASH_BYTES) == 0;
}

static bool matches(const char *names, size_t len, const char *name)
{
	if (len > 3 && memcmp(names, "|1|", 3) == 0)
		return matches_hash(names, len, name);
	return matches_list(names, len, name);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* The next word of a line. */
struct word {
	const char *text;
	size_t len;
};

static struct word next_word(const char **line)
{
	struct word w;

	w.text = *line + strspn(*line, " \t\r\n");
	w.len = strcspn(w.text, " \t\r\n");
	*line = w.text + w.len;
	return w;
}

static bool is_word(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.text, text, w.len) == 0;
}

/* Length without the padding, which some leave out. */
static size_t unpadded(const char *text, size_t len)
{
	while (len && text[len - 1] == '=')
		len--;
	return len;
}

static int add_entry(struct known_hosts *k, const struct entry *entry, struct word key,
		     const char *path, unsigned line, struct error *err)
{
	struct entry e = *entry, *grown;

	if (k->count == ENTRIES_MAX)
		return error_set(err, -EFBIG, "%s has more than %d lines for %s", path, ENTRIES_MAX,
				 k->name);
	grown = realloc(k->entries, (k->count + 1) * sizeof(*grown));
	if (!grown)
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	k->entries = grown;
	e.key = strndup(key.text, unpadded(key.text, key.len));
	if (asprintf(&e.where, "%s:%u", path, line) < 0)
		e.where = NULL;
	k->entries[k->count++] = e;
	return e.key && e.where ? 0 : error_set(err, -ENOMEM, "out of memory for %s", path);
}

/* [MARKER] NAMES TYPE KEY [COMMENT] */
static int take_line(struct known_hosts *k, const char *text, const char *path, unsigned line,
		     struct error *err)
{
	struct entry e = {0};
	struct word w = next_word(&text), names, type, key;

	if (w.len == 0 || *w.text == '#')
		return 0;
	if (*w.text == '@') {
		if (is_word(w, "@revoked"))
			e.mark = MARK_REVOKED;
		else if (is_word(w, "@cert-authority"))
			e.mark = MARK_AUTHORITY;
		else
			return 0;
		w = next_word(&text);
	}
	names = w;
	type = next_word(&text);
	key = next_word(&text);
	/* Keys of SSH 1 begin with a number in place of a type. */
	if (key.len == 0 || type.len >= sizeof(e.type) || isdigit((unsigned char)*type.text))
		return 0;
	if (!matches(names.text, names.len, k->name)) {
		e.without_port = true;
		if (strcmp(k->name, k->host) == 0 || !matches(names.text, names.len, k->host))
			return 0;
	}
	memcpy(e.type, type.text, type.len);
	return add_entry(k, &e, key, path, line, err);
}

int known_hosts_read(struct known_hosts *k, const char *path, struct error *err)
{
	FILE *in = fopen(path, "re");
	AUTO_FREE char *text = NULL;
	size_t room = 0;
	unsigned line = 0;
	ssize_t len;
	int r = 0;

	if (!in)
		return error_sys(err, "%s", path);
	errno = 0;
	while (r == 0 && (len = getline(&text, &room, in)) >= 0) {
		line++;
		if (len <= LINE_BYTES_MAX)
			r = take_line(k, text, path, line, err);
	}
	if (r == 0 && ferror(in))
		r = error_sys(err, "%s", path);
	fclose(in);
	return r;
}

/* --- what they say -------------------------------------------------------------------------- */

/* Lines with the port come first. */
const char *known_hosts_type(const struct known_hosts *k, size_t i)
{
	for (int without_port = 0; without_port <= 1; without_port++) {
		for (size_t n = 0; n < k->count; n++) {
			const struct entry *e = &k->entries[n];

			if (e->mark == MARK_NONE && e->without_port == (bool)without_port &&
			    i-- == 0)
				return e->type;
		}
	}
	return NULL;
}

bool known_hosts_has_authority(const struct known_hosts *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->entries[i].mark == MARK_AUTHORITY)
			return true;
	return false;
}

/* Whether the blob names `type` as its own. */
static bool is_of_type(const char *type, const uint8_t *key, size_t key_bytes)
{
	struct rd r = rd_init(key, key_bytes);
	const uint32_t len = rd_be32(&r);
	const char *text = rd_bytes(&r, len);

	return text && len == strlen(type) && memcmp(text, type, len) == 0;
}

enum known_verdict known_hosts_check(const struct known_hosts *k, const uint8_t *key,
				     size_t key_bytes, const char **where_ret)
{
	AUTO_FREE char *text = malloc(BASE64_ROOM(key_bytes));
	enum known_verdict verdict = KNOWN_NOT;

	*where_ret = "";
	if (!text)
		return KNOWN_NOT;
	base64_put(text, key, key_bytes);
	text[unpadded(text, strlen(text))] = '\0';
	/* A revocation counts in any line; a line with this key wins over one with another key. */
	for (size_t i = 0; i < k->count; i++) {
		const struct entry *e = &k->entries[i];
		const bool same = strcmp(e->key, text) == 0;
		enum known_verdict v = KNOWN_NOT;

		if (same && e->mark == MARK_REVOKED) {
			*where_ret = e->where;
			return KNOWN_REVOKED;
		}
		if (e->mark != MARK_NONE)
			continue;
		if (same)
			v = KNOWN_GOOD;
		/* Another server may listen on another port: so a line without a port can vouch for
		 * a key, but not contradict one. */
		else if (!e->without_port && is_of_type(e->type, key, key_bytes))
			v = KNOWN_CHANGED;
		if (v < verdict) {
			verdict = v;
			*where_ret = e->where;
		}
	}
	return verdict;
}
