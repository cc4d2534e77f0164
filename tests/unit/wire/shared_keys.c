/* include/wire/shared_keys.h and include/base/hostname.h: files of keys, and whose they are. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/scratch.h"
#include "wire/shared_keys.h"

#define HEX_16	 "00112233445566778899aabbccddeeff"
#define HEX_64	 HEX_16 HEX_16 HEX_16 HEX_16
#define NAME_50	 "a2345678901234567890123456789012345678901234567890"
#define NAME_255 NAME_50 NAME_50 NAME_50 NAME_50 NAME_50 "abcde"

struct name {
	const char *name, *host;
	bool good;
};

/* clang-format off */
static const struct name names[] = {
	{"host name: takes a name", "web-1.example.net", true},
	{"host name: takes an underscore", "web_1", true},
	{"host name: takes an IPv4 address", "10.0.0.1", true},
	{"host name: takes an IPv6 address", "2001:db8::1", true},
	{"host name: takes ::1", "::1", true},
	{"host name: takes an address with its zone", "fe80::1%eth0", true},
	{"host name: refuses what begins with a zone", "%eth0", false},
	{"host name: takes the longest", NAME_255, true},
	{"host name: refuses one more", NAME_255 "d", false},
	{"host name: refuses nothing", "", false},
	{"host name: refuses a slash", "a/b", false},
	{"host name: refuses the parent", "..", false},
	{"host name: refuses what is hidden", ".web", false},
	{"host name: refuses what looks like an option", "-web", false},
	{"host name: refuses a wildcard", "*.example.net", false},
	{"host name: refuses a blank", "a b", false},
	{"host name: refuses a newline", "a\n", false},
	{"host name: refuses bytes past ASCII", "w\xc3\xa4", false},
	{"host name: refuses a backslash", "a\\b", false},
};
/* clang-format on */

static void test_name(void **state)
{
	const struct name *row = *state;

	assert_int_equal(host_name_is_good(row->host), row->good);
}

struct file {
	const char *name, *text;
	size_t count;	   /* 0: refused */
	const char *wrong; /* in the error */
};

/* clang-format off */
static const struct file files[] = {
	{"load: takes a line", "web1:" HEX_16 "\n", 1, NULL},
	{"load: takes one without a newline", "web1:" HEX_16, 1, NULL},
	{"load: takes one with a carriage return", "web1:" HEX_16 "\r\n", 1, NULL},
	{"load: takes the longest key", "web1:" HEX_64 "\n", 1, NULL},
	{"load: takes upper case", "web1:00112233445566778899AABBCCDDEEFF\n", 1, NULL},
	{"load: takes an address with colons", "fe80::1:" HEX_16 "\n", 1, NULL},
	{"load: passes over comments and empty lines", "# keys\n\nb:" HEX_16 "\n\na:" HEX_16 "\n", 2, NULL},
	{"load: refuses an empty file", "", 0, "has no key"},
	{"load: refuses a file of comments", "# none\n", 0, "has no key"},
	{"load: refuses a line without a colon", "web1 " HEX_16 "\n", 0, ":1: not IDENTITY:KEY"},
	{"load: says which line", "a:" HEX_16 "\nb\n", 0, ":2: not IDENTITY:KEY"},
	{"load: refuses a key of 120 bits", "a:00112233445566778899aabbccddee\n", 0, ":1: a key has 32"},
	{"load: refuses a key of half a byte", "a:" HEX_16 "0\n", 0, ":1: a key has 32"},
	{"load: refuses a key too long", "a:" HEX_64 "00\n", 0, ":1: a key has 32"},
	{"load: refuses a key that isn't hexadecimal", "a:0011223344556677889900112233445g\n", 0, ":1: a key has 32"},
	{"load: refuses a key with a blank behind", "a:" HEX_16 " \n", 0, ":1: a key has 32"},
	{"load: refuses an identity with a slash", "a/b:" HEX_16 "\n", 0, ":1: an identity is"},
	{"load: refuses no identity", ":" HEX_16 "\n", 0, ":1: an identity is"},
	{"load: refuses an identity too long", NAME_255 "d:" HEX_16 "\n", 0, ":1: an identity is"},
	{"load: refuses an identity twice", "a:" HEX_16 "\nb:" HEX_16 "\na:" HEX_16 "\n", 0, "\"a\" is there twice"},
	{"load: refuses one that differs in case only", "Web:" HEX_16 "\nweb:" HEX_16 "\n", 0, "is there twice"},
};
/* clang-format on */

static int load(const void *text, size_t size_bytes, struct shared_keys *keys, struct error *err)
{
	const char *path = scratch_path("keys");

	file_write(path, text, size_bytes);
	assert_int_equal(chmod(path, 0600), 0);
	return shared_keys_load(path, keys, err);
}

static void test_load(void **state)
{
	const struct file *row = *state;
	struct shared_keys keys;
	struct error err;
	const int r = load(row->text, strlen(row->text), &keys, &err);

	assert_int_equal(r, row->count ? 0 : -EINVAL);
	assert_int_equal(keys.count, row->count);
	if (r < 0)
		assert_non_null(strstr(err.msg, row->wrong));
	shared_keys_deinit(&keys);
	scratch_clear();
}

static void test_zero_byte(void **state UNUSED)
{
	static const char text[] = "a:" HEX_16 "\n\0b:" HEX_16 "\n";
	struct shared_keys keys;
	struct error err;

	assert_int_equal(load(text, sizeof(text) - 1, &keys, &err), -EINVAL);
	assert_null(keys.items);
	scratch_clear();
}

static void test_readable_by_others(void **state UNUSED)
{
	const char *path = scratch_path("keys");
	struct shared_keys keys;
	struct error err;

	file_write(path, "a:" HEX_16, strlen("a:" HEX_16));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(shared_keys_load(path, &keys, &err), -EACCES);
	shared_keys_deinit(&keys);
	scratch_clear();
}

static const struct shared_key *find(const struct shared_keys *keys, const char *identity)
{
	return shared_keys_find(keys, (const unsigned char *)identity, strlen(identity));
}

static void test_find(void **state UNUSED)
{
	static const char text[] = "web2:" HEX_16 "\nWEB1:" HEX_64 "\nfe80::1:" HEX_16 "\n";
	struct shared_keys keys;
	struct error err;

	assert_int_equal(load(text, strlen(text), &keys, &err), 0);
	assert_string_equal(find(&keys, "web2")->identity, "web2");
	assert_int_equal(find(&keys, "web2")->size_bytes, 16);
	assert_int_equal(find(&keys, "WEB1")->size_bytes, 64);
	assert_int_equal(find(&keys, "WEB1")->bytes[63], 0xff);
	assert_string_equal(find(&keys, "fe80::1")->identity, "fe80::1");
	assert_null(find(&keys, "web1")); /* not even case is let pass */
	assert_null(find(&keys, "web"));
	assert_null(find(&keys, "web22"));
	assert_null(find(&keys, ""));
	assert_null(find(&keys, NAME_255 "d"));
	assert_null(shared_keys_find(&keys, (const unsigned char *)"web2\0", 5));
	shared_keys_deinit(&keys);
	scratch_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, names, test_name);
	UNIT_ADD_ROWS(&u, files, test_load);
	unit_add(&u, "load: refuses a file with a zero byte", test_zero_byte, NULL);
	unit_add(&u, "load: refuses a file that others can read", test_readable_by_others, NULL);
	unit_add(&u, "find: finds an identity as it is", test_find, NULL);
	return unit_run(&u, "shared_keys", argc, argv);
}
