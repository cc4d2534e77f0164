/* Files with secrets in them: private keys, shared keys. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Such a file is its owner's alone. Fails -EACCES with what to do about it, or with the system's
 * error. */
NODISCARD int secret_check(const char *path, struct error *err);

/*
 * The same, and gives what the file has, with a NUL behind it, for secret_free(). Fails -EFBIG if
 * that is more than max_bytes.
 */
NODISCARD int secret_read(const char *path, size_t max_bytes, uint8_t **bytes_ret,
			  size_t *size_bytes_ret, struct error *err);

/* Wiped first. NULL is fine. */
void secret_free(uint8_t *bytes, size_t size_bytes);

#endif
