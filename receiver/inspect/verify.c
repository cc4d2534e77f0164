/* Verifies a dump: bitmaps, notes, every descriptor, every page decompressed.
 * Doesn't print, and doesn't know what the pages hold. */
#include "receiver/inspect/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "format/codec.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/agree.h"
#include "receiver/inspect/descriptor.h"
#include "receiver/inspect/notes.h"

enum {
	/* Payloads mostly lie in the order of the pages. */
	PAYLOAD_WINDOW_BYTES = 1 << 20,

	/* What a thread claims at a time: a few hundred ms of work, 128 MiB of pages. */
	CHUNK_PFNS = 32768,

	/* Payloads that several pages share, such as the page of zeros, are decoded once: see
	   was_seen(). */
	SEEN_SLOTS = 256,

	THREADS_MAX = 256,
};

/* What all threads share. */
struct verify {
	const struct kdump_file *dump;
	uint64_t table_end; /* payloads lie behind the descriptors */
	verify_progress_fn *progress;
	void *context;

	pthread_mutex_t lock; /* guards the fields below, and the calls of `progress` */
	uint64_t next_pfn, next_index, end_pfn;
	uint64_t done, pages, bytes_read;
	struct error failure; /* code 0: none; ends the claiming */
};

/* One thread. Its problems are in ascending order, as it claims its chunks in that order. */
struct verifier {
	struct verify *shared;
	struct kdump_file_cursor cursor;
	struct window payload;
	struct decompressor *decompressor;
	uint8_t *page;
	struct kdump_desc seen[SEEN_SLOTS];
	uint64_t last_off; /* of the payload that was decoded last */
	uint64_t done, bytes_read;
	struct verify_result result;
	pthread_t thread;
};

static void PRINTF(3, 4)
	add_problem(struct verify_result *result, uint64_t pfn, const char *fmt, ...)
{
	struct verify_problem *p = &result->problems[result->kept];
	va_list ap;

	result->problem_count++;
	if (result->kept == VERIFY_PROBLEMS_MAX)
		return;
	result->kept++;
	p->pfn = pfn;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}

/* A malformed dump is a problem that we report; anything else is a failure of ours. */
static bool is_malformed(int code)
{
	return code == -EBADMSG || code == -ENODATA || code == -EFBIG;
}

static int verify_bitmaps(const struct kdump_file *d, struct verify_result *result,
			  bool *readable_ret, struct error *err)
{
	struct kdump_file_bitmaps b;
	const int r = kdump_file_read_bitmaps(d, &b, err);

	*readable_ret = r == 0;
	if (r < 0 && !is_malformed(r))
		return r;
	if (r < 0) {
		add_problem(result, 0, "%s", err->msg);
		return 0;
	}
	result->pages = b.in_file;
	for (unsigned i = 0; i < DUMP_BITMAPS_FAULTS; i++)
		if (kdump_file_bitmaps_fault(d, &b, i, err))
			add_problem(result, 0, "%s", err->msg);
	return 0;
}

static int verify_notes(const struct kdump_file *d, struct verify_result *result, struct error *err)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *vi = NULL;
	struct notes notes = {0};
	int r = notes_read(d, &notes, err);

	if (r == 0)
		r = notes_vmcoreinfo(d, &notes, &vi, err);
	if (r >= 0)
		r = agree_check(kdump_file_header(d), vi, err);
	if (r < 0 && !is_malformed(r))
		return r;
	if (r < 0)
		add_problem(result, 0, "%s", err->msg);
	if (kdump_file_check_eraseinfo(d, err) < 0)
		add_problem(result, 0, "%s", err->msg);
	return 0;
}

/*
 * Whether this payload was decoded before. Only payloads that lie before others, or again at their
 * place, are remembered: in a dump whose payloads lie in the order of its pages, these are the
 * shared ones, and there are few.
 */
static bool was_seen(struct verifier *v, const struct kdump_desc *desc)
{
	struct kdump_desc *slot = &v->seen[desc->off / 8 % SEEN_SLOTS];
	const bool back = desc->off <= v->last_off;

	v->last_off = MAX(v->last_off, desc->off);
	if (!back)
		return false;
	if (slot->off == desc->off && slot->size_bytes == desc->size_bytes &&
	    slot->flags == desc->flags)
		return true;
	*slot = *desc;
	return false;
}

