/*
 * A log for a kernel made up (kernel.h): the lockless ring of messages, empty at first.
 */
#ifndef TESTS_KERNELLOG_H
#define TESTS_KERNELLOG_H

#include <stddef.h>
#include <stdint.h>

struct kernel;

enum {
	/* How it is laid out. */
	KERNELLOG_DESC_BYTES = 24,
	KERNELLOG_INFO_BYTES = 32,
	KERNELLOG_RING_BYTES = 96,
	KERNELLOG_DESC_RING = 8, /* in the ring */
	KERNELLOG_TEXT_RING = 56,

	/* States of a message. */
	KERNELLOG_RESERVED = 0,
	KERNELLOG_COMMITTED = 1,
	KERNELLOG_FINALIZED = 2,
	KERNELLOG_REUSABLE = 3,
};

struct kernellog {
	struct kernel *k;
	unsigned count_bits, size_bits;
	uint64_t ring, descs, infos, data; /* paddrs */
};

/* A ring of 2^count_bits messages with 2^size_bits bytes of text. VMCOREINFO has it. */
struct kernellog kernellog_add(struct kernel *k, unsigned count_bits, unsigned size_bits);

/* The first and the last message. */
void kernellog_set_ids(const struct kernellog *log, uint64_t tail, uint64_t head);

struct kernellog_message {
	uint64_t id;
	unsigned state;
	uint64_t begin, next; /* positions, which count on over the ring's end */
	const char *text;
	size_t text_len; /* 0: the text's */
	uint64_t time_ns;
	uint32_t caller;
	uint64_t block_id; /* what stands in front of the text, less the id; mostly 0 */
};

void kernellog_put(const struct kernellog *log, const struct kernellog_message *m);

#endif
