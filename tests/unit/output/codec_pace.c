/* sender/output/codec_pace.h: how strongly chunks are compressed, on links of all speeds, in a
 * model of the page pass: workers, the role, the session's output, a socket, a link. Times are
 * those of the model, so the results are the same on any machine. */
#include "tests/lib/unit.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "sender/delivery/upload.h"
#include "sender/output/codec_pace.h"

enum {
	RUNGS = 3,
	WORKERS_MAX = 16,
	SLOTS_PER_WORKER = 4,
	CHUNKS_MAX = 2000,
	START_MS = 1000000,
};

/* --- the model --- */

/* What a chunk of 256 KiB takes and becomes: sender/output/codec_ladder.c. */
static const struct cost {
	double compress_us;
	uint32_t bytes;
} costs[RUNGS] = {{250, 71000}, {800, 49000}, {1450, 47100}};

/* Digest, copies and system calls, for each byte of output: the worker's, and the writer's. */
#define WRITER_US_PER_BYTE 0.0004
static const double worker_us_per_byte = 0.0006;
static double writer_us_per_byte = WRITER_US_PER_BYTE;

struct link_part {
	double from_us;	     /* since when it is that fast */
	double bytes_per_us; /* 1: 8 Mbit/s */
};

struct run {
	const struct link_part *link; /* ends with one that holds to the end */
	size_t link_parts;
	unsigned workers; /* 0: in line */
	uint64_t chunks;
	int fixed; /* rung; -1: by pace */
	uint32_t socket_bytes;
	bool limited; /* by --bwlimit, in place of a socket that is full */
	double allowance;

	struct codec_pace pace;
	double now_us; /* of the link: it has moved all until then */
	double output_bytes, socket_used;
	double total_us;
	uint8_t rung[CHUNKS_MAX];
	double written_us[CHUNKS_MAX];
};

/* Each chunk is a little different, always in the same way. */
static double vary(uint64_t k, double value)
{
	uint32_t state = (uint32_t)k * 2654435761U + 1;

	return value * (0.7 + 0.6 * (unit_random(&state) % 1000) / 1000.0);
}

static double link_rate(const struct run *r, double at_us)
{
	size_t i = 0;

	while (i + 1 < r->link_parts && r->link[i + 1].from_us <= at_us)
		i++;
	return r->link[i].bytes_per_us;
}

/* The kernel sends what the socket has, until then. */
static void link_advance(struct run *r, double until_us)
{
	while (r->now_us < until_us) {
		const double step = MIN(until_us - r->now_us, 200.0);

		const double n = step * link_rate(r, r->now_us);

		r->socket_used -= MIN(r->socket_used, n);
		/* A tenth of a second's worth at once: sender/delivery/link.c. */
		if (r->limited)
			r->allowance = MIN(r->allowance + n, 100000 * link_rate(r, r->now_us));
		r->now_us += step;
	}
}

static void pump(struct run *r)
{
	const double n =
		MIN(r->output_bytes, r->limited ? r->allowance : r->socket_bytes - r->socket_used);

	if (r->limited) {
		r->output_bytes -= n;
		r->allowance -= n;
		return;
	}
	r->output_bytes -= n;
	r->socket_used += n;
}

/* A chunk is written at that time: the session takes it, waiting where it has no room. Until when.
 */
static double write_chunk(struct run *r, uint64_t k, double at_us)
{
	const double bytes = vary(k, costs[r->rung[k]].bytes);

	at_us += bytes * writer_us_per_byte;
	link_advance(r, at_us);
	if (r->output_bytes + bytes > UPLOAD_OUTPUT_BYTES) {
		pump(r);
		while (r->output_bytes > UPLOAD_LOW_WATER_BYTES) {
			at_us += 200;
			link_advance(r, at_us);
			pump(r);
		}
	}
	r->output_bytes += bytes;
	pump(r);
	codec_pace_written(&r->pace,
			   &(struct codec_pace_sample){
				   .waiting_bytes = (uint64_t)(r->output_bytes + r->socket_used),
				   .chunk_bytes = (uint64_t)bytes,
				   .now_ms = START_MS + (uint64_t)(at_us / 1000),
			   });
	return at_us;
}

