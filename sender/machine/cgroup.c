/* Limits of memory cgroups. Source: Linux Documentation/admin-guide/cgroup-v2.rst, "Memory";
 * cgroup-v1/memory.rst.
 * Doesn't know what the memory is for. */
#include "sender/machine/cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/io.h"

enum { TEXT_BYTES = 8 << 10 }; /* of a file: memory.stat has some 60 lines */

/* The names that a version has for its files, and for the lines of memory.stat. */
struct names {
	const char *limit, *high, *use; /* high: NULL, if there is none */
	const char *inactive, *active;	/* page cache on disk, of the whole subtree */
	const char *above;		/* the least limit of all ancestors, or NULL */
};

static const struct names names_v2 = {
	.limit = "memory.max",
	.high = "memory.high",
	.use = "memory.current",
	.inactive = "inactive_file",
	.active = "active_file",
};

static const struct names names_v1 = {
	.limit = "memory.limit_in_bytes",
	.use = "memory.usage_in_bytes",
	.inactive = "total_inactive_file",
	.active = "total_active_file",
	.above = "hierarchical_memory_limit", /* a container doesn't see its ancestors' files */
};

static bool read_text(const char *path, char text[static TEXT_BYTES])
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : io_pread_full(fd, text, TEXT_BYTES - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

/* The number that `text` begins with; `otherwise` where it is none, such as "max". */
static uint64_t number(const char *text, uint64_t otherwise)
{
	char *end;
	const unsigned long long n = strtoull(text, &end, 10);

	return end == text || *text == '-' ? otherwise : n;
}

/* The number in a file of a cgroup's directory. */
static uint64_t file_number(const char *dir, const char *name, uint64_t otherwise)
{
	char path[PATH_MAX], text[TEXT_BYTES];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    !read_text(path, text))
		return otherwise;
	return number(text, otherwise);
}

/* The number of a line "KEY NUMBER". */
static uint64_t line_number(const char *text, const char *key, uint64_t otherwise)
{
	const size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return number(line + n + 1, otherwise);
	}
	return otherwise;
}

/* The memory that the cgroup of that directory leaves. */
static uint64_t left_in(const char *dir, const struct names *names)
{
	char path[PATH_MAX], stat[TEXT_BYTES];
	uint64_t limit = file_number(dir, names->limit, CGROUP_UNLIMITED);
	uint64_t use, cache;

	if (names->high)
		limit = MIN(limit, file_number(dir, names->high, CGROUP_UNLIMITED));
	if (snprintf(path, sizeof(path), "%s/memory.stat", dir) >= (int)sizeof(path) ||
	    !read_text(path, stat))
		*stat = '\0';
	if (names->above)
		limit = MIN(limit, line_number(stat, names->above, CGROUP_UNLIMITED));
	/* In version 1 the largest number of pages means "no limit". */
	if (limit > INT64_MAX / 2)
		return CGROUP_UNLIMITED;
	use = file_number(dir, names->use, 0);
	cache = line_number(stat, names->inactive, 0);
	cache += MIN(line_number(stat, names->active, 0), UINT64_MAX - cache);
	use -= MIN(use, cache);
	return limit - MIN(limit, use);
}

/* The least memory that the cgroup `path` and its ancestors leave. Missing directories are passed
 * over: a container may see its own part of the hierarchy only, as its root. */
static uint64_t left_in_all(const char *root, const char *path, const struct names *names)
{
	uint64_t least = CGROUP_UNLIMITED;
	char dir[PATH_MAX];
	const size_t root_bytes = strlen(root);

	if (snprintf(dir, sizeof(dir), "%s%s", root, strstr(path, "/..") ? "" : path) >=
	    (int)sizeof(dir))
		return least;
	for (;;) {
		char *slash;

		least = MIN(least, left_in(dir, names));
		slash = strrchr(dir, '/');
		if (strlen(dir) <= root_bytes || !slash)
			return least;
		*slash = '\0';
	}
}

/* Whether the list "cpu,memory" has `name`. */
static bool has_controller(const char *list, size_t list_bytes, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i + n <= list_bytes; i++)
		if (strncmp(list + i, name, n) == 0 && (i == 0 || list[i - 1] == ',') &&
		    (i + n == list_bytes || list[i + n] == ','))
			return true;
	return false;
}

/* A line "ID:CONTROLLERS:PATH" of /proc/self/cgroup; version 2 is "0::PATH". */
static uint64_t left_by_line(char *line, const char *mounted)
{
	char *controllers = strchr(line, ':'),
	     *path = controllers ? strchr(controllers + 1, ':') : NULL;
	uint64_t left = CGROUP_UNLIMITED;
	char root[PATH_MAX];

	if (!path)
		return left;
	controllers++;
	if (path == controllers) {
		left = left_in_all(mounted, path + 1, &names_v2);
		/* Beside version 1, version 2 is mounted there. */
		if (snprintf(root, sizeof(root), "%s/unified", mounted) < (int)sizeof(root))
			left = MIN(left, left_in_all(root, path + 1, &names_v2));
	} else if (has_controller(controllers, (size_t)(path - controllers), "memory") &&
		   snprintf(root, sizeof(root), "%s/memory", mounted) < (int)sizeof(root)) {
		left = left_in_all(root, path + 1, &names_v1);
	}
	return left;
}

uint64_t cgroup_available(const char *self, const char *mounted)
{
	uint64_t least = CGROUP_UNLIMITED;
	char text[TEXT_BYTES];
	char *rest = text, *line;

	if (!read_text(self, text))
		return least;
	while ((line = strsep(&rest, "\n")))
		least = MIN(least, left_by_line(line, mounted));
	return least;
}
