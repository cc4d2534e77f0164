/* include/wire/tls_files.h: what is wrong with files of certificates, and files that change. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/certmaker.h"
#include "tests/lib/scratch.h"
#include "wire/transport.h"

#define IN_2021 1609459200
#define IN_2099 4070908800

static void make_all(void)
{
	static const struct cert_spec specs[] = {
		{.id = "root", .is_ca = true},
		{.id = "twin", .cn = "root", .is_ca = true},
		{.id = "inter", .by = "root", .is_ca = true},
		{.id = "weakinter", .by = "root", .is_ca = true, .rsa_bits = 512},
		{.id = "oldca", .is_ca = true, .until_s = IN_2021},
		{.id = "hub", .by = "inter", .san = "DNS:hub.example"},
		{.id = "weak", .by = "root", .san = "DNS:hub.example", .rsa_bits = 512},
		{.id = "expired", .by = "root", .san = "DNS:hub.example", .until_s = IN_2021},
		{.id = "early", .by = "root", .san = "DNS:hub.example", .from_s = IN_2099},
		{.id = "clientonly", .by = "root", .san = "DNS:hub.example", .eku = "clientAuth"},
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		cert_make(&specs[i]);
	crl_make("crl", "root", NULL, 0, 0);
	crl_make("crl-old", "root", NULL, 0, IN_2021);
	crl_make("crl-early", "root", NULL, IN_2099, 0);
	crl_make("twin-crl", "twin", NULL, 0, 0);
	crl_make("inter-crl", "inter", NULL, 0, 0);
}

static const struct loading {
	const char *name;
	const char *cert, *key, *ca, *crl; /* NULL: the usual, and no CRL */
	const char *error;		   /* in the text; NULL: none */
	const char *remark;		   /* of what time has made of them; NULL: none */
} loadings[] = {
	{.name = "TLS files: takes a certificate, its key and a CA"},
	{"TLS files: takes certificate, key and CA in one file", "hub key:hub root", NULL, NULL,
	 NULL, NULL, NULL},
	{"TLS files: refuses text without a certificate", "Subject: nobody", NULL, NULL, NULL,
	 "crt: no certificate in PEM", NULL},
	{"TLS files: takes certificates that lead up to a CA", "hub inter root", NULL, NULL, NULL,
	 NULL, NULL},
	{"TLS files: takes text around certificates", "Subject: hub Issuer: inter", NULL,
	 "Our CA: root", NULL, NULL, NULL},
	{"TLS files: takes several CAs", NULL, NULL, "root twin inter", NULL, NULL, NULL},
	{"TLS files: takes a CA twice", NULL, NULL, "root root", NULL, NULL, NULL},
	{"TLS files: takes CRLs beside CAs, and in a file", NULL, NULL, "root crl", "inter-crl crl",
	 NULL, NULL},
	{"TLS files: takes the CRL of either CA of a name", NULL, NULL, "root twin", "crl twin-crl",
	 NULL, NULL},

	{"TLS files: refuses a weak key, and says so", "weak", "key:weak", NULL, NULL,
	 "crt: OpenSSL refuses the certificate of \"weak\", a key of 512 bits: ee key too small",
	 NULL},
	{"TLS files: refuses a weak CA on the way up, and says so", "hub weakinter", NULL, NULL,
	 NULL,
	 "OpenSSL refuses the certificate of \"weakinter\", a key of 512 bits: ca key too small",
	 NULL},
	{"TLS files: refuses a key in place of a certificate", "key:hub", NULL, NULL, NULL,
	 "crt: no certificate in PEM", NULL},
	{"TLS files: refuses an empty file", NULL, NULL, "", NULL, "ca: no certificate in PEM",
	 NULL},
	{"TLS files: refuses a certificate in DER, and says how to convert it", "der:hub", NULL,
	 NULL, NULL, "crt: no certificate in PEM, but binary data: openssl x509 -inform der", NULL},
	{"TLS files: refuses a CA in DER", NULL, NULL, "der:root", NULL,
	 "ca: no certificate in PEM, but binary data", NULL},
	{"TLS files: refuses a CRL in DER", NULL, NULL, NULL, "der:crl",
	 "crl: no CRL in PEM, but binary data: openssl crl -inform der", NULL},
	{"TLS files: refuses a certificate that is damaged", NULL, NULL, "root damaged", NULL,
	 "ca: is damaged: ", NULL},
	{"TLS files: refuses a file without a CRL for one", NULL, NULL, NULL, "root",
	 "crl: no CRL in PEM", NULL},
	{"TLS files: refuses a CRL that another CA of that name has signed", NULL, NULL, NULL,
	 "twin-crl", "crl: the CRL of \"root\" isn't signed by the CA of that name in --tls-ca",
	 NULL},
	{"TLS files: refuses such a CRL beside the CA", NULL, NULL, "root twin-crl", NULL,
	 "ca: the CRL of \"root\" isn't signed", NULL},
	{"TLS files: refuses another certificate's key", NULL, "key:inter", NULL, NULL,
	 "key: isn't the key of the certificate in ", NULL},
	{"TLS files: refuses a key of another kind", NULL, "key:weak", NULL, NULL,
	 "key: isn't the key of the certificate in ", NULL},
	{"TLS files: refuses certificates in the wrong order, and says so", "inter root hub",
	 "key:hub", NULL, NULL, "crt: our own certificate has to be the first: ", NULL},
	{"TLS files: refuses a certificate for a key", NULL, "hub", NULL, NULL,
	 "key: no private key in PEM", NULL},
	{"TLS files: refuses a key in DER", NULL, "der:hub", NULL, NULL,
	 "key: no private key in PEM, but binary data: openssl pkey -inform der", NULL},

	{"TLS files: tells of a certificate that has expired", "expired", "key:expired", NULL, NULL,
	 NULL, "our --tls-cert has expired: it was valid until 2021-01-01 00:00 UTC"},
	{"TLS files: tells of a certificate before its time", "early", "key:early", NULL, NULL,
	 NULL, "our --tls-cert isn't valid before 2099-01-01 00:00 UTC"},
	{"TLS files: tells of a certificate for another use", "clientonly", "key:clientonly", NULL,
	 NULL, NULL, "our --tls-cert is made for another use than a server's"},
	{"TLS files: tells of a CA that has expired", NULL, NULL, "root oldca", NULL, NULL,
	 "the CA \"oldca\" of --tls-ca has expired: it was valid until 2021-01-01 00:00 UTC"},
	{"TLS files: tells of a CRL that is out of date", NULL, NULL, NULL, "crl-old", NULL,
	 "the CRL of \"root\" is out of date: it was valid until 2021-01-01 00:00 UTC"},
};

