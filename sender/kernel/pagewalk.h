/*
 * One thread's walk over the struct pages. It reads as few struct pages as possible, and says the
 * class of the pages. Where one block follows another, only the first struct pages of each are
 * read. Where each page stands by itself, more struct pages are read at once.
 */
#ifndef PAGEWALK_H
#define PAGEWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/kernel/pageclass.h"

struct kmodel;
struct pagewalk;

/* A walk over the kernel's struct pages; borrows `km`. The caller's to free. Fails -ENOMEM. */
NODISCARD int pagewalk_new(const struct kmodel *km, struct pagewalk **walk_ret, struct error *err);
void pagewalk_free(struct pagewalk *walk);
DEFINE_AUTO(struct pagewalk, pagewalk_free)

/*
 * Borrow the struct pages from pfn on, until the next call: one behind the other, *n_ret of them, 1
 * to `max`. NULL: those of *n_ret pages can't be had.
 */
const uint8_t *pagewalk_get(struct pagewalk *walk, uint64_t pfn, uint64_t max, uint64_t *n_ret);

/* Pages that are told at once. */
struct page_run {
	enum page_class class;
	uint64_t pages; /* 1 and more; a block may reach past what was asked for */
	bool block;	/* told by its first page alone; else each is judged, as the first is */
	bool odd;	/* see struct page_verdict */
	bool known;	/* the struct pages could be read; else they are the kernel's */
	uint64_t flags; /* the first page's */
};

/*
 * The class of the pages from pfn on. A class that can't be told on this kernel counts as the
 * kernel's. A run of single pages has at most end - pfn pages (> 0). They agree in the bits `flags`
 * of their flags, and either all or none have broken memory.
 */
struct page_run pagewalk_next(struct pagewalk *walk, uint64_t pfn, uint64_t end, uint64_t flags);

#endif