enum doing { CLAIMS, FILLS, DRAINS, ENDED };

struct worker {
	enum doing doing;
	double at_us; /* when it next does something */
	uint64_t k;
};

static void choose(struct run *r, struct worker *w)
{
	const unsigned rung =
		r->fixed >= 0 ? (unsigned)r->fixed : codec_pace_choose(&r->pace, w->k);

	r->rung[w->k] = (uint8_t)rung;
	w->at_us += vary(w->k, costs[rung].compress_us) +
		    vary(w->k, costs[rung].bytes) * worker_us_per_byte;
	w->doing = FILLS;
}

/* The pipeline: chunks are claimed in order, and written in order by who finds the role free. */
static void run(struct run *r)
{
	const unsigned workers = MAX(r->workers, 1U);
	const uint64_t slots = r->workers ? workers * SLOTS_PER_WORKER : 1;
	struct worker worker[WORKERS_MAX] = {0};
	static double ready_us[CHUNKS_MAX];
	uint64_t next = 0, head = 0;
	bool role = false;

	assert_true(workers <= WORKERS_MAX && r->chunks <= CHUNKS_MAX);
	memset(ready_us, 0, sizeof(ready_us));
	codec_pace_begin(&r->pace, RUNGS, r->workers, 0);
	for (;;) {
		struct worker *w = NULL;

		for (unsigned i = 0; i < workers; i++)
			if (worker[i].doing != ENDED && (!w || worker[i].at_us < w->at_us))
				w = &worker[i];
		if (!w)
			break;
		switch (w->doing) {
		case CLAIMS:
			if (next == r->chunks) {
				w->doing = ENDED;
			} else if (next >= slots && head <= next - slots) {
				/* Sleeps until its slot is retired: looks again when somebody else
				 * has done something. */
				w->at_us += 20;
			} else {
				if (next >= slots)
					w->at_us = MAX(w->at_us, r->written_us[next - slots]);
				w->k = next++;
				choose(r, w);
			}
			break;
		case FILLS:
			ready_us[w->k] = w->at_us;
			w->doing = role ? CLAIMS : DRAINS;
			role = true;
			break;
		case DRAINS:
			if (head < next && ready_us[head] > 0 && ready_us[head] <= w->at_us) {
				w->at_us = write_chunk(r, head, w->at_us);
				r->written_us[head++] = w->at_us;
			} else {
				role = false;
				w->doing = CLAIMS;
			}
			break;
		case ENDED:
			break;
		}
	}
	r->total_us = r->written_us[r->chunks - 1];
	while (r->output_bytes + r->socket_used > 0) {
		r->total_us += 200;
		link_advance(r, r->total_us);
		pump(r);
	}
}

/* --- links that stay as they are --- */

struct steady {
	const char *name;
	unsigned mbits;
};

static const struct steady speeds[] = {
	{"50 Mbit/s", 50},    {"200 Mbit/s", 200},  {"480 Mbit/s", 480},  {"1 Gbit/s", 1000},
	{"1.6 Gbit/s", 1600}, {"2.5 Gbit/s", 2500}, {"5.6 Gbit/s", 5600}, {"10 Gbit/s", 10000},
};

static const unsigned worker_counts[] = {0, 1, 2, 4, 8, 16};

static void run_over(struct run *r, const struct link_part *link, size_t parts, unsigned workers,
		     bool limited, int fixed)
{
	*r = (struct run){
		.link = link,
		.link_parts = parts,
		.workers = workers,
		.chunks = 2000,
		.fixed = fixed,
		.limited = limited,
		.socket_bytes = 2 << 20,
	};
	run(r);
}

