/* receiver/collector/networks.h: who is in which network. */
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "receiver/collector/networks.h"

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&s;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		s.ss_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		s.ss_family = AF_INET6;
	}
	return s;
}

static const struct has_row {
	const char *name; /* the network, behind "networks: " */
	const char *in, *out;
} has_rows[] = {
	{"networks: 10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
	{"networks: 10.1.2.3/8", "10.9.9.9", "9.255.255.255"},
	{"networks: 192.168.1.0/24", "192.168.1.255", "192.168.2.0"},
	{"networks: 192.168.1.128/25", "192.168.1.128", "192.168.1.127"},
	{"networks: 10.0.0.0/15", "10.1.255.255", "10.2.0.0"},
	{"networks: 10.0.0.7", "10.0.0.7", "10.0.0.6"},
	{"networks: 10.0.0.7/32", "10.0.0.7", "10.0.0.5"},
	{"networks: 10.0.0.7/31", "10.0.0.6", "10.0.0.5"},
	{"networks: 0.0.0.0/0", "255.1.2.3", "2001:db8::1"},
	{"networks: 0.0.0.0/1", "127.1.2.3", "128.0.0.0"},
	{"networks: 2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
	{"networks: 2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
	{"networks: ::1", "::1", "::2"},
	{"networks: fe80::/10", "febf::1", "fec0::"},
	{"networks: 10.0.0.0/8 ", "::ffff:10.1.1.1", NULL}, /* see test_mapped() */
};

static void test_has(void **state)
{
	const struct has_row *row = *state;
	const char *text = row->name + strlen("networks: ");
	struct sockaddr_storage in = address_of(row->in);
	struct network n[2] = {{.bits = 128}}; /* another one goes first */
	struct error err;

	if (!row->out) { /* with a blank behind it, it is none */
		assert_int_equal(network_parse(text, &n[1], &err), -EINVAL);
		return;
	}
	assert_int_equal(network_parse(text, &n[1], &err), 0);
	assert_true(networks_have(n, 2, &in));
	in = address_of(row->out);
	assert_false(networks_have(n, 2, &in));
	assert_false(networks_have(n, 0, &in));
}

/* A socket of both families has IPv4 peers as ::ffff:a.b.c.d. */
static void test_mapped(void **state UNUSED)
{
	struct sockaddr_storage in = address_of("::ffff:10.1.1.1"), out = address_of("::10.1.1.1");
	struct network n;
	struct error err;
	char name[64];

	assert_int_equal(network_parse("10.0.0.0/8", &n, &err), 0);
	assert_true(networks_have(&n, 1, &in));
	assert_false(networks_have(&n, 1, &out));
	address_name(&in, name);
	assert_string_equal(name, "10.1.1.1");
	in = address_of("10.1.1.1");
	address_name(&in, name);
	assert_string_equal(name, "10.1.1.1");
	in = address_of("2001:db8::a");
	address_name(&in, name);
	assert_string_equal(name, "2001:db8::a");
}

/* What a machine may have as many of as it likes counts as one. */
static void test_group(void **state UNUSED)
{
	static const char *const rows[][2] = {
		{"10.1.1.1", "10.1.1.1"},
		{"::ffff:10.1.1.1", "10.1.1.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2::", "2001:db8:1:2::/64"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage in = address_of(rows[i][0]);
		char name[64];

		address_group(&in, name);
		assert_string_equal(name, rows[i][1]);
	}
}

/* A link-local address says who it is only with the interface that it is on. */
static void test_zone(void **state UNUSED)
{
	struct sockaddr_storage in = address_of("fe80::1"), global = address_of("2001:db8::1");
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&in;
	static const char *const its[] = {"fe80::%lo/10", "fe80::1%lo", "fe80::/10", "::/0"};
	static const char *const others[] = {"fe80::%lo0/10", "fe80::%l/10", "fe80::2%lo",
					     "fe80::%4000000001/10"};
	struct network n;
	struct error err;
	char name[64], number[32];

	in6->sin6_scope_id = if_nametoindex("lo");
	assert_true(in6->sin6_scope_id);
	for (size_t i = 0; i < ARRAY_LEN(its); i++) {
		assert_int_equal(network_parse(its[i], &n, &err), 0);
		assert_true(networks_have(&n, 1, &in));
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(network_parse(others[i], &n, &err), 0);
		assert_false(networks_have(&n, 1, &in));
	}
	snprintf(number, sizeof(number), "fe80::%%%u/10", in6->sin6_scope_id);
	assert_int_equal(network_parse(number, &n, &err), 0);
	assert_true(networks_have(&n, 1, &in));
	assert_false(networks_have(&n, 1, &global));
	address_name(&in, name);
	assert_string_equal(name, "fe80::1%lo");
	in6->sin6_scope_id = 4000000000;
	assert_false(networks_have(&n, 1, &in));
	address_name(&in, name);
	assert_string_equal(name, "fe80::1%4000000000");
	assert_int_equal(network_parse("2001:db8::%lo/32", &n, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "only link-local addresses"));
}

/* Nobody comes in without an address. */
static void test_other_family(void **state UNUSED)
{
	struct sockaddr_storage s = {.ss_family = AF_UNIX};
	struct network n;
	struct error err;
	char name[64] = "x";

	assert_int_equal(network_parse("::/0", &n, &err), 0);
	assert_false(networks_have(&n, 1, &s));
	address_name(&s, name);
	assert_string_equal(name, "");
}

static const struct bad_row {
	const char *name;
} bad_rows[] = {
	{"networks: not "},
	{"networks: not 10.0.0.0/"},
	{"networks: not 10.0.0.0/33"},
	{"networks: not 10.0.0.0/-1"},
	{"networks: not 10.0.0.0/8/8"},
	{"networks: not 10.0.0.0/x"},
	{"networks: not 10.0.0"},
	{"networks: not 10.0.0.256"},
	{"networks: not /8"},
	{"networks: not 2001:db8::/129"},
	{"networks: not 2001:db8"},
	{"networks: not fe80::/10%eth0"},
	{"networks: not fe80::%/10"},
	{"networks: not fe80::%0123456789abcdef/10"},
	{"networks: not hub.example.org"},
	{"networks: not 2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000/32"},
};

static void test_bad(void **state)
{
	const struct bad_row *row = *state;
	struct network n;
	struct error err;

	assert_int_equal(network_parse(row->name + strlen("networks: not "), &n, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "10.0.0.0/8"));
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, has_rows, test_has);
	unit_add(&u, "networks: of IPv4 have IPv4 in either form", test_mapped, NULL);
	unit_add(&u, "networks: have as many addresses of IPv6 as they like, which count as one",
		 test_group, NULL);
	unit_add(&u, "networks: know an interface's addresses from another's", test_zone, NULL);
	unit_add(&u, "networks: have nothing of another family", test_other_family, NULL);
	UNIT_ADD_ROWS(&u, bad_rows, test_bad);
	return unit_run(&u, "networks", argc, argv);
}
