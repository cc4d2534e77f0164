/* Compares a dump with the ELF core that it was made from, page by page, both ways.
 * Shares no code with the programs: the core is parsed here, the dump is read by libkdumpfile.
 *
 *   pagecmp [--excluded] [--missing] CORE DUMP
 *
 * A page is RAM if a PT_LOAD touches it (bitmap 1), and has to be dumped if one has bytes of it
 * (bitmap 2); what no load covers of a page is zero. Each dumped page must read back equal, no
 * other may read back at all, and both bitmaps must say exactly that. --excluded allows pages
 * to be left out, --missing allows pages without data (descriptor zero), and prints them as
 * "missing FIRST-LAST". The last line on standard output has the counts. Exit status 0: as it
 * should be; 1: not, with reasons on standard error; 2: can't tell. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PT_LOAD = 1,
	PN_XNUM = 0xffff,
	PHDR_BYTES = 56,
	PAGE_MAX = 1 << 18,
	COMPLAINTS_MAX = 10,
	HOLE_SAMPLE = 64, /* of the pages that aren't there, the first and each 64th is read */
	BEYOND_PAGES = 1 << 14, /* as many past the last one must not be there either */
};

struct load {
	uint64_t off, paddr, file_bytes, mem_bytes;
};

struct core {
	const uint8_t *bytes;
	uint64_t size_bytes;
	struct load *loads;
	size_t load_count;
	uint64_t end; /* one past the highest address */
};

struct bitmap {
	const char *name;
	kdump_bmp_t *bmp;
	uint64_t base;
	uint8_t bits[4096];
	bool filled;
};

static struct counts {
	uint64_t ram, dumped, equal, zero, excluded, missing, bad;
} counts;

static bool allow_excluded, allow_missing;