/* Whether the descriptor can be right at all; -EBADMSG and why. */
static int check_desc(const struct kdump_desc *desc, enum descriptor_state state, struct error *err)
{
	switch (state) {
	case DESCRIPTOR_BAD_SIZE:
		return error_set(err, -EBADMSG, "payload of %" PRIu32 " bytes", desc->size_bytes);
	case DESCRIPTOR_IN_TABLE:
		return error_set(err, -EBADMSG,
				 "payload at %" PRIu64 " is inside of headers or descriptors",
				 desc->off);
	case DESCRIPTOR_BEYOND:
		return error_set(err, -EBADMSG,
				 "payload at %" PRIu64 " is beyond the end of the file", desc->off);
	case DESCRIPTOR_BAD_FLAGS:
		return error_set(err, -EBADMSG, "flags 0x%" PRIx32 " name no codec", desc->flags);
	default:
		return 0;
	}
}

/* Verify a page. Fails only if the reading fails. */
static int verify_page(struct verifier *v, const struct kdump_file_page *page, struct error *err)
{
	const struct kdump_file *d = v->shared->dump;
	const struct kdump_desc *desc = &page->desc;
	const uint32_t block_size = kdump_file_header(d)->block_size;
	enum codec_id codec = CODEC_NONE;
	const enum descriptor_state state = descriptor_check(desc, block_size, v->shared->table_end,
							     kdump_file_size(d), &codec);
	const uint8_t *payload;
	int r;

	if (state == DESCRIPTOR_ZERO) {
		v->result.missing += page->count;
		return 0;
	}
	r = check_desc(desc, state, err);
	if (r == 0 && was_seen(v, desc))
		return 0;
	if (r == 0)
		r = window_get(&v->payload, d, desc->off, desc->size_bytes, &payload, err);
	if (r == 0) {
		v->bytes_read += desc->size_bytes;
		r = decompressor_run(v->decompressor, codec, payload, desc->size_bytes, v->page,
				     block_size, err);
	}
	if (r == -ENOTSUP) {
		v->result.unchecked++;
		return 0;
	}
	if (r < 0 && !is_malformed(r))
		return r;
	if (r < 0)
		add_problem(&v->result, page->pfn,
			    "pfn %" PRIu64 " (descriptor %" PRIu64 "): %.120s", page->pfn,
			    page->index, err->msg);
	return 0;
}

/* Put the cursor on the next chunk that has pages, for which the lock is held: 1, or 0 if there is
 * none. */
static int next_chunk(struct verifier *v, struct error *err)
{
	struct verify *s = v->shared;
	uint64_t count, end;
	int r;

	kdump_file_cursor_seek(&v->cursor, s->next_pfn, s->end_pfn, s->next_index);
	r = kdump_file_cursor_skip_hole(&v->cursor, err);
	if (r < 0)
		return r;
	s->next_pfn = v->cursor.pfn;
	if (s->next_pfn >= s->end_pfn)
		return 0;
	end = MIN(s->next_pfn + CHUNK_PFNS, s->end_pfn);
	kdump_file_cursor_seek(&v->cursor, s->next_pfn, end, s->next_index);
	r = kdump_file_cursor_count(&v->cursor, &count, err);
	if (r < 0)
		return r;
	s->next_index += count;
	s->next_pfn = end;
	return 1;
}

/* Report the chunk that is done, and take the next one: 1 and the cursor on it, or 0 if there is
 * none. */
