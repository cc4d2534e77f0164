/*
 * How strongly a chunk is compressed: by how much waits for the link in front of it.
 *
 * Where much waits, the link is the limit, and there is time for a stronger codec, which leaves the
 * link less to carry. Where nothing does, the link idles while it waits for pages: a faster one. In
 * between, neighbours on the ladder are mixed, chunk by chunk, in proportion to the queue; so the
 * queue settles where pages are made as fast as they are sent. What is measured counts everything
 * that was begun and isn't sent, so that a decision shows in it at once: nothing swings. A queue in
 * front of a link that was fast a moment ago doesn't count until it has lasted: it may be a stall.
 */
#ifndef CODEC_PACE_H
#define CODEC_PACE_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	PACE_STEP = 256, /* from one rung to the next */
};

/* What waits for the link, as the writer sees it when it has taken a chunk. */
struct codec_pace_sample {
	uint64_t waiting_bytes; /* in the session's output and the socket */
	uint64_t chunk_bytes;	/* what the chunk has become; > 0, with its descriptors */
	uint64_t now_ms;	/* of a clock that doesn't go back */
};

/* What is known of the queue: from samples, and only from them. */
struct codec_pace_queue {
	uint64_t bytes;	       /* that keep the link busy */
	uint64_t freely_bytes; /* that went out of late, and none of them had to wait */
	uint64_t freely_ms;    /* when they were enough to call the link fast; 0: never yet */
	uint64_t chunk_bytes;  /* of late; 0: none was written, and nothing is known of the link */
};

/* The next sample. */
void codec_pace_step(struct codec_pace_queue *queue, const struct codec_pace_sample *sample);

/*
 * From the fastest (0) to the strongest: (rungs - 1) * PACE_STEP. Of the chunks that were begun and
 * not written so far, those count that are more than `workers` have in work; what was handed over
 * counts in any case.
 */
uint32_t codec_pace_strength(const struct codec_pace_queue *queue, uint64_t chunks, unsigned rungs,
			     unsigned workers);

/* The rung for chunk k: of chunks at 1.25 steps every fourth is on rung 2, the others on rung 1. */
unsigned codec_pace_rung(uint32_t strength, uint64_t k);

/*
 * What all workers share. `queue` is the writer's alone; the figures that it makes of it are read
 * by workers at any time, one by one: those of a moment ago are as good.
 */
struct codec_pace {
	unsigned rungs, workers;
	struct codec_pace_queue queue;
	atomic_uint_fast64_t written; /* chunks */
	atomic_uint_fast64_t bytes, chunk_bytes;
};

/* Where the writer's first chunk is `first_chunk`. No other thread is at it meanwhile. */
void codec_pace_begin(struct codec_pace *p, unsigned rungs, unsigned workers, uint64_t first_chunk);

/* A chunk was written. The holder of the pipeline's role only. */
void codec_pace_written(struct codec_pace *p, const struct codec_pace_sample *sample);

/* The rung for chunk k. Any worker. */
unsigned codec_pace_choose(struct codec_pace *p, uint64_t k);

#endif
