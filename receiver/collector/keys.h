/*
 * What TLS needs, as the files were when they were read: copies in memory that a session's process
 * inherits as descriptors, reads once, and closes before its peer's first frame. So the collector
 * itself has no key in its memory, and a file that is being replaced harms no session.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>

#include "base/error.h"
#include "wire/tls_files.h"

struct tls_files;
struct tls_server;

enum key_file {
	KEY_CERT,
	KEY_KEY,
	KEY_CA,
	KEY_CRL,
	KEY_PSK,
	KEY_FILES,
};

struct key_files {
	int fds[KEY_FILES];	/* -1: not given */
	struct tls_stamp stamp; /* of the files, before they were read */
};

/* Reads and judges the files. Fails with the file's name and what is wrong. `remark_ret`: what of
 * them isn't valid by now, such as a CRL that is out of date; code 0 for nothing. */
NODISCARD int keys_read(const struct tls_files *files, struct key_files *keys_ret,
			struct error *remark_ret, struct error *err);

/*
 * The same again where one of the files was changed: 1; 0 where none was. Where that fails `keys`
 * keeps what it has, and the same files aren't tried again.
 */
NODISCARD int keys_refresh(const struct tls_files *files, struct key_files *keys,
			   struct error *remark_ret, struct error *err);

/* The server that they make. */
NODISCARD int keys_use(const struct key_files *keys, struct tls_server **s_ret, struct error *err);

/* Closes them. Fine with one of keys_none(). */
void keys_close(struct key_files *keys);

struct key_files keys_none(void);
bool keys_given(const struct key_files *keys);

#endif