static struct tls_files write_files(const struct loading *row)
{
	static const char damaged[] = "-----BEGIN CERTIFICATE-----\nMIIB\n"
				      "-----END CERTIFICATE-----\n";
	struct tls_files files = {
		.cert = cert_file("crt", row->cert ? row->cert : "hub"),
		.key = cert_file("key", row->key ? row->key : "key:hub"),
		.ca = cert_file("ca", row->ca ? row->ca : "root"),
		.crl = row->crl ? cert_file("crl", row->crl) : NULL,
	};

	if (row->ca && strstr(row->ca, "damaged"))
		file_write(files.ca, damaged, strlen(damaged));
	return files;
}

static void test_loading(void **state)
{
	const struct loading *row = *state;
	const struct tls_files files = write_files(row);
	struct tls_server *server = NULL;
	struct error err = {0};
	const int r = tls_server_new(&files, &server, &err);

	if (row->error) {
		assert_int_equal(r, -EINVAL);
		if (!strstr(err.msg, row->error))
			assert_string_equal(err.msg, row->error);
		return;
	}
	if (r < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(tls_server_check(server, &err), row->remark ? -EINVAL : 0);
	if (row->remark && !strstr(err.msg, row->remark))
		assert_string_equal(err.msg, row->remark);
	tls_server_free(server);
}

/* A file that can't be read as such. */
static void test_unreadable(void **state UNUSED)
{
	static const struct loading good = {0};
	struct tls_files files = write_files(&good);
	struct tls_server *server;
	struct error err;

	files.ca = scratch_path("none");
	assert_int_equal(tls_server_new(&files, &server, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "none: No such file"));
	files.ca = "/dev/null";
	assert_int_equal(tls_server_new(&files, &server, &err), -EINVAL);
	assert_string_equal(err.msg, "/dev/null is no regular file");
	files.ca = scratch_path("ca");
	assert_int_equal(truncate(files.ca, (64 << 20) + 1), 0);
	assert_int_equal(tls_server_new(&files, &server, &err), -EFBIG);
	assert_non_null(strstr(err.msg, "ca is longer than 64 MiB"));
	files.ca = NULL;
	assert_int_equal(tls_server_new(&files, &server, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "it needs --tls-cert, --tls-key and --tls-ca"));
}

/* Keys that nobody can use here. */
static void test_bad_keys(void **state UNUSED)
{
	static const struct {
		const char *text, *says;
		mode_t mode;
	} rows[] = {
		{"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE "
		 "KEY-----\n",
		 "key: is protected by a password: remove it (openssl pkey)", 0600},
		{"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
		 "key: is damaged: ", 0600},
		{"", "key: no private key in PEM", 0600},
		{"", "key can be read by others: chmod 600", 0640},
	};
	static const struct loading good = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_files files = write_files(&good);
		struct tls_server *server;
		struct error err;

		file_write(files.key, rows[i].text, strlen(rows[i].text));
		assert_int_equal(chmod(files.key, rows[i].mode), 0);
		assert_true(tls_server_new(&files, &server, &err) < 0);
		if (!strstr(err.msg, rows[i].says))
			assert_string_equal(err.msg, rows[i].says);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	make_all();
	UNIT_ADD_ROWS(&u, loadings, test_loading);
	unit_add(&u, "TLS files: says which can't be read", test_unreadable, NULL);
	unit_add(&u, "TLS files: says what is wrong with a key", test_bad_keys, NULL);
	return unit_run(&u, "tls_files", argc, argv);
}
