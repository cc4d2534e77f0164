/* Tables and texts about a vmcore.
 * Doesn't know the command line, nor how classes are told. */
#include "sender/report.h"

#include <errno.h>
#include <inttypes.h>
#if WITH_JANSSON
#include <jansson.h>
#endif

#include "base/parse.h"
#include "base/zero.h"
#include "format/dumpfile.h"
#include "sender/kernel/dmesg.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

/* What the table has a line for: each class, and of the kernel's pages those that are all zero. */
struct usage {
	uint64_t page_bytes;
	uint64_t pages; /* that exist */
	uint64_t classes[CLASS_COUNT];
	uint64_t zero;
	unsigned known; /* classes that can be told */
};

/* The dump level bit that leaves a class out; 0: none does. */
static unsigned level_of(enum page_class class)
{
	static const unsigned levels[CLASS_COUNT] = {
		[CLASS_CACHE] = LEVEL_CACHE,
		[CLASS_CACHE_PRIVATE] = LEVEL_CACHE_PRIVATE,
		[CLASS_USER] = LEVEL_USER,
		[CLASS_FREE] = LEVEL_FREE,
	};

	return levels[class];
}

static int count_zero_pages(struct usage *u, const struct vmcore *core, const struct pageset *pages,
			    struct error *err)
{
	AUTO(page_source_free) struct page_source *source = NULL;
	const uint64_t run_max = PAGE_RUN_BYTES / core->page_bytes;
	int r = page_source_new(core, &source, err);
	uint64_t pfn = pageset_next(pages, 0);

	while (r == 0 && pfn < pageset_mapnr(pages)) {
		const size_t n = (size_t)pageset_run(pages, pfn, run_max);
		uint64_t lost;
		const uint8_t *page = page_source_get(source, pfn, n, &lost);

		for (size_t i = 0; i < n; i++, page += core->page_bytes)
			u->zero += !(lost >> i & 1) && is_zero(page, (size_t)core->page_bytes);
		pfn = pageset_next(pages, pfn + n);
	}
	return r;
}

static int count(struct usage *u, const struct vmcore *core, unsigned threads,
		 struct warnings *warnings, struct error *err)
{
	const unsigned all = page_classes_of_level(LEVEL_MAX);
	AUTO(pageset_free) struct pageset *pages = NULL;
	struct filter_result result;
	struct kmodel km;
	struct filter_setup setup = {
		.km = &km, .exclude = all, .threads = threads, .count_broken = true};
	int r;

	kmodel_init(&km, core, all, warnings);
	r = filter_run(&setup, &pages, &result, warnings, err);
	u->known = km.rules.known;
	kmodel_deinit(&km);
	if (r < 0)
		return r;
	u->page_bytes = core->page_bytes;
	for (size_t i = 0; i < core->map.ram_count; i++)
		u->pages += core->map.ram[i].end - core->map.ram[i].first;
	for (size_t i = CLASS_KERNEL + 1; i < CLASS_COUNT; i++)
		u->classes[i] = result.classes[i];
	u->classes[CLASS_KERNEL] = pageset_count(pages);
	return count_zero_pages(u, core, pages, err);
}

/* Pages whose content a dump of that level holds. */
static uint64_t pages_at_level(const struct usage *u, unsigned level)
{
	const unsigned excluded = page_classes_of_level(level);
	uint64_t n =
		level & LEVEL_ZERO ? u->classes[CLASS_KERNEL] - u->zero : u->classes[CLASS_KERNEL];

	for (unsigned i = CLASS_KERNEL + 1; i < CLASS_COUNT; i++)
		if (!(excluded & 1U << i))
			n += u->classes[i];
	return n;
}

static void print_line(FILE *out, const struct usage *u, const char *name, uint64_t pages,
		       const char *by)
{
	char size[16];

	fprintf(out, "%-16s %12" PRIu64 " %10s  %s\n", name, pages,
		format_size(size, sizeof(size), pages * u->page_bytes), by);
}

