/* Chooses how strongly chunks are compressed.
 * Doesn't know codecs, nor how the queue is measured. */
#include "sender/output/codec_pace.h"

#include <stdbool.h>

#include "base/compiler.h"

enum {
	/* Bytes that may wait though the link isn't the limit: those that were handed over this
	 * moment. */
	SLACK_BYTES = 192 << 10,
	/* So many bytes in front of the link are a queue, even if there are so many workers that
	 * their chunks explain more. */
	QUEUE_BYTES = 640 << 10,
	/* So many bytes more choose the strongest codec. */
	RANGE_BYTES = 1 << 20,

	/* Before any byte was sent, nothing is known of the link: begin with the step that is best
	 * on most links. */
	START_STRENGTH = PACE_STEP,

	SMOOTHING = 16, /* chunks */

	/* Chunks per worker that are no queue: one in work, and those that are ready and follow the
	 * next one to be written. */
	IDLE_CHUNKS = 3,

	/* Where the link has shown that it isn't the limit, a queue must have lasted so long before
	 * the link counts as the limit. A receiver that gets no CPU or disk for a moment makes a
	 * queue too, as does a lost packet, and it is gone as soon as they go on: 10 to 40 ms were
	 * seen of a receiver whose CPU had other work. The time that stronger codecs take meanwhile
	 * would be missing afterwards. */
	HOLD_MS = 32,
	/* So many bytes that went out without waiting show that the link isn't the limit: more than
	 * a rate limit on the way lets through at once. */
	FREELY_BYTES = 2 << 20,
};

/* Note whether bytes had to wait. Returns whether a link that was no limit a moment ago may be one
 * now. */
static bool note_and_believe(struct codec_pace_queue *q, const struct codec_pace_sample *s)
{
	const bool waits = s->waiting_bytes > MAX((uint64_t)SLACK_BYTES, s->chunk_bytes);

	q->freely_bytes = waits ? 0 : q->freely_bytes + s->chunk_bytes;
	if (q->freely_bytes >= FREELY_BYTES)
		q->freely_ms = s->now_ms;
	return s->now_ms - q->freely_ms >= HOLD_MS;
}

void codec_pace_step(struct codec_pace_queue *q, const struct codec_pace_sample *s)
{
	q->bytes = note_and_believe(q, s) ? s->waiting_bytes : 0;
	q->chunk_bytes = q->chunk_bytes
				 ? (q->chunk_bytes * (SMOOTHING - 1) + s->chunk_bytes) / SMOOTHING
				 : s->chunk_bytes;
}

static uint64_t beyond(uint64_t bytes, uint64_t limit)
{
	return bytes > limit ? bytes - limit : 0;
}

uint32_t codec_pace_strength(const struct codec_pace_queue *q, uint64_t chunks, unsigned rungs,
			     unsigned workers)
{
	const uint64_t most = (rungs - 1) * (uint64_t)PACE_STEP;
	const uint64_t begun = q->bytes + chunks * q->chunk_bytes;
	const uint64_t idle = SLACK_BYTES + IDLE_CHUNKS * (uint64_t)workers * q->chunk_bytes;
	const uint64_t bytes = MAX(beyond(begun, idle), beyond(q->bytes, QUEUE_BYTES));

	if (!q->chunk_bytes)
		return (uint32_t)MIN(most, (uint64_t)START_STRENGTH);
	return (uint32_t)MIN(most, bytes * most / RANGE_BYTES);
}

unsigned codec_pace_rung(uint32_t strength, uint64_t k)
{
	/* The bits of k mirrored: any run of chunks has its thresholds spread evenly. */
	uint32_t threshold = 0;

	for (unsigned bit = 1; bit < PACE_STEP; bit *= 2, k /= 2)
		threshold = threshold * 2 + (k & 1);
	return strength / PACE_STEP + (strength % PACE_STEP > threshold);
}

void codec_pace_begin(struct codec_pace *p, unsigned rungs, unsigned workers, uint64_t first_chunk)
{
	p->rungs = rungs;
	p->workers = workers;
	p->queue = (struct codec_pace_queue){0};
	atomic_init(&p->written, first_chunk);
	atomic_init(&p->bytes, 0);
	atomic_init(&p->chunk_bytes, 0);
}

/* Relaxed, here and below: nothing is read on the strength of these figures. */
void codec_pace_written(struct codec_pace *p, const struct codec_pace_sample *sample)
{
	codec_pace_step(&p->queue, sample);
	atomic_fetch_add_explicit(&p->written, 1, memory_order_relaxed);
	atomic_store_explicit(&p->bytes, p->queue.bytes, memory_order_relaxed);
	atomic_store_explicit(&p->chunk_bytes, p->queue.chunk_bytes, memory_order_relaxed);
}

unsigned codec_pace_choose(struct codec_pace *p, uint64_t k)
{
	const uint64_t written = atomic_load_explicit(&p->written, memory_order_relaxed);
	const struct codec_pace_queue queue = {
		.bytes = atomic_load_explicit(&p->bytes, memory_order_relaxed),
		.chunk_bytes = atomic_load_explicit(&p->chunk_bytes, memory_order_relaxed),
	};

	return codec_pace_rung(
		codec_pace_strength(&queue, k - MIN(k, written), p->rungs, p->workers), k);
}
