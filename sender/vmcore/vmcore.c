/* The dead kernel's memory by physical address.
 * Doesn't know virtual addresses, nor what a page holds. */
#include "sender/vmcore/vmcore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/checked.h"
#include "base/io.h"
#include "format/kdump.h"
#include "format/vmcoreinfo.h"
#include "sender/vmcore/descriptors.h"

enum {
	DEFAULT_PAGE_BYTES = 4096, /* where VMCOREINFO doesn't say */

	/*
	 * mmap() of /proc/vmcore installs the page table entries of the whole window at once, so a
	 * window is as long as a few chunks, and no longer.
	 */
	WINDOW_BYTES = 1 << 20,
};

/* --- opening --- */

/* Count the CPUs, and find the notes of VMCOREINFO. */
static int walk_notes(struct vmcore *core, struct error *err)
{
	struct elf_note_walk walk;
	struct elf_note note;
	int r;

	elf_note_walk_init(&walk, &core->elf.notes);
	while ((r = elf_note_walk_next(&walk, &note, err)) > 0) {
		if (elf_note_is(&note, "CORE") && note.type == ELF_NT_PRSTATUS)
			core->cpus++;
		else if (elf_note_is(&note, "VMCOREINFO") && note.type == ELF_NT_VMCOREINFO &&
			 core->info_note_count < VMCORE_INFO_NOTES_MAX)
			core->info_notes[core->info_note_count++] = note;
	}
	return r;
}

/* Whether it is a file whose bytes the kernel makes at each read. */
static bool is_of_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Whether a note says that the kernel ran on. Sources: /proc/kcore has one of the task that reads
 * it (Linux fs/proc/kcore.c); crash's snap.so calls it SNAP in a file. */
static int is_live(const struct vmcore *core, bool of_proc, bool *marked_ret, struct error *err)
{
	struct elf_note_walk walk;
	struct elf_note note;
	bool reader = false;
	int r;

	*marked_ret = false;
	elf_note_walk_init(&walk, &core->elf.notes);
	while ((r = elf_note_walk_next(&walk, &note, err)) > 0) {
		if (note.type != ELF_NT_TASKSTRUCT)
			continue;
		reader |= of_proc && elf_note_is(&note, "CORE");
		*marked_ret |= elf_note_is(&note, ELF_NOTE_LIVE);
	}
	return r < 0 ? r : reader || *marked_ret;
}

/* Mark the dump of a running kernel as such, by the note that crash looks for. The note's task
 * should be the one that reads, which isn't known. */
static int mark_live(struct vmcore *core, struct error *err)
{
	const uint8_t no_task[8] = {0};
	uint64_t at;
	bool marked;
	const int r = is_live(core, is_of_proc(core->fd), &marked, err);

	core->live = r > 0;
	if (r <= 0 || marked)
		return MIN(r, 0);
	return elf_notes_append(&core->elf.notes, ELF_NOTE_LIVE, ELF_NT_TASKSTRUCT, no_task,
				sizeof(no_task), &at, err);
}

static uint64_t page_size(const struct vmcore *core)
{
	uint64_t n;

	if (vmcoreinfo_decimal(core->info, "PAGESIZE", &n) && n >= KDUMP_BLOCK_MIN &&
	    n <= KDUMP_BLOCK_MAX && (n & (n - 1)) == 0)
		return n;
	return DEFAULT_PAGE_BYTES;
}

int vmcore_make_map(struct vmcore *core, struct error *err)
{
	const uint64_t page_bytes = page_size(core);

	if (core->page_bytes == page_bytes)
		return 0;
	memmap_deinit(&core->map);
	core->page_bytes = page_bytes;
	return memmap_init(&core->map, core->elf.loads, core->elf.load_count, core->file_bytes,
			   core->page_bytes, err);
}

static int load(struct vmcore *core, enum vmcore_access access, struct error *err)
{
	struct stat st;
	int r;

	if (fstat(core->fd, &st) < 0)
		return error_sys(err, "stat");
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL,
				 "a VMCORE has to be a file, no pipe, folder or device");
	core->file_bytes = (uint64_t)st.st_size;
	core->access = access;
	r = elf_core_init(&core->elf, core->fd, err);
	if (r == 0)
		r = walk_notes(core, err);
	if (r == 0)
		r = mark_live(core, err);
	if (r == 0 && core->info_note_count)
		r = vmcore_info_of_note(core, 0, err);
	return r < 0 ? r : vmcore_make_map(core, err);
}

