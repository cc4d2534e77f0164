/* Model of a dump that is brought over in sessions: sender/delivery/upload.c, receiver/session/session.c, store.c, journal.c;
 * tests/model/run runs it. Doesn't know frames, bytes or time: DATA is a segment with its CHECKPOINT.
 *
 * The receiver has a part and a journal. What is written is in the page cache (…_seen); what is synced stays (…_kept).
 * At most F faults, each between any two steps: the link is cut, either side is killed, the receiver's power is cut (any
 * of what wasn't synced is lost), an fsync fails (and what it should have written is lost, though it reads back).
 *
 *   -DN=…   segments      -DF=…   faults
 *
 *   [S1] an acknowledged checkpoint is kept, with all of its data
 *   [S2] a session begins at a cursor that is kept, with all of its data, and not before what was acknowledged
 *   [S3] what is published has all of its data, kept
 *   [S4] when faults stop, the sender learns that the dump is there (no state is the last but that one)
 *
 * Mutants, each of which must fail: see the list in tests/model/run.
 */
#ifndef N
#define N 3
#endif
#ifndef F
#define F 3
#endif

#define ALL   ((1 << N) - 1)
#define UPTO(n) ((1 << (n)) - 1)

mtype = { HELLO, GO, DATA, END, ACK, DONE };
chan to_r = [2] of { mtype, byte };
chan to_s = [2] of { mtype, byte };
bool up;                /* there is a link */
byte faults;

/* The sender. acked lives as long as the crash does: it is what somebody was told, not what is remembered. */
mtype s_state = HELLO;  /* HELLO, DATA, END; DONE */
byte s_next, acked;

/* The receiver's disk: a bit for each segment's data; a number of checkpoints. */
byte part_seen, part_kept, part_lost;   /* lost: it reads back, but an fsync has failed for it */
byte journal_seen, journal_kept;
bool published;

/* And its process. */
#define R_NONE    0     /* no session */
#define R_TAKES   1
#define R_SYNCED  2     /* the part is synced, for an acknowledgement */
#define R_NOTED   3     /* and the journal written */
#define R_RESTORE 4     /* HELLO came */
#define R_ENDING  5     /* END came, all of it is noted */
byte r_state, r_next, r_acked;

inline drain()
{
	do
	:: nempty(to_r) -> to_r?_,_
	:: empty(to_r) -> break
	od;
	do
	:: nempty(to_s) -> to_s?_,_
	:: empty(to_s) -> break
	od
}

/* The link is gone, and with it the session. */
inline cut()
{
	up = false;
	drain();
#ifndef BREAK_S_NO_TAKEOVER
	r_state = R_NONE;
#endif
	if
	:: s_state != DONE -> s_state = HELLO
	:: else
	fi
}

/* The part is synced: whether it was. A failed one loses what it should have written. */
inline sync_part(failed)
{
#ifdef BREAK_S_FSYNC_TWICE
	part_kept = part_kept | (part_seen & (255 - part_lost))
#else
	if
	:: part_lost -> failed = true
	:: else -> part_kept = part_kept | part_seen
	fi
#endif
}

active proctype sender()
{
	byte n;

	/* [S4] No place to end but the one behind. */
	do
	:: s_state == DONE -> break
	:: atomic { s_state != DONE && !up && r_state == R_NONE -> up = true; s_state = HELLO; to_r!HELLO,0 }
	:: atomic { up && s_state == HELLO && to_s?[GO,_] ->
		to_s?GO,n;
		assert(n >= acked);                             /* [S2] */
		acked = n; s_next = n; s_state = DATA }
	:: atomic { up && s_state == DATA && s_next < N && nfull(to_r) -> to_r!DATA,s_next; s_next++ }
	:: atomic { up && s_state == DATA && s_next == N && nfull(to_r) -> to_r!END,0; s_state = END }
	:: atomic { up && s_state != HELLO && to_s?[ACK,_] ->
		to_s?ACK,n;
		assert(n >= acked && n <= s_next);
		acked = n }
	:: atomic { up && to_s?[DONE,_] ->
		to_s?DONE,_;
		assert(published && part_kept == ALL);          /* [S3] */
		s_state = DONE }
	od
}

