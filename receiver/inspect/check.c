/* `vmrecv --check`: verifies each file, by its segments or its sums too if they are there, and
 * tells the result.
 * Knows of dumps only what verify.h, extents.h and sums_check.h say. */
#include "receiver/inspect/check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpus.h"
#include "base/log.h"
#include "base/progress.h"
#include "receiver/inspect/below.h"
#include "receiver/inspect/escape.h"
#include "receiver/inspect/kdump_file.h"
#include "receiver/inspect/sums_check.h"
#include "receiver/inspect/verify.h"
#include "receiver/store/extents.h"
#include "receiver/store/journal.h"

static void show_progress(void *context, uint64_t done, uint64_t pages, uint64_t bytes_read)
{
	progress_update(context, &(struct progress_state){
					 .done = done, .total = pages, .bytes_in = bytes_read});
}

static int verify_file(const struct check_setup *setup, const struct kdump_file *d,
		       struct verify_result *result, struct error *err)
{
	AUTO(progress_free) struct progress *progress = NULL;
	int r = progress_new(setup->progress, &progress, err);

	if (r == 0)
		r = verify_dump(d, setup->threads ? setup->threads : (int)cpus_at_hand(),
				show_progress, progress, result, err);
	if (progress)
		progress_end(progress, &(struct progress_state){.done = result->pages});
	return r;
}

/* The results of checking FILE.segments and FILE.sums, if they are there. */
struct proof {
	bool there;
	struct extents_proof extents;
	struct sums_check sums;
};

/* Check a file by its segments and sums. Returns 0 also if there are none. */
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

/* The end of the line for a dump that is right: the proof of its bytes, or that there is none.
 * Codecs have no checksums of their own, so a page that decompresses may be another one than was
 * written. */
static const char *proof_text(char *out, size_t out_bytes, const struct proof *proof)
{
	char hex[DIGEST_HEX_ROOM];
	int n = 0;

	*out = '\0';
	if (proof->there)
		n = snprintf(out, out_bytes,
			     proof->extents.whole
				     ? "; as it was sent: digest %s"
				     : "; as far as its segments go as it was sent: digest %s",
			     digest_hex(hex, proof->extents.digest));
	if (proof->sums.state == SUMS_FIT)
		n += snprintf(out + n, out_bytes - (size_t)n,
			      "; as it was written: %s of all bytes",
			      proof->sums.sha256 ? "SHA-256" : "CRC-32C");
	if (n == 0)
		snprintf(out, out_bytes, "; no digests are beside it");
	return out;
}

static bool is_proved(const struct proof *proof)
{
	return proof->there || proof->sums.state == SUMS_FIT;
}

static void say_problems(const char *name, const struct verify_result *res)
{
	for (size_t i = 0; i < res->kept; i++)
		log_error("%s: %s", name, res->problems[i].text);
	if (res->problem_count > res->kept)
		log_error("%s: and %" PRIu64 " more", name, res->problem_count - res->kept);
}

/* Tell of bytes that differ from those that were summed. */
static enum exit_status tell_differing(const char *name, const struct sums_check *sums)
{
	const size_t kept = (size_t)MIN(sums->bad_count, (uint64_t)SUMS_CHECK_KEPT);
	char sums_name[PATH_MAX];

	escape_text(sums_name, sizeof(sums_name), sums->path);
	for (size_t i = 0; i < kept; i++)
		log_error("%s: the %" PRIu64 " bytes at %" PRIu64 " differ from %s", name,
			  sums->bad[i].size_bytes, sums->bad[i].off, sums_name);
	if (sums->bad_count > kept)
		log_error("%s: and %" PRIu64 " more chunks", name, sums->bad_count - kept);
	if (sums->file_bytes > sums->sums_bytes)
		log_error("%s: the bytes from %" PRIu64 " on are in none of the sums of %s", name,
			  sums->sums_bytes, sums_name);
	else if (sums->file_bytes < sums->sums_bytes)
		log_error("%s: it has %" PRIu64 " bytes, and had %" PRIu64 " when it was summed",
			  name, sums->file_bytes, sums->sums_bytes);
	printf("%s: corrupt: it isn't what was written\n", name);
	return EXIT_FAILED;
}

/* Tell that the sums of a dump are of no use; nothing else is wrong with the dump. */
static enum exit_status tell_unusable(const char *name, const struct sums_check *sums)
{
	char sums_name[PATH_MAX];