int vmcore_open(const char *path, enum vmcore_access access, struct vmcore **core_ret,
		struct error *err)
{
	AUTO(vmcore_free) struct vmcore *core = calloc(1, sizeof(*core));
	const bool crashed = strcmp(path, "/proc/vmcore") == 0;

	if (!core)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	/* Opening a pipe or a device must not wait for anybody; to files it makes no difference. */
	core->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (core->fd < 0 && errno == ENOENT && crashed)
		return error_set(err, -ENOENT, "%s: %s: this is no crash kernel; name a VMCORE",
				 path, strerror(ENOENT));
	if (core->fd < 0)
		return error_sys(err, "%s", path);
	/* read() of /proc/vmcore maps and unmaps each page for itself, mmap() doesn't. */
	if (access == VMCORE_ACCESS_AUTO)
		access = crashed ? VMCORE_ACCESS_MMAP : VMCORE_ACCESS_READ;
	if (is_of_proc(core->fd) && descriptors_new(path, core->fd, &core->descriptors, err) < 0)
		return error_prefix(err, "%s", path);
	if (load(core, access, err) < 0)
		return error_prefix(err, "%s", path);
	*core_ret = TAKE_PTR(core);
	return 0;
}

int vmcore_measure(const char *path, struct elf_extent *extent_ret, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? error_sys(err, "%s", path) : elf_core_measure(fd, extent_ret, err);
}

void vmcore_free(struct vmcore *core)
{
	if (!core)
		return;
	memmap_deinit(&core->map);
	vmcore_info_of_none(core);
	elf_core_deinit(&core->elf);
	descriptors_free(core->descriptors);
	if (core->fd >= 0)
		close(core->fd);
	free(core);
}

/* --- reading --- */

static ssize_t read_file(const struct vmcore *core, void *buf, size_t n, uint64_t off)
{
	return core->descriptors ? descriptors_pread(core->descriptors, buf, n, off)
				 : io_pread_full(core->fd, buf, n, off);
}

static int read_piece(const struct vmcore *core, const struct memmap_piece *piece, uint64_t paddr,
		      void *buf, size_t n)
{
	ssize_t got;

	if (piece->off == MEMMAP_LOST)
		return -ENODATA;
	got = read_file(core, buf, n, piece->off + (paddr - piece->paddr));
	if (got < 0)
		return (int)got;
	return (size_t)got < n ? -ENODATA : 0;
}

int vmcore_read(const struct vmcore *core, uint64_t paddr, void *buf, size_t size_bytes)
{
	const struct memmap_piece *piece = memmap_find(&core->map, paddr);
	const struct memmap_piece *const end = core->map.pieces + core->map.piece_count;
	uint8_t *out = buf;

	while (size_bytes) {
		const bool hole = !piece || piece == end || piece->paddr > paddr;
		/* Behind the last piece there is only a hole, the wrap at 2^64 included. */
		const uint64_t there = !hole		       ? piece->end - paddr
				       : piece && piece != end ? piece->paddr - paddr
							       : UINT64_MAX;
		const size_t n = (size_t)MIN((uint64_t)size_bytes, there);

		if (hole) {
			memset(out, 0, n);
		} else {
			const int r = read_piece(core, piece, paddr, out, n);

			if (r < 0)
				return r;
			if (paddr + n == piece->end)
				piece++;
		}
		paddr += n;
		out += n;
		size_bytes -= n;
	}
	return 0;
}

/* --- one thread's pages --- */

struct page_source {
	const struct vmcore *core;
	uint8_t *buf;	 /* PAGE_RUN_BYTES */
	uint8_t *window; /* MAP_FAILED: none */
	uint64_t window_off;
	size_t window_bytes;
	uint64_t refused_off, refused_end; /* where the last mmap() failed: use read() there */
};

