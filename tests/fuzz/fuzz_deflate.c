/* Fuzzes the DEFLATE compressor: zlib gives back what it got, and it keeps to the room it has. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "compiler.h"
#include "deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* By the readers' own library, to the last byte. */
static void inflates_to(const uint8_t *deflated, size_t bytes, const uint8_t *data, size_t size)
{
	AUTO_FREE uint8_t *back = malloc(size + 1);
	z_stream z = {.next_in = (Bytef *)(uintptr_t)deflated, .avail_in = (uInt)bytes};

	z.next_out = back;
	z.avail_out = (uInt)size + 1; /* so that one more would be seen */
	REQUIRE(back && inflateInit2(&z, -15) == Z_OK);
	REQUIRE(inflate(&z, Z_FINISH) == Z_STREAM_END);
	REQUIRE(z.total_out == size && z.avail_in == 0);
	REQUIRE(memcmp(back, data, size) == 0);
	inflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct deflater *d; /* one for all: what came before makes no difference */
	const size_t room = 2 * size + 512;
	AUTO_FREE uint8_t *out = malloc(room + DEFLATE_SLACK), *tight = NULL;
	size_t bytes;

	if (!d)
		d = deflater_new();
	REQUIRE(d && out);
	bytes = deflater_run(d, data, size, out, room);
	REQUIRE(bytes > 0 && bytes <= room);
	inflates_to(out, bytes, data, size);
	/* Memory of just that size, for AddressSanitizer to watch. */
	tight = malloc(bytes + DEFLATE_SLACK);
	REQUIRE(tight);
	REQUIRE(deflater_run(d, data, size, tight, bytes) == bytes);
	REQUIRE(memcmp(tight, out, bytes) == 0);
	REQUIRE(deflater_run(d, data, size, tight, bytes - 1) == 0);
	return 0;
}
