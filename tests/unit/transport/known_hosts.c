/* sender/transport/known_hosts.h and base64.h: what ssh(1)'s files say about a server. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sender/transport/base64.h"
#include "sender/transport/known_hosts.h"
#include "tests/lib/scratch.h"

/* Keys that ssh-keygen made; nobody has the private ones. */
#define ED	 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILqzdDgGFYrjiffIiA00rRMBDLHnKAKg7CW7O5/GQdaK"
#define ED_OTHER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILqzdDgGFYrjiffIiA00rRMBDLHnKAKg7CW7O5/GQdaL"
#define EC                                                                                         \
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBjo++uL/"        \
	"g9QqF0r1KQZqfVEX61d742LpNstdmc03ZPA03ULwxaGlD5IGCIYB5aoAFjflgF/LU52pQ6ZSpOvNrA="
/* What ssh-keygen -H makes of hub.example and [hub.example]:2222. */
#define HASHED	    "|1|qZZSJ2q8phNsnqHGRW0l69SlxDQ=|EleOMk60VLY7PldauTrOBcUJrSs= "
#define HASHED_PORT "|1|D4AdrR02J6KPRNt3Eo0YPIPlAhI=|ca2QSLl9IPLlFOnOSE6I79OW+Is= "

struct verdict {
	const char *name, *lines, *host, *port, *key;
	enum known_verdict want;
	unsigned line;
};

