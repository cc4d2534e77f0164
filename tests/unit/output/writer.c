/* The page pass as a whole: plan, worker, pipeline, writer, on made-up cores. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "format/flat.h"
#include "sender/output/chunk.h"
#include "sender/output/codec_ladder.h"
#include "sender/output/prologue.h"
#include "sender/output/sink.h"
#include "sender/output/worker.h"
#include "sender/output/writer.h"
#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"
#include "sender/threads/pipeline.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/corestream.h"

enum { SEGMENTS_MAX = 16, EXTENTS_MAX = 64, MIB = 1 << 20 };

/* A core, and the pages of it that go into the dump. */
struct source {
	struct core_plan plan;
	int fd;
	struct vmcore *core;
	struct pageset *pages;
};

/* What to do, and what came of it. */
struct job {
	const struct source *src;
	struct pfn_range extents[EXTENTS_MAX];
	size_t extent_count; /* 0: one, of all */
	unsigned threads;
	enum codec_id codec;
	bool exclude_zero;
	uint64_t stop_at;	     /* segment; 0: never */
	const struct cursor *resume; /* NULL: from the beginning */

	int result;
	struct cursor cursors[SEGMENTS_MAX];
	uint8_t chains[SEGMENTS_MAX][DIGEST_BYTES]; /* D of each cursor */
	size_t cursor_count;
	struct segment table; /* of all segments */
	uint8_t chain[DIGEST_BYTES];
	const struct sink *sink;
	struct writer_counts counts;
	uint8_t *stream; /* mapped */
	size_t stream_bytes;
};

static void source_init(struct source *src)
{
	struct core file = core_make(&src->plan);
	char path[32];
	struct error err;

	src->fd = core_file(file.bytes, file.size_bytes, path);
	core_free(&file);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &src->core, &err), 0);
	assert_int_equal(pageset_new(src->core->map.max_mapnr, &src->pages, &err), 0);
	for (size_t i = 0; i < src->core->map.data_count; i++)
		pageset_add(src->pages, src->core->map.data[i].first, src->core->map.data[i].end);
	pageset_index(src->pages);
}

static void source_deinit(struct source *src)
{
	pageset_free(src->pages);
	vmcore_free(src->core);
	close(src->fd);
}

static int segment_end(void *ctx, const struct cursor *cursor, struct error *err)
{
	struct job *job = ctx;
	AUTO(digester_free) struct digester *digester = NULL;
	const struct segment *segment = sink_segment(job->sink);

	assert_int_equal(digester_new(&digester, err), 0);
	assert_int_equal(digest_chain(digester, segment, job->chain, err), 0);
	for (size_t i = 0; i < segment->count; i++)
		assert_int_equal(segment_add(&job->table, &segment->extents[i], err), 0);
	memcpy(job->chains[job->cursor_count], job->chain, DIGEST_BYTES);
	job->cursors[job->cursor_count++] = *cursor;
	return cursor->segment == job->stop_at;
}

/* A pass over the chunks, with as many workers and items as a dump has. */
static int run_chunks(struct job *job, const struct plan *plan, struct writer *writer)
{
	const struct codec_ladder ladder = codec_ladder_fixed(job->codec, job->codec != CODEC_NONE);
	const struct worker_setup setup = {
		.core = job->src->core,
		.pages = job->src->pages,
		.plan = plan,
		.ladder = &ladder,
		.exclude_zero = job->exclude_zero,
		.digest = true,
	};
	void *workers[PIPELINE_ITEMS_PER_WORKER * 8], *items[ARRAY_LEN(workers)];
	struct pipeline p = {
		.workers = job->threads,
		.first_chunk = job->resume ? MIN(job->resume->chunk, plan_chunk_count(plan)) : 0,
		.end_chunk = plan_chunk_count(plan),
		.items = items,
		.item_count = MAX(1U, job->threads * PIPELINE_ITEMS_PER_WORKER),
		.fill = worker_fill,
		.worker = workers,
		.write = writer_chunk,
		.writer = writer,
	};
	struct error err;
	struct pipeline_crew crew;
	int r;

	for (unsigned i = 0; i < MAX(1U, job->threads); i++)
		assert_int_equal(worker_new(&setup, (struct worker **)&workers[i], &err), 0);
	for (size_t i = 0; i < p.item_count; i++) {
		items[i] = chunk_new(worker_page_data_bytes(workers[0]));
		assert_non_null(items[i]);
	}
	r = pipeline_run(&p, &crew, &err);
	for (unsigned i = 0; i < MAX(1U, job->threads); i++)
		worker_free(workers[i]);
	for (size_t i = 0; i < p.item_count; i++)
		chunk_free(items[i]);
	return r;
}

