/* include/url.h: destinations. */
#include "../lib/unit.h"

#include <errno.h>
#include <string.h>

#include "url.h"

struct good {
	const char *name, *text;
	enum url_scheme scheme;
	const char *user, *host, *port, *path;
};

struct bad {
	const char *name, *text;
};

/* clang-format off */
static const struct good good[] = {
	{"takes a host of SSH's", "ssh://hub", URL_SSH, "", "hub", "22", ""},
	{"takes a user of SSH's", "ssh://crash@hub", URL_SSH, "crash", "hub", "22", ""},
	{"takes a port of SSH's", "ssh://crash@hub:2222", URL_SSH, "crash", "hub", "2222", ""},
	{"takes a directory of SSH's", "ssh://hub:2222/srv/my dumps", URL_SSH, "", "hub", "2222", "/srv/my dumps"},
	{"takes a slash behind SSH's host as nothing", "ssh://hub/", URL_SSH, "", "hub", "22", ""},
	{"takes an @ in a directory as part of it", "ssh://hub/a@b", URL_SSH, "", "hub", "22", "/a@b"},
	{"takes an IPv6 address", "ssh://root@[2001:db8::1]", URL_SSH, "root", "2001:db8::1", "22", ""},
	{"takes an IPv6 address and a port", "tls://[::1]:5500", URL_TLS, "", "::1", "5500", ""},
	{"takes a server of TLS", "tls://hub.example:5500", URL_TLS, "", "hub.example", "5500", ""},
	{"takes a server of TCP", "tcp://192.0.2.1:65535", URL_TCP, "", "192.0.2.1", "65535", ""},
	{"writes a port in one way", "tcp://h:0080", URL_TCP, "", "h", "80", ""},
	{"takes a file", "file:/mnt/dump", URL_FILE, "", "", "", "/mnt/dump"},
	{"takes a directory", "file:dumps/", URL_FILE, "", "", "", "dumps/"},
};

static const struct bad bad[] = {
	{"refuses nothing", ""},
	{"refuses a path alone", "/mnt/dump"},
	{"refuses an unknown scheme", "http://hub:80"},
	{"refuses a scheme alone", "ssh://"},
	{"refuses a user without a host", "ssh://root@"},
	{"refuses an empty user", "ssh://@hub"},
	{"refuses a port without a host", "ssh://:22"},
	{"refuses an empty port", "ssh://hub:"},
	{"refuses port 0", "tcp://hub:0"},
	{"refuses port 65536", "tcp://hub:65536"},
	{"refuses a port that is a word", "tcp://hub:ssh"},
	{"refuses a port that is too long to be one", "tcp://hub:00000022"},
	{"refuses a bracket that isn't closed", "ssh://[::1"},
	{"refuses what follows a bracket", "ssh://[::1]22"},
	{"refuses empty brackets", "ssh://[]:22"},
	{"refuses an IPv6 address without brackets", "ssh://::1"},
	{"refuses TLS without a port", "tls://hub"},
	{"refuses a user of TLS", "tls://root@hub:1"},
	{"refuses a directory of TCP", "tcp://hub:1/dir"},
	{"refuses a file without a name", "file:"},
};
/* clang-format on */

static void test_good(void **state)
{
	const struct good *row = *state;
	struct url url;
	struct error err;

	assert_int_equal(url_parse(row->text, &url, &err), 0);
	assert_int_equal(url.scheme, row->scheme);
	assert_string_equal(url.text, row->text);
	assert_string_equal(url.user, row->user);
	assert_string_equal(url.host, row->host);
	assert_string_equal(url.port, row->port);
	assert_string_equal(url.path, row->path);
}

static void test_bad(void **state)
{
	const char *text = ((const struct bad *)*state)->text;
	struct url url = {.host = "untouched"};
	struct error err;

	assert_int_equal(url_parse(text, &url, &err), -EINVAL);
	assert_string_equal(url.host, "untouched");
	assert_non_null(strstr(err.msg, "is none of ssh://"));
}

/* Each part up to what there is room for, and one character more. */
static void test_long(void **state UNUSED)
{
	static const struct {
		const char *before, *behind;
		int longest;
	} parts[] = {
		{"ssh://", "@h", 63},  {"ssh://", "", 255},
		{"ssh://[", "]", 255}, {"ssh://h/", "", 503}, /* by the room for all of it */
		{"file:", "", 506},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char part[600], text[700];
		struct url url;
		struct error err;

		for (int more = 0; more <= 1; more++) {
			memset(part, 'x', sizeof(part));
			part[parts[i].longest + more] = '\0';
			snprintf(text, sizeof(text), "%s%s%s", parts[i].before, part,
				 parts[i].behind);
			assert_int_equal(url_parse(text, &url, &err), more ? -EINVAL : 0);
		}
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, good, test_good);
	UNIT_ADD_ROWS(&u, bad, test_bad);
	unit_add(&u, "refuses parts that are too long", test_long, NULL);
	return unit_run(&u, "url", argc, argv);
}
