/* What identifies a crash, and tells an operator which it is: HELLO. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/message.h"

struct kmodel;
struct codec_ladder;

/* What of the options fixes the bytes of the dump. */
struct identity_options {
	unsigned level;
	const struct codec_ladder *ladder;
};

/*
 * Fill in what the vmcore says of itself: the names, the crash time, the panic (crashlog.h),
 * and the dump_id, which is the SHA-256 of the notes, the loads, some of memory (fingerprint.h) and
 * these options: the same crash sent again with the same options is the same dump, and so is one
 * whose codecs are chosen anew as it goes. The rest of *hello_ret is zero. Fails as digester_new()
 * and fingerprint_memory().
 */
NODISCARD int identity_hello(const struct kmodel *km, const struct identity_options *options,
			     const char *panic, struct hello *hello_ret, struct error *err);

#endif