/* Catch what was written. */
static void take_stream(struct job *job, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	job->stream_bytes = (size_t)st.st_size;
	job->stream = mmap(NULL, job->stream_bytes, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(job->stream != MAP_FAILED);
}

static void job_run(struct job *job)
{
	const struct source *src = job->src;
	const struct pfn_range all = {0, src->core->map.max_mapnr};
	AUTO_CLOSE int fd = memfd_create("stream", MFD_CLOEXEC);
	AUTO(sink_free) struct sink *sink = NULL;
	AUTO(plan_free) struct plan *plan = NULL;
	AUTO(writer_free) struct writer *writer = NULL;
	struct writer_setup setup = {
		.exclude_zero = job->exclude_zero,
		.pages = pageset_count(src->pages),
		.segment_end = segment_end,
		.ctx = job,
	};
	struct error err;
	bool known;

	assert_int_equal(prologue_header(src->core, job->exclude_zero, codec_kdump_flag(job->codec),
					 &setup.header, &known, &err),
			 0);
	assert_int_equal(sink_new_flat(fd, &sink, &err), 0);
	assert_int_equal(sink_keep_segment(sink, &err), 0);
	setup.sink = sink;
	job->sink = sink;
	assert_int_equal(plan_new(src->pages, job->extent_count ? job->extents : &all,
				  job->extent_count ? job->extent_count : 1,
				  chunk_pages(src->core->page_bytes), &plan, &err),
			 0);
	assert_int_equal(writer_new(&setup, &writer, &err), 0);
	if (job->resume)
		writer_resume(writer, job->resume);
	else
		job->result = writer_prologue(writer, src->core, src->pages, &err);
	if (job->result == 0)
		job->result = run_chunks(job, plan, writer);
	if (job->result == 0)
		job->result = writer_finish(writer, &err);
	assert_in_range(job->result, 0, 1);
	job->counts = *writer_counts(writer);
	take_stream(job, fd);
}

static void job_deinit(struct job *job)
{
	munmap(job->stream, job->stream_bytes);
	segment_deinit(&job->table);
}

static void same_stream(const struct job *a, const struct job *b)
{
	assert_int_equal(a->stream_bytes, b->stream_bytes);
	assert_memory_equal(a->stream, b->stream, a->stream_bytes);
	assert_int_equal(a->cursor_count, b->cursor_count);
	assert_memory_equal(a->chain, b->chain, DIGEST_BYTES);
}

/* --- sources --- */

/* Loads of a few MiB with a bit of everything, holes between them, and the notes of two CPUs. */
static struct source small_source(void)
{
	struct source src = {0};

	core_add_load(&src.plan, 3 * CORE_PAGE, 77 * CORE_PAGE, 77 * CORE_PAGE)->salt = 1;
	core_add_load(&src.plan, 2 * MIB, 200 * CORE_PAGE, 230 * CORE_PAGE)->salt = 2;
	core_add_load(&src.plan, 4 * MIB, 65 * CORE_PAGE, 65 * CORE_PAGE)->salt = CORE_ZEROS;
	core_add_load(&src.plan, 8 * MIB, CORE_PAGE, CORE_PAGE)->salt = 3;
	core_add_note(&src.plan, "CORE", ELF_NT_PRSTATUS, "cpu 0", 5);
	core_add_note(&src.plan, "CORE", ELF_NT_PRSTATUS, "cpu 1", 5);
	core_add_vmcoreinfo(&src.plan, "OSRELEASE=6.1.0\nPAGESIZE=4096\nCRASHTIME=1700000000\n");
	source_init(&src);
	return src;
}

/* Several segments' worth. */
static struct source large_source(void)
{
	struct source src = {0};

	core_add_load(&src.plan, MIB, 20 * MIB, 20 * MIB)->salt = 1;
	core_add_load(&src.plan, 64 * MIB, 18 * MIB, 18 * MIB)->salt = 2;
	core_add_load(&src.plan, 96 * MIB, 14 * MIB + CORE_PAGE, 14 * MIB + CORE_PAGE)->salt = 3;
	source_init(&src);
	return src;
}

/* What memory holds at pfn, by the plan. */
static void wanted_page(const struct source *src, uint64_t pfn, uint8_t *page)
{
	const uint64_t paddr = pfn * CORE_PAGE;

	for (size_t i = 0; i < src->plan.load_count; i++) {
		const struct core_load *l = &src->plan.loads[i];

		if (paddr >= l->paddr && paddr < l->paddr + l->file_bytes)
			core_memory(paddr, l->salt, page, CORE_PAGE);
	}
}

/* The stream keeps the rules, and has the pages of the source; from `lost` on (if any) it hasn't.
 */
/* The extents are the file's bytes, each once but for a second main header, and nothing else is
 * there. */
static void check_extents(const struct job *job, const struct core_stream *s)
{
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *told = calloc(1, s->file_bytes + 1);
	uint8_t sha256[DIGEST_BYTES];
	struct error err;

	assert_non_null(told);
	assert_int_equal(digester_new(&digester, &err), 0);
	for (size_t i = job->table.count; i--;) {
		const struct extent *e = &job->table.extents[i];

		assert_true(e->off + e->size_bytes <= s->file_bytes);
		if (told[e->off]) {
			assert_true(e->off == 0 && s->header_again);
			continue;
		}
		digester_begin(digester);
		digester_add(digester, s->file + e->off, e->size_bytes);
		assert_int_equal(digester_end(digester, sha256, &err), 0);
		assert_memory_equal(sha256, e->sha256, DIGEST_BYTES);
		for (size_t b = 0; b < e->size_bytes; b++)
			assert_false(told[e->off + b]++);
	}
	for (size_t b = 0; b < s->file_bytes; b++)
		assert_true(told[b] || s->file[b] == 0);
}

static void check_pages(const struct job *job, const struct source *src, uint64_t lost)
{
	struct core_stream s = core_stream_check(job->stream, job->stream_bytes);
	uint64_t rank = 0, missing = 0;

	assert_true(s.whole);
	assert_int_equal(s.pages, pageset_count(src->pages));
	for (uint64_t pfn = 0; pfn < src->core->map.max_mapnr; pfn++) {
		uint8_t want[CORE_PAGE], got[CORE_PAGE];

		assert_int_equal(core_stream_has(&s, 2, pfn), pageset_has(src->pages, pfn));
		if (!pageset_has(src->pages, pfn))
			continue;
		if (pfn >= lost) {
			assert_false(core_stream_page(&s, rank++, got));
			missing++;
			continue;
		}
		wanted_page(src, pfn, want);
		assert_true(core_stream_page(&s, rank++, got));
		assert_memory_equal(got, want, CORE_PAGE);
	}
	assert_int_equal(job->counts.unreadable, missing);
	assert_int_equal(s.header.status & KDUMP_INCOMPLETE, missing ? KDUMP_INCOMPLETE : 0);
	assert_int_equal(s.header_again, missing != 0);
	check_extents(job, &s);
	core_stream_free(&s);
}

/* --- tests --- */

static const unsigned thread_counts[] = {0, 1, 2, 7};

static void test_codecs(void **state UNUSED)
{
	struct source src = small_source();

	for (enum codec_id codec = 0; codec < CODEC_COUNT; codec++) {
		for (int zero = 0; zero < 2; zero++) {
			struct job first = {.src = &src, .codec = codec, .exclude_zero = zero};

			if (!codec_is_built(codec))
				continue;
			job_run(&first);
			check_pages(&first, &src, UINT64_MAX);
			assert_int_equal(writer_counts_all(&first.counts) - first.counts.unreadable,
					 pageset_count(src.pages));
			assert_int_equal(first.counts.zero != 0, zero);
			for (size_t i = 1; i < ARRAY_LEN(thread_counts); i++) {
				struct job job = {.src = &src,
						  .codec = codec,
						  .exclude_zero = zero,
						  .threads = thread_counts[i]};

				job_run(&job);
				same_stream(&first, &job);
				job_deinit(&job);
			}
			job_deinit(&first);
		}
	}
	source_deinit(&src);
}

/* Cut [0, end) in up to `most` extents, in any order. */
static void any_extents(struct job *job, uint64_t end, size_t most, uint32_t *random)
{
	const size_t count = 1 + unit_random(random) % most;
	uint64_t cut = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t next =
			i + 1 == count ? end : cut + unit_random(random) % (2 * end / count) / 2;

		job->extents[i] = (struct pfn_range){cut, MIN(next, end)};
		cut = MIN(next, end);
	}
	for (size_t i = count; i > 1; i--) {
		const size_t other = unit_random(random) % i;
		const struct pfn_range swap = job->extents[other];

		job->extents[other] = job->extents[i - 1];
		job->extents[i - 1] = swap;
	}
	job->extent_count = count;
}

