/*
 * The dead kernel's memory: an ELF core that is opened once and read by physical address. After
 * vmcore_open() everything here is constant, and any number of threads may read.
 */
#ifndef VMCORE_H
#define VMCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"
#include "sender/vmcore/elf.h"
#include "sender/vmcore/memmap.h"

struct descriptors;
struct vmcoreinfo;

/* The way in which pages are read. */
enum vmcore_access {
	VMCORE_ACCESS_AUTO, /* MMAP for /proc/vmcore, READ for a regular file */
	VMCORE_ACCESS_MMAP, /* windows of the file; READ where a window can't be had */
	VMCORE_ACCESS_READ, /* pread */
};

enum {
	/* The most notes of VMCOREINFO that are considered; further ones stay as they are. */
	VMCORE_INFO_NOTES_MAX = 16,
};

struct vmcore {
	int fd;
	struct descriptors *descriptors; /* for reading; NULL: all threads read by fd */
	enum vmcore_access access;	 /* never AUTO */
	uint64_t file_bytes;
	uint64_t page_bytes; /* a power of two, 4 KiB to 256 KiB */
	struct elf_core elf;
	struct memmap map;
	struct vmcoreinfo *info; /* NULL: there is none, or it is unusable */
	uint8_t *info_text;	 /* NULL with info_bytes 0 if there is none */
	size_t info_bytes;
	uint64_t info_at; /* place of the text in elf.notes; 0: it isn't there */
	struct elf_note info_notes[VMCORE_INFO_NOTES_MAX]; /* the notes of VMCOREINFO */
	unsigned info_note_count;
	uint32_t cpus; /* NT_PRSTATUS notes */
	bool live;     /* the kernel ran on while its memory was read; a note says so then */

	/*
	 * Once it is due, the crashed kernel's own data can't be read any more: see paging.h. Set
	 * by the function that opened the core, before any other has it.
	 */
	struct stop stop;
};

/*
 * Open the core `path`. The caller frees the core. Fails as elf_core_init() and memmap_init(), or
 * with the system's error; the message begins with the path. A missing VMCOREINFO is no failure.
 */
NODISCARD int vmcore_open(const char *path, enum vmcore_access access, struct vmcore **core_ret,
			  struct error *err);
/* Measure the core `path`, for which vmcore_open() had no memory, without taking any. Fails as
 * elf_core_init(), or with the system's error. */
NODISCARD int vmcore_measure(const char *path, struct elf_extent *extent_ret, struct error *err);

void vmcore_free(struct vmcore *core);
DEFINE_AUTO(struct vmcore, vmcore_free)

/*
 * Choose the core's VMCOREINFO, before other threads have the core. After vmcore_open() it is that
 * of the first note. This takes that of info_notes[number]; an unusable one counts as none. Fails
 * -ENOMEM, or with the read's error.
 */
NODISCARD int vmcore_info_of_note(struct vmcore *core, unsigned number, struct error *err);

/* Choose a text of n bytes that was found in memory; it is copied. Fails -ENOMEM. */
NODISCARD int vmcore_info_of_memory(struct vmcore *core, const char *text, size_t n,
				    struct error *err);

/* Choose none. */
void vmcore_info_of_none(struct vmcore *core);

/*
 * Make the last choice final: only the chosen note keeps VMCOREINFO's name, and the page size is
 * the one that it gives. To be called once. Fails -ENOMEM, or with the read's error.
 */
NODISCARD int vmcore_settle_info(struct vmcore *core, struct error *err);

/* For the functions above: make the map anew if core->info has another page size. */
NODISCARD int vmcore_make_map(struct vmcore *core, struct error *err);

/*
 * Read physical memory; addresses that no load covers read as zeros. Fails with the read's error,
 * or -ENODATA where the file was cut short. Any thread.
 */
NODISCARD int vmcore_read(const struct vmcore *core, uint64_t paddr, void *buf, size_t size_bytes);

/* One thread's view of the pages: its buffer and its window. Opaque. */
struct page_source;

enum {
	PAGE_RUN_BYTES = 256 << 10, /* in one call: long enough that the number of calls costs
				       nothing */
	PAGE_RUN_MAX = 64,	    /* pages of 4 KiB in that: a bit each in a word */
};

NODISCARD int page_source_new(const struct vmcore *core, struct page_source **src_ret,
			      struct error *err);
void page_source_free(struct page_source *src);
DEFINE_AUTO(struct page_source, page_source_free)

/*
 * Borrow `count` pages (at least 1, at most PAGE_RUN_BYTES) from `pfn` on, one behind the other,
 * until the next call. Bit i of *lost_ret says that page pfn + i can't be read; only that page is
 * lost, and it reads as zeros.
 */
const uint8_t *page_source_get(struct page_source *src, uint64_t pfn, size_t count,
			       uint64_t *lost_ret);

/*
 * The same, for a caller that has a buffer `room` for the pages, which is long enough. Pages that
 * are read rather than mapped are read into it, and need no copy.
 */
const uint8_t *page_source_get_in(struct page_source *src, uint64_t pfn, size_t count,
				  uint8_t *room, uint64_t *lost_ret);

/*
 * Borrow `n` bytes (at most PAGE_RUN_BYTES) at a physical address, as long as with
 * page_source_get(). Where the file is mapped there may be more bytes behind them: *there_ret says
 * how many in all. NULL: some of the n can't be read.
 */
const uint8_t *page_source_bytes(struct page_source *src, uint64_t paddr, size_t n,
				 size_t *there_ret);

#endif
