/* The identity of a crash, for the receiver and its operator: HELLO. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/message.h"

struct kmodel;
struct codec_ladder;

/* The options that determine the bytes of the dump. */
struct identity_options {
	unsigned level;
	const struct codec_ladder *ladder;
};

/*
 * Fill in facts of the vmcore: the names, the crash time, the panic (crashlog.h), and the dump_id,
 * which is the SHA-256 of the notes, the loads, some of memory (fingerprint.h) and these options.
 * The same crash sent again with the same options is the same dump, even where the codecs of a
 * session are chosen anew. The rest of *hello_ret is zero. Fails as digester_new() and
 * fingerprint_memory().
 */
NODISCARD int identity_hello(const struct kmodel *km, const struct identity_options *options,
			     const char *panic, struct hello *hello_ret, struct error *err);

#endif