static void test_any_order(void **state UNUSED)
{
	struct source src = small_source();
	uint32_t random = unit_seed();

	for (int run = 0; run < 40; run++) {
		struct job job = {.src = &src,
				  .codec = run % 3 ? CODEC_SNAPPY : CODEC_NONE,
				  .exclude_zero = run % 2,
				  .threads = thread_counts[run % 4]};

		any_extents(&job, src.core->map.max_mapnr, 20, &random);
		job_run(&job);
		check_pages(&job, &src, UINT64_MAX);
		job_deinit(&job);
	}
	source_deinit(&src);
}

static void check_cursor(const struct cursor *a, const struct cursor *b)
{
	assert_int_equal(a->segment, b->segment);
	assert_int_equal(a->chunk, b->chunk);
	assert_int_equal(a->data_off, b->data_off);
	assert_int_equal(a->stream_bytes, b->stream_bytes);
	assert_int_equal(a->unreadable, b->unreadable);
}

/* Stop `whole` at segment s, and go on from there: the same stream in two parts. */
static void stop_and_restart(const struct job *whole, size_t s, unsigned first_threads,
			     unsigned second_threads)
{
	const struct cursor *cursor = &whole->cursors[s];
	struct job first = *whole, second = *whole;

	first.stop_at = cursor->segment;
	first.table = second.table = (struct segment){0};
	memset(first.chain, 0, sizeof(first.chain));
	first.threads = first_threads;
	first.cursor_count = 0;
	job_run(&first);
	assert_int_equal(first.result, 1);
	assert_int_equal(first.cursor_count, s + 1);
	check_cursor(&first.cursors[s], cursor);
	assert_int_equal(first.stream_bytes, cursor->stream_bytes);
	assert_memory_equal(first.stream, whole->stream, first.stream_bytes);

	assert_memory_equal(first.chain, whole->chains[s], DIGEST_BYTES);

	second.resume = cursor;
	memcpy(second.chain, first.chain, DIGEST_BYTES);
	second.threads = second_threads;
	second.cursor_count = 0;
	job_run(&second);
	assert_int_equal(second.result, 0);
	assert_int_equal(second.cursor_count, whole->cursor_count - s - 1);
	for (size_t i = 0; i < second.cursor_count; i++)
		check_cursor(&second.cursors[i], &whole->cursors[s + 1 + i]);
	assert_memory_equal(second.chain, whole->chain, DIGEST_BYTES);
	assert_int_equal(first.stream_bytes + second.stream_bytes - FLAT_HEADER_BYTES,
			 whole->stream_bytes);
	assert_memory_equal(second.stream + FLAT_HEADER_BYTES, whole->stream + first.stream_bytes,
			    second.stream_bytes - FLAT_HEADER_BYTES);
	job_deinit(&first);
	job_deinit(&second);
}

