/* ELF64 cores: headers to loads and notes.
 * Doesn't know what the loads are for, nor reads any page. */
#include "sender/vmcore/elf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "base/io.h"
#include "base/reader.h"
#include "base/sniff.h"

/* Source: the System V ABI's ELF-64 object file format. */
enum {
	EHDR_BYTES = 64,
	PHDR_BYTES = 56,
	SHDR_BYTES = 64,
	CLASS_64 = 2,
	DATA_LITTLE_ENDIAN = 1,
	TYPE_CORE = 4,
	PN_XNUM = 0xffff,
	PT_LOAD = 1,
	PT_NOTE = 4,

	PHDRS_AT_ONCE = 64,
};

struct ehdr {
	uint16_t type, machine, phentsize, phnum;
	uint64_t phoff, shoff;
};

struct phdr {
	uint32_t type;
	uint64_t off, vaddr, paddr, file_bytes, mem_bytes;
};

static int read_exactly(int fd, void *buf, size_t n, uint64_t off, const char *what,
			struct error *err)
{
	/* The system refuses a read that would end past 2^63 - 1 as a bad argument: to us it is
	 * past the end. */
	const ssize_t got = off > INT64_MAX - n ? 0 : io_pread_full(fd, buf, n, off);

	if (got < 0)
		return error_set(err, (int)got, "reading the %s at offset %" PRIu64 ": %s", what,
				 off, strerror((int)-got));
	if ((size_t)got < n)
		return error_set(err, -ENODATA,
				 "the %s at offset %" PRIu64 " is cut short: %zd of %zu bytes",
				 what, off, got, n);
	return 0;
}

static int read_ehdr(int fd, struct ehdr *e, struct error *err)
{
	uint8_t raw[EHDR_BYTES] = {0}; /* gcc -O0 warns of the next line else */
	struct rd r = rd_init(raw, sizeof(raw));
	const uint8_t *ident;
	int ret = read_exactly(fd, raw, sizeof(raw), 0, "ELF header", err);

	if (ret < 0)
		return ret;
	ident = rd_bytes(&r, 16);
	e->type = rd_le16(&r);
	e->machine = rd_le16(&r);
	rd_bytes(&r, 4 + 8); /* version, entry */
	e->phoff = rd_le64(&r);
	e->shoff = rd_le64(&r);
	rd_bytes(&r, 4 + 2); /* flags; ehsize, which QEMU 7.2 gets wrong */
	e->phentsize = rd_le16(&r);
	e->phnum = rd_le16(&r);

	if (memcmp(ident, "\177ELF", 4) != 0)
		return error_set(err, -EBADMSG, "no ELF file%s", sniff(raw, sizeof(raw)));
	if (ident[4] != CLASS_64 || ident[5] != DATA_LITTLE_ENDIAN)
		return error_set(err, -EBADMSG, "ELF, but not 64-bit little-endian");
	if (e->type != TYPE_CORE)
		return error_set(err, -EBADMSG, "ELF, but no core file (type %d)", e->type);
	if (e->phentsize != PHDR_BYTES)
		return error_set(err, -EBADMSG, "program headers of %d bytes, not %d", e->phentsize,
				 PHDR_BYTES);
	return 0;
}

/* The number of program headers: 0xffff or more of them are counted in section header 0 (sh_info).
 */
static int count_phdrs(int fd, const struct ehdr *e, uint32_t *count_ret, struct error *err)
{
	uint8_t raw[SHDR_BYTES];
	int r;

	*count_ret = e->phnum;
	if (e->phnum == PN_XNUM) {
		r = read_exactly(fd, raw, sizeof(raw), e->shoff, "section header", err);
		if (r < 0)
			return r;
		*count_ret = le32_get(raw + 44);
	}
	if (*count_ret > ELF_LOADS_MAX)
		return error_set(err, -EFBIG,
				 "%" PRIu32 " program headers, at most %d are plausible",
				 *count_ret, ELF_LOADS_MAX);
	if (*count_ret == 0)
		return error_set(err, -EBADMSG, "no program headers");
	return 0;
}

static struct phdr get_phdr(struct rd *r)
{
	struct phdr p;

	p.type = rd_le32(r);
	rd_bytes(r, 4); /* flags */
	p.off = rd_le64(r);
	p.vaddr = rd_le64(r);
	p.paddr = rd_le64(r);
	p.file_bytes = rd_le64(r);
	p.mem_bytes = rd_le64(r);
	rd_bytes(r, 8); /* align */
	return p;
}

