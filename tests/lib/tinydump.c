/* Makes a small dump by hand.
 * Uses none of the program's writers but for headers, descriptors and codecs. */
#include "tests/lib/tinydump.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/codec.h"
#include "format/flat.h"

static const char vmcoreinfo[] = "OSRELEASE=6.1.0-tiny\n"
				 "BUILD-ID=00112233445566778899aabbccddeeff00112233\n"
				 "PAGESIZE=4096\n"
				 "SYMBOL(init_uts_ns)=ffffffff82a1a1a0\n"
				 "NUMBER(phys_base)=-77594624\n"
				 "CRASHTIME=1795383197\n";

static void *must(void *p)
{
	if (!p) {
		perror("tests/lib");
		abort();
	}
	return p;
}

int tinydump_has(uint64_t pfn)
{
	/* Every seventh page of RAM is excluded. */
	return pfn < TINY_PFNS && !(pfn >= TINY_HOLE_BEGIN && pfn < TINY_HOLE_END) && pfn % 7 != 6;
}

/* Every ninth page is zero, every eleventh is noise, the others are words that compress. */
void tinydump_page(uint64_t pfn, uint8_t page[static TINY_BLOCK])
{
	uint32_t x = (uint32_t)pfn * 2654435761U + 1;

	memset(page, 0, TINY_BLOCK);
	if (pfn % 9 == 5)
		return;
	for (size_t i = 0; i < TINY_BLOCK / 4; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		le32_put(page + 4 * i, pfn % 11 == 3 ? x : (uint32_t)pfn + (x & 3));
	}
}

/* What tinydump_has() is to a dump. */
struct shape {
	uint64_t pfns;
	int (*has)(uint64_t pfn);
	bool zeros; /* there are pages of zeros, which share a payload */
};

static int small_has(uint64_t pfn)
{
	return pfn == 1 || pfn == 2 || pfn == 4;
}

static size_t add_note(uint8_t *out, const char *name, uint32_t type, const void *desc, size_t size)
{
	const size_t name_bytes = strlen(name) + 1, name_room = (name_bytes + 3) / 4 * 4;

	le32_put(out, (uint32_t)name_bytes);
	le32_put(out + 4, (uint32_t)size);
	le32_put(out + 8, type);
	memcpy(out + 12, name, name_bytes);
	memcpy(out + 12 + name_room, desc, size);
	return 12 + name_room + (size + 3) / 4 * 4;
}

static void put_headers(struct tinydump *t, const struct shape *shape)
{
	static const uint8_t registers[336];
	struct kdump_header *h = &t->header;
	uint8_t *notes = t->bytes + TINY_BLOCK + KDUMP_SUB_HEADER_BYTES;
	size_t n = 0;

	*h = (struct kdump_header){
		.header_version = KDUMP_HEADER_VERSION,
		.uts = {.sysname = "Linux",
			.nodename = "tiny",
			.release = "6.1.0-tiny",
			.version = "#1",
			.machine = "x86_64"},
		.crash_time_s = 1795383197,
		.status = KDUMP_ZLIB,
		.block_size = TINY_BLOCK,
		.sub_hdr_blocks = 1,
		.bitmap_blocks = 2,
		.nr_cpus = 2,
		.dump_level = shape->zeros ? 31 : 30,
		.notes_off = TINY_BLOCK + KDUMP_SUB_HEADER_BYTES,
		.max_mapnr = shape->pfns,
	};
	n += add_note(notes, "CORE", NT_PRSTATUS, registers, sizeof(registers));
	n += add_note(notes + n, "CORE", NT_PRSTATUS, registers, sizeof(registers));
	h->vmcoreinfo_off = h->notes_off + n + 12 + 12;
	h->vmcoreinfo_bytes = sizeof(vmcoreinfo) - 1;
	n += add_note(notes + n, "VMCOREINFO", 0, vmcoreinfo, sizeof(vmcoreinfo) - 1);
	h->notes_bytes = n;
	kdump_put_header(t->bytes, h);
	kdump_put_sub_header(t->bytes + TINY_BLOCK, h);
	t->at = kdump_layout(h);
}

static void put_bitmaps(struct tinydump *t, const struct shape *shape)
{
	for (uint64_t pfn = 0; pfn < shape->pfns; pfn++) {
		const uint8_t bit = (uint8_t)(1 << pfn % 8);

		if (pfn < TINY_HOLE_BEGIN || pfn >= TINY_HOLE_END)
			t->bytes[t->at.bitmap1_off + pfn / 8] |= bit;
		if (shape->has(pfn)) {
			t->bytes[t->at.bitmap2_off + pfn / 8] |= bit;
			t->pages++;
		}
	}
}

