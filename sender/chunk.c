/* The memory of a chunk.
 * Doesn't know what is put into it. */
#include "chunk.h"

#include <stdlib.h>

#include "io.h"

struct chunk *chunk_new(size_t page_data_bytes)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->page_data = io_buffer(page_data_bytes);
	if (!chunk->page_data) {
		free(chunk);
		return NULL;
	}
	return chunk;
}

void chunk_free(struct chunk *chunk)
{
	if (!chunk)
		return;
	free(chunk->page_data);
	free(chunk);
}