	escape_text(sums_name, sizeof(sums_name), sums->path);
	log_error("%s: %s proves nothing of it: %s", name, sums_name, sums->why.msg);
	printf("%s: not verified: every page that is there decompresses, but the sums beside it"
	       " can't be used\n",
	       name);
	return EXIT_FAILED;
}

static enum exit_status tell(const struct check_setup *setup, const char *path,
			     const struct kdump_file *d, const struct verify_result *res,
			     const struct proof *proof)
{
	const bool marked = kdump_file_header(d)->status & KDUMP_INCOMPLETE;
	char name[PATH_MAX], proved[128 + DIGEST_HEX_ROOM];

	escape_text(name, sizeof(name), path);
	proof_text(proved, sizeof(proved), proof);
	say_problems(name, res);
	if (proof->sums.state == SUMS_DIFFER)
		return tell_differing(name, &proof->sums);
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
	if (proof->sums.state == SUMS_UNUSABLE)
		return tell_unusable(name, &proof->sums);
	if (res->missing > 0 || marked) {
		printf("%s: incomplete: %" PRIu64 " of %" PRIu64
		       " pages are missing%s, the rest %s%s\n",
		       name, res->missing, res->pages,
		       marked ? "" : " (though the header doesn't say so)",
		       is_proved(proof) ? "is right" : "decompresses", proved);
		return EXIT_INCOMPLETE;
	}
	if (!setup->quiet)
		printf("%s: complete: %" PRIu64 " pages, %s%s\n", name, res->pages,
		       is_proved(proof) ? "all right" : "every page decompresses", proved);
	return EXIT_COMPLETE;
}

static enum exit_status check_proof(const struct check_setup *setup, const char *path,
				    const struct kdump_file *d, const struct verify_result *result)
{
	struct proof proof = {0};
	char name[PATH_MAX];
	enum exit_status status;
	struct error err;
	int r = prove_file(path, &proof, &err);

	escape_text(name, sizeof(name), path);
	if (r < 0) {
		log_error("%s: %s", path, err.msg);
		printf("%s: %s\n", name,
		       r == -EBADMSG ? "corrupt: it isn't what was sent"
				     : "not verified: what was sent can't be read");
		return EXIT_FAILED;
	}
	r = sums_check_file(path, &proof.sums, &err);
	if (r < 0) {
		log_error("%s: %s", path, err.msg);
		printf("%s: not verified: its sums can't be read\n", name);
		return EXIT_FAILED;
	}
	status = tell(setup, path, d, result, &proof);
	sums_check_deinit(&proof.sums);
	return status;
}

/* Tell of a file that can't be read as a dump, but may have been one when it was summed. */
static void tell_unreadable(const char *path, const struct error *why)
{
	struct sums_check sums;
	char name[PATH_MAX];
	struct error unused;

	log_error("%s: %s", path, why->msg);
	if (sums_check_file(path, &sums, &unused) < 0)
		return;
	if (sums.state == SUMS_DIFFER)
		(void)tell_differing(escape_text(name, sizeof(name), path), &sums);
	sums_check_deinit(&sums);
}

static enum exit_status check_file(const struct check_setup *setup, const char *path)
{
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct verify_result result = {0};
	struct error err;
	int r = kdump_file_open(path, &d, &err);

	if (r == 0)
		r = verify_file(setup, d, &result, &err);
	if (r < 0) {
		tell_unreadable(path, &err);
		return EXIT_FAILED;
	}
	return check_proof(setup, path, d, &result);
}

/* A corrupt dump is worse than an incomplete one, and an incomplete one is worse than any other
 * failure. */
static enum exit_status worse(enum exit_status a, enum exit_status b)
{
	if (a == EXIT_FAILED || b == EXIT_FAILED)
		return EXIT_FAILED;
	return MAX(a, b);
}

/* Check all dumps that one operand of the command line stands for. */
static enum exit_status check_below(const struct check_setup *setup, const char *path)
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
			status = worse(status, check_file(setup, item->path));
		}
	}
	below_deinit(&found);
	return status;
}

enum exit_status check_files(const struct check_setup *setup)
{
	enum exit_status status = EXIT_COMPLETE;

	for (int i = 0; i < setup->file_count; i++)
		status = worse(status, check_below(setup, setup->files[i]));
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("standard output: can't be written");
		return EXIT_FAILED;
	}
	return status;
}
