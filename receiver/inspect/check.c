/* `vmrecv --check`: verifies each file, by its segments too if they are there, and tells what came
 * of it. Knows of dumps only what verify.h and extents.h say. */
#include "receiver/inspect/check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/progress.h"
#include "receiver/inspect/below.h"
#include "receiver/inspect/dump.h"
#include "receiver/inspect/escape.h"
#include "receiver/inspect/verify.h"
#include "receiver/options.h"
#include "receiver/store/extents.h"
#include "receiver/store/journal.h"

static void show_progress(void *context, uint64_t done, uint64_t pages, uint64_t bytes_read)
{
	progress_update(context, &(struct progress_state){
					 .done = done, .total = pages, .bytes_in = bytes_read});
}

static int verify_file(const struct options *o, const struct dump *d, struct verify_result *result,
		       struct error *err)
{
	AUTO(progress_free) struct progress *progress = NULL;
	int r = progress_new(o->shown < LOG_NOTE ? PROGRESS_NONE : o->progress, &progress, err);

	if (r == 0)
		r = verify_dump(d, o->threads ? o->threads : (int)cpus_at_hand(), show_progress,
				progress, result, err);
	if (progress)
		progress_end(progress, &(struct progress_state){.done = result->pages});
	return r;
}

/* What FILE.segments says of it, if it is there. */
struct proof {
	bool there;
	struct extents_proof extents;
};

/* 0 also if there is none. */
static int prove_file(const char *path, struct proof *proof, struct error *err)
{
	AUTO_FREE char *journal = journal_path_of(path);
	const size_t len = strlen(path);
	const bool part = len > 5 && strcmp(path + len - 5, ".part") == 0;
	int r;

	if (!journal)
		return error_set(err, -ENOMEM, "out of memory");
	if (access(journal, F_OK) < 0)
		return 0;
	r = extents_check_file(path, part, journal, &proof->extents, err);
	proof->there = r == 0;
	return r < 0 ? error_prefix(err, "by %s", journal) : 0;
}

/* ", as it was sent: digest ..." behind what is right. */
static const char *proof_text(char *out, size_t out_bytes, const struct proof *proof)
{
	char hex[DIGEST_HEX_ROOM];

	*out = '\0';
	if (proof->there)
		snprintf(out, out_bytes,
			 proof->extents.whole
				 ? "; as it was sent: digest %s"
				 : "; as far as its segments go as it was sent: digest %s",
			 digest_hex(hex, proof->extents.digest));
	return out;
}

static enum exit_status tell(const struct options *o, const char *path, const struct dump *d,
			     const struct verify_result *res, const struct proof *proof)
{
	const bool marked = dump_header(d)->status & KDUMP_INCOMPLETE;
	char name[PATH_MAX], proved[64 + DIGEST_HEX_ROOM];

	escape_text(name, sizeof(name), path);
	proof_text(proved, sizeof(proved), proof);
	for (size_t i = 0; i < res->kept; i++)
		log_error("%s: %s", name, res->problems[i].text);
	if (res->problem_count > res->kept)
		log_error("%s: and %" PRIu64 " more", name, res->problem_count - res->kept);
	if (res->problem_count > 0) {
		printf("%s: corrupt: %" PRIu64 " problem%s in %" PRIu64 " pages, %" PRIu64
		       " more are missing\n",
		       name, res->problem_count, res->problem_count == 1 ? "" : "s", res->pages,
		       res->missing);
		return EXIT_FAILED;
	}
	if (res->unchecked > 0) {
		printf("%s: not verified: %" PRIu64 " of %" PRIu64
		       " pages have a codec that isn't part of this build, the rest is right\n",
		       name, res->unchecked, res->pages);
		return EXIT_FAILED;
	}
	if (res->missing > 0 || marked) {
		printf("%s: incomplete: %" PRIu64 " of %" PRIu64
		       " pages are missing%s, the rest is right%s\n",
		       name, res->missing, res->pages,
		       marked ? "" : " (though the header doesn't say so)", proved);
		return EXIT_INCOMPLETE;
	}
	if (o->shown >= LOG_NOTE)
		printf("%s: complete: %" PRIu64 " pages, all right%s\n", name, res->pages, proved);
	return EXIT_COMPLETE;
}

static enum exit_status check_file(const struct options *o, const char *path)
{
	AUTO(dump_free) struct dump *d = NULL;
	struct verify_result result = {0};
	struct proof proof = {0};
	struct error err;
	int r = dump_open(path, &d, &err);

	if (r == 0)
		r = verify_file(o, d, &result, &err);
	if (r < 0) {
		log_error("%s: %s", path, err.msg);
		return EXIT_FAILED;
	}
	r = prove_file(path, &proof, &err);
	if (r < 0) {
		char name[PATH_MAX];

		log_error("%s: %s", path, err.msg);
		printf("%s: %s\n", escape_text(name, sizeof(name), path),
		       r == -EBADMSG ? "corrupt: it isn't what was sent"
				     : "not verified: what was sent can't be read");
		return EXIT_FAILED;
	}
	return tell(o, path, d, &result, &proof);
}

/* A corrupt dump is worse than an incomplete one, and that worse than none of both. */
static enum exit_status worse(enum exit_status a, enum exit_status b)
{
	if (a == EXIT_FAILED || b == EXIT_FAILED)
		return EXIT_FAILED;
	return MAX(a, b);
}

/* What one word of the command line stands for. */
static enum exit_status check_below(const struct options *o, const char *path)
{
	enum exit_status status = EXIT_COMPLETE;
	struct below found;
	struct error err;

	if (below_find(path, &found, &err) < 0) {
		log_error("%s: %s", path, err.msg);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < found.count; i++) {
		struct below_item *item = &found.items[i];

		if (item->trouble) {
			log_error("%s: %s", item->path, item->trouble->msg);
			status = worse(status, EXIT_FAILED);
		} else if (below_is_there(item)) {
			status = worse(status, check_file(o, item->path));
		}
	}
	below_deinit(&found);
	return status;
}

enum exit_status check_files(const struct options *o)
{
	enum exit_status status = EXIT_COMPLETE;

	for (int i = 0; i < o->file_count; i++)
		status = worse(status, check_below(o, o->files[i]));
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("standard output: can't be written");
		return EXIT_FAILED;
	}
	return status;
}