static int add_load(struct elf_core *core, const struct phdr *p, uint32_t index, struct error *err)
{
	uint64_t end;

	/* /proc/kcore has virtual ranges without a physical address too. */
	if (p->paddr == UINT64_MAX)
		return 0;
	if (ckd_add(&end, p->paddr, p->mem_bytes) || ckd_add(&end, p->off, p->file_bytes) ||
	    end > INT64_MAX || p->file_bytes > p->mem_bytes)
		return error_set(err, -EBADMSG,
				 "segment %" PRIu32 ": impossible range: paddr 0x%" PRIx64
				 ", %" PRIu64 " bytes of %" PRIu64 " at offset 0x%" PRIx64,
				 index, p->paddr, p->file_bytes, p->mem_bytes, p->off);
	if (p->mem_bytes)
		core->loads[core->load_count++] = (struct elf_load){
			.paddr = p->paddr,
			.vaddr = p->vaddr,
			.off = p->off,
			.file_bytes = p->file_bytes,
			.mem_bytes = p->mem_bytes,
		};
	return 0;
}

/* Takes program header `index`; fails with *err set. */
typedef int phdr_fn(void *ctx, const struct phdr *p, uint32_t index, struct error *err);

/* Give each program header to fn(), without having all of them in memory. */
static int each_phdr(int fd, const struct ehdr *e, uint32_t count, phdr_fn *fn, void *ctx,
		     struct error *err)
{
	uint8_t raw[PHDRS_AT_ONCE * PHDR_BYTES];
	int r = 0;

	for (uint32_t first = 0; first < count && r == 0; first += PHDRS_AT_ONCE) {
		const size_t n = MIN(count - first, (uint32_t)PHDRS_AT_ONCE);
		struct rd rd = rd_init(raw, n * PHDR_BYTES);
		uint64_t off;

		/* An offset past 2^64 is past the end of any file. */
		if (ckd_add(&off, e->phoff, (uint64_t)first * PHDR_BYTES))
			off = UINT64_MAX;
		r = read_exactly(fd, raw, n * PHDR_BYTES, off, "program header table", err);
		for (uint32_t i = 0; i < n && r == 0; i++) {
			const struct phdr p = get_phdr(&rd);

			r = fn(ctx, &p, first + i, err);
		}
	}
	return r;
}

static int take_phdr(void *ctx, const struct phdr *p, uint32_t index, struct error *err)
{
	struct elf_core *core = ctx;

	if (p->type == PT_LOAD)
		return add_load(core, p, index, err);
	return p->type == PT_NOTE ? elf_notes_add(&core->notes, p->off, p->file_bytes, err) : 0;
}

int elf_core_init(struct elf_core *core, int fd, struct error *err)
{
	struct ehdr e;
	uint32_t count = 0;
	int r;

	*core = (struct elf_core){0};
	elf_notes_init(&core->notes, fd);
	r = read_ehdr(fd, &e, err);
	if (r == 0)
		r = count_phdrs(fd, &e, &count, err);
	if (r < 0)
		return r;
	core->machine = e.machine;
	core->loads = calloc(count, sizeof(*core->loads));
	if (!core->loads)
		return error_set(err, -ENOMEM, "out of memory for %" PRIu32 " program headers",
				 count);
	r = each_phdr(fd, &e, count, take_phdr, core, err);
	if (r == 0 && core->load_count == 0)
		r = error_set(err, -EBADMSG, "no memory in it: no PT_LOAD segment");
	return r == 0 ? elf_notes_hold(&core->notes, err) : r;
}

static int measure_phdr(void *ctx, const struct phdr *p, uint32_t index UNUSED,
			struct error *err UNUSED)
{
	struct elf_extent *extent = ctx;
	uint64_t end;

	extent->phdrs++;
	if (p->type == PT_LOAD && p->paddr != UINT64_MAX && !ckd_add(&end, p->paddr, p->mem_bytes))
		extent->paddr_end = MAX(extent->paddr_end, end);
	return 0;
}

int elf_core_measure(int fd, struct elf_extent *extent_ret, struct error *err)
{
	struct elf_extent extent = {0};
	struct ehdr e;
	uint32_t count = 0;
	int r = read_ehdr(fd, &e, err);

	if (r == 0)
		r = count_phdrs(fd, &e, &count, err);
	if (r == 0)
		r = each_phdr(fd, &e, count, measure_phdr, &extent, err);
	if (r == 0)
		*extent_ret = extent;
	return r;
}

void elf_core_deinit(struct elf_core *core)
{
	free(core->loads);
	elf_notes_deinit(&core->notes);
	*core = (struct elf_core){0};
}
