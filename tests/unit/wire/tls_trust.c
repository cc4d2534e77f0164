/* include/wire/tls_trust.h: whom both sides of TLS trust, and what each says where one doesn't. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/certmaker.h"
#include "wire/tls_trust.h"
#include "wire/transport.h"
#include "wire/url.h"

/* Ours takes the place of the one that connects: any name leads to the server of the test. */
static int client_fd;

int tcp_connect(const struct url *url UNUSED, const struct connect_setup *setup UNUSED, int *fd_ret,
		struct error *err UNUSED)
{
	*fd_ret = client_fd;
	return 0;
}

static void make_all(void)
{
	static const struct cert_spec specs[] = {
		{.id = "root", .is_ca = true},
		{.id = "other", .is_ca = true},
		{.id = "inter", .by = "root", .is_ca = true},
		{.id = "twin", .cn = "root", .is_ca = true}, /* of the same name */
		{.id = "weakca", .is_ca = true, .rsa_bits = 512},
		{.id = "oldca", .is_ca = true, .until_s = 1609459200},
		{.id = "unnamed", .cn = "", .is_ca = true},
		{.id = "kidroot", .cn = "root", .is_ca = true, .has_key_ids = true},
		{.id = "kidtwin", .cn = "root", .is_ca = true, .has_key_ids = true},
		{.id = "nocrl", .is_ca = true, .ku = "keyCertSign"},
		{.id = "server",
		 .by = "root",
		 .san = "DNS:hub.example,IP:192.0.2.1,IP:2001:db8::1"},
		{.id = "iserver", .by = "inter", .san = "DNS:hub.example"},
		{.id = "dotted", .by = "root", .san = "DNS:Hub.Example."},
		{.id = "wildcard", .by = "root", .san = "DNS:*.hub.example"},
		{.id = "punycode", .by = "root", .san = "DNS:xn--mnchen-3ya.example"},
		{.id = "nulserver", .by = "root", .san = "DNS:hub.example~.other"},
		{.id = "cnonly", .cn = "hub.example", .by = "root"},
		{.id = "expired", .by = "root", .san = "DNS:hub.example", .until_s = 1609459200},
		{.id = "early", .by = "root", .san = "DNS:hub.example", .from_s = 4070908800},
		{.id = "clientonly", .by = "root", .san = "DNS:hub.example", .eku = "clientAuth"},
		{.id = "alone", .san = "DNS:hub.example"},
		{.id = "twinned", .by = "twin", .san = "DNS:hub.example"},
		{.id = "weakly", .by = "weakca", .san = "DNS:hub.example"},
		{.id = "ofold", .by = "oldca", .san = "DNS:hub.example"},
		{.id = "web", .by = "root", .san = "DNS:web1.example"},
		{.id = "iweb", .by = "inter", .san = "DNS:web1.example"},
		{.id = "webdot", .by = "root", .san = "email:a@b,DNS:WEB1.example."},
		{.id = "byip", .by = "root", .san = "IP:2001:db8::7"},
		{.id = "nulweb", .by = "root", .san = "DNS:web1.example~.other"},
		{.id = "dots", .by = "root", .san = "DNS:."},
		{.id = "nothing", .by = "root", .san = "DNS:"},
		{.id = "mailonly", .by = "root", .san = "email:web1@example"},
		{.id = "serveronly", .by = "root", .san = "DNS:web1.example", .eku = "serverAuth"},
		{.id = "ofunnamed", .by = "unnamed", .san = "DNS:web1.example"},
		{.id = "byleaf", .by = "web", .san = "DNS:web1.example"},
		{.id = "ofkidtwin", .by = "kidtwin", .san = "DNS:hub.example", .has_key_ids = true},
		{.id = "ofnocrl", .by = "nocrl", .san = "DNS:web1.example"},
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		cert_make(&specs[i]);
	crl_make("crl", "root", NULL, 0, 0);
	crl_make("crl-web", "root", "web", 0, 0);
	crl_make("crl-server", "root", "server", 0, 0);
	crl_make("crl-inter", "root", "inter", 0, 0);
	crl_make("crl-old", "root", NULL, 0, 1609459200);
	crl_make("crl-2023", "root", NULL, 1672531200, 0);
	crl_make("crl-early", "root", NULL, 4070908800, 4102444800);
	crl_make("icrl", "inter", NULL, 0, 0);
	crl_make("icrl-iweb", "inter", "iweb", 0, 0);
	crl_make("nocrl-crl", "nocrl", NULL, 0, 0);
}

#define HEX1 "000102030405060708090a0b0c0d0e0f"
#define HEX2 "101112131415161718191a1b1c1d1e1f"
#define KEY1 "web1:" HEX1
#define KEYS KEY1 " web2:" HEX2

/* --- handshakes ----------------------------------------------------------------------------- */

/* What each side has (NULL: the usual), and says: NULL, nothing; of a client that is let in, the
 * server says its name. */
static const struct meeting {
	const char *name;
	const char *server, *server_trusts, *server_crl;
	const char *client, *client_trusts, *client_crl;
	const char *server_keys, *client_key; /* shared ones, in place of certificates */
	const char *host;
	int64_t not_before_s;
	const char *client_says, *server_says;
} meetings[] = {
	{"TLS: trusts who is signed by its CA", .server_says = "=web1.example"},

	/* Names. */
	{"TLS: takes an address for a server's name", .host = "192.0.2.1",
	 .server_says = "=web1.example"},
	{"TLS: takes an IPv6 address for a server's name", .host = "[2001:db8:0::1]",
	 .server_says = "=web1.example"},
	{"TLS: takes a name in any case", .host = "HUB.example", .server_says = "=web1.example"},
	{"TLS: takes a name with a dot at the end for the same", .host = "hub.example.",
	 .server_says = "=web1.example"},
	{"TLS: takes a certificate with a dot at the end for the same", .server = "dotted",
	 .server_says = "=web1.example"},
	{"TLS: takes dots at both ends", .server = "dotted", .host = "hub.example.",
	 .server_says = "=web1.example"},
	{"TLS: takes a server's wildcard", .server = "wildcard", .host = "a.hub.example",
	 .server_says = "=web1.example"},
	{"TLS: takes a wildcard for one label", .server = "wildcard", .host = "a.b.hub.example",
	 .client_says = "is for *.hub.example, not for \"a.b.hub.example\"",
	 .server_says = "finds our --tls-cert bad: for another name"},
	{"TLS: takes a name in ASCII form", .server = "punycode", .host = "xn--mnchen-3ya.example",
	 .server_says = "=web1.example"},
	{"TLS: takes no name that a NUL cuts", .server = "nulserver",
	 .client_says = "is for hub.example?.other, not for \"hub.example\"",
	 .server_says = "finds our --tls-cert bad"},
	{"TLS: takes no common name", .server = "cnonly",
	 .client_says = "is for nobody (no subject alternative name)",
	 .server_says = "finds our --tls-cert bad"},
	{"TLS: lets no other name in", .host = "web9.example",
	 .client_says = "is for hub.example, 192.0.2.1, 2001:db8::1, not for \"web9.example\"",
	 .server_says = "finds our --tls-cert bad"},
	{"TLS: knows a client by its name in lower case, without a dot at the end",
	 .client = "webdot", .server_says = "=web1.example"},
	{"TLS: knows a client by its address", .client = "byip", .server_says = "=2001:db8::7"},
	{"TLS: knows no client by a name that a NUL cuts", .client = "nulweb",
	 .server_says = "=?the certificate's first name, \"web1.example?.other\", isn't a host's"},
	{"TLS: knows no client by a dot", .client = "dots",
	 .server_says = "=?the certificate's first name, \".\", isn't a host's"},
	{"TLS: knows no client by an empty name", .client = "nothing",
	 .server_says = "=?the certificate's first name, \"\", isn't a host's"},
	{"TLS: knows no client by a mail address", .client = "mailonly",
	 .server_says = "=?the certificate has no subject alternative name"},
	{"TLS: knows no client by its common name", .client = "cnonly",
	 .server_says = "=?the certificate has no subject alternative name"},

	/* Times and uses. */
	{"TLS: trusts no server that has expired", .server = "expired",
	 .client_says = "the server's certificate has expired: it was valid until 2021-01-01",
	 .server_says = "the client finds our --tls-cert expired"},
	{"TLS: trusts no client that has expired", .client = "expired",
	 .client_says = "the server finds our --tls-cert expired",
	 .server_says = "the client's certificate has expired: it was valid until 2021-01-01"},
	{"TLS: trusts no server before its time", .server = "early",
	 .client_says = "the server's certificate isn't valid before 2099-01-01",
	 .server_says = "finds our --tls-cert bad: for another name, not valid yet"},
	{"TLS: judges a server at the time of the crash", .server = "early",
	 .not_before_s = 4070908801, .server_says = "=web1.example"},
	{"TLS: trusts nobody whose CA has expired", .server = "ofold", .client_trusts = "oldca",
	 .client_says = "the certificate of the server's CA has expired: it was valid until 2021",
	 .server_says = "the client finds our --tls-cert expired"},
	{"TLS: trusts no client's certificate as a server's", .server = "clientonly",
	 .client_says = "the server's certificate is made for another use",
	 .server_says = "the client finds our --tls-cert made for another use"},
	{"TLS: trusts no server's certificate as a client's", .client = "serveronly",
	 .client_says = "the server finds our --tls-cert made for another use",
	 .server_says = "the client's certificate is made for another use"},
	{"TLS: trusts nobody whose CA has a weak key", .server = "weakly",
	 .client_trusts = "weakca",
	 .client_says = "the certificate of the server's CA: CA certificate key too weak",
	 .server_says = "or too weak in its key or signature"},

	/* The way up to a CA. */
	{"TLS: trusts an intermediate CA alone", .server = "iserver", .client_trusts = "inter",
	 .client = "iweb", .server_trusts = "inter", .server_says = "=web1.example"},
	{"TLS: trusts an intermediate CA that peers bring along", .server = "iserver inter",
	 .client = "iweb inter", .server_says = "=web1.example"},
	{"TLS: trusts a certificate itself", .server = "alone", .client_trusts = "alone",
	 .client = "alone", .server_trusts = "alone", .server_says = "=hub.example"},
	{"TLS: says that the server's file may lack an intermediate CA", .server = "iserver",
	 .client_says = "isn't signed by a CA of --tls-ca: \"inter\" signed it; if that is an "
			"intermediate CA, the server's --tls-cert lacks its certificate",
	 .server_says =
		 "the client doesn't know the CA of our --tls-cert, \"inter\": if that is an "
		 "intermediate CA, our file lacks its certificate; else the client's "
		 "--tls-ca does"},
	{"TLS: says that the client's file may lack an intermediate CA", .client = "iweb",
	 .client_says =
		 "the server doesn't know the CA of our --tls-cert, \"inter\": if that is an "
		 "intermediate CA, our file lacks its certificate; else the server's "
		 "--tls-ca does",
	 .server_says = "isn't signed by a CA of --tls-ca: \"inter\" signed it; if that is an "
			"intermediate CA, the client's --tls-cert lacks its certificate"},
	{"TLS: says which CA a server's certificates lead up to", .server = "iserver inter",
	 .client_trusts = "other",
	 .client_says = "isn't signed by a CA of --tls-ca: the server's certificates lead up to "
			"\"root\"",
	 .server_says = "doesn't know the CA of our --tls-cert, \"root\": its --tls-ca lacks it"},
	{"TLS: says that the other side doesn't know a CA", .server_trusts = "other",
	 .client_says = "the server doesn't know the CA of our --tls-cert, \"root\": its --tls-ca "
			"lacks it",
	 .server_says = "the client's certificate isn't signed by a CA of --tls-ca"},
	{"TLS: says that a certificate is signed by itself", .server = "alone",
	 .client_says = "isn't signed by a CA of --tls-ca: \"alone\" is signed by itself",
	 .server_says = "doesn't know the CA of our --tls-cert, \"alone\""},
	{"TLS: says that a CA has another's name", .server = "twinned",
	 .client_says = "the server's certificate isn't signed by the CA of --tls-ca that has its "
			"CA's name",
	 .server_says = "finds a signature wrong: another CA"},
	{"TLS: says that the CA of that name has another key", .server = "ofkidtwin",
	 .server_trusts = "kidroot", .client_trusts = "kidroot",
	 .client_says = "isn't signed by a CA of --tls-ca: \"root\" signed it, and the CA of that "
			"name there has another key",
	 .server_says = "the client doesn't know the CA of our --tls-cert, \"root\""},
	{"TLS: says the whole name of a CA without a common one", .client = "ofunnamed",
	 .client_says = "\"/O=Nameless\"", .server_says = "\"/O=Nameless\" signed it"},
	{"TLS: trusts nobody who is signed by no CA", .client = "byleaf web",
	 .client_says = "the server doesn't know the CA of our --tls-cert",
	 .server_says = "the certificate of the client's CA: invalid CA certificate"},

	/* What was revoked. */
	{"TLS: trusts who isn't revoked", .server_trusts = "root crl", .client_trusts = "root",
	 .client_crl = "crl", .server_says = "=web1.example"},
	{"TLS: holds a client to a CRL beside the CA", .server_trusts = "root crl-web",
	 .client_says = "the server finds our --tls-cert revoked",
	 .server_says = "the client's certificate was revoked by \"root\" on 2020-01-01 00:00 UTC"},
	{"TLS: holds a client to --tls-crl", .server_crl = "crl-web",
	 .client_says = "the server finds our --tls-cert revoked",
	 .server_says = "the client's certificate was revoked by \"root\" on 2020-01-01 00:00 UTC"},
	{"TLS: holds a server to --tls-crl", .client_crl = "crl-server",
	 .client_says = "the server's certificate was revoked by \"root\" on 2020-01-01",
	 .server_says = "the client finds our --tls-cert revoked"},
	{"TLS: takes the newest of several CRLs", .server_crl = "crl-old crl-2023",
	 .server_says = "=web1.example"},
	{"TLS: lets nobody in by a CRL that is out of date", .server_crl = "crl-old",
	 .client_says = "the server doesn't accept our --tls-cert: its log says why",
	 .server_says = "the CRL of \"root\" here is out of date: it was valid until 2021-01-01 "
			"00:00 UTC; here it is 20"},
	{"TLS: lets nobody in by a CRL of the future", .client_crl = "crl-early",
	 .client_says = "the CRL of \"root\" here isn't valid before 2099-01-01 00:00 UTC",
	 .server_says = "the client doesn't accept our --tls-cert: its log says why"},
	{"TLS: judges a CRL at the time of the crash", .client_crl = "crl-early",
	 .not_before_s = 4070908801, .server_says = "=web1.example"},
	{"TLS: finds a CRL out of date by the time of the crash", .client_crl = "crl-old",
	 .not_before_s = 4070908801,
	 .client_says = "is out of date: it was valid until 2021-01-01 00:00 UTC; here it is 2099",
	 .server_says = "doesn't accept our --tls-cert"},
	{"TLS: lets nobody in whose CA has no CRL", .server_crl = "crl", .client = "iweb inter",
	 .client_says = "the server doesn't accept our --tls-cert",
	 .server_says =
		 "is signed by \"inter\", of which there is no CRL here: --tls-crl needs one "
		 "of each CA that signs"},
	{"TLS: holds all CAs on the way up to their CRLs", .server_crl = "crl-inter icrl",
	 .client = "iweb inter", .client_says = "the server finds our --tls-cert revoked",
	 .server_says = "the certificate of the client's CA was revoked by \"root\""},
	{"TLS: holds who is signed by an intermediate CA to its CRL", .server_crl = "icrl-iweb",
	 .client = "iweb inter", .client_says = "the server finds our --tls-cert revoked",
	 .server_says = "the client's certificate was revoked by \"inter\""},
	{"TLS: needs no CRL of the CAs above", .server_crl = "icrl", .client = "iweb inter",
	 .server_says = "=web1.example"},
	{"TLS: needs no CRL of the CAs above one that is trusted", .server_trusts = "inter",
	 .server_crl = "icrl", .client = "iweb", .server_says = "=web1.example"},
	{"TLS: needs no CRL of a certificate that is trusted itself",
	 .server_trusts = "root alone crl", .client = "alone", .server_says = "=hub.example"},
	{"TLS: lets nobody in by a CRL of a CA that may sign none", .server_trusts = "nocrl",
	 .server_crl = "nocrl-crl", .client = "ofnocrl",
	 .client_says = "the server doesn't accept our --tls-cert: its log says why",
	 .server_says = "the CRL of \"nocrl\" here can't be used: "},

	/* Shared keys. */
	{"TLS: trusts who has its key", .server_keys = KEYS, .client_key = KEY1,
	 .server_says = "=web1"},
	{"TLS: trusts nobody with another's key", .server_keys = KEYS, .client_key = "web2:" HEX1,
	 .client_says = "the server has another key for \"web2\" in its --tls-psk",
	 .server_says = "the client has another key for \"web2\" than --tls-psk"},
	{"TLS: trusts nobody whom it doesn't know", .server_keys = KEYS, .client_key = "web9:" HEX1,
	 .client_says = "the server doesn't know the key of \"web9\": its --tls-psk lacks it",
	 .server_says = "the client offers the key of \"web9\", which --tls-psk lacks"},
	{"TLS: offers a key to no server that shows a certificate", .client_key = KEY1,
	 .client_says = "the server doesn't know the key of \"web1\": its --tls-psk lacks it",
	 .server_says = "the client"},
	{"TLS: takes no certificate where it wants a key", .server_keys = KEYS,
	 .client_says = "the server wants other proof: a certificate, or a shared key?",
	 .server_says = "the client offers no key of --tls-psk"},
};

struct host {
	struct tls_server *server;
	int fd;
	char says[256];
};

/* What the server makes of the client: "=NAME", "=?why it has none", or what is wrong. */
static void *attend(void *arg)
{
	struct host *h = arg;
	struct transport *t;
	struct error err;

	if (transport_tls_accept(h->server, h->fd, 60000, &(struct stop){0}, &t, &err) < 0) {
		snprintf(h->says, sizeof(h->says), "%s", err.msg);
		return NULL;
	}
	snprintf(h->says, sizeof(h->says), "=%.200s", t->identity);
	if (!*t->identity)
		snprintf(h->says, sizeof(h->says), "=?%s", t->unproved.msg);
	assert_int_equal(transport_send(t, "!", 1, &err), 1);
	(void)!transport_finish(t, 60000, &err); /* the client hangs up once it is let in */
	transport_free(t);
	return NULL;
}

/* As a client, until the server has let it in or not: the error's text, "" for none. */
static void call(const struct url *url, const struct connect_setup *setup, char says[static 256])
{
	struct transport *t;
	struct error err;
	char byte;
	ssize_t n;

	*says = '\0';
	if (transport_tls_connect(url, setup, &t, &err) < 0) {
		snprintf(says, 256, "%s", err.msg);
		return;
	}
	while ((n = transport_recv(t, &byte, 1, &err)) == 0)
		assert_true(transport_wait(t, false, 60000, NULL, &err) >= 0);
	if (n < 0)
		snprintf(says, 256, "%s", err.msg);
	transport_free(t);
}

static const char *usual(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* A name is whole, of an error a part will do. */
static bool is_said(const char *said, const char *wanted)
{
	if (!wanted)
		return !*said;
	return wanted[0] == '=' && wanted[1] != '?' ? strcmp(said, wanted) == 0
						    : strstr(said, wanted) != NULL;
}

static void says(const char *who, const char *said, const char *wanted)
{
	if (!is_said(said, wanted))
		fail_msg("the %s says \"%s\", not \"%s\"", who, said, usual(wanted, ""));
}

/* "server" to the key of its first certificate. */
static const char *key_file(const char *name, const char *certs)
{
	char id[32] = "key:";

	strncat(id, certs, MIN(strcspn(certs, " "), sizeof(id) - 5));
	return cert_file(name, id);
}

static struct tls_files server_files(const struct meeting *m)
{
	const char *certs = usual(m->server, "server");

	if (m->server_keys)
		return (struct tls_files){.psk = cert_file("server.psk", m->server_keys)};
	return (struct tls_files){
		.cert = cert_file("server.crt", certs),
		.key = key_file("server.key", certs),
		.ca = cert_file("server-ca", usual(m->server_trusts, "root")),
		.crl = m->server_crl ? cert_file("server-crl", m->server_crl) : NULL,
	};
}

static struct tls_files client_files(const struct meeting *m)
{
	const char *certs = usual(m->client, "web");

	if (m->client_key)
		return (struct tls_files){.psk = cert_file("client.psk", m->client_key)};
	return (struct tls_files){
		.cert = cert_file("client.crt", certs),
		.key = key_file("client.key", certs),
		.ca = cert_file("client-ca", usual(m->client_trusts, "root")),
		.crl = m->client_crl ? cert_file("client-crl", m->client_crl) : NULL,
	};
}

static void test_meeting(void **state)
{
	const struct meeting *m = *state;
	const struct tls_files files = server_files(m);
	const struct connect_setup setup = {
		.timeout_ms = 60000, .not_before_s = m->not_before_s, .tls = client_files(m)};
	char text[128], client_said[256];
	struct host host = {0};
	pthread_t thread;
	struct error err;
	struct url url;
	int fds[2];

	snprintf(text, sizeof(text), "tls://%s:1", usual(m->host, "hub.example"));
	assert_int_equal(url_parse(text, &url, &err), 0);
	if (tls_server_new(&files, &host.server, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	client_fd = fds[0];
	host.fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, attend, &host), 0);
	call(&url, &setup, client_said);
	pthread_join(thread, NULL);
	tls_server_free(host.server);
	says("client", client_said, m->client_says);
	says("server", host.says, m->server_says);
}

/* --- what the library says ------------------------------------------------------------------ */

/* Its reasons, and alerts of the peer, as an operator is told. */
static const struct reason {
	const char *name;
	int reason, alert; /* of one of them */
	const char *identity, *says;
	int code;
} reasons[] = {
	{"TLS: tells of an old server", SSL_R_UNSUPPORTED_PROTOCOL, 0, NULL,
	 "the server doesn't speak TLS 1.3", -EACCES},
	{"TLS: tells of no protocol in common", SSL_R_NO_PROTOCOLS_AVAILABLE, 0, NULL,
	 "the server doesn't speak TLS 1.3", -EACCES},
	{"TLS: tells of another protocol", SSL_R_WRONG_VERSION_NUMBER, 0, NULL,
	 "the server doesn't speak TLS", -EACCES},
	{"TLS: tells of HTTP", SSL_R_HTTP_REQUEST, 0, NULL, "the server doesn't speak TLS",
	 -EACCES},
	{"TLS: tells of no certificate", SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, 0, NULL,
	 "the server shows no certificate (--tls-cert)", -EACCES},
	{"TLS: tells of a key that isn't offered", SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, 0, NULL,
	 "offers no key of --tls-psk", -EACCES},
	{"TLS: tells of another reason as it is", SSL_R_BAD_EXTENSION, 0, NULL,
	 "handshake: bad extension", -ECONNRESET},
	{"TLS: tells of another reason to who has a key", SSL_R_BAD_EXTENSION, 0, "web1",
	 "handshake: bad extension", -ECONNRESET},
	{"TLS: tells of no reason", 0, 0, NULL, "handshake: failed", -ECONNRESET},
	{"TLS: tells that the peer wants another version", 0, SSL_AD_PROTOCOL_VERSION, NULL,
	 "the server doesn't speak TLS 1.3", -EACCES},
	{"TLS: tells that the peer wants a certificate", 0, SSL_AD_CERTIFICATE_REQUIRED, NULL,
	 "the server wants a certificate: --tls-cert", -EACCES},
	{"TLS: tells that the peer wants other ciphers", 0, SSL_AD_INSUFFICIENT_SECURITY, NULL,
	 "the server wants other ciphers or keys", -EACCES},
	{"TLS: tells that the peer denies access", 0, SSL_AD_ACCESS_DENIED, NULL,
	 "the server denies access", -EACCES},
	{"TLS: tells that the peer doesn't know a CA", 0, SSL_AD_UNKNOWN_CA, NULL,
	 "the server doesn't know our CA", -EACCES},
	{"TLS: tells that the peer doesn't know an identity", 0, SSL_AD_UNKNOWN_PSK_IDENTITY,
	 "web1", "the server doesn't know the key of \"web1\"", -EACCES},
	{"TLS: tells that the peer has another key", 0, SSL_AD_DECRYPT_ERROR, "web1",
	 "the server has another key for \"web1\" in its --tls-psk", -EACCES},
	{"TLS: tells of another alert as it is", 0, SSL_AD_INTERNAL_ERROR, NULL,
	 "handshake: tlsv1 alert internal error", -ECONNRESET},
};

static void test_reason(void **state)
{
	const struct reason *row = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	const struct tls_parties parties = {
		.peer = "server", .host = "hub", .identity = row->identity, .ssl = ssl};
	struct error err;

	if (row->reason)
		ERR_raise(ERR_LIB_SSL, row->reason);
	if (row->alert)
		ERR_raise(ERR_LIB_SSL, row->alert + SSL_AD_REASON_OFFSET);
	assert_int_equal(tls_failed(&parties, -ECONNRESET, "handshake", &err), row->code);
	says("program", err.msg, row->says);
	assert_int_equal(ERR_peek_error(), 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int main(int argc, char **argv)
{
	static struct unit u;

	make_all();
	UNIT_ADD_ROWS(&u, meetings, test_meeting);
	UNIT_ADD_ROWS(&u, reasons, test_reason);
	return unit_run(&u, "tls_trust", argc, argv);
}
