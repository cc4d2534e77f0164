/* makedumpfile's flattened stream, to and from bytes.
 * Doesn't know where the bytes come from or go to. */
#include "format/flat.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

enum {
	SIGNATURE_BYTES = 16, /* the name, then NULs */
	FORMAT_TYPE = 1,
	FORMAT_VERSION = 1,
};

void flat_put_header(uint8_t out[static FLAT_HEADER_BYTES])
{
	memset(out, 0, FLAT_HEADER_BYTES);
	memcpy(out, FLAT_SIGNATURE, strlen(FLAT_SIGNATURE));
	be64_put(out + SIGNATURE_BYTES, FORMAT_TYPE);
	be64_put(out + SIGNATURE_BYTES + 8, FORMAT_VERSION);
}

void flat_put_record(uint8_t out[static FLAT_RECORD_BYTES], uint64_t off, uint64_t size_bytes)
{
	be64_put(out, off);
	be64_put(out + 8, size_bytes);
}

void flat_put_end(uint8_t out[static FLAT_RECORD_BYTES])
{
	memset(out, 0xff, FLAT_RECORD_BYTES);
}

int flat_get_header(struct rd *r, struct error *err)
{
	static const char signature[SIGNATURE_BYTES] = FLAT_SIGNATURE;
	const void *name = rd_bytes(r, SIGNATURE_BYTES);
	const uint64_t type = rd_be64(r), version = rd_be64(r);

	if (name && memcmp(name, signature, SIGNATURE_BYTES) != 0)
		return error_set(err, -EBADMSG, "no flattened stream: signature is missing");
	rd_bytes(r, FLAT_HEADER_BYTES - SIGNATURE_BYTES - 16);
	if (!rd_ok(r))
		return error_set(err, -ENODATA, "stream header is cut short");
	if (type != FORMAT_TYPE || version != FORMAT_VERSION)
		return error_set(err, -ENOTSUP,
				 "flattened stream of type %" PRId64 " version %" PRId64,
				 (int64_t)type, (int64_t)version);
	return 0;
}

int flat_get_record(struct rd *r, struct flat_record *rec_ret, struct error *err)
{
	const int64_t off = (int64_t)rd_be64(r), size = (int64_t)rd_be64(r);
	int64_t end;

	if (!rd_ok(r))
		return error_set(err, -ENODATA, "record header is cut short");
	if (off == -1 && size == -1)
		return 0;
	if (off < 0 || size <= 0 || ckd_add(&end, off, size))
		return error_set(err, -EBADMSG,
				 "record has an impossible range %" PRId64 "+%" PRId64, off, size);
	*rec_ret = (struct flat_record){.off = (uint64_t)off, .size_bytes = (uint64_t)size};
	return 1;
}