/* Of the chunks [from, to), in rungs. */
static double mean_rung(const struct run *r, uint64_t from, uint64_t to)
{
	double sum = 0;

	for (uint64_t k = from; k < to; k++)
		sum += r->rung[k];
	return sum / (double)(to - from);
}

static void test_steady(void **state)
{
	const struct steady *row = *state;
	const struct link_part part = {0, row->mbits / 8.0};
	static struct run r;

	for (size_t i = 0; i < ARRAY_LEN(worker_counts) * 2; i++) {
		const unsigned workers = worker_counts[i / 2];
		const bool limited = i % 2;
		double best = INFINITY;

		for (int fixed = 0; fixed < RUNGS; fixed++) {
			run_over(&r, &part, 1, workers, limited, fixed);
			best = MIN(best, r.total_us);
		}
		run_over(&r, &part, 1, workers, limited, -1);
		if (r.total_us > best * 1.03)
			fail_msg("%u workers%s: %.0f ms, and the best codec takes %.0f ms", workers,
				 limited ? ", limited" : "", r.total_us / 1000, best / 1000);
	}
}

/* Halfway between two codecs the mix of any second's worth is the same. */
static void test_calm(void **state)
{
	const struct steady *row = *state;
	const struct link_part part = {0, row->mbits / 8.0};
	enum { WINDOW = 100 };
	static struct run r;

	for (size_t i = 0; i < ARRAY_LEN(worker_counts); i++) {
		double least = RUNGS, most = 0;

		run_over(&r, &part, 1, worker_counts[i], false, -1);
		for (uint64_t k = r.chunks / 4; k + WINDOW <= r.chunks; k += WINDOW) {
			const double mean = mean_rung(&r, k, k + WINDOW);

			least = MIN(least, mean);
			most = MAX(most, mean);
		}
		if (most - least > 0.5)
			fail_msg("%u workers: from rung %.2f to %.2f", worker_counts[i], least,
				 most);
	}
}

/* --- links that change --- */

/* From fast to slow and back, or the other way round: at once in the rungs of what is sent then. */
static void test_change(void **state UNUSED)
{
	static const struct link_part links[][3] = {
		{{0, 1250}, {150000, 6.25}, {3000000, 1250}},
		{{0, 6.25}, {3000000, 1250}, {3100000, 6.25}},
	};
	static struct run r;

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		for (size_t w = 0; w < 3; w++) {
			uint64_t at[3] = {0};

			run_over(&r, links[i], 3, worker_counts[w], false, -1);
			for (uint64_t k = 0; k < r.chunks; k++)
				for (size_t p = 0; p < 3; p++)
					if (r.written_us[k] < links[i][p].from_us)
						at[p] = k + 1;
			for (size_t p = 0; p < 3; p++) {
				const uint64_t end = p < 2 ? at[p + 1] : r.chunks;
				const double mean = mean_rung(&r, (at[p] + end) / 2, end);
				const bool fast = links[i][p].bytes_per_us > 100;

				assert_true(end > at[p] + 20);
				if (fast ? mean > 0.2 : mean < 1.8)
					fail_msg("link %zu, part %zu, %u workers: rung %.2f", i, p,
						 worker_counts[w], mean);
			}
		}
	}
}

/* A receiver that stands still for a fifth of the time, on a link that is no limit. */
static void test_stalls(void **state UNUSED)
{
	static const double periods_us[] = {20000, 50000, 150000};
	static struct link_part parts[400];
	static struct run r;

	for (size_t i = 0; i < ARRAY_LEN(periods_us) * ARRAY_LEN(worker_counts); i++) {
		const double period_us = periods_us[i / ARRAY_LEN(worker_counts)];
		const unsigned workers = worker_counts[i % ARRAY_LEN(worker_counts)];
		double fastest_us;

		for (size_t k = 0; k < ARRAY_LEN(parts); k += 2) {
			const double at_us = (double)(k / 2) * period_us;

			parts[k] = (struct link_part){at_us, 1250};
			parts[k + 1] = (struct link_part){at_us + 0.8 * period_us, 0};
		}
		run_over(&r, parts, ARRAY_LEN(parts), workers, false, 0);
		fastest_us = r.total_us;
		run_over(&r, parts, ARRAY_LEN(parts), workers, false, -1);
		if (r.total_us > fastest_us * 1.02)
			fail_msg(
				"%u workers, each %.0f ms: %.0f ms, %.0f ms with the fastest codec",
				workers, period_us / 1000, r.total_us / 1000, fastest_us / 1000);
	}
}

