/*
 * Chooses how strongly a chunk is compressed, by the bytes that wait for the link.
 *
 * Where many bytes wait, the link is the limit: there is time for a stronger codec, which leaves
 * the link less to carry. Where no bytes wait, the link idles until pages are ready: a faster codec
 * is better. In between, neighbours on the ladder are mixed, chunk by chunk, in proportion to the
 * queue; so the queue settles where pages are made as fast as they are sent. The measure counts
 * every byte that was begun and isn't sent yet, so that it shows a decision at once, and nothing
 * swings. A queue in front of a link that was fast a moment ago doesn't count until it has lasted:
 * it may be a stall.
 */
#ifndef CODEC_PACE_H
#define CODEC_PACE_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	PACE_STEP = 256, /* from one rung to the next */
};

/* The queue in front of the link, as the writer sees it when it has taken a chunk. */
struct codec_pace_sample {
	uint64_t waiting_bytes; /* in the session's output and the socket */
	uint64_t chunk_bytes;	/* the chunk's size in the stream; > 0, with its descriptors */
	uint64_t now_ms;	/* of a clock that doesn't go back */
};

/* Knowledge about the queue, which comes from samples only. */
struct codec_pace_queue {
	uint64_t bytes;	       /* bytes that keep the link busy */
	uint64_t freely_bytes; /* sent lately, while none of them had to wait */
	uint64_t freely_ms;    /* when they last were enough to call the link fast; 0: never yet */
	uint64_t chunk_bytes;  /* lately; 0: none was written yet, and nothing is known about the
				  link */
};

/* Take the next sample. */
void codec_pace_step(struct codec_pace_queue *queue, const struct codec_pace_sample *sample);

/*
 * The strength, from the fastest (0) to the strongest: (rungs - 1) * PACE_STEP. Of the chunks that
 * were begun and aren't written yet, only those count that exceed the number that `workers` have in
 * work; bytes that were handed over count in any case.
 */
uint32_t codec_pace_strength(const struct codec_pace_queue *queue, uint64_t chunks, unsigned rungs,
			     unsigned workers);

/* The rung for chunk k: of chunks at 1.25 steps every fourth is on rung 2, the others on rung 1. */
unsigned codec_pace_rung(uint32_t strength, uint64_t k);

/*
 * What all workers share. Only the writer uses `queue`. Workers read the figures that the writer
 * makes of it at any time, one by one: figures of a moment ago are as good.
 */
struct codec_pace {
	unsigned rungs, workers;
	struct codec_pace_queue queue;
	atomic_uint_fast64_t written; /* chunks */
	atomic_uint_fast64_t bytes, chunk_bytes;
};

/* Begin, with `first_chunk` as the writer's first chunk. No other thread uses `p` meanwhile. */
void codec_pace_begin(struct codec_pace *p, unsigned rungs, unsigned workers, uint64_t first_chunk);

/* A chunk was written. Only the holder of the pipeline's role calls this. */
void codec_pace_written(struct codec_pace *p, const struct codec_pace_sample *sample);

/* The rung for chunk k. Any worker. */
unsigned codec_pace_choose(struct codec_pace *p, uint64_t k);

#endif
