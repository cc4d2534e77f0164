/* How much memory the system has, and whether it gives any.
 * Doesn't know what the memory is for. */
#include "sender/machine/meminfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/compiler.h"
#include "base/io.h"

enum {
	TEXT_BYTES = 4096
}; /* the keys that we look for are in the first half of some sixty
      lines */

uint64_t meminfo_value(const char *path, const char *key)
{
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
	/* The key must begin a line: SwapCached isn't Cached. */
	for (line = text; strncmp(line, key, strlen(key)) != 0; line++) {
		line = strchr(line, '\n');
		if (!line)
			return 0;
	}
	kib = strtoull(line + strlen(key), NULL, 10);
	return ckd_mul(&bytes, kib, 1024U) ? 0 : bytes;
}

uint64_t meminfo_available(const char *path)
{
	return meminfo_value(path, "MemAvailable:");
}

uint64_t meminfo_share(uint64_t available_bytes)
{
	return available_bytes / 4 * 3;
}

bool meminfo_can_spare(uint64_t bytes)
{
	void *p;

	if (bytes == 0)
		return true;
	/* This asks the limits only, not whether there would be pages for all of it. */
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, bytes);
	return true;
}

uint64_t meminfo_limited_space(void)
{
	AUTO_CLOSE int fd = -1;
	struct rlimit limit;
	char text[64];
	ssize_t n;

	if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	/* The first number is the whole address space, in pages. */
	fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : io_pread_full(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}