/* The payload of one page at `out`, in the codec that its number falls on. */
static struct kdump_desc put_payload(uint64_t pfn, const uint8_t *page, uint8_t *out)
{
	const enum codec_id id = (enum codec_id)(pfn % CODEC_COUNT);
	struct kdump_desc desc = {.size_bytes = TINY_BLOCK};
	struct compressor *c = NULL;
	struct error err;
	uint8_t *room;
	int min, max, level;
	size_t size = 0;

	codec_levels(id, &min, &max, &level);
	if (id != CODEC_NONE && codec_is_built(id) &&
	    compressor_new(id, level, TINY_BLOCK, &c, &err) == 0) {
		room = must(malloc(compressor_bound(c)));
		size = compressor_run(c, page, room);
		memcpy(out, room, size);
		free(room);
		compressor_free(c);
	}
	if (size > 0) {
		desc.size_bytes = (uint32_t)size;
		desc.flags = codec_kdump_flag(id);
	} else {
		memcpy(out, page, TINY_BLOCK);
	}
	return desc;
}

static void put_pages(struct tinydump *t, const struct shape *shape)
{
	/* The page of zeros goes first. */
	size_t index = 0, at = t->data_off + (shape->zeros ? TINY_BLOCK : 0);

	t->zero_page = SIZE_MAX;
	for (uint64_t pfn = 0; pfn < shape->pfns; pfn++) {
		struct kdump_desc desc = {.off = t->data_off, .size_bytes = TINY_BLOCK};
		uint8_t page[TINY_BLOCK];

		if (!shape->has(pfn))
			continue;
		tinydump_page(pfn, page);
		if (pfn % 9 != 5) {
			desc = put_payload(pfn, page, t->bytes + at);
			desc.off = at;
			at += desc.size_bytes;
		} else if (t->zero_page == SIZE_MAX) {
			t->zero_page = index;
		}
		kdump_put_desc(tinydump_desc(t, index++), &desc);
	}
	t->size_bytes = at;
}

static struct tinydump make(const struct shape *shape)
{
	struct tinydump t = {.bytes = must(calloc(shape->pfns + 16, TINY_BLOCK))};

	put_headers(&t, shape);
	put_bitmaps(&t, shape);
	t.data_off = (size_t)t.at.desc_off + t.pages * KDUMP_DESC_BYTES;
	put_pages(&t, shape);
	return t;
}

struct tinydump tinydump_make(void)
{
	return make(&(struct shape){.pfns = TINY_PFNS, .has = tinydump_has, .zeros = true});
}

struct tinydump tinydump_make_small(void)
{
	return make(&(struct shape){.pfns = TINY_SMALL_PFNS, .has = small_has});
}

void tinydump_free(struct tinydump *t)
{
	free(t->bytes);
	*t = (struct tinydump){0};
}

uint8_t *tinydump_desc(struct tinydump *t, size_t i)
{
	return t->bytes + t->at.desc_off + i * KDUMP_DESC_BYTES;
}

void stream_free(struct stream *s)
{
	free(s->bytes);
	*s = (struct stream){0};
}

void stream_add(struct stream *s, const void *bytes, size_t size_bytes)
{
	if (size_bytes == 0)
		return;
	if (s->room - s->size_bytes < size_bytes) {
		s->room = 2 * s->room + size_bytes;
		s->bytes = must(realloc(s->bytes, s->room));
	}
	memcpy(s->bytes + s->size_bytes, bytes, size_bytes);
	s->size_bytes += size_bytes;
}

void stream_header(struct stream *s)
{
	uint8_t header[FLAT_HEADER_BYTES];

	flat_put_header(header);
	stream_add(s, header, sizeof(header));
}

void stream_record(struct stream *s, uint64_t off, const void *bytes, size_t size_bytes)
{
	uint8_t header[FLAT_RECORD_BYTES];

	flat_put_record(header, off, size_bytes);
	stream_add(s, header, sizeof(header));
	stream_add(s, bytes, size_bytes);
}

void stream_end(struct stream *s)
{
	uint8_t marker[FLAT_RECORD_BYTES];

	flat_put_end(marker);
	stream_add(s, marker, sizeof(marker));
}

struct stream stream_of(const struct tinydump *t, size_t record_bytes)
{
	struct stream s = {0};

	stream_header(&s);
	for (size_t off = 0; off < t->size_bytes; off += record_bytes) {
		const size_t left = t->size_bytes - off;

		stream_record(&s, off, t->bytes + off, left < record_bytes ? left : record_bytes);
	}
	stream_end(&s);
	return s;
}