static void check_segments(const struct job *job)
{
	assert_int_equal(job->cursors[0].segment, 1); /* after the prologue */
	assert_int_equal(job->cursors[0].chunk, 0);
	for (size_t i = 1; i < job->cursor_count; i++) {
		const uint64_t bytes =
			job->cursors[i].stream_bytes - job->cursors[i - 1].stream_bytes;

		assert_int_equal(job->cursors[i].segment, i + 1);
		/* The first chunk boundary that far behind the last; what is left at the end. */
		assert_true(bytes <= SEGMENT_BYTES + 2 * CHUNK_BYTES);
		assert_true(bytes >= SEGMENT_BYTES || i + 1 == job->cursor_count);
		assert_int_equal(job->cursors[i].chunk == CURSOR_AT_END,
				 i + 1 == job->cursor_count);
	}
}

static void test_restart(void **state UNUSED)
{
	struct source src = large_source();
	struct job whole = {.src = &src, .codec = CODEC_NONE};

	job_run(&whole);
	assert_true(whole.cursor_count >= 4);
	check_segments(&whole);
	check_pages(&whole, &src, UINT64_MAX);
	for (size_t s = 0; s < whole.cursor_count; s++)
		stop_and_restart(&whole, s, thread_counts[s % 4], thread_counts[(s + 2) % 4]);
	job_deinit(&whole);
	source_deinit(&src);
}