static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *fmt, ...)
{
	va_list ap;

	fputs("pagecmp: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void __attribute__((format(printf, 2, 3))) complain(uint64_t pfn, const char *fmt, ...)
{
	va_list ap;

	if (counts.bad++ >= COMPLAINTS_MAX)
		return;
	fprintf(stderr, "pagecmp: pfn 0x%" PRIx64 ": ", pfn);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* --- the core
 * ------------------------------------------------------------------------------------ */

static uint64_t le(const struct core *core, uint64_t at, unsigned width)
{
	uint64_t v = 0;

	if (at > core->size_bytes || core->size_bytes - at < width)
		give_up("core: headers are cut short at %" PRIu64, at);
	for (unsigned i = 0; i < width; i++)
		v |= (uint64_t)core->bytes[at + i] << 8 * i;
	return v;
}

static void core_open(struct core *core, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint64_t phoff, phnum;

	if (fd < 0 || fstat(fd, &st) < 0)
		give_up("%s: %s", path, strerror(errno));
	core->size_bytes = (uint64_t)st.st_size;
	core->bytes = mmap(NULL, (size_t)core->size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (core->bytes == MAP_FAILED)
		give_up("%s: %s", path, strerror(errno));
	close(fd);
	if (le(core, 0, 4) != 0x464c457f || le(core, 4, 2) != 0x0102)
		give_up("%s: no little-endian ELF64 file", path);
	phoff = le(core, 32, 8);
	phnum = le(core, 56, 2);
	if (phnum == PN_XNUM)
		phnum = le(core, le(core, 40, 8) + 44, 4);
	core->loads = calloc(phnum + 1, sizeof(*core->loads));
	if (!core->loads)
		give_up("out of memory");
	for (uint64_t i = 0; i < phnum; i++) {
		const uint64_t at = phoff + i * PHDR_BYTES;
		const struct load load = {le(core, at + 8, 8), le(core, at + 24, 8),
					  le(core, at + 32, 8), le(core, at + 40, 8)};

		if (le(core, at, 4) != PT_LOAD || load.mem_bytes == 0)
			continue;
		core->loads[core->load_count++] = load;
		if (load.paddr + load.mem_bytes > core->end)
			core->end = load.paddr + load.mem_bytes;
	}
}

/* What the core says of a byte, or of a page: its rarest byte's. */
enum presence { NOT_RAM, RAM_ONLY, HAS_BYTES, CUT_OFF };

/* What load `l` has of the page: its bytes, or that they lie past the file's end. */
static void load_page(const struct core *core, const struct load *l, uint64_t paddr, size_t n,
		      uint8_t *page, uint8_t *presence)
{
	const uint64_t in_file = l->off < core->size_bytes ? core->size_bytes - l->off : 0;

	if (paddr >= l->paddr && paddr - l->paddr + n <= l->file_bytes &&
	    paddr - l->paddr + n <= in_file) {
		memcpy(page, core->bytes + l->off + (paddr - l->paddr), n);
		memset(presence, HAS_BYTES, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const uint64_t at = paddr + i - l->paddr; /* wraps around below the load */

		if (at >= l->mem_bytes)
			continue;
		if (at >= l->file_bytes || at >= in_file) {
			const uint8_t what = at < l->file_bytes ? CUT_OFF : RAM_ONLY;

			if (presence[i] == NOT_RAM || (presence[i] == RAM_ONLY && what == CUT_OFF))
				presence[i] = what;
			continue;
		}
		page[i] = core->bytes[l->off + at];
		presence[i] = HAS_BYTES;
	}
}

/* The page at paddr: of loads that have the same byte the first one rules, of those that have lost
 * it none. */
static enum presence core_page(const struct core *core, uint64_t paddr, size_t n, uint8_t *page)
{
	static uint8_t presence[PAGE_MAX];
	enum presence most = NOT_RAM;

	memset(page, 0, n);
	memset(presence, NOT_RAM, n);
	/* Backwards, so that an earlier load overwrites a later one. */
	for (size_t i = core->load_count; i-- > 0;) {
		const struct load *l = &core->loads[i];

		if (l->paddr < paddr + n && l->paddr + l->mem_bytes > paddr)
			load_page(core, l, paddr, n, page, presence);
	}
	for (size_t i = 0; i < n; i++)
		if (presence[i] > most)
			most = presence[i];
	return most;
}

/* --- the dump
 * ------------------------------------------------------------------------------------ */

static kdump_ctx_t *dump_open(const char *path)
{
	kdump_ctx_t *ctx = kdump_new();
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!ctx)
		give_up("out of memory");
	if (fd < 0)
		give_up("%s: %s", path, strerror(errno));
	if (kdump_open_fd(ctx, fd) != KDUMP_OK)
		give_up("%s: %s", path, kdump_get_err(ctx));
	return ctx;
}

static struct bitmap bitmap_get(kdump_ctx_t *ctx, const char *name)
{
	kdump_attr_t attr = {.type = KDUMP_BITMAP};

	if (kdump_get_typed_attr(ctx, name, &attr) != KDUMP_OK)
		give_up("%s: %s", name, kdump_get_err(ctx));
	return (struct bitmap){.name = name, .bmp = attr.val.bitmap};
}

static bool bitmap_test(struct bitmap *b, uint64_t pfn)
{
	const uint64_t bits = sizeof(b->bits) * 8, base = pfn - pfn % bits;

	if (!b->filled || base != b->base) {
		memset(b->bits, 0, sizeof(b->bits));
		if (kdump_bmp_get_bits(b->bmp, base, base + bits - 1, b->bits) != KDUMP_OK)
			give_up("%s: %s", b->name, kdump_bmp_get_err(b->bmp));
		b->base = base;
		b->filled = true;
	}
	pfn -= base;
	return b->bits[pfn / 8] >> pfn % 8 & 1;
}

/* No bit is set in either bitmap from `pfn` on. */
static void nothing_above(struct bitmap *b, uint64_t pfn)
{
	kdump_addr_t at = pfn;

	if (kdump_bmp_find_set(b->bmp, &at) == KDUMP_OK)
		complain(at, "beyond the core's end, but set in %s", b->name);
}

static bool is_zero(const uint8_t *page, size_t n)
{
	return page[0] == 0 && memcmp(page, page + 1, n - 1) == 0;
}

/* Pages without data, told as ranges. */
static void tell_missing(uint64_t pfn, bool end)
{
	static uint64_t first, next;
	static bool open;

	if (open && (end || pfn != next)) {
		printf("missing %" PRIu64 "-%" PRIu64 "\n", first, next - 1);
		open = false;
	}
	if (end)
		return;
	if (!open)
		first = pfn;
	open = true;
	next = pfn + 1;
}

/* Read a page that bitmap 2 has, and compare it. */
static void compare_page(kdump_ctx_t *ctx, uint64_t pfn, const uint8_t *want, uint8_t *got,
			 size_t n, bool lost)
{
	size_t len = n;
	const kdump_status status = kdump_read(ctx, KDUMP_MACHPHYSADDR, pfn * n, got, &len);

	counts.dumped++;
	/* A descriptor of zeros is an uncompressed page of 0 bytes to libkdumpfile. */
	if (status == KDUMP_ERR_CORRUPT && strstr(kdump_get_err(ctx), "Wrong page size: 0")) {
		counts.missing++;
		if (allow_missing)
			tell_missing(pfn, false);
		else
			complain(pfn, "in bitmap 2, but without data");
	} else if (status != KDUMP_OK || len != n) {
		complain(pfn, "%s", status != KDUMP_OK ? kdump_get_err(ctx) : "short read");
	} else if (lost) {
		complain(pfn, "has data, where the core has none left");
	} else if (memcmp(want, got, n) != 0) {
		complain(pfn, "differs");
	} else {
		counts.equal++;
		counts.zero += is_zero(want, n);
	}
}

static void expect_no_page(kdump_ctx_t *ctx, uint64_t pfn, uint8_t *got, size_t n)
{
	size_t len = n;

	if (kdump_read(ctx, KDUMP_MACHPHYSADDR, pfn * n, got, &len) != KDUMP_ERR_NODATA)
		complain(pfn, "reads as if it were there");
}

static void compare(const struct core *core, kdump_ctx_t *ctx)
{
	static uint8_t want[PAGE_MAX], got[PAGE_MAX];
	struct bitmap ram = bitmap_get(ctx, KDUMP_ATTR_MEMORY_PAGEMAP);
	struct bitmap dumped = bitmap_get(ctx, KDUMP_ATTR_FILE_PAGEMAP);
	kdump_num_t page = 0;
	bool there = true;
	uint64_t end;

	if (kdump_get_number_attr(ctx, KDUMP_ATTR_PAGE_SIZE, &page) != KDUMP_OK)
		give_up("page size: %s", kdump_get_err(ctx));
	if (page == 0 || page > PAGE_MAX)
		give_up("pages of %" PRIu64 " bytes", (uint64_t)page);
	end = (core->end + page - 1) / page;
	for (uint64_t pfn = 0; pfn < end; pfn++) {
		const enum presence presence = core_page(core, pfn * page, (size_t)page, want);

		counts.ram += presence != NOT_RAM;
		if (bitmap_test(&ram, pfn) != (presence != NOT_RAM))
			complain(pfn, "bitmap 1 says %s", presence ? "hole" : "RAM");
		if (presence < HAS_BYTES && bitmap_test(&dumped, pfn))
			complain(pfn, "dumped, where the core has no bytes");
		if (presence >= HAS_BYTES && bitmap_test(&dumped, pfn)) {
			compare_page(ctx, pfn, want, got, (size_t)page, presence == CUT_OFF);
			there = true;
			continue;
		}
		if (presence >= HAS_BYTES && !allow_excluded)
			complain(pfn, "not in bitmap 2");
		counts.excluded += presence != NOT_RAM;
		if (there || pfn % HOLE_SAMPLE == 0)
			expect_no_page(ctx, pfn, got, (size_t)page);
		there = false;
	}
	nothing_above(&ram, end);
	nothing_above(&dumped, end);
	for (uint64_t pfn = end; pfn < end + BEYOND_PAGES; pfn += HOLE_SAMPLE)
		expect_no_page(ctx, pfn, got, (size_t)page);
	if (allow_missing)
		tell_missing(0, true);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"excluded", no_argument, NULL, 'e'},
		{"missing", no_argument, NULL, 'm'},
		{0},
	};
	struct core core = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?')
			return 2;
		allow_excluded |= c == 'e';
		allow_missing |= c == 'm';
	}
	if (argc - optind != 2)
		give_up("usage: pagecmp [--excluded] [--missing] CORE DUMP");
	core_open(&core, argv[optind]);
	compare(&core, dump_open(argv[optind + 1]));
	printf("ram %" PRIu64 " dumped %" PRIu64 " equal %" PRIu64 " zero %" PRIu64
	       " excluded %" PRIu64 " missing %" PRIu64 " bad %" PRIu64 "\n",
	       counts.ram, counts.dumped, counts.equal, counts.zero, counts.excluded,
	       counts.missing, counts.bad);
	return counts.bad ? 1 : 0;
}
