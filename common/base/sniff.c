/* Names for what begins with known bytes.
 * Doesn't look further than that. */
#include "base/sniff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

enum { TEXT_BYTES = 16 }; /* so many bytes of text count as text */

#define MAGIC(bytes, name)                                                                         \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, ": it looks like " name                                  \
	}

static bool is_text(const uint8_t *p, size_t size_bytes)
{
	for (size_t i = 0; i < MIN(size_bytes, (size_t)TEXT_BYTES); i++)
		if ((p[i] < ' ' || p[i] > '~') && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
			return false;
	return true;
}

const char *sniff(const void *bytes, size_t size_bytes)
{
	static const struct {
		const char *magic;
		size_t magic_bytes;
		const char *name;
	} known[] = {
		MAGIC("makedumpfile\0\0\0\0",
		      "a flattened dump (vmrecv FILE < THIS puts it together)"),
		MAGIC("KDUMP   ", "a kdump-compressed file, a dump already"),
		MAGIC("DISKDUMP", "a diskdump file"),
		MAGIC("\177ELF", "an ELF file (such as a vmcore itself)"),
		MAGIC("\037\213", "gzip data (gzip -dc THIS unpacks it)"),
		MAGIC("\050\265\057\375", "zstd data (zstd -dc THIS unpacks it)"),
		MAGIC("\3757zXZ", "xz data (xz -dc THIS unpacks it)"),
		MAGIC("BZh", "bzip2 data (bzip2 -dc THIS unpacks it)"),
		MAGIC("\004\"M\030", "lz4 data (lz4 -dc THIS unpacks it)"),
		MAGIC("SSH-", "an SSH server's greeting"),
	};

	if (size_bytes == 0)
		return ": it is empty";
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (size_bytes >= known[i].magic_bytes &&
		    memcmp(bytes, known[i].magic, known[i].magic_bytes) == 0)
			return known[i].name;
	return is_text(bytes, size_bytes) ? ": it looks like text" : "";
}