int page_source_new(const struct vmcore *core, struct page_source **src_ret, struct error *err)
{
	AUTO(page_source_free) struct page_source *src = calloc(1, sizeof(*src));

	if (!src)
		return error_set(err, -ENOMEM, "out of memory for reading pages");
	src->core = core;
	src->window = MAP_FAILED;
	src->buf = io_buffer(PAGE_RUN_BYTES);
	if (!src->buf)
		return error_set(err, -ENOMEM, "out of memory for reading pages");
	*src_ret = TAKE_PTR(src);
	return 0;
}

static void drop_window(struct page_source *src)
{
	if (src->window != MAP_FAILED)
		munmap(src->window, src->window_bytes);
	src->window = MAP_FAILED;
}

void page_source_free(struct page_source *src)
{
	if (!src)
		return;
	drop_window(src);
	free(src->buf);
	free(src);
}

/* Bytes [off, off + n) of the file from the window, which is moved if need be; NULL where it can't
 * be. */
static const uint8_t *window_get(struct page_source *src, uint64_t off, size_t n,
				 uint64_t piece_end)
{
	const size_t align = (size_t)sysconf(_SC_PAGESIZE);

	if (src->window != MAP_FAILED && off >= src->window_off &&
	    off + n <= src->window_off + src->window_bytes)
		return src->window + (off - src->window_off);
	if (off < src->refused_end && off + n > src->refused_off)
		return NULL;
	drop_window(src);
	src->window_off = off & ~(uint64_t)(align - 1);
	/* Not past the piece: mmap() may refuse the bytes behind it. */
	src->window_bytes = (size_t)MIN(piece_end - src->window_off, (uint64_t)WINDOW_BYTES);
	src->window = mmap(NULL, src->window_bytes, PROT_READ, MAP_PRIVATE, src->core->fd,
			   (off_t)src->window_off);
	if (src->window == MAP_FAILED) {
		src->refused_off = src->window_off;
		src->refused_end = src->window_off + src->window_bytes;
		return NULL;
	}
	return src->window + (off - src->window_off);
}

/*
 * Bytes from paddr on straight from the mapped file, at least n in one piece; else NULL. *there_ret
 * says how many there are.
 */
static const uint8_t *get_mapped(struct page_source *src, uint64_t paddr, size_t n,
				 size_t *there_ret)
{
	const struct memmap_piece *piece = memmap_find(&src->core->map, paddr);
	const uint8_t *p;

	if (!piece || piece->off == MEMMAP_LOST || piece->paddr > paddr || piece->end < paddr + n)
		return NULL;
	p = window_get(src, piece->off + (paddr - piece->paddr), n,
		       piece->off + (piece->end - piece->paddr));
	if (p)
		*there_ret = src->window_bytes - (size_t)(p - src->window);
	return p;
}

const uint8_t *page_source_bytes(struct page_source *src, uint64_t paddr, size_t n,
				 size_t *there_ret)
{
	if (src->core->access == VMCORE_ACCESS_MMAP) {
		const uint8_t *mapped = get_mapped(src, paddr, n, there_ret);

		if (mapped)
			return mapped;
	}
	*there_ret = n;
	return vmcore_read(src->core, paddr, src->buf, n) == 0 ? src->buf : NULL;
}

const uint8_t *page_source_get_in(struct page_source *src, uint64_t pfn, size_t count,
				  uint8_t *room, uint64_t *lost_ret)
{
	const struct vmcore *core = src->core;
	const size_t page = (size_t)core->page_bytes;
	const uint64_t paddr = pfn * page;

	*lost_ret = 0;
	if (core->access == VMCORE_ACCESS_MMAP) {
		size_t there;
		const uint8_t *mapped = get_mapped(src, paddr, count * page, &there);

		if (mapped)
			return mapped;
	}
	if (vmcore_read(core, paddr, room, count * page) == 0)
		return room;
	/* Some page of the run can't be read: find out which, and keep all others. */
	for (size_t i = 0; i < count; i++) {
		if (vmcore_read(core, paddr + i * page, room + i * page, page) == 0)
			continue;
		memset(room + i * page, 0, page);
		*lost_ret |= UINT64_C(1) << i;
	}
	return room;
}

const uint8_t *page_source_get(struct page_source *src, uint64_t pfn, size_t count,
			       uint64_t *lost_ret)
{
	return page_source_get_in(src, pfn, count, src->buf, lost_ret);
}
