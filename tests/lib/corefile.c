/* ELF cores made up for tests.
 * Doesn't know what is tested with them. */
#include "tests/lib/corefile.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"

enum {
	SHDR_BYTES = 64,
	PT_LOAD = 1,
	PT_NOTE = 4,
	EM_X86_64 = 62,
};

struct core_load *core_add_load(struct core_plan *plan, uint64_t paddr, uint64_t file_bytes,
				uint64_t mem_bytes)
{
	struct core_load *l = &plan->loads[plan->load_count++];

	assert(plan->load_count <= CORE_LOADS_MAX);
	*l = (struct core_load){.paddr = paddr, .file_bytes = file_bytes, .mem_bytes = mem_bytes};
	return l;
}

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

void core_add_note(struct core_plan *plan, const char *name, uint32_t type, const void *desc,
		   size_t desc_bytes)
{
	uint8_t *p = plan->notes + plan->notes_bytes;
	const size_t name_bytes = strlen(name) + 1;
	const size_t bytes = 12 + padded(name_bytes) + padded(desc_bytes);

	assert(plan->notes_bytes + bytes <= sizeof(plan->notes));
	memset(p, 0, bytes);
	le32_put(p, (uint32_t)name_bytes);
	le32_put(p + 4, (uint32_t)desc_bytes);
	le32_put(p + 8, type);
	memcpy(p + 12, name, name_bytes);
	memcpy(p + 12 + padded(name_bytes), desc, desc_bytes);
	plan->notes_bytes += bytes;
}

void core_add_vmcoreinfo(struct core_plan *plan, const char *text)
{
	core_add_note(plan, "VMCOREINFO", 0, text, strlen(text));
}

/* --- memory --- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

enum page_look {
	LOOK_ZERO,
	LOOK_SAME,
	LOOK_TEXT,
	LOOK_NUMBERS,
	LOOK_NOISE,
	LOOK_ALMOST_ZERO,
	LOOKS
};

static enum page_look look_of(uint64_t paddr, unsigned salt)
{
	if (salt == CORE_ZEROS)
		return LOOK_ZERO;
	return (enum page_look)(mix(paddr / CORE_PAGE * 31 + salt) % LOOKS);
}

bool core_is_zero_page(uint64_t paddr, unsigned salt)
{
	return look_of(paddr, salt) == LOOK_ZERO;
}

/* The eight bytes at a multiple of eight. */
static uint64_t word_at(uint64_t paddr, unsigned salt)
{
	const uint64_t page = paddr / CORE_PAGE, seed = mix(page + ((uint64_t)salt << 40));

	switch (look_of(paddr, salt)) {
	case LOOK_SAME:
		return seed;
	case LOOK_TEXT:
		return UINT64_C(0x6b63697571206e61) ^ (mix(seed + paddr / 64) & 0x0f0f);
	case LOOK_NUMBERS:
		return UINT64_C(0xffff888000000000) + (mix(paddr) & 0xfffff8);
	case LOOK_NOISE:
		return mix(seed ^ paddr);
	case LOOK_ALMOST_ZERO:
		return paddr % CORE_PAGE == CORE_PAGE - 8 ? UINT64_C(1) << 63 : 0;
	case LOOK_ZERO:
	case LOOKS:
		break;
	}
	return 0;
}

void core_memory(uint64_t paddr, unsigned salt, void *out, size_t n)
{
	uint8_t *p = out;

	while (n) {
		const size_t skip = paddr % 8, part = MIN(n, 8 - skip);
		uint8_t word[8];

		le64_put(word, word_at(paddr - skip, salt));
		memcpy(p, word + skip, part);
		p += part;
		paddr += part;
		n -= part;
	}
}

/* --- the file --- */

/* Places for headers, notes and contents; the length of the file. */
static size_t lay_out(struct core_plan *plan, uint64_t *phoff_ret, uint64_t *shoff_ret,
		      uint64_t *notes_off_ret)
{
	size_t at = CORE_EHDR_BYTES;

	if (plan->phoff)
		at = (size_t)plan->phoff;
	*phoff_ret = at;
	at += (plan->load_count + 1) * CORE_PHDR_BYTES;
	*shoff_ret = at;
	at += plan->xnum ? SHDR_BYTES : 0;
	*notes_off_ret = at;
	at += plan->notes_bytes;
	for (size_t i = 0; i < plan->load_count; i++) {
		struct core_load *l = &plan->loads[i];

		if (l->off) {
			at = MAX(at, (size_t)(l->off + l->file_bytes));
			continue;
		}
		at = (at + CORE_PAGE - 1) / CORE_PAGE * CORE_PAGE +
		     (plan->unaligned ? 13 * i + 1 : 0);
		l->off = at;
		at += (size_t)l->file_bytes;
	}
	return at;
}

static void put_phdr(uint8_t *p, uint32_t type, const struct core_load *l)
{
	le32_put(p, type);
	le64_put(p + 8, l->off);
	le64_put(p + 16, l->vaddr);
	le64_put(p + 24, l->paddr);
	le64_put(p + 32, l->file_bytes);
	le64_put(p + 40, l->mem_bytes);
}

struct core core_make(struct core_plan *plan)
{
	uint64_t phoff, shoff, notes_off;
	struct core core = {.size_bytes = lay_out(plan, &phoff, &shoff, &notes_off)};
	const uint16_t count = (uint16_t)(plan->load_count + 1);
	struct core_load notes = {.off = notes_off, .file_bytes = plan->notes_bytes};
	uint8_t *p = core.bytes = calloc(1, core.size_bytes);

	assert(p);
	memcpy(p, "\177ELF\2\1\1", 7);
	le16_put(p + 16, 4); /* ET_CORE */
	le16_put(p + 18, plan->machine ? plan->machine : EM_X86_64);
	le32_put(p + 20, 1);
	le64_put(p + 32, phoff);
	le64_put(p + 40, plan->xnum ? shoff : 0);
	le16_put(p + 52, plan->ehsize ? plan->ehsize : CORE_EHDR_BYTES);
	le16_put(p + 54, CORE_PHDR_BYTES);
	le16_put(p + 56, plan->xnum ? 0xffff : count);
	le16_put(p + 58, SHDR_BYTES);
	if (plan->xnum)
		le32_put(p + shoff + 44, count);
	put_phdr(p + phoff, PT_NOTE, &notes);
	memcpy(p + notes_off, plan->notes, plan->notes_bytes);
	for (size_t i = 0; i < plan->load_count; i++) {
		const struct core_load *l = &plan->loads[i];

		put_phdr(p + phoff + (i + 1) * CORE_PHDR_BYTES, PT_LOAD, l);
		if (l->salt != CORE_ZEROS)
			core_memory(l->paddr, l->salt, p + l->off, (size_t)l->file_bytes);
	}
	return core;
}

void core_free(struct core *core)
{
	free(core->bytes);
	*core = (struct core){0};
}

int core_file(const void *bytes, size_t size_bytes, char path[static 32])
{
	const int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size_bytes) < 0) {
		perror("memfd_create");
		abort();
	}
	for (size_t done = 0; done < size_bytes;) {
		const ssize_t n = write(fd, (const uint8_t *)bytes + done, size_bytes - done);

		if (n <= 0) {
			perror("memfd");
			abort();
		}
		done += (size_t)n;
	}
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}