/* clang-format off */
static const struct verdict verdicts[] = {
	{"judge: knows nothing by an empty file", "", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: knows a plain name", "hub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 1},
	{"judge: takes a last line without its end", "hub " ED, "hub", "22", ED, KNOWN_GOOD, 1},
	{"judge: takes blanks, tabs and a comment", " \thub\t " ED " me@home\r\n", "hub", "22", ED, KNOWN_GOOD, 1},
	{"judge: takes a key without its padding", "hub ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBjo++uL/"
		"g9QqF0r1KQZqfVEX61d742LpNstdmc03ZPA03ULwxaGlD5IGCIYB5aoAFjflgF/LU52pQ6ZSpOvNrA\n", "hub", "22", EC, KNOWN_GOOD, 1},
	{"judge: passes over other hosts", "hub2 " ED "\nahub " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: passes over comments and empty lines", "# hub " ED "\n\n\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 4},
	{"judge: passes over what is no key", "hub\nhub ssh-ed25519\nhub 2048 35 1234\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 4},
	{"judge: ignores case in names", "HUB.example " ED "\n", "hub.EXAMPLE", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a name in a list", "a,192.0.2.1,hub,b " ED "\n", "hub", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows an address in a list", "a,192.0.2.1,hub,b " ED "\n", "192.0.2.1", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows an IPv6 address", "2001:db8::1 " ED "\n", "2001:db8::1", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows an IPv6 address with a port", "[2001:db8::1]:222 " ED "\n", "2001:db8::1", "222", ED, KNOWN_GOOD, 1},
	{"judge: knows a pattern with a star", "*.example " ED "\n", "hub.example", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a pattern with stars", "h*b*.*ple " ED "\n", "hub.b.example", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a pattern with a question mark", "h?b " ED "\n", "hub", "22", ED, KNOWN_GOOD, 1},
	{"judge: wants a character for a question mark", "hub? " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: wants a pattern to fit to the end", "*.exampl " ED "\n", "hub.example", "22", ED, KNOWN_NOT, 0},
	{"judge: takes a negated pattern as no", "*.example,!hub.example " ED "\n", "hub.example", "22", ED, KNOWN_NOT, 0},
	{"judge: takes a negated pattern for others as nothing", "!a.example,*.example " ED "\n", "hub.example", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a hashed name", HASHED ED "\n", "hub.example", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a hashed name in any case", HASHED ED "\n", "Hub.Example", "22", ED, KNOWN_GOOD, 1},
	{"judge: knows a hashed name with a port", HASHED_PORT ED "\n", "hub.example", "2222", ED, KNOWN_GOOD, 1},
	{"judge: tells hashed names apart", HASHED ED "\n", "hub.exampl", "22", ED, KNOWN_NOT, 0},
	{"judge: takes a hash with a port for that port only", HASHED_PORT ED "\n", "hub.example", "2223", ED, KNOWN_NOT, 0},
	{"judge: passes over hashes that are none", "|1| " ED "\n|1|=|= " ED "\n|1|qZZS|qZZS " ED "\n|1|qZZS|!!!! " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: knows a name with a port", "[hub]:2222 " ED "\n", "hub", "2222", ED, KNOWN_GOOD, 1},
	{"judge: takes a name with a port for that port only", "[hub]:2222 " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: takes a name without a port for all, where the key is right", "hub " ED "\n", "hub", "2222", ED, KNOWN_GOOD, 1},
	{"judge: doesn't call a key changed by a name without a port", "hub " ED_OTHER "\n", "hub", "2222", ED, KNOWN_NOT, 0},
	{"judge: calls a key changed where there is another one", "\nhub " ED_OTHER "\n", "hub", "22", ED, KNOWN_CHANGED, 2},
	{"judge: is content with one of several keys", "hub " ED_OTHER "\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 2},
	{"judge: doesn't call a key changed by one of another type", "hub " EC "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: knows the key among others", "hub " EC "\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 2},
	{"judge: minds a revocation", "@revoked hub " ED "\n", "hub", "22", ED, KNOWN_REVOKED, 1},
	{"judge: minds a revocation for all hosts, behind the good line", "hub " ED "\n@revoked * " ED "\n", "hub", "22", ED, KNOWN_REVOKED, 2},
	{"judge: minds a revocation without the port", "[hub]:2222 " ED "\n@revoked hub " ED "\n", "hub", "2222", ED, KNOWN_REVOKED, 2},
	{"judge: passes over a revocation for others", "@revoked hub2 " ED "\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 2},
	{"judge: passes over a revocation of another key", "@revoked * " ED_OTHER "\nhub " ED "\n", "hub", "22", ED, KNOWN_GOOD, 2},
	{"judge: doesn't take an authority's key for the server's", "@cert-authority hub " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: passes over marks that it doesn't know", "@new hub " ED "\n", "hub", "22", ED, KNOWN_NOT, 0},
	{"judge: passes over a mark alone", "@revoked\n@revoked hub\n", "hub", "22", ED, KNOWN_NOT, 0},
};
/* clang-format on */

static size_t blob_of(const char *line, uint8_t *out, size_t room)
{
	const char *text = strchr(line, ' ') + 1;
	const ssize_t n = base64_get(text, strlen(text), out, room);

	assert_true(n > 0);
	return (size_t)n;
}

static struct known_hosts *read_lines(const char *host, const char *port, const char *lines)
{
	const char *path = scratch_path("known_hosts");
	struct known_hosts *k;
	struct error err;

	file_write(path, lines, strlen(lines));
	assert_int_equal(known_hosts_new(host, port, &k, &err), 0);
	assert_int_equal(known_hosts_read(k, path, &err), 0);
	return k;
}

static void test_verdict(void **state)
{
	const struct verdict *row = *state;
	struct known_hosts *k = read_lines(row->host, row->port, row->lines);
	const char *where, *path = scratch_path("known_hosts");
	char want[4096] = "";
	uint8_t key[256];
	const size_t bytes = blob_of(row->key, key, sizeof(key));

	if (row->line)
		snprintf(want, sizeof(want), "%s:%u", path, row->line);
	assert_int_equal(known_hosts_check(k, key, bytes, &where), row->want);
	assert_string_equal(where, want);
	known_hosts_free(k);
	scratch_clear();
}

static void test_types(void **state UNUSED)
{
	struct known_hosts *k = read_lines("hub", "2222",
					   "hub " ED "\n@revoked [hub]:2222 " ED_OTHER "\n"
					   "[hub]:2222 " EC "\n[hub]:2222 ssh-rsa AAAA\n");

	assert_string_equal(known_hosts_name(k), "[hub]:2222");
	assert_string_equal(known_hosts_type(k, 0), "ecdsa-sha2-nistp256");
	assert_string_equal(known_hosts_type(k, 1), "ssh-rsa");
	assert_string_equal(known_hosts_type(k, 2), "ssh-ed25519");
	assert_null(known_hosts_type(k, 3));
	assert_false(known_hosts_has_authority(k));
	known_hosts_free(k);
	k = read_lines("hub", "22", "@cert-authority *b " ED "\n");
	assert_null(known_hosts_type(k, 0));
	assert_true(known_hosts_has_authority(k));
	known_hosts_free(k);
	scratch_clear();
}

static void test_files(void **state UNUSED)
{
	const char *other = scratch_path("other"), *where;
	struct known_hosts *k = read_lines("hub", "22", "hub " ED_OTHER "\n");
	struct error err;
	uint8_t key[256];
	const size_t bytes = blob_of(ED, key, sizeof(key));

	file_write(other, "hub " ED "\n", strlen("hub " ED "\n"));
	assert_int_equal(known_hosts_check(k, key, bytes, &where), KNOWN_CHANGED);
	assert_int_equal(known_hosts_read(k, other, &err), 0);
	assert_int_equal(known_hosts_check(k, key, bytes, &where), KNOWN_GOOD);
	assert_int_equal(known_hosts_read(k, scratch_path("none"), &err), -ENOENT);
	assert_non_null(strstr(err.msg, "none: No such file"));
	assert_int_equal(known_hosts_read(k, "/", &err), -EISDIR);
	known_hosts_free(k);
	scratch_clear();
}

/* More lines about a server than anybody has, and lines of any length. */
static void test_limits(void **state UNUSED)
{
	static char lines[1025 * sizeof("h " ED) + 1], line[100000 + 300];
	const char *path = scratch_path("known_hosts");
	struct known_hosts *k;
	struct error err;
	char *p = lines;

	for (int i = 0; i < 1025; i++)
		p = stpcpy(p, "h " ED "\n");
	file_write(path, lines, strlen(lines));
	assert_int_equal(known_hosts_new("h", "22", &k, &err), 0);
	assert_int_equal(known_hosts_read(k, path, &err), -EFBIG);
	known_hosts_free(k);
	memset(line, 'x', 100000);
	strcpy(line + 100000, ",h " ED "\nh " ED "\n");
	k = read_lines("h", "22", line);
	assert_non_null(known_hosts_type(k, 0));
	assert_null(known_hosts_type(k, 1));
	known_hosts_free(k);
	scratch_clear();
}

/* Every byte of a blob is looked at; a blob that is none is no key. */
static void test_blobs(void **state UNUSED)
{
	struct known_hosts *k = read_lines("hub", "22", "hub " ED "\n");
	const char *where;
	uint8_t key[256];
	const size_t bytes = blob_of(ED, key, sizeof(key));

	for (size_t i = 0; i < bytes; i++) {
		key[i] ^= 1;
		assert_int_not_equal(known_hosts_check(k, key, bytes, &where), KNOWN_GOOD);
		key[i] ^= 1;
	}
	for (size_t n = 0; n < bytes; n++)
		assert_int_not_equal(known_hosts_check(k, key, n, &where), KNOWN_GOOD);
	assert_int_equal(known_hosts_check(k, key, bytes, &where), KNOWN_GOOD);
	known_hosts_free(k);
	scratch_clear();
}

struct text {
	const char *name, *text, *bytes;
	ssize_t size; /* -1: is refused */
};

static const struct text texts[] = {
	{"base64: takes nothing", "", "", 0},
	{"base64: takes one byte", "Zg==", "f", 1},
	{"base64: takes two bytes", "Zm8=", "fo", 2},
	{"base64: takes three bytes", "Zm9v", "foo", 3},
	{"base64: takes all digits", "+/+/", "\xfb\xff\xbf", 3},
	{"base64: takes lines", "Zm9v\r\nYmFy\n", "foobar", 6},
	{"base64: refuses an odd end", "Zm9vY", "", -1},
	{"base64: refuses a lack of padding", "Zg", "", -1},
	{"base64: refuses padding alone", "====", "", -1},
	{"base64: refuses too much padding", "Z===", "", -1},
	{"base64: refuses digits behind padding", "Zg==Zg==", "", -1},
	{"base64: refuses a digit within padding", "Zg=g", "", -1},
	{"base64: refuses other characters", "Zm9-", "", -1},
	{"base64: refuses blanks", "Zm9v Zm9v", "", -1},
	{"base64: refuses more than there is room for", "Zm9vYmFyZm9v", "", -1},
};

static void test_base64(void **state)
{
	const struct text *row = *state;
	uint8_t out[8];
	char text[BASE64_ROOM(8)];

	assert_int_equal(base64_get(row->text, strlen(row->text), out, sizeof(out)), row->size);
	if (row->size < 0)
		return;
	assert_memory_equal(out, row->bytes, row->size);
	if (!strchr(row->text, '\n'))
		assert_string_equal(base64_put(text, out, (size_t)row->size), row->text);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, verdicts, test_verdict);
	unit_add(&u, "type: gives lines with the port first", test_types, NULL);
	unit_add(&u, "read: takes several files, and says which can't be read", test_files, NULL);
	unit_add(&u, "read: bounds lines and their number", test_limits, NULL);
	unit_add(&u, "judge: looks at every byte", test_blobs, NULL);
	UNIT_ADD_ROWS(&u, texts, test_base64);
	return unit_run(&u, "known_hosts", argc, argv);
}
