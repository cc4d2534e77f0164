/* `vmrecv --info`: shows the facts about each file, as text or as JSON.
 * Knows of dumps only what facts.h says. */
#include "receiver/inspect/info.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#if WITH_JANSSON
#include <jansson.h>
#endif

#include "base/log.h"
#include "base/parse.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/below.h"
#include "receiver/inspect/escape.h"
#include "receiver/inspect/facts.h"

/* Keys of VMCOREINFO that tell kernels apart, or say where their memory lies. */
static const char *const vmcoreinfo_keys[] = {
	"OSRELEASE",
	"BUILD-ID",
	"PAGESIZE",
	"KERNELOFFSET",
	"NUMBER(phys_base)",
	"NUMBER(PHYS_OFFSET)",
	"NUMBER(VA_BITS)",
	"NUMBER(TCR_EL1_T1SZ)",
	"NUMBER(pgtable_l5_enabled)",
	"NUMBER(sme_mask)",
	"CRASHTIME",
};

/* Room for an escaped name of utsname or trouble, and for most other values. */
enum { TEXT_BYTES = 1024 };

/* "31: without zero, cache, …": what each bit of the level leaves out. */
static const char *level_words(char *out, size_t out_bytes, uint32_t level)
{
	static const char *const left_out[] = {"zero", "non-private cache", "private cache", "user",
					       "free"};
	size_t n = (size_t)snprintf(out, out_bytes, "%" PRIu32, level);
	const char *before = ": without ";

	if (level == 0)
		snprintf(out + n, out_bytes - n, ": all pages");
	for (size_t i = 0; i < ARRAY_LEN(left_out) && n < out_bytes; i++) {
		if (!(level >> i & 1))
			continue;
		n += (size_t)snprintf(out + n, out_bytes - n, "%s%s", before, left_out[i]);
		before = ", ";
	}
	return out;
}

