/* The ordered pipeline: everything that two threads share about pages, and every atomic that a
 * memory access depends on (codec_pace.h has hints). Doesn't know what a chunk is, nor where it
 * goes. */

/*
 *   FREE(g) ──publish──► READY(g) ──retire──► FREE(g+1)      model: tests/model/pipeline.pml
 *         worker of chunk         role's holder
 *
 * Chunk k (counted from the first of this pass) lives in slot k % R, in that slot's generation g =
 * k / R. A slot's word, which is also the futex that a worker sleeps on, holds g, whether it is
 * READY, and the bits WAITED and STOP.
 *
 * [P1] Chunks are claimed in order (one atomic add) and chunk k lives in slot k % R: the next chunk
 * to write is always in the head slot. Nothing to search, nothing to get wrong.
 *
 * [P2] A chunk's bytes are written before the releasing publish and read after the acquiring load
 * of its word; they are read before the releasing retire and written again after the acquiring load
 * of FREE.
 *
 * [P3] A worker touches a slot only while its word is FREE(g of its chunk): the owner of the head
 * chunk waits for nobody but the role's holder, whatever R is.
 *
 * [P4] Who waits for a slot sets WAITED in the very value it judged, and sleeps on that; the retire
 * that ends its wait finds the bit, clears it and wakes all. A publish wakes nobody: a worker that
 * sleeps there needs the retire that follows.
 *
 * [P5] The first failure is stored once, sets STOP in every word and wakes everybody; every thread
 * is joined, nobody is cancelled. Additions leave the low bits alone, so no publish or retire can
 * lose STOP.
 *
 * [P6] Who gives the role back looks at the head slot again: a publish that found the role taken is
 * never left behind.
 *
 * [P7] The consumer is a role, not a thread. Only the role's holder moves the head, writes and
 * retires.
 */
#include "sender/threads/pipeline.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "sender/machine/meminfo.h"

enum {
	STOP = 1,
	WAITED = 2,
	/* FREE(g) to READY(g), and READY(g) to FREE(g + 1): wraps around without touching the bits.
	 */
	STEP = 4,
	BITS = STOP | WAITED,
};

_Static_assert(sizeof(atomic_uint) == 4, "a futex is four bytes");

struct slot {
	/* A cache line of its own: neighbours are published by other workers. */
	_Alignas(64) atomic_uint word;
	void *item; /* the caller's */
};

struct ring {
	const struct pipeline *p;
	struct slot *slots;

	_Alignas(64) atomic_uint_fast64_t next; /* the next chunk to claim */
	_Alignas(64) atomic_bool role;		/* taken */
	uint64_t head;				/* the next chunk to write: the role's holder's */

	atomic_bool ended; /* somebody failed or asked to end */
	int result;	   /* written by the thread that set `ended`, read when all are joined */
	struct error *err;
};

struct worker_thread {
	pthread_t id;
	struct ring *ring;
	void *worker;
};

