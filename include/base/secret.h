/* Files with secrets in them: private keys, shared keys. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Check that nobody but its owner may use the file. Fails -EACCES, with what to do about it, or
 * with the system's error. */
NODISCARD int secret_check(const char *path, struct error *err);

/*
 * The same, and gives the file's bytes with a NUL behind them, for secret_free(). Fails -EFBIG if
 * they are more than max_bytes.
 */
NODISCARD int secret_read(const char *path, size_t max_bytes, uint8_t **bytes_ret,
			  size_t *size_bytes_ret, struct error *err);

/* Wipes the bytes, then frees them. NULL is fine. */
void secret_free(uint8_t *bytes, size_t size_bytes);

#endif
