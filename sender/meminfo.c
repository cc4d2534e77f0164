/* /proc/meminfo, one line of it.
 * Doesn't know what the memory is for. */
#include "meminfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "compiler.h"
#include "io.h"

enum { TEXT_BYTES = 4096 }; /* MemAvailable is the third line of some sixty */

uint64_t meminfo_available(const char *path)
{
	static const char key[] = "MemAvailable:";
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[TEXT_BYTES + 1];
	unsigned long long kib;
	const char *line;
	uint64_t bytes;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = io_pread_full(fd, text, TEXT_BYTES, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	line = strstr(text, key);
	if (!line || (line > text && line[-1] != '\n'))
		return 0;
	kib = strtoull(line + sizeof(key) - 1, NULL, 10);
	return ckd_mul(&bytes, kib, 1024U) ? 0 : bytes;
}

uint64_t meminfo_share(uint64_t available_bytes)
{
	return available_bytes / 4 * 3;
}