static void test_restart_any_order(void **state UNUSED)
{
	struct source src = large_source();
	struct job whole = {.src = &src, .codec = CODEC_NONE, .exclude_zero = true, .threads = 2};
	uint32_t random = unit_seed();

	any_extents(&whole, src.core->map.max_mapnr, EXTENTS_MAX, &random);
	job_run(&whole);
	assert_true(whole.cursor_count >= 3);
	check_segments(&whole);
	check_pages(&whole, &src, UINT64_MAX);
	for (size_t s = 0; s < whole.cursor_count; s++)
		stop_and_restart(&whole, s, thread_counts[(s + 1) % 4], thread_counts[s % 4]);
	job_deinit(&whole);
	source_deinit(&src);
}

static void test_unreadable(void **state UNUSED)
{
	struct source src = large_source();
	struct job whole = {.src = &src, .codec = CODEC_NONE, .threads = 2};
	const struct core_load *last = &src.plan.loads[2];
	/* The file gets shorter while it is read: from that page of the last load on, all fail. */
	const uint64_t there = 3 * MIB + 5 * CORE_PAGE;

	assert_int_equal(ftruncate(src.fd, (off_t)(last->off + there)), 0);
	whole.extents[0] = (struct pfn_range){last->paddr / CORE_PAGE, src.core->map.max_mapnr};
	whole.extents[1] = (struct pfn_range){0, last->paddr / CORE_PAGE};
	whole.extent_count = 2;
	job_run(&whole);
	assert_true(whole.counts.unreadable > 2000);
	check_pages(&whole, &src, (last->paddr + there) / CORE_PAGE);
	for (size_t s = 0; s < whole.cursor_count; s++) /* the cursor carries the count over */
		stop_and_restart(&whole, s, 2, 0);
	job_deinit(&whole);
	source_deinit(&src);
}