static void futex_wait(atomic_uint *word, unsigned seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* --- slots --- */

static struct slot *slot_of(const struct ring *ring, uint64_t k)
{
	return &ring->slots[(k - ring->p->first_chunk) % ring->p->item_count];
}

static unsigned word_free(const struct ring *ring, uint64_t k)
{
	return (unsigned)((k - ring->p->first_chunk) / ring->p->item_count) * 2 * STEP;
}

static unsigned word_ready(const struct ring *ring, uint64_t k)
{
	return word_free(ring, k) + STEP;
}

/* Wait until the slot of chunk k is free for it [P3]. False: stop. */
static bool slot_await_free(struct ring *ring, uint64_t k)
{
	struct slot *slot = slot_of(ring, k);
	/* [P2] acquire: pairs with the release in slot_retire(). */
	unsigned seen = atomic_load_explicit(&slot->word, memory_order_acquire);

	while (!(seen & STOP) && (seen & ~BITS) != word_free(ring, k)) {
		/* [P4]. Acquire [P2]: a failed exchange loads the word anew. */
		if (!(seen & WAITED) && !atomic_compare_exchange_weak_explicit(
						&slot->word, &seen, seen | WAITED,
						memory_order_acquire, memory_order_acquire))
			continue;
		futex_wait(&slot->word, seen | WAITED);
		seen = atomic_load_explicit(&slot->word, memory_order_acquire); /* [P2], as above */
	}
	return !(seen & STOP);
}

static void slot_publish(struct ring *ring, uint64_t k)
{
	/*
	 * [P2] release: pairs with the acquire in slot_is_ready(). [P6] and sequentially
	 * consistent, as the exchange of the role after it: either that takes the role, or the
	 * holder, which looks again after giving the role back, sees this.
	 */
	atomic_fetch_add_explicit(&slot_of(ring, k)->word, STEP, memory_order_seq_cst);
}

/* Whether chunk k is there to be written (and nobody said stop). */
static bool slot_is_ready(struct ring *ring, uint64_t k)
{
	/* [P2] acquire: pairs with the add in slot_publish(). [P6] sequentially consistent: not
	 * before the role is given back. */
	const unsigned word = atomic_load_explicit(&slot_of(ring, k)->word, memory_order_seq_cst);

	return (word & ~WAITED) == word_ready(ring, k);
}

static void slot_retire(struct ring *ring, uint64_t k)
{
	struct slot *slot = slot_of(ring, k);
	/* [P2] release: pairs with the acquire in slot_await_free(). */
	const unsigned was = atomic_fetch_add_explicit(&slot->word, STEP, memory_order_release);

	if (was & WAITED) {
		/* [P4] Relaxed: the add above published the slot. A worker that sets the bit later
		 * finds the new value. */
		atomic_fetch_and_explicit(&slot->word, ~(unsigned)WAITED, memory_order_relaxed);
		futex_wake_all(&slot->word);
	}
}

/* End the pass, with the first result that anybody reports [P5]. */
static void ring_end(struct ring *ring, int result, const struct error *err)
{
	/* Relaxed: it decides which thread writes the result; the joins order that before the
	 * result is read. */
	if (!atomic_exchange_explicit(&ring->ended, true, memory_order_relaxed)) {
		ring->result = result;
		if (result < 0)
			*ring->err = *err;
	}
	for (uint64_t i = 0; i < ring->p->item_count; i++) {
		/* Relaxed: nothing is read on the strength of STOP. */
		atomic_fetch_or_explicit(&ring->slots[i].word, STOP, memory_order_relaxed);
		futex_wake_all(&ring->slots[i].word);
	}
}

/* --- workers --- */

/* Write every chunk that is ready, if the role is free. False: the pass ends. */
static bool ring_drain(struct ring *ring)
{
	const struct pipeline *p = ring->p;
	uint64_t head;

	do {
		/*
		 * [P7] acquire: pairs with the release of the role below, for the head and the
		 * writer's state. [P6] sequentially consistent, as the publish before it.
		 */
		if (atomic_exchange_explicit(&ring->role, true, memory_order_seq_cst))
			return true;
		for (head = ring->head; head < p->end_chunk && slot_is_ready(ring, head); head++) {
			struct error err = {0};
			const int r = p->write(p->writer, slot_of(ring, head)->item, &err);

			if (r != 0) {
				/* The role is kept: nobody writes after a failure. */
				ring_end(ring, r, &err);
				return false;
			}
			ring->head = head + 1;
			slot_retire(ring, head);
		}
		/* [P7] release: pairs with the exchange above. [P6] sequentially consistent: before
		 * the look below. */
		atomic_store_explicit(&ring->role, false, memory_order_seq_cst);
	} while (head < p->end_chunk && slot_is_ready(ring, head));
	return true;
}

static void ring_work(struct ring *ring, void *worker)
{
	const struct pipeline *p = ring->p;

	for (;;) {
		/* [P1] Relaxed: what matters is that each number is given once. */
		const uint64_t k = atomic_fetch_add_explicit(&ring->next, 1, memory_order_relaxed);
		struct error err = {0};
		int r;

		if (k >= p->end_chunk || !slot_await_free(ring, k))
			return;
		r = p->fill(worker, k, slot_of(ring, k)->item, &err);
		if (r < 0) {
			ring_end(ring, r, &err);
			return;
		}
		slot_publish(ring, k);
		if (!ring_drain(ring))
			return;
	}
}

static void *thread_main(void *arg)
{
	const struct worker_thread *t = arg;

	ring_work(t->ring, t->worker);
	return NULL;
}

/* --- running --- */

static int ring_init(struct ring *ring, const struct pipeline *p, struct error *err)
{
	*ring = (struct ring){.p = p, .head = p->first_chunk, .err = err};
	atomic_init(&ring->next, p->first_chunk);
	if (posix_memalign((void **)&ring->slots, 64, p->item_count * sizeof(*ring->slots)) != 0)
		return error_set(err, -ENOMEM, "out of memory for %zu slots", p->item_count);
	for (size_t i = 0; i < p->item_count; i++) {
		atomic_init(&ring->slots[i].word, 0);
		ring->slots[i].item = p->items[i];
	}
	return 0;
}

static int run_in_line(const struct pipeline *p, struct error *err)
{
	int r = 0;

	for (uint64_t k = p->first_chunk; k < p->end_chunk && r == 0; k++) {
		r = p->fill(p->worker[0], k, p->items[0], err);
		if (r == 0)
			r = p->write(p->writer, p->items[0], err);
	}
	return r;
}

/* Start the threads beside the calling one, which is worker 0, as many as the system gives. */
static struct pipeline_crew start_crew(struct ring *ring, const struct pipeline *p,
				       struct worker_thread *threads)
{
	struct pipeline_crew crew = {.workers = 1};

	for (; crew.workers < p->workers; crew.workers++) {
		struct worker_thread *t = &threads[crew.workers];

		if (!meminfo_can_spare(p->spare_bytes)) {
			crew.refused = -ENOMEM;
			break;
		}
		*t = (struct worker_thread){.ring = ring, .worker = p->worker[crew.workers]};
		crew.refused = -pthread_create(&t->id, NULL, thread_main, t);
		if (crew.refused)
			break;
	}
	return crew;
}

int pipeline_run(const struct pipeline *p, struct pipeline_crew *crew_ret, struct error *err)
{
	AUTO_FREE struct worker_thread *threads = NULL;
	struct ring ring;
	int r;

	*crew_ret = (struct pipeline_crew){.workers = p->workers};
	if (p->workers == 0)
		return run_in_line(p, err);
	threads = calloc(p->workers, sizeof(*threads));
	if (!threads)
		return error_set(err, -ENOMEM, "out of memory for %u threads", p->workers);
	r = ring_init(&ring, p, err);
	if (r < 0)
		return r;
	*crew_ret = start_crew(&ring, p, threads);
	ring_work(&ring, p->worker[0]);
	for (unsigned i = 1; i < crew_ret->workers; i++)
		pthread_join(threads[i].id, NULL);
	free(ring.slots);
	return ring.result;
}
