/* File systems in memory.
 * Doesn't know what the files are. */
#include "base/inmemory.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Overlays and loop devices lie on others. */
enum { DEPTH_MAX = 4, NAME_ROOM = 4096 };

static const char *check(const char *dir, int depth);

/* mountinfo has a space as \040. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; out++) {
		unsigned code;

		if (sscanf(text, "\\%3o", &code) == 1) {
			*out = (char)code;
			text += 4;
		} else {
			*out = *text++;
		}
	}
	*out = '\0';
}

/* The upper layer of an overlay, of which a line of mountinfo tells: false if it isn't that one. */
static bool upper_of(char *line, dev_t dev, char upper[static NAME_ROOM])
{
	unsigned major, minor;
	char *at;

	if (sscanf(line, "%*u %*u %u:%u", &major, &minor) != 2 || makedev(major, minor) != dev)
		return false;
	at = strstr(line, "upperdir=");
	if (!at)
		return false;
	at += strlen("upperdir=");
	at[strcspn(at, ",\n ")] = '\0';
	unescape(at);
	snprintf(upper, NAME_ROOM, "%s", at);
	return true;
}

static bool is_overlay_in_memory(dev_t dev, int depth)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char upper[NAME_ROOM] = "";
	char *line = NULL;
	size_t room = 0;

	while (mounts && !*upper && getline(&line, &room, mounts) > 0)
		(void)!upper_of(line, dev, upper);
	free(line);
	if (mounts)
		fclose(mounts);
	return *upper && check(upper, depth + 1);
}

/* For a loop device the kernel gives the name of its file, which counts only if there is such a
 * file here. */
static bool is_loop_in_memory(dev_t dev, int depth)
{
	char path[80], file[NAME_ROOM];
	FILE *in;
	bool result = false;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file", major(dev),
		 minor(dev));
	in = fopen(path, "re");
	if (!in)
		return false;
	if (fgets(file, sizeof(file), in)) {
		file[strcspn(file, "\n")] = '\0';
		result = check(dirname(file), depth + 1);
	}
	fclose(in);
	return result;
}

static const char *check_device(dev_t dev, int depth)
{
	char link[60], target[NAME_ROOM];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return NULL;
	target[n] = '\0';
	name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (strncmp(name, "zram", 4) == 0)
		return "zram";
	if (strncmp(name, "ram", 3) == 0)
		return "a RAM disk";
	return is_loop_in_memory(dev, depth) ? "a loop device on a file in memory" : NULL;
}

static const char *check(const char *dir, int depth)
{
	struct statfs fs;
	struct stat st;

	if (depth > DEPTH_MAX || statfs(dir, &fs) < 0 || stat(dir, &st) < 0)
		return NULL;
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
		return "tmpfs";
	case RAMFS_MAGIC:
		return "ramfs";
	case OVERLAYFS_SUPER_MAGIC:
		return is_overlay_in_memory(st.st_dev, depth) ? "an overlay on memory" : NULL;
	default:
		return check_device(st.st_dev, depth);
	}
}

/* The reason, such as "tmpfs", why the directory that holds `path` is in memory; NULL where none is
 * known. */
static const char *in_memory(const char *path)
{
	AUTO_FREE char *copy = strdup(path);

	return copy ? check(dirname(copy), 0) : NULL;
}

int in_memory_check(const char *path, struct error *err)
{
	const char *kind = in_memory(path);

	if (!kind)
		return 0;
	return error_set(err, -EACCES,
			 "%s would be in memory (%s), where a reboot loses it: mount a disk there, "
			 "or say --volatile",
			 path, kind);
}
