/* Model of sender/threads/pipeline.c and of what sender/output/writer.c makes of its chunks; tests/model/run runs it.
 * Doesn't know pages, offsets or memory order: the last is argued at each atomic, and tried with ThreadSanitizer.
 *
 * P workers fill N chunks, claimed in order, into R slots. The consumer is a role. Slot words, labels and the order of
 * steps are those of pipeline.c: what is one atomic operation there is one atomic step here, and all else interleaves.
 *
 *   -DP=… -DR=… -DN=…   workers, slots, chunks
 *   -DFILL_FAILS        any fill() may fail
 *   -DWRITE_FAILS       any record may fail to be written
 *   -DSEGMENTS          segments may end behind any chunk, and segment_end may ask to end the pass there
 * After a pass that ended early a second one begins at the last segment's end; that one comes through.
 *
 * Mutants, each of which must fail: see the list in tests/model/run.
 */
#ifndef P
#define P 2
#endif
#ifndef R
#define R 2
#endif
#ifndef N
#define N 4
#endif

/* A slot's word, as in pipeline.c. */
#define STOP   1
#define WAITED 2
#define STEP   4
#define BITS   3
#define SLOT(k)       (((k) - first) % R)
#define WORD_FREE(k)  ((((k) - first) / R) * 2 * STEP)
#define WORD_READY(k) (WORD_FREE(k) + STEP)
#define WITHOUT(word, bits) ((word) & (255 - (bits)))

/* What the workers share. */
byte first;             /* chunk of this pass */
byte next;              /* chunk to claim */
byte word[R];
byte data[R];           /* a slot's bytes: chunk + 1, or 0 while they are being written */
byte sleeping[P];       /* slot + 1 that a worker sleeps on; 0: awake */
bool role;              /* taken */
byte head;              /* chunk to write: the role's holder's */
bool ended;             /* somebody failed or asked to end */
bool stopped;           /* … asked to: the result that was stored first */
byte left;              /* workers that have left */
bool again;             /* the second pass */

/* The writer, and what came out of it. A run holds the chunks [from, to). */
byte data_from, data_to, desc_from, desc_to;
byte data_sent, desc_sent; /* chunks whose data, whose descriptors are in the stream */
byte cursor;            /* the chunk behind the last segment's end */
byte writing;           /* workers in the writer: never two */
bool broken;            /* the stream failed */

/* The kernel's part, one step each: sleeps only if the word still has that value; wakes all who sleep. */
inline futex_wait(slot, seen)
{
	atomic {
		if
		:: word[slot] == seen -> sleeping[me] = slot + 1
		:: else
		fi
	}
	sleeping[me] == 0
}

