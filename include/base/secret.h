/* Files with secrets in them: private keys, shared keys. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Give the bytes of a file that nobody but its owner may use, with a NUL after them, for
 * secret_free(). Fails -EACCES, with what to do, if others may use it; -EINVAL if it is no regular
 * file; -EFBIG if it has more than max_bytes; or with the system's error.
 */
NODISCARD int secret_read(const char *path, size_t max_bytes, uint8_t **bytes_ret,
			  size_t *size_bytes_ret, struct error *err);

/* Wipes the bytes, then frees them. NULL is fine. */
void secret_free(uint8_t *bytes, size_t size_bytes);

#endif
