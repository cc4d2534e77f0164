/* Copies of the files that TLS needs.
 * Doesn't know what is in them. */
#include "receiver/collector/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "wire/transport.h"

enum { COPY_BYTES = 16 << 10, PATH_BYTES = 32 };

struct key_files keys_none(void)
{
	struct key_files keys = {0};

	for (size_t i = 0; i < KEY_FILES; i++)
		keys.fds[i] = -1;
	return keys;
}

bool keys_given(const struct key_files *keys)
{
	return keys->fds[KEY_CERT] >= 0 || keys->fds[KEY_PSK] >= 0;
}

void keys_close(struct key_files *keys)
{
	for (size_t i = 0; i < KEY_FILES; i++)
		if (keys->fds[i] >= 0)
			close(keys->fds[i]);
	*keys = keys_none();
}

/* Copy a file, and leave no byte of a key in the buffer. 0, or -errno. */
static int copy_all(int from, int to)
{
	uint8_t bytes[COPY_BYTES];
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = io_read_full(from, bytes, sizeof(bytes))) != 0)
		r = n < 0 ? (int)n : io_write_full(to, bytes, (size_t)n);
	explicit_bzero(bytes, sizeof(bytes));
	return r;
}

static int copy_file(const char *path, int *fd_ret, struct error *err)
{
	AUTO_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_CLOSE int to = memfd_create("vmrecv-key", MFD_CLOEXEC);
	int r;

	if (from < 0)
		return error_sys(err, "%s", path);
	if (to < 0 || fchmod(to, 0600) < 0)
		return error_sys(err, "%s: memory for a copy", path);
	r = copy_all(from, to);
	if (r < 0)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	*fd_ret = TAKE_FD(to);
	return 0;
}

/* Make a server of the files, only to see what is wrong with them. */
static int check(const struct tls_files *files, struct error *remark_ret, struct error *err)
{
	struct tls_server *judged;
	int r;

	*remark_ret = (struct error){0};
	tls_wipe_memory(true);
	r = tls_server_new(files, &judged, err);
	if (r == 0) {
		(void)!tls_server_check(judged, remark_ret);
		tls_server_free(judged);
	}
	tls_wipe_memory(false);
	return r;
}

int keys_read(const struct tls_files *files, struct key_files *keys_ret, struct error *remark_ret,
	      struct error *err)
{
	const char *const paths[KEY_FILES] = {[KEY_CERT] = files->cert,
					      [KEY_KEY] = files->key,
					      [KEY_CA] = files->ca,
					      [KEY_CRL] = files->crl,
					      [KEY_PSK] = files->psk};
	struct key_files keys = keys_none();
	int r;

	/* The stamp is taken before reading, so a change meanwhile is seen the next time. */
	tls_files_stamp(files, &keys.stamp);
	r = check(files, remark_ret, err);
	for (size_t i = 0; i < KEY_FILES && r == 0; i++)
		if (paths[i])
			r = copy_file(paths[i], &keys.fds[i], err);
	if (r < 0) {
		keys_close(&keys);
		return r;
	}
	*keys_ret = keys;
	return 0;
}

/* Whether a failure is one of this process or the system, at this moment, and not of the files. */
static bool is_passing(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM || code == -EINTR;
}

int keys_refresh(const struct tls_files *files, struct key_files *keys, struct error *remark_ret,
		 struct error *err)
{
	struct key_files fresh;
	struct tls_stamp now;
	int r;

	*remark_ret = (struct error){0};
	tls_files_stamp(files, &now);
	if (memcmp(&now, &keys->stamp, sizeof(now)) == 0)
		return 0;
	r = keys_read(files, &fresh, remark_ret, err);
	if (r < 0) {
		keys->stamp = is_passing(r) ? keys->stamp : now;
		return r;
	}
	keys_close(keys);
	*keys = fresh;
	return 1;
}

int keys_use(const struct key_files *keys, struct tls_server **s_ret, struct error *err)
{
	char names[KEY_FILES][PATH_BYTES];
	const char *paths[KEY_FILES] = {NULL};

	for (size_t i = 0; i < KEY_FILES; i++) {
		if (keys->fds[i] < 0)
			continue;
		snprintf(names[i], sizeof(names[i]), "/proc/self/fd/%d", keys->fds[i]);
		paths[i] = names[i];
	}
	return tls_server_new(&(struct tls_files){.cert = paths[KEY_CERT],
						  .key = paths[KEY_KEY],
						  .ca = paths[KEY_CA],
						  .crl = paths[KEY_CRL],
						  .psk = paths[KEY_PSK]},
			      s_ret, err);
}