static void print_text(FILE *out, const struct usage *u)
{
	char by[24];

	fprintf(out, "%-16s %12s %10s  %s\n", "CLASS", "PAGES", "SIZE", "LEFT OUT BY");
	for (unsigned i = CLASS_KERNEL + 1; i < CLASS_COUNT; i++) {
		if (!(u->known & 1U << i))
			snprintf(by, sizeof(by), "not known");
		else if (level_of(i))
			snprintf(by, sizeof(by), "level %u", level_of(i));
		else
			snprintf(by, sizeof(by), "every level");
		print_line(out, u, page_class_name(i), u->classes[i], by);
	}
	print_line(out, u, "kernel", u->classes[CLASS_KERNEL] - u->zero, "-");
	print_line(out, u, "kernel, zero", u->zero, "level 1");
	print_line(out, u, "all", u->pages, "");
	fputs("\nLEVEL            PAGES LEFT       SIZE  (before compression)\n", out);
	for (unsigned level = 0; level <= LEVEL_MAX; level = level * 2 + 1) {
		char name[16];

		snprintf(name, sizeof(name), "%u", level);
		print_line(out, u, name, pages_at_level(u, level), "");
	}
}

static int print_json(FILE *out, const struct usage *u, struct error *err)
{
#if WITH_JANSSON
	json_t *classes = json_object(), *levels = json_array();
	json_t *all = json_pack("{s:I, s:I, s:I, s:o, s:o}", "page_size", (json_int_t)u->page_bytes,
				"pages", (json_int_t)u->pages, "kernel_zero", (json_int_t)u->zero,
				"classes", classes, "pages_at_level", levels);
	int r = 0;

	for (unsigned i = 0; all && i < CLASS_COUNT; i++) {
		const bool known = i == CLASS_KERNEL || (u->known & 1U << i);

		json_object_set_new(classes, page_class_name(i),
				    json_pack("{s:I, s:i, s:b}", "pages", (json_int_t)u->classes[i],
					      "level", (int)level_of(i), "known", known));
	}
	for (unsigned level = 0; all && level <= LEVEL_MAX; level++)
		json_array_append_new(levels, json_integer((json_int_t)pages_at_level(u, level)));
	if (!all || json_dumpf(all, out, JSON_INDENT(1)) < 0)
		r = error_set(err, -ENOMEM, "writing the table as JSON");
	fputc('\n', out);
	json_decref(all);
	return r;
#else
	(void)out;
	(void)u;
	return error_set(err, -ENOTSUP, "JSON is not part of this build (jansson)");
#endif
}

static int flush(FILE *out, struct error *err)
{
	return fflush(out) == 0 ? 0 : error_sys(err, "writing the report");
}

int report_mem_usage(const struct vmcore *core, unsigned threads, bool json, FILE *out,
		     struct warnings *warnings, struct error *err)
{
	struct usage u = {0};
	int r = count(&u, core, threads, warnings, err);

	if (r < 0)
		return r;
	if (json)
		r = print_json(out, &u, err);
	else
		print_text(out, &u);
	return r < 0 ? r : flush(out, err);
}

static int emit(void *ctx, const char *text, size_t bytes, struct error *err)
{
	return fwrite(text, 1, bytes, ctx) == bytes ? 0 : error_sys(err, "writing the log");
}

int report_dmesg(const struct vmcore *core, FILE *out, struct error *err)
{
	const int r = dmesg_of(core, emit, out, err);

	return r < 0 ? r : flush(out, err);
}

/* Text on its way into a dump file. */
struct text {
	struct dumpfile *df;
	uint64_t bytes;
	struct error err; /* what a write failed with: more than errno says */
};

static ssize_t write_text(void *cookie, const char *bytes, size_t size_bytes)
{
	struct text *text = cookie;

	if (dumpfile_write(text->df, text->bytes, bytes, size_bytes, &text->err) < 0)
		return 0; /* what fopencookie() takes for a failure */
	text->bytes += size_bytes;
	return (ssize_t)size_bytes;
}

int report_dmesg_to_file(const struct vmcore *core, const char *path, bool force, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	struct text text = {0};
	struct error keep_err;
	FILE *out;
	int r = dumpfile_create(path, dumpfile_replace_if(force), &df, err);

	if (r < 0)
		return r;
	text.df = df;
	out = fopencookie(&text, "w", (cookie_io_functions_t){.write = write_text});
	if (!out)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	r = report_dmesg(core, out, err);
	if (fclose(out) != 0 && r == 0)
		r = error_sys(err, "%s", path);
	if (r == 0)
		return dumpfile_publish(df, err);
	/* A part of a log is better than none: it stays, and the error has its name. */
	if (text.err.code)
		*err = text.err;
	if (text.bytes && dumpfile_keep_part(df, text.bytes, &keep_err) < 0)
		error_prefix(err, "%s", keep_err.msg);
	return err->code;
}
