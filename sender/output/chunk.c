/* The memory of a chunk.
 * Doesn't know what is put into it. */
#include "sender/output/chunk.h"

#include <stdlib.h>

#include "base/io.h"

struct chunk *chunk_new(size_t page_data_bytes)
{
	struct chunk *chunk = io_buffer(sizeof(*chunk) + page_data_bytes);

	if (chunk)
		*chunk = (struct chunk){0};
	return chunk;
}

void chunk_free(struct chunk *chunk)
{
	free(chunk);
}