inline futex_wake_all(slot)
{
	d_step {
		i = 0;
		do
		:: i < P ->
			if
			:: sleeping[i] == slot + 1 ->
				sleeping[i] = 0;
#ifdef BREAK_P4_WAKE_ONE
				break
#endif
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

/* [P5] ring_end() */
inline ring_end(asked)
{
	atomic {
		if
		:: !ended -> ended = true; stopped = asked
		:: else
		fi
	}
	q = 0;
	do
	:: q < R ->
#ifndef BREAK_P5
		atomic { word[q] = word[q] | STOP }
#endif
#ifndef BREAK_P5_NO_WAKE
		futex_wake_all(q);
#endif
		q++
	:: else -> break
	od;
	q = 0
}

/* [P2] [P3] [P4] slot_await_free(); leaves by `goto out` when told to stop. */
inline slot_await_free()
{
	atomic { seen = word[SLOT(k)] }
	do
	:: seen & STOP -> goto out
#ifdef BREAK_P3
	:: !(seen & STOP) && !(seen & STEP) -> break
	:: !(seen & STOP) && (seen & STEP) ->
#else
	:: !(seen & STOP) && WITHOUT(seen, BITS) == WORD_FREE(k) -> break
	:: !(seen & STOP) && WITHOUT(seen, BITS) != WORD_FREE(k) ->
#endif
#if defined(BREAK_P4)
		skip; /* nobody learns that it sleeps */
#elif defined(BREAK_P4_OTHER_VALUE)
		/* The bit is set in whatever is there by now, and that is slept on. */
		atomic { word[SLOT(k)] = word[SLOT(k)] | WAITED; seen = word[SLOT(k)] }
#else
		/* The compare-exchange: on failure `seen` is loaded anew and judged again. */
		atomic {
			if
			:: seen & WAITED
			:: !(seen & WAITED) && word[SLOT(k)] == seen ->
				word[SLOT(k)] = seen | WAITED;
				seen = seen | WAITED
			:: !(seen & WAITED) && word[SLOT(k)] != seen ->
				seen = word[SLOT(k)];
				goto judge
			fi
		}
#endif
		futex_wait(SLOT(k), seen);
		atomic { seen = word[SLOT(k)] }
judge:		skip
	od
}

inline slot_publish()
{
#ifdef BREAK_P5_STORE
	atomic { word[SLOT(k)] = WORD_READY(k) } /* a store in place of the add */
#else
	atomic { word[SLOT(k)] = word[SLOT(k)] + STEP }
#endif
}

/* [P4] slot_retire() */
inline slot_retire()
{
#ifdef BREAK_P4_CLEAR_FIRST
	atomic { seen = word[SLOT(h)]; word[SLOT(h)] = WITHOUT(seen, WAITED) }
	atomic { word[SLOT(h)] = word[SLOT(h)] + STEP }
#else
	atomic { seen = word[SLOT(h)]; word[SLOT(h)] = seen + STEP }
#endif
	if
	:: seen & WAITED ->
#ifdef BREAK_P4_WAKE_FIRST
		futex_wake_all(SLOT(h));
		atomic { word[SLOT(h)] = WITHOUT(word[SLOT(h)], WAITED) }
#else
#ifndef BREAK_P4_CLEAR_FIRST
		atomic { word[SLOT(h)] = WITHOUT(word[SLOT(h)], WAITED) }
#endif
#ifndef BREAK_P4_NO_WAKE
		futex_wake_all(SLOT(h))
#endif
#endif
	:: else
	fi;
	seen = 0
}

/* One record, of a run that holds something. It may fail, and then nothing comes behind it. */
inline flush(from, to, sent)
{
	if
	:: from == to
#ifdef WRITE_FAILS
	:: from < to && !again -> broken = true; goto write_failed
#endif
	:: from < to ->
		atomic {
			assert(!broken);
			assert(from == sent); /* every chunk once, in order */
			sent = to;
			from = to
		}
		/* A cut stream never has a descriptor without its data. */
		assert(desc_sent <= data_sent)
	fi
}

inline flush_both()
{
#ifdef BREAK_W_DESCRIPTORS_FIRST
	flush(desc_from, desc_to, desc_sent);
	flush(data_from, data_to, data_sent)
#else
	flush(data_from, data_to, data_sent);
	flush(desc_from, desc_to, desc_sent)
#endif
}

/* writer_chunk(): room in the runs, the chunk into them, and perhaps the end of a segment. */
inline writer_chunk()
{
	writing++;
	assert(writing == 1);           /* [P7] */
	assert(data[SLOT(h)] == h + 1); /* [P1] [P2] the right chunk, whole */
	if
	:: skip                         /* both runs have room */
	:: data_from < data_to -> flush(data_from, data_to, data_sent)
	:: desc_from < desc_to -> flush_both()
	fi;
	assert(data[SLOT(h)] == h + 1); /* [P3] and still so where it is copied */
	assert(data_to == h && desc_to == h);
	data_to = h + 1;
	desc_to = h + 1;
#ifdef SEGMENTS
	if
	:: skip
	:: true ->
#ifdef BREAK_W_CURSOR_EARLY
		cursor = h;
#endif
#ifdef BREAK_W_NO_FLUSH
		flush(data_from, data_to, data_sent);
#else
		flush_both();
#endif
#ifndef BREAK_W_CURSOR_EARLY
		cursor = h + 1;
#endif
		if
		:: skip
		:: !again -> writing--; ring_end(true); goto out
		fi
	fi;
#endif
	writing--
}

proctype worker(byte me)
{
	byte k, h, seen, i, q;

	do
	::
#ifdef BREAK_P1
		k = next; next = k + 1;
#else
		atomic { k = next; next++ } /* [P1] */
#endif
		if
		:: k >= N -> goto out
		:: else
		fi;
		slot_await_free();
#ifdef FILL_FAILS
		if
		:: skip
		:: !again -> ring_end(false); goto out
		fi;
#endif
#ifdef BREAK_P2
		slot_publish();
		data[SLOT(k)] = 0;
		data[SLOT(k)] = k + 1;
#else
		data[SLOT(k)] = 0;
		data[SLOT(k)] = k + 1;
		slot_publish();
#endif
drain:
		/* [P7] */
#ifdef BREAK_P7
		skip;
#else
		atomic {
			if
			:: role -> goto drained
			:: else -> role = true
			fi
		}
#endif
		h = head;
		do
		:: h >= N -> break
		:: h < N ->
			atomic { seen = WITHOUT(word[SLOT(h)], WAITED) } /* slot_is_ready() */
			if
			:: seen != WORD_READY(h) -> break
			:: else
			fi;
#ifdef BREAK_P7_EARLY
			role = false;
#endif
			writer_chunk();
			head = h + 1;
			slot_retire();
			h++
		od;
#ifndef BREAK_P7_EARLY
		role = false;
#endif
#ifndef BREAK_P6
		/* [P6] looks again */
		atomic {
			if
			:: h < N && WITHOUT(word[SLOT(h)], WAITED) == WORD_READY(h) -> goto drain
			:: else
			fi
		}
#endif
drained:	seen = 0
	od;

	/* The role is kept: nobody writes behind a failure. */
write_failed:
	writing--;
#ifdef BREAK_P5_ROLE
	role = false;
#endif
	ring_end(false);
out:
	left++
}

/* pipeline_run(), from chunk `cursor` on. */
inline run_pass()
{
	atomic {
		first = cursor;
		next = cursor;
		head = cursor;
		role = false;
		ended = false;
		left = 0;
		w = 0;
		do
		:: w < R -> word[w] = 0; data[w] = 0; w++
		:: else -> break
		od;
		/* writer_new(), writer_resume() */
		data_from = cursor; data_to = cursor;
		desc_from = cursor; desc_to = cursor;
		w = 0;
		do
		:: w < P -> run worker(w); w++
		:: else -> break
		od;
		w = 0
	}
	left == P /* [P5] every thread is joined */
}

init
{
	byte w;

	run_pass();
	if
	:: ended ->
		assert(cursor <= desc_sent && desc_sent <= data_sent);
		if
		:: stopped -> assert(desc_sent == cursor && data_sent == cursor)
		:: else -> /* the receiver goes back to the last segment's end */
			data_sent = cursor; desc_sent = cursor; broken = false; writing = 0
		fi;
		again = true;
		run_pass()
	:: else
	fi;
	assert(!ended && head == N);
	/* writer_finish() */
	assert(data_from == data_sent && desc_from == desc_sent);
	data_sent = data_to;
	desc_sent = desc_to;
	assert(data_sent == N && desc_sent == N)
}
