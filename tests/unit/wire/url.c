/* include/wire/url.h: where a dump goes. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "wire/url.h"

static const struct url_row {
	const char *name; /* the URL, behind "url: " */
	enum url_scheme scheme;
	const char *user, *host, *port, *path; /* user NULL: it is refused */
} rows[] = {
	{"url: ssh://crash@hub", URL_SSH, "crash", "hub", "22", ""},
	{"url: ssh://crash@hub:2222", URL_SSH, "crash", "hub", "2222", ""},
	{"url: ssh://crash@hub/srv/dumps", URL_SSH, "crash", "hub", "22", "/srv/dumps"},
	{"url: ssh://crash@hub:2222/a:b@c", URL_SSH, "crash", "hub", "2222", "/a:b@c"},
	{"url: ssh://crash@hub/", URL_SSH, "crash", "hub", "22", ""},
	{"url: ssh://crash@[2001:db8::1]", URL_SSH, "crash", "2001:db8::1", "22", ""},
	{"url: ssh://crash@[2001:db8::1]:23/x", URL_SSH, "crash", "2001:db8::1", "23", "/x"},
	{"url: ssh://hub", URL_SSH, "", "hub", "22", ""},
	{"url: ssh://hub/user@dir", URL_SSH, "", "hub", "22", "/user@dir"},
	{"url: tls://hub.example.org:7878", URL_TLS, "", "hub.example.org", "7878", ""},
	{"url: tls://[::1]:1", URL_TLS, "", "::1", "1", ""},
	{"url: tcp://10.0.0.1:65535", URL_TCP, "", "10.0.0.1", "65535", ""},
	{"url: exec:ssh -J a@b hub vmrecv --stdio", URL_EXEC, "", "", "",
	 "ssh -J a@b hub vmrecv --stdio"},
	{"url: exec:/bin/x", URL_EXEC, "", "", "", "/bin/x"},
	{"url: tls://[fe80::1%eth0]:1", URL_TLS, "", "fe80::1%eth0", "1", ""},
	{"url: file:dump", URL_FILE, "", "", "", "dump"},
	{"url: file:/var/crash/", URL_FILE, "", "", "", "/var/crash/"},
	{"url: file://x", URL_FILE, "", "", "", "//x"},

	{"url: ", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: hub", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: http://hub:80", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: SSH://crash@hub", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://@hub", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@/dir", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@hub:", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@hub:0", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@hub:65536", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@hub:4294967318", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tls://hub:99999", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tcp://hub:-1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tcp://hub:+1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@hub:22x", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@2001:db8::1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@[2001:db8::1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@[]", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@[::1]x", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: ssh://crash@[::1]22", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tls://hub", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tls://user@hub:1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tls://hub:1/", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tcp://:1", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: tcp://::1:5000", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: exec:", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: exec: \t ", URL_SSH, NULL, NULL, NULL, NULL},
	{"url: file:", URL_SSH, NULL, NULL, NULL, NULL},
};

static void test_url(void **state)
{
	const struct url_row *row = *state;
	const char *text = row->name + strlen("url: ");
	struct url url;
	struct error err;

	if (!row->user) {
		assert_int_equal(url_parse(text, &url, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "tcp://HOST:PORT"));
		return;
	}
	assert_int_equal(url_parse(text, &url, &err), 0);
	assert_int_equal(url.scheme, row->scheme);
	assert_string_equal(url.text, text);
	assert_string_equal(url.user, row->user);
	assert_string_equal(url.host, row->host);
	assert_string_equal(url.port, row->port);
	assert_string_equal(url.path, row->path);
}

/* An address that many links have says by which one. */
static void test_zone(void **state UNUSED)
{
	static const char *const texts[] = {"tls://[fe80::1]:1", "ssh://[FEBF::2:1]/x",
					    "tcp://[fe80::1]:80"};
	struct url url;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(url_parse(texts[i], &url, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "link-local address, which needs its interface"));
	}
	assert_int_equal(host_check_zone("fec0::1", &err), 0);
	assert_int_equal(host_check_zone("fe80.example.org", &err), 0);
	assert_int_equal(host_check_zone("fe80::1%lo", &err), 0);
}

/* Parts of any length: what has no room is refused, and never cut. */
static void test_long(void **state UNUSED)
{
	for (size_t n = 1; n < 600; n++) {
		static char part[600], text[700];
		struct url url;
		struct error err;
		int r;

		memset(part, 'x', n);
		part[n] = '\0';
		snprintf(text, sizeof(text), "file:%s", part);
		r = url_parse(text, &url, &err);
		assert_int_equal(r, n + 5 < sizeof(url.text) ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(url.path, part);
		else
			assert_non_null(strstr(err.msg, "is longer than 511 bytes"));
		snprintf(text, sizeof(text), "tcp://%s:1", part);
		r = url_parse(text, &url, &err);
		assert_int_equal(r, n < sizeof(url.host) ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(url.host, part);
		snprintf(text, sizeof(text), "ssh://%s@h", part);
		r = url_parse(text, &url, &err);
		assert_int_equal(r, n < sizeof(url.user) ? 0 : -EINVAL);
		snprintf(text, sizeof(text), "tcp://h:%s", part);
		assert_int_equal(url_parse(text, &url, &err), -EINVAL);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_url);
	unit_add(&u, "url: asks for the interface of a link-local address", test_zone, NULL);
	unit_add(&u, "url: cuts nothing that is too long", test_long, NULL);
	return unit_run(&u, "url", argc, argv);
}
