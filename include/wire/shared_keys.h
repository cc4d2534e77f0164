/* Keys that sender and receiver share, in a file with a line IDENTITY:KEY for each. */
#ifndef SHARED_KEYS_H
#define SHARED_KEYS_H

#include <stddef.h>

#include "base/error.h"
#include "base/hostname.h"

enum {
	/* 128 bits at the least. RFC 9257, 6. */
	SHARED_KEY_BYTES_MIN = 16,
	SHARED_KEY_BYTES_MAX = 64,
};

struct shared_key {
	char identity[HOST_NAME_ROOM]; /* host_name_is_good() */
	unsigned char bytes[SHARED_KEY_BYTES_MAX];
	size_t size_bytes;
};

struct shared_keys {
	struct shared_key *items;	   /* as they come in the file */
	const struct shared_key **by_name; /* sorted */
	size_t count, room;
};

/*
 * Read a file (secret_read()). Empty lines, and those that begin with '#', are passed over. Two
 * identities that differ only in upper and lower case are an error. Fails -EINVAL, saying which
 * line is wrong and how. `keys` is then empty.
 */
NODISCARD int shared_keys_load(const char *path, struct shared_keys *keys, struct error *err);

/* NULL if there is none. */
const struct shared_key *shared_keys_find(const struct shared_keys *keys,
					  const unsigned char *identity, size_t size_bytes);

/* Wipes the keys. Accepts a struct of zeros. */
void shared_keys_deinit(struct shared_keys *keys);

#endif