/* Where the writer is the limit, as with a cipher, it is relieved. */
static void test_slow_writer(void **state UNUSED)
{
	const struct link_part part = {0, 5000};
	static struct run r;
	double fixed;

	run_over(&r, &part, 1, 16, false, 0);
	writer_us_per_byte = 0.004;
	run_over(&r, &part, 1, 16, false, 0);
	fixed = r.total_us;
	run_over(&r, &part, 1, 16, false, -1);
	writer_us_per_byte = WRITER_US_PER_BYTE;
	assert_true(r.total_us < fixed * 0.75);
}

/* --- the steps alone --- */

static void test_bounds(void **state UNUSED)
{
	struct codec_pace_queue q = {0};
	const struct codec_pace_sample full = {UINT32_MAX, 70000, 1000}, empty = {0, 70000, 1000};

	/* Nothing was sent: the second rung, where there is one. */
	assert_int_equal(codec_pace_strength(&q, 0, 3, 2), PACE_STEP);
	assert_int_equal(codec_pace_strength(&q, 0, 1, 2), 0);
	codec_pace_step(&q, &full);
	assert_int_equal(codec_pace_strength(&q, 0, 3, 2), 2 * PACE_STEP);
	assert_int_equal(codec_pace_strength(&q, UINT32_MAX, 3, 2), 2 * PACE_STEP);
	assert_int_equal(codec_pace_strength(&q, 0, 1, 2), 0);
	codec_pace_step(&q, &empty);
	assert_int_equal(codec_pace_strength(&q, 0, 3, 2), 0);
	assert_int_equal(codec_pace_strength(&q, UINT32_MAX, 3, 2), 2 * PACE_STEP);
}

static void test_mix(void **state UNUSED)
{
	for (uint32_t strength = 0; strength <= 2 * PACE_STEP; strength++) {
		uint64_t sum = 0;

		for (uint64_t k = 0; k < PACE_STEP; k++)
			sum += codec_pace_rung(strength, k);
		assert_int_equal(sum, strength);
	}
	/* Evenly: of four that follow each other one. */
	for (uint64_t k = 0; k < 1000; k += 4)
		assert_int_equal(codec_pace_rung(PACE_STEP / 4, k) +
					 codec_pace_rung(PACE_STEP / 4, k + 1) +
					 codec_pace_rung(PACE_STEP / 4, k + 2) +
					 codec_pace_rung(PACE_STEP / 4, k + 3),
				 1);
}

int main(int argc, char **argv)
{
	static struct unit u;
	static char names[ARRAY_LEN(speeds) * 2][80];

	unit_add(&u, "pace: stays within its bounds", test_bounds, NULL);
	unit_add(&u, "pace: mixes neighbours evenly", test_mix, NULL);
	for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
		snprintf(names[i * 2], sizeof(names[0]), "pace: is as fast as the best codec at %s",
			 speeds[i].name);
		snprintf(names[i * 2 + 1], sizeof(names[0]), "pace: doesn't swing at %s",
			 speeds[i].name);
		unit_add(&u, names[i * 2], test_steady, &speeds[i]);
		unit_add(&u, names[i * 2 + 1], test_calm, &speeds[i]);
	}
	unit_add(&u, "pace: follows a link that changes", test_change, NULL);
	unit_add(&u, "pace: takes no stall for a slow link", test_stalls, NULL);
	unit_add(&u, "pace: relieves a writer that is the limit", test_slow_writer, NULL);
	return unit_run(&u, "pace", argc, argv);
}
