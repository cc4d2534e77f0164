/* receiver/collector/keys.h: the files of TLS, as they were when they were read, and read again. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "receiver/collector/keys.h"
#include "tests/lib/certmaker.h"
#include "wire/transport.h"

#define IN_2021 1609459200
#define SHARED	"000102030405060708090a0b0c0d0e0f"

static void make_all(void)
{
	static const struct cert_spec specs[] = {
		{.id = "root", .is_ca = true},
		{.id = "hub", .by = "root", .san = "DNS:hub.example"},
		{.id = "clientonly", .by = "root", .san = "DNS:hub.example", .eku = "clientAuth"},
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		cert_make(&specs[i]);
	crl_make("crl", "root", NULL, 0, 0);
	crl_make("crl-old", "root", NULL, 0, IN_2021);
}

static struct tls_files write_files(void)
{
	return (struct tls_files){.cert = cert_file("crt", "hub"),
				  .key = cert_file("key", "key:hub"),
				  .ca = cert_file("ca", "root"),
				  .crl = cert_file("crl", "crl")};
}

static struct key_files read_files(const struct tls_files *files)
{
	struct key_files keys;
	struct error remark, err;

	if (keys_read(files, &keys, &remark, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(remark.code, 0);
	return keys;
}

/* As often as sessions need it; what became of the files is no matter. */
static void assert_use(const struct key_files *keys)
{
	struct tls_server *server;
	struct error err;

	for (int i = 0; i < 2; i++) {
		if (keys_use(keys, &server, &err) < 0)
			fail_msg("%s", err.msg);
		tls_server_free(server);
	}
}

/* That nothing is to be read again. */
static void assert_same(const struct tls_files *files, struct key_files *keys)
{
	struct error remark, err;

	assert_int_equal(keys_refresh(files, keys, &remark, &err), 0);
	assert_int_equal(remark.code, 0);
}

static void test_read(void **state UNUSED)
{
	const struct tls_files files = write_files();
	struct key_files keys = read_files(&files);

	assert_true(keys_given(&keys));
	assert_int_equal(unlink(files.crl), 0);
	assert_int_equal(unlink(files.key), 0);
	assert_use(&keys);
	keys_close(&keys);
	assert_false(keys_given(&keys));
	keys_close(&keys);
}

static void test_remark(void **state UNUSED)
{
	const struct tls_files files = write_files();
	struct key_files keys;
	struct error remark, err;

	cert_file("crl", "crl-old");
	assert_int_equal(keys_read(&files, &keys, &remark, &err), 0);
	assert_int_equal(remark.code, -EINVAL);
	assert_non_null(strstr(remark.msg, "the CRL of \"root\" is out of date"));
	keys_close(&keys);
}

static void test_refresh(void **state UNUSED)
{
	const struct tls_files files = write_files();
	struct key_files keys = read_files(&files);
	struct error remark, err;

	assert_same(&files, &keys);
	cert_file("crl", "crl-old");
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), 1);
	assert_non_null(strstr(remark.msg, "the CRL of \"root\" is out of date"));
	assert_same(&files, &keys);
	assert_use(&keys);
	keys_close(&keys);
}

/* Of files that are changed one after the other, each is wrong until the last has come. */
static void test_refresh_broken(void **state UNUSED)
{
	const struct tls_files files = write_files();
	struct key_files keys = read_files(&files);
	const int crt = keys.fds[KEY_CERT];
	struct error remark, err;

	cert_file("crt", "clientonly");
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "isn't the key of the certificate in "));
	assert_int_equal(keys.fds[KEY_CERT], crt);
	assert_same(&files, &keys); /* it is told once */
	assert_use(&keys);
	cert_file("key", "key:clientonly");
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), 1);
	assert_non_null(strstr(remark.msg, "is made for another use"));

	assert_int_equal(unlink(files.crl), 0);
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), -ENOENT);
	assert_same(&files, &keys);
	assert_use(&keys);
	cert_file("crl", "crl");
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), 1);
	keys_close(&keys);
}

/* A flood of connections that takes all descriptors doesn't keep a new CRL out for good. */
static void test_refresh_later(void **state UNUSED)
{
	const struct tls_files files = write_files();
	struct key_files keys = read_files(&files);
	struct rlimit before, none;
	struct error remark, err;

	cert_file("crl", "crl-old");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), 1);
	assert_same(&files, &keys);
	keys_close(&keys);
}

static void test_refresh_shared(void **state UNUSED)
{
	const struct tls_files files = {.psk = cert_file("psk", "web1:" SHARED)};
	struct key_files keys = read_files(&files);
	struct error remark, err;

	assert_same(&files, &keys);
	cert_file("psk", "web1:00 web2:" SHARED);
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), -EINVAL);
	assert_use(&keys);
	cert_file("psk", "web2:" SHARED);
	assert_int_equal(keys_refresh(&files, &keys, &remark, &err), 1);
	assert_use(&keys);
	keys_close(&keys);
}

int main(int argc, char **argv)
{
	static struct unit u;

	make_all();
	unit_add(&u, "keys: are those that were read, whatever becomes of the files", test_read,
		 NULL);
	unit_add(&u, "keys: tell of a CRL that is out of date", test_remark, NULL);
	unit_add(&u, "keys: are read again where a file was changed", test_refresh, NULL);
	unit_add(&u, "keys: stay as they were where new files are wrong", test_refresh_broken,
		 NULL);
	unit_add(&u, "keys: are read again later where nothing could be opened", test_refresh_later,
		 NULL);
	unit_add(&u, "keys: are read again with their shared ones", test_refresh_shared, NULL);
	return unit_run(&u, "keys", argc, argv);
}
