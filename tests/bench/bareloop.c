/* The least that the page pass can take: one loop that reads the pages of a dump level, tests them
 * for zero, compresses them, and writes 1 MiB at a time. No descriptors, no order, no threads.
 *
 *   bareloop VMCORE LEVEL CODEC [OUTPUT]      OUTPUT: default /dev/null
 *
 * Prints one JSON object: pages and bytes, seconds on the clock and of the CPU of the loop, and the
 * filter's, in line, which came before it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/zero.h"
#include "format/codec.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum { RUN_BYTES = 1 << 20 };

/* Neighbouring pages that lie in one piece of the file. */
struct run {
	uint64_t off;
	size_t bytes;
};

struct runs {
	struct run *runs;
	size_t count;
};

struct totals {
	uint64_t pages, zero_pages, bytes_out;
};

struct times {
	double wall, cpu;
};

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct times times_now(void)
{
	return (struct times){seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct times times_since(struct times start)
{
	const struct times now = times_now();

	return (struct times){now.wall - start.wall, now.cpu - start.cpu};
}

static int add_run(struct runs *r, uint64_t off, size_t bytes)
{
	if (r->count % 1024 == 0) {
		struct run *more = realloc(r->runs, (r->count + 1024) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->runs = more;
	}
	r->runs[r->count++] = (struct run){off, bytes};
	return 0;
}

/* Where the pages lie. Pages that no piece has whole are passed over: a few at the edges of
 * loads. */
static int find_runs(const struct vmcore *core, const struct pageset *pages, struct runs *r)
{
	const uint64_t mapnr = pageset_mapnr(pages), page = core->page_bytes;
	uint64_t pfn = pageset_next(pages, 0);

	while (pfn < mapnr) {
		uint64_t n = pageset_run(pages, pfn, PAGE_RUN_BYTES / page);
		const struct memmap_piece *piece = memmap_find(&core->map, pfn * page);

		if (piece && piece->paddr <= pfn * page && piece->off != MEMMAP_LOST) {
			n = MIN(n, (piece->end - pfn * page) / page);
			if (n && add_run(r, piece->off + (pfn * page - piece->paddr), n * page) < 0)
				return -ENOMEM;
		}
		pfn = pageset_next(pages, pfn + MAX(n, UINT64_C(1)));
	}
	return 0;
}

/* The pages at `in`, to `out` from `used` on: where that ends. */
static size_t squeeze(struct compressor *c, size_t page_bytes, const uint8_t *in, size_t bytes,
		      uint8_t *out, size_t used, struct totals *t)
{
	for (size_t at = 0; at < bytes; at += page_bytes) {
		size_t size;

		t->pages++;
		if (is_zero(in + at, page_bytes)) {
			t->zero_pages++;
			continue;
		}
		size = compressor_run(c, in + at, out + used);
		if (size == 0) {
			memcpy(out + used, in + at, page_bytes);
			size = page_bytes;
		}
		used += size;
	}
	return used;
}

/* The loop that is measured. */
static int loop(const struct vmcore *core, const struct runs *r, struct compressor *c, int fd,
		struct totals *t, struct error *err)
{
	const size_t page = (size_t)core->page_bytes, room = RUN_BYTES + PAGE_RUN_BYTES;
	AUTO_FREE uint8_t *in = malloc(PAGE_RUN_BYTES), *out = malloc(room + compressor_bound(c));
	size_t used = 0;

	if (!in || !out)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < r->count; i++) {
		const ssize_t n = pread(core->fd, in, r->runs[i].bytes, (off_t)r->runs[i].off);

		if (n != (ssize_t)r->runs[i].bytes)
			return error_set(err, -ENODATA, "a short read");
		used = squeeze(c, page, in, (size_t)n, out, used, t);
		if (used < RUN_BYTES && i + 1 < r->count)
			continue;
		if (write(fd, out, used) != (ssize_t)used)
			return error_sys(err, "write");
		t->bytes_out += used;
		used = 0;
	}
	return 0;
}

static int run(const struct vmcore *core, unsigned level, enum codec_id id, int fd,
	       struct error *err)
{
	AUTO(compressor_free) struct compressor *c = NULL;
	AUTO(pageset_free) struct pageset *pages = NULL;
	struct warnings warnings = {0};
	struct filter_result result;
	struct runs runs = {0};
	struct totals totals = {0};
	struct times start = times_now(), filter_took, took;
	struct kmodel km;
	int min, max, codec_level, r;

	kmodel_init(&km, core, page_classes_of_level(level), &warnings);
	r = filter_run(&(struct filter_setup){.km = &km, .exclude = page_classes_of_level(level)},
		       &pages, &result, &warnings, err);
	filter_took = times_since(start);
	codec_levels(id, &min, &max, &codec_level);
	if (r == 0)
		r = compressor_new(id, codec_level, (size_t)core->page_bytes, &c, err);
	if (r == 0 && find_runs(core, pages, &runs) < 0)
		r = error_set(err, -ENOMEM, "out of memory");
	start = times_now();
	if (r == 0)
		r = loop(core, &runs, c, fd, &totals, err);
	took = times_since(start);
	if (r == 0)
		printf("{\"pages\": %llu, \"zero_pages\": %llu, \"bytes\": %llu, \"wall_s\": %.6f, "
		       "\"cpu_s\": %.6f, \"filter_wall_s\": %.6f, \"filter_cpu_s\": %.6f}\n",
		       (unsigned long long)totals.pages, (unsigned long long)totals.zero_pages,
		       (unsigned long long)totals.bytes_out, took.wall, took.cpu, filter_took.wall,
		       filter_took.cpu);
	free(runs.runs);
	kmodel_deinit(&km);
	return r;
}

int main(int argc, char **argv)
{
	AUTO(vmcore_free) struct vmcore *core = NULL;
	AUTO_CLOSE int fd = -1;
	struct error err = {0};
	enum codec_id id;

	if (argc < 4 || argc > 5 || !codec_by_text(argv[3], strlen(argv[3]), &id)) {
		fputs("usage: bareloop VMCORE LEVEL CODEC [OUTPUT]\n", stderr);
		return 2;
	}
	fd = open(argc == 5 ? argv[4] : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		  0600);
	if (fd < 0 || vmcore_open(argv[1], VMCORE_ACCESS_READ, &core, &err) < 0 ||
	    run(core, (unsigned)atoi(argv[2]), id, fd, &err) < 0) {
		fprintf(stderr, "bareloop: %s\n", fd < 0 ? strerror(errno) : err.msg);
		return 1;
	}
	return 0;
}