static int claim(struct verifier *v, struct error *err)
{
	struct verify *s = v->shared;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	s->done += v->done;
	s->bytes_read += v->bytes_read;
	v->done = v->bytes_read = 0;
	if (s->progress)
		s->progress(s->context, s->done, s->pages, s->bytes_read);
	if (s->failure.code == 0)
		r = next_chunk(v, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int verify_chunk(struct verifier *v, struct error *err)
{
	struct kdump_file_page page;
	int r;

	while ((r = kdump_file_cursor_next(&v->cursor, &page, err)) > 0) {
		r = verify_page(v, &page, err);
		if (r < 0)
			return r;
		v->done += page.count;
	}
	/* A table that is cut short was reported once: see verify_table_length(). */
	if (r == -ENODATA && v->shared->table_end > kdump_file_size(v->shared->dump))
		return 0;
	return r;
}

static void *verifier_main(void *argument)
{
	struct verifier *v = argument;
	struct error err;
	int r;

	while ((r = claim(v, &err)) > 0) {
		r = verify_chunk(v, &err);
		if (r < 0)
			break;
	}
	if (r < 0) {
		pthread_mutex_lock(&v->shared->lock);
		if (v->shared->failure.code == 0)
			v->shared->failure = err;
		pthread_mutex_unlock(&v->shared->lock);
	}
	return NULL;
}

static void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	kdump_file_cursor_deinit(&v->cursor);
	window_deinit(&v->payload);
	decompressor_free(v->decompressor);
	free(v->page);
	free(v);
}
DEFINE_AUTO(struct verifier, verifier_free)

static int verifier_new(struct verify *shared, struct verifier **v_ret, struct error *err)
{
	AUTO(verifier_free) struct verifier *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return error_set(err, -ENOMEM, "out of memory");
	v->shared = shared;
	r = kdump_file_cursor_init(&v->cursor, shared->dump, err);
	if (r == 0)
		r = window_init(&v->payload, PAYLOAD_WINDOW_BYTES, err);
	if (r == 0)
		r = decompressor_new(&v->decompressor, err);
	if (r < 0)
		return r;
	v->page = malloc(kdump_file_header(shared->dump)->block_size);
	if (!v->page)
		return error_set(err, -ENOMEM, "out of memory");
	*v_ret = TAKE_PTR(v);
	return 0;
}

static int compare_problems(const void *a, const void *b)
{
	const struct verify_problem *x = a, *y = b;

	return (x->pfn > y->pfn) - (x->pfn < y->pfn);
}

/* The first problems of both, in order, as one thread would have found them. */
static void merge(struct verify_result *into, const struct verify_result *from)
{
	struct verify_problem all[2 * VERIFY_PROBLEMS_MAX];

	into->missing += from->missing;
	into->unchecked += from->unchecked;
	into->problem_count += from->problem_count;
	memcpy(all, into->problems, into->kept * sizeof(*all));
	memcpy(all + into->kept, from->problems, from->kept * sizeof(*all));
	into->kept += from->kept;
	qsort(all, into->kept, sizeof(*all), compare_problems);
	into->kept = MIN(into->kept, (size_t)VERIFY_PROBLEMS_MAX);
	memcpy(into->problems, all, into->kept * sizeof(*all));
}

static int verify_pages(struct verify *s, int threads, struct verify_result *result,
			struct error *err)
{
	struct verifier *verifiers[THREADS_MAX];
	int made = 0, started = 0, r = 0;

	threads = MAX(1, MIN(threads, (int)THREADS_MAX));
	threads =
		(int)MIN((uint64_t)threads, div_round_up(s->end_pfn - s->next_pfn, CHUNK_PFNS) + 1);
	while (r == 0 && made < threads) {
		r = verifier_new(s, &verifiers[made], err);
		made += r == 0;
	}
	/* This thread is one of the verifiers; it can do all the work if no other thread starts. */
	for (; made > 0 && started + 1 < made; started++)
		if (pthread_create(&verifiers[started + 1]->thread, NULL, verifier_main,
				   verifiers[started + 1]) != 0)
			break;
	if (made > 0) {
		r = 0;
		verifier_main(verifiers[0]);
	}
	for (int i = 1; i <= started; i++)
		pthread_join(verifiers[i]->thread, NULL);
	for (int i = 0; i < made; i++) {
		merge(result, &verifiers[i]->result);
		verifier_free(verifiers[i]);
	}
	if (r == 0 && s->failure.code < 0) {
		*err = s->failure;
		r = err->code;
	}
	return r;
}

static void verify_table_length(const struct verify *s, struct verify_result *result)
{
	const uint64_t size_bytes = kdump_file_size(s->dump);

	if (s->table_end > size_bytes)
		add_problem(result, 0,
			    "the file ends inside of the descriptors: at %" PRIu64
			    ", they at %" PRIu64,
			    size_bytes, s->table_end);
}

int verify_dump(const struct kdump_file *d, int threads, verify_progress_fn *progress,
		void *context, struct verify_result *result_ret, struct error *err)
{
	struct verify s = {.dump = d,
			   .progress = progress,
			   .context = context,
			   .lock = PTHREAD_MUTEX_INITIALIZER};
	struct verify_result result = {0};
	bool bitmaps_readable;
	int r = verify_bitmaps(d, &result, &bitmaps_readable, err);

	if (r == 0)
		r = verify_notes(d, &result, err);
	if (r == 0 && bitmaps_readable) {
		s.pages = result.pages;
		s.table_end = kdump_layout(kdump_file_header(d)).desc_off +
			      result.pages * KDUMP_DESC_BYTES;
		verify_table_length(&s, &result);
		kdump_file_pfns(d, &s.next_pfn, &s.end_pfn);
		r = verify_pages(&s, threads, &result, err);
	}
	if (r == 0)
		*result_ret = result;
	return r;
}