active proctype receiver()
{
	byte k;
	bool failed;

end:	do
	:: atomic { up && r_state == R_NONE && to_r?[HELLO,_] ->
		to_r?HELLO,_;
		part_lost = 0;          /* another process: it reads the disk, or what is as good in a test of the whole */
		if
#ifndef BREAK_S_NO_DONE
		:: published -> to_s!DONE,0
#endif
		:: else -> r_state = R_RESTORE
		fi }
	/* What the journal doesn't have is cleared, all else synced; then the cursor is told. */
	:: atomic { up && r_state == R_RESTORE && nfull(to_s) ->
		part_seen = part_seen & UPTO(journal_seen);
		part_kept = part_kept & UPTO(journal_seen);
		part_kept = part_kept | part_seen;
#ifndef BREAK_S_JOURNAL_SEEN
		journal_kept = journal_seen;
#endif
		assert(journal_kept >= journal_seen);                           /* [S2] */
		assert((part_kept & UPTO(journal_seen)) == UPTO(journal_seen)); /* [S2] */
		assert(!published);
		r_next = journal_seen; r_acked = journal_seen;
		to_s!GO,r_next;
		r_state = R_TAKES }
	:: atomic { up && r_state == R_TAKES && to_r?[DATA,_] ->
		to_r?DATA,k;
		assert(k == r_next);
		part_seen = part_seen | (1 << k);
		r_next++ }
	/* Acknowledging, in its steps. */
#ifdef BREAK_S_ACK_FIRST
	:: atomic { up && r_state == R_TAKES && r_acked < r_next && nfull(to_s) ->
		to_s!ACK,r_next;
		assert(journal_kept >= r_next) }                                /* [S1] */
#endif
	:: atomic { up && r_state == R_TAKES && r_acked < r_next ->
		failed = false;
#ifndef BREAK_S_NOTE_FIRST
		sync_part(failed);
#endif
		if
		:: failed -> cut()
		:: else -> r_state = R_SYNCED
		fi }
	:: atomic { r_state == R_SYNCED -> journal_seen = r_next; r_state = R_NOTED }
	:: atomic { up && r_state == R_NOTED && nfull(to_s) ->
		journal_kept = journal_seen;
#ifdef BREAK_S_NOTE_FIRST
		sync_part(failed);
#endif
		r_acked = r_next;
		assert((part_kept & UPTO(r_next)) == UPTO(r_next));             /* [S1] */
		to_s!ACK,r_next;
		r_state = R_TAKES }
	:: atomic { up && r_state == R_TAKES && r_acked == r_next && to_r?[END,_] ->
		to_r?END,_;
		assert(r_next == N);
		r_state = R_ENDING }
#ifdef BREAK_S_PUBLISH_FIRST
	:: atomic { up && r_state == R_TAKES && to_r?[END,_] ->
		to_r?END,_;
		r_state = R_ENDING }
#endif
	:: atomic { r_state == R_ENDING && nfull(to_s) ->
		published = true;
		assert(part_kept == ALL);                                       /* [S3] */
		to_s!DONE,0;
		r_state = R_NONE }
	od
}

/* What may go wrong. */
active proctype chance()
{
	byte i;

	do
	:: s_state == DONE -> break
	:: faults == F -> break
	/* The link, or the sender: it remembers nothing that matters. */
	:: atomic { faults < F && up -> faults++; cut() }
	/* The receiver is killed: the page cache stays. */
	:: atomic { faults < F && r_state != R_NONE -> faults++; cut(); part_lost = 0 }
	/* The disk fails: what an fsync should write is lost. */
	:: atomic { faults < F && (r_state == R_TAKES) && (part_seen & (255 - part_kept)) ->
		faults++;
#ifdef BREAK_S_FSYNC_TWICE
		part_lost = part_seen & (255 - part_kept)
#else
		/* The sync tells, the session ends; the next one reads back what there is, and sends the rest anew. */
		part_lost = part_seen & (255 - part_kept);
		part_seen = part_seen & part_kept;
		cut()
#endif
		}
	/* The power: of what wasn't synced, any part stays. */
	:: atomic { faults < F ->
		faults++;
		cut();
		part_lost = 0;
		i = 0;
		do
		:: i < N ->
			if
			:: (part_seen & (1 << i)) && !(part_kept & (1 << i)) ->
				if
				:: part_kept = part_kept | (1 << i)
				:: part_seen = part_seen & (255 - (1 << i))
				fi
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: journal_seen > journal_kept -> journal_seen--
		:: journal_kept = journal_seen; break
		od }
	od
}