static const char *time_text(char *out, size_t out_bytes, int64_t seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0)
		snprintf(out, out_bytes, "not recorded");
	else if (!gmtime_r(&t, &tm) || strftime(out, out_bytes, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(out, out_bytes, "%" PRId64 " s since 1970", seconds);
	return out;
}

/* QEMU leaves the names of a dump that it makes itself empty. */
static const char *release(const struct facts *f)
{
	const char *text = vmcoreinfo_text(f->vmcoreinfo, "OSRELEASE");

	return *f->header.uts.release || !text ? f->header.uts.release : text;
}

/* "yes", or "no: " and the weightiest reason. */
static const char *completeness(const struct facts *f)
{
	if (facts_complete(f))
		return f->header.split ? "yes, this part" : "yes";
	if (f->cut_short)
		return "no: the file is cut short";
	if (f->header.status & KDUMP_INCOMPLETE)
		return "no: its header says so";
	return f->trouble_count > 0 ? "no: something is wrong with it" : "no: pages are missing";
}

static uint64_t excluded(const struct facts *f)
{
	return f->bitmaps.ram > f->bitmaps.present ? f->bitmaps.ram - f->bitmaps.present : 0;
}

/* Pages that the dump has, but this file hasn't. */
static uint64_t absent(const struct facts *f)
{
	return f->beyond_descs + f->beyond_data + f->holed;
}

/* Pages that are there, shared or not. */
static uint64_t stored(const struct facts *f)
{
	uint64_t pages = f->odd;

	for (size_t i = 0; i < CODEC_COUNT; i++)
		pages += f->by_codec[i];
	return pages;
}

static void PRINTF(2, 3) line(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("  %-14s ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void print_kernel(const struct facts *f)
{
	const struct kdump_utsname *uts = &f->header.uts;
	const struct {
		const char *name, *value;
	} names[] = {
		{"release", release(f)},
		{"version", uts->version},
		{"machine", uts->machine},
		{"node name", uts->nodename},
	};
	char text[TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		line(names[i].name, "%s",
		     *names[i].value ? escape_text(text, sizeof(text), names[i].value)
				     : "not recorded");
	line("crash time", "%s", time_text(text, sizeof(text), f->crash_time_s));
	if (f->notes_known && f->notes.live)
		line("live", "yes: the kernel ran on while it was dumped");
	if (f->notes_known)
		line("CPUs", "%" PRIu32 ", registers of %" PRIu64, f->header.nr_cpus,
		     f->notes.prstatus);
	else
		line("CPUs", "%" PRIu32 ", registers not known", f->header.nr_cpus);
}

static void print_codecs(const struct facts *f)
{
	char codecs[200] = "";
	size_t n = 0;

	for (enum codec_id id = 0; id < CODEC_COUNT; id++)
		if (f->by_codec[id] > 0)
			n += (size_t)snprintf(
				codecs + n, sizeof(codecs) - n, "%s%s %" PRIu64, n ? ", " : "",
				id == CODEC_NONE ? "raw" : codec_name(id), f->by_codec[id]);
	if (f->odd > 0)
		snprintf(codecs + n, sizeof(codecs) - n, "%sunknown %" PRIu64, n ? ", " : "",
			 f->odd);
	line("codecs", "%s", *codecs ? codecs : "no pages");
}

static void print_pages(const struct facts *f)
{
	const struct kdump_file_bitmaps *b = &f->bitmaps;
	char text[TEXT_BYTES];

	line("page size", "%" PRIu32, f->header.block_size);
	line("dump level", "%s", level_words(text, sizeof(text), f->header.dump_level));
	if (!f->bitmaps_known) {
		line("RAM", "not known, pfns below %" PRIu64, f->header.max_mapnr);
		line("in the dump", "not known");
		return;
	}
	line("RAM", "%" PRIu64 " pages, pfns below %" PRIu64, b->ram, f->header.max_mapnr);
	line("in the dump", "%" PRIu64 " pages", b->present);
	line("excluded", "%" PRIu64 " pages", excluded(f));
	if (f->header.split)
		line("this part", "%" PRIu64 " pages, pfns %" PRIu64 " to %" PRIu64, b->in_file,
		     f->header.start_pfn, f->header.end_pfn);
	line("missing", "%" PRIu64 " pages", f->missing);
	if (absent(f) > 0)
		line("absent", "%" PRIu64 " pages: they aren't in the file", absent(f));
	if (f->impossible > 0)
		line("impossible", "%" PRIu64 " pages: their descriptors can't be right",
		     f->impossible);
	if (f->shared > 0)
		line("shared", "%" PRIu64 " pages have one payload%s", f->shared,
		     f->shared_is_zero ? ", of zeros" : "");
	print_codecs(f);
}

static void print_sizes(const struct facts *f)
{
	const uint64_t uncompressed = stored(f) * f->header.block_size;
	char file[16], payloads[16], pages[16];

	line("file", "%s (%" PRIu64 " bytes)", format_size(file, sizeof(file), f->file_bytes),
	     f->file_bytes);
	if (f->bitmaps_known)
		line("page data", "%s for %s of pages",
		     format_size(payloads, sizeof(payloads), f->payload_bytes),
		     format_size(pages, sizeof(pages), uncompressed));
	line("complete", "%s", completeness(f));
}

static void print_troubles(const struct facts *f)
{
	char text[TEXT_BYTES];

	for (size_t i = 0; i < f->trouble_count; i++)
		line("trouble", "%s", escape_text(text, sizeof(text), f->troubles[i].msg));
}

static void print_vmcoreinfo(const struct facts *f)
{
	char text[TEXT_BYTES];

	if (!f->vmcoreinfo) {
		line("VMCOREINFO", f->vmcoreinfo_known ? "none" : "can't be read");
		return;
	}
	puts("  VMCOREINFO");
	for (size_t i = 0; i < ARRAY_LEN(vmcoreinfo_keys); i++) {
		const char *value = vmcoreinfo_text(f->vmcoreinfo, vmcoreinfo_keys[i]);

		if (value)
			printf("    %s=%s\n", vmcoreinfo_keys[i],
			       escape_text(text, sizeof(text), value));
	}
}

static void print_text(const char *path, const struct facts *f)
{
	char text[TEXT_BYTES];

	printf("%s\n", escape_text(text, sizeof(text), path));
	line("format", "kdump-compressed, version %" PRIu32, f->header.header_version);
	print_kernel(f);
	print_pages(f);
	print_sizes(f);
	print_troubles(f);
	print_vmcoreinfo(f);
}

#if WITH_JANSSON
/* JSON is UTF-8; text of others may be any bytes. */
static json_t *json_text(const char *text)
{
	char escaped[TEXT_BYTES];

	return json_string(escape_text(escaped, sizeof(escaped), text));
}

static json_t *json_number(uint64_t n)
{
	return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

/* A fact that a damaged dump can't give is null. */
static json_t *json_number_if(bool known, uint64_t n)
{
	return known ? json_number(n) : json_null();
}

static json_t *json_codecs(const struct facts *f)
{
	json_t *o;

	if (!f->bitmaps_known)
		return json_null();
	o = json_object();
	for (enum codec_id id = 0; id < CODEC_COUNT; id++)
		json_object_set_new(o, id == CODEC_NONE ? "raw" : codec_name(id),
				    json_number(f->by_codec[id]));
	json_object_set_new(o, "unknown", json_number(f->odd));
	return o;
}

static json_t *json_vmcoreinfo(const struct facts *f)
{
	json_t *o;

	if (!f->vmcoreinfo_known)
		return json_null();
	o = json_object();
	for (size_t i = 0; i < ARRAY_LEN(vmcoreinfo_keys); i++) {
		const char *value = vmcoreinfo_text(f->vmcoreinfo, vmcoreinfo_keys[i]);

		if (value)
			json_object_set_new(o, vmcoreinfo_keys[i], json_text(value));
	}
	return o;
}

static json_t *json_pages(const struct facts *f)
{
	const struct kdump_file_bitmaps *b = &f->bitmaps;
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {
		{"ram", b->ram},
		{"present", b->present},
		{"in_file", b->in_file},
		{"excluded", excluded(f)},
		{"missing", f->missing},
		{"absent", absent(f)},
		{"impossible", f->impossible},
		{"shared", f->shared},
	};
	json_t *o = json_object();

	json_object_set_new(o, "max_mapnr", json_number(f->header.max_mapnr));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		json_object_set_new(o, counts[i].name,
				    json_number_if(f->bitmaps_known, counts[i].count));
	return o;
}

/* All troubles as one text, or null. */
static json_t *json_troubles(const struct facts *f)
{
	char text[FACTS_TROUBLES_MAX * (sizeof(f->troubles->msg) + 2)];
	size_t n = 0;

	for (size_t i = 0; i < f->trouble_count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? "; " : "",
				      f->troubles[i].msg);
	return n ? json_text(text) : json_null();
}

static json_t *json_facts(const char *path, const struct facts *f)
{
	const struct kdump_header *h = &f->header;

	return json_pack(
		"{s:o, s:s, s:i, s:o, s:o, s:o, s:o, s:I, s:o, s:i, s:o, s:i, s:i, s:b, s:b, s:o,"
		" s:o, s:o, s:o, s:o, s:o}",
		"file", json_text(path), "format", "kdump-compressed", "header_version",
		(int)h->header_version, "release", json_text(release(f)), "version",
		json_text(h->uts.version), "machine", json_text(h->uts.machine), "nodename",
		json_text(h->uts.nodename), "crash_time", (json_int_t)f->crash_time_s, "live",
		f->notes_known ? json_boolean(f->notes.live) : json_null(), "cpus", (int)h->nr_cpus,
		"cpus_saved", json_number_if(f->notes_known, f->notes.prstatus), "page_size",
		(int)h->block_size, "dump_level", (int)h->dump_level, "split", (int)h->split,
		"complete", (int)facts_complete(f), "pages", json_pages(f), "codecs",
		json_codecs(f), "file_bytes", json_number(f->file_bytes), "payload_bytes",
		json_number_if(f->bitmaps_known, f->payload_bytes), "vmcoreinfo",
		json_vmcoreinfo(f), "trouble", json_troubles(f));
}

/* For a file that isn't a dump, or whose headers can't be read. */
static json_t *json_failure(const char *path, const struct error *err)
{
	return json_pack("{s:o, s:n, s:b, s:o}", "file", json_text(path), "format", "complete", 0,
			 "trouble", json_text(err->msg));
}
#endif

/* The output of --json: an array, or nothing in a build without JSON. */
struct json_output {
#if WITH_JANSSON
	json_t *array;
#endif
	bool wanted;
};

static void show(struct json_output *json, const char *path, const struct facts *f)
{
	if (!json->wanted) {
		print_text(path, f);
		return;
	}
#if WITH_JANSSON
	json_array_append_new(json->array, json_facts(path, f));
#endif
}

static enum exit_status fail(struct json_output *json, const char *path, const struct error *err)
{
#if WITH_JANSSON
	if (json->wanted)
		json_array_append_new(json->array, json_failure(path, err));
#else
	(void)json;
#endif
	log_error("%s: %s", path, err->msg);
	return EXIT_FAILED;
}

static enum exit_status info_file(const char *path, struct json_output *json)
{
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	enum exit_status status;
	struct facts facts;
	struct error err;
	int r = kdump_file_open(path, &d, &err);

	if (r == 0)
		r = facts_init(&facts, d, &err);
	if (r < 0)
		return fail(json, path, &err);
	show(json, path, &facts);
	for (size_t i = 0; i < facts.trouble_count; i++)
		log_error("%s: %s", path, facts.troubles[i].msg);
	status = facts.trouble_count > 0 ? EXIT_FAILED : EXIT_COMPLETE;
	facts_deinit(&facts);
	return status;
}

/* Show all dumps that one operand of the command line stands for. */
static enum exit_status info_below(const char *path, struct json_output *json)
{
	enum exit_status status = EXIT_COMPLETE;
	struct below found;
	struct error err;

	if (below_find(path, &found, &err) < 0)
		return fail(json, path, &err);
	for (size_t i = 0; i < found.count; i++) {
		struct below_item *item = &found.items[i];
		enum exit_status one = EXIT_COMPLETE;

		if (item->trouble)
			one = fail(json, item->path, item->trouble);
		else if (below_is_there(item))
			one = info_file(item->path, json);
		status = MAX(status, one);
	}
	below_deinit(&found);
	return status;
}

enum exit_status info_files(const struct info_setup *setup)
{
	enum exit_status status = EXIT_COMPLETE;
	struct json_output json = {.wanted = setup->json};

#if WITH_JANSSON
	json.array = json_array();
#endif
	for (int i = 0; i < setup->file_count; i++)
		if (info_below(setup->files[i], &json) != EXIT_COMPLETE)
			status = EXIT_FAILED;
#if WITH_JANSSON
	if (setup->json) {
		json_dumpf(json.array, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(json.array);
#endif
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("standard output: can't be written");
		return EXIT_FAILED;
	}
	return status;
}
