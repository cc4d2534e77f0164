/* Files of tests.
 * Doesn't know what is in them. */
#include "tests/lib/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[256];
static pid_t owner;

static void die(const char *what)
{
	perror(what);
	abort();
}

static void remove_directory(void)
{
	if (getpid() != owner) /* a child that the test forked */
		return;
	scratch_clear();
	rmdir(directory);
}

static void make_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	/* In memory where that can be: dumps are synced, and there are thousands of them. */
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(directory, sizeof(directory), "%s/unit-XXXXXX", tmp);
	if (!mkdtemp(directory))
		die(directory);
	owner = getpid();
	atexit(remove_directory);
}

const char *scratch_path(const char *name)
{
	static char paths[32][512];
	char wanted[512];

	if (!*directory)
		make_directory();
	snprintf(wanted, sizeof(wanted), "%s/%s", directory, name);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!*paths[i])
			memcpy(paths[i], wanted, sizeof(wanted));
		if (strcmp(paths[i], wanted) == 0)
			return paths[i];
	}
	die("tests/lib/scratch.c: too many names");
	return NULL;
}

void scratch_clear(void)
{
	DIR *dir = *directory ? opendir(directory) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

bool file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void file_write(const char *path, const void *bytes, size_t size_bytes)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(bytes, 1, size_bytes, f) != size_bytes || fclose(f) != 0)
		die(path);
}

uint8_t *file_read(const char *path, size_t *size_ret)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes;

	if (!f || fstat(fileno(f), &st) < 0)
		die(path);
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes || fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
		die(path);
	fclose(f);
	*size_ret = (size_t)st.st_size;
	return bytes;
}

uint64_t file_disk_bytes(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die(path);
	return (uint64_t)st.st_blocks * 512;
}

int run_with_file_limit(uint64_t limit_bytes, int (*body)(const void *ctx), const void *ctx)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct rlimit limit = {limit_bytes, limit_bytes};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(body(ctx));
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
