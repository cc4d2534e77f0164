/* `vmdumps log`, `check` and `info`: what lies in a dump's directory.
 * Doesn't know the form of a dump. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/printable.h"
#include "receiver/dumps/found.h"
#include "receiver/dumps/verbs.h"
#include "receiver/inspect/check.h"
#include "receiver/inspect/info.h"

/* --- the kernel's log ----------------------------------------------------------------------- */

/* The log is the crashed machine's: its bytes may not reach a terminal as they are. */
static void print_safe(const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_printable(bytes[i]) || bytes[i] == '\n' || bytes[i] == '\t')
			putchar(bytes[i]);
		else
			printf("\\x%02x", bytes[i]);
}

static int print_log(const struct found *f, const struct stored *d, struct error *err)
{
	AUTO_CLOSE int dump_fd = found_open(f, d, err);
	AUTO_CLOSE int fd = dump_fd < 0 ? -1
					: openat(dump_fd, "vmcore-dmesg.txt",
						 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	unsigned char bytes[16384];
	ssize_t n;

	if (dump_fd < 0)
		return dump_fd;
	if (fd < 0 && errno == ENOENT)
		return error_set(err, -ENOENT,
				 "%s/%s: there is no log beside the dump; try makedumpfile "
				 "--dump-dmesg %s/%s/%s/vmcore LOGFILE",
				 d->host, d->name, f->dir, d->host, d->name);
	if (fd < 0)
		return error_sys(err, "%s/%s/vmcore-dmesg.txt", d->host, d->name);
	while ((n = io_read_full(fd, bytes, sizeof(bytes))) > 0)
		print_safe(bytes, (size_t)n);
	return n < 0 ? error_set(err, (int)n, "%s/%s/vmcore-dmesg.txt: %s", d->host, d->name,
				 strerror((int)-n))
		     : 0;
}

enum exit_status verb_log(const struct request *q)
{
	enum exit_status status = EXIT_COMPLETE;
	const struct stored *d;
	struct found f;
	struct error err;
	int r = found_take(&f, q->dir, &err);

	for (int i = 0; i < q->word_count; i++) {
		if (r == 0)
			r = found_named(&f, q->words[i], &d, &err);
		if (r == 0)
			r = print_log(&f, d, &err);
		if (r < 0) {
			log_error("%s", err.msg);
			status = EXIT_FAILED;
			break;
		}
	}
	found_deinit(&f);
	return verb_end(status);
}

/* --- check, info ---------------------------------------------------------------------------- */

typedef enum exit_status look_fn(const struct request *q, char *const *paths, int count);

static enum exit_status look_check(const struct request *q UNUSED, char *const *paths, int count)
{
	const struct check_setup setup = {
		.files = paths, .file_count = count, .progress = PROGRESS_AUTO};

	return check_files(&setup);
}

static enum exit_status look_info(const struct request *q, char *const *paths, int count)
{
	const struct info_setup setup = {.files = paths, .file_count = count, .json = q->json};

	return info_files(&setup);
}

/* The directories that the words stand for. Returns how many there are. */
static int paths_of(const struct request *q, const struct found *f, char **paths, struct error *err)
{
	const struct stored *d;
	int r = 0;

	for (int i = 0; i < q->word_count; i++) {
		r = found_named(f, q->words[i], &d, err);
		if (r < 0)
			return r;
		if (asprintf(&paths[i], "%s/%s/%s", q->dir, d->host, d->name) < 0) {
			paths[i] = NULL; /* asprintf leaves it undefined */
			return error_set(err, -ENOMEM, "out of memory for a list of dumps");
		}
	}
	return q->word_count;
}

static enum exit_status look(const struct request *q, look_fn *fn)
{
	char **paths = calloc((size_t)q->word_count, sizeof(*paths));
	enum exit_status status = EXIT_FAILED;
	struct found f;
	struct error err;
	int r = found_take(&f, q->dir, &err);

	if (r == 0)
		r = paths ? paths_of(q, &f, paths, &err)
			  : error_set(&err, -ENOMEM, "out of memory for a list of dumps");
	if (r < 0)
		log_error("%s", err.msg);
	else
		status = fn(q, paths, q->word_count);
	for (int i = 0; paths && i < q->word_count; i++)
		free(paths[i]);
	free(paths);
	found_deinit(&f);
	return status;
}

enum exit_status verb_check(const struct request *q)
{
	return look(q, look_check);
}

enum exit_status verb_info(const struct request *q)
{
	return look(q, look_info);
}