static void test_many_zero_pages(void **state UNUSED)
{
	/* No data at all, so only the run of descriptors fills, and more than once. */
	enum { PAGES = 2 * FLAT_RUN_BYTES / KDUMP_DESC_BYTES + 100 };
	struct source src = {0};
	struct job job = {.src = &src, .codec = CODEC_LZO, .exclude_zero = true, .threads = 2};
	struct core_stream s;

	core_add_load(&src.plan, 0, (uint64_t)PAGES * CORE_PAGE, (uint64_t)PAGES * CORE_PAGE)
		->salt = CORE_ZEROS;
	source_init(&src);
	if (!codec_is_built(job.codec))
		job.codec = CODEC_ZLIB;
	job_run(&job);
	s = core_stream_check(job.stream, job.stream_bytes);
	assert_true(s.whole);
	assert_int_equal(job.counts.zero, PAGES);
	for (uint64_t n = 1; n < PAGES; n++) {
		assert_int_equal(core_stream_desc(&s, n).off, core_stream_desc(&s, 0).off);
		assert_int_equal(core_stream_desc(&s, n).flags, 0);
	}
	assert_true(job.stream_bytes < 2 * MIB);
	core_stream_free(&s);
	job_deinit(&job);
	source_deinit(&src);
}

static void test_no_page(void **state UNUSED)
{
	struct source src = {0};

	core_add_load(&src.plan, 0x5000, 0, 0x100000);
	source_init(&src);
	for (size_t i = 0; i < ARRAY_LEN(thread_counts); i++) {
		struct job job = {.src = &src, .codec = CODEC_ZLIB, .threads = thread_counts[i]};

		job_run(&job);
		check_pages(&job, &src, UINT64_MAX);
		job_deinit(&job);
	}
	source_deinit(&src);
}

/* Cut after each record: the rest keeps the rules (descriptors have their data). */
static void test_cut(void **state UNUSED)
{
	struct source src = small_source();
	struct job job = {.src = &src, .codec = CODEC_SNAPPY, .exclude_zero = true};
	uint32_t random = unit_seed();
	struct flat_record rec;
	struct error err;
	struct rd r;
	size_t cuts = 0;

	any_extents(&job, src.core->map.max_mapnr, 12, &random);
	job_run(&job);
	r = rd_init(job.stream, job.stream_bytes);
	assert_int_equal(flat_get_header(&r, &err), 0);
	while (flat_get_record(&r, &rec, &err) == 1) {
		struct core_stream s;

		rd_bytes(&r, (size_t)rec.size_bytes);
		if (++cuts < 7) /* within the prologue */
			continue;
		s = core_stream_check(job.stream, (size_t)(r.pos - r.begin));
		assert_false(s.whole);
		core_stream_free(&s);
	}
	assert_true(cuts > 8);
	job_deinit(&job);
	source_deinit(&src);
}

/* --- what fails --- */

static void test_full_disk(void **state UNUSED)
{
	AUTO_CLOSE int fd = open("/dev/full", O_WRONLY);
	struct sink *sink;
	struct error err;

	assert_int_equal(sink_new_flat(fd, &sink, &err), -ENOSPC);
	assert_string_equal(err.msg, "writing the stream: No space left on device");
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "dump: has every page, and the same bytes for any number of threads",
		 test_codecs, NULL);
	unit_add(&u, "dump: has every page in any sending order", test_any_order, NULL);
	unit_add(&u, "writer: stops at each segment, and goes on to the same bytes", test_restart,
		 NULL);
	unit_add(&u, "writer: does so in any sending order", test_restart_any_order, NULL);
	unit_add(&u, "writer: marks pages that can't be read, and the dump incomplete",
		 test_unreadable, NULL);
	unit_add(&u, "writer: fills runs of descriptors without data", test_many_zero_pages, NULL);
	unit_add(&u, "writer: makes a dump without pages", test_no_page, NULL);
	unit_add(&u, "writer: has data before descriptors wherever the stream is cut", test_cut,
		 NULL);
	unit_add(&u, "sink_new_flat: reports a full disk", test_full_disk, NULL);
	return unit_run(&u, "writer", argc, argv);
}
