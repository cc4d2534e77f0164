/*
 * Copies of TLS's files, as they were when they were read. The copies are files in memory: a
 * session's process inherits their descriptors, reads them once, and closes them before its peer's
 * first frame. So the collector itself has no key in its memory, and replacing a file harms no
 * session.
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

/* Read and check the files. Fails with the file's name and what is wrong with it. *remark_ret names
 * a certificate or CRL that isn't valid now, such as a CRL that is out of date; code 0: all are
 * valid. */
NODISCARD int keys_read(const struct tls_files *files, struct key_files *keys_ret,
			struct error *remark_ret, struct error *err);

/*
 * Read the files again if one of them was changed. Returns 1 then, 0 if none was changed. On
 * failure `keys` keeps the earlier copies, and the files aren't tried again before they change,
 * unless memory or descriptors were lacking.
 */
NODISCARD int keys_refresh(const struct tls_files *files, struct key_files *keys,
			   struct error *remark_ret, struct error *err);

/* Make a TLS server of the copies. */
NODISCARD int keys_use(const struct key_files *keys, struct tls_server **s_ret, struct error *err);

/* Close the copies. Accepts a struct of keys_none(). */
void keys_close(struct key_files *keys);

struct key_files keys_none(void);
bool keys_given(const struct key_files *keys);

#endif
