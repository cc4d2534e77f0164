/* Model of the order of memory in sender/threads/pipeline.c, on a machine that orders weakly; tests/model/run runs it.
 * Doesn't know chunks, segments or sleeping: pipeline.pml has them, and assumes what is shown here.
 *
 * Each process is the part of one thread that a pair of atomics orders. Its accesses take effect in any order, as on an
 * ARMv8 CPU: all threads see one memory, and an access waits for an earlier one of its thread only where it has to: by
 * an acquire or a release, by the same address, or as a store that depends on what was loaded. A load doesn't wait for
 * the branch before it: it may be made in advance. Labels are those of pipeline.c.
 *
 *   -DO=2   [P2] a chunk's bytes, from the worker to the role's holder
 *   -DO=3   [P2] the same slot again: bytes read before the retire, written after it
 *   -DO=6   [P6] the worker's publish and exchange against the holder's giving back and second look
 *   -DO=7   [P7] the head, from one holder of the role to the next
 *
 * Each mutant (BREAK_O_…) takes one order away, and must fail.
 */
#define FREE 0
#define READY 1
#define NEXT 2 /* free again */

byte word = FREE;
byte data, head;
bool role = true; /* taken */

/* An access that has to wait for another, unless a mutant takes that order away. */
#ifdef BREAK_O_PUBLISH
#define PUBLISH_RELEASES 0
#else
#define PUBLISH_RELEASES 1
#endif
#ifdef BREAK_O_READY
#define READY_ACQUIRES 0
#else
#define READY_ACQUIRES 1
#endif
#ifdef BREAK_O_RETIRE
#define RETIRE_RELEASES 0
#else
#define RETIRE_RELEASES 1
#endif
#ifdef BREAK_O_EXCHANGE
#define PUBLISH_BEFORE_EXCHANGE 0
#else
#define PUBLISH_BEFORE_EXCHANGE 1
#endif
#ifdef BREAK_O_LOOK
#define GIVEN_BEFORE_LOOK 0
#else
#define GIVEN_BEFORE_LOOK 1
#endif
#ifdef BREAK_O_GIVE
#define GIVE_RELEASES 0
#else
#define GIVE_RELEASES 1
#endif
#ifdef BREAK_O_TAKE
#define TAKE_ACQUIRES 0
#else
#define TAKE_ACQUIRES 1
#endif

#if O == 2
active proctype worker() /* fill(), slot_publish() */
{
	bool filled, published;

	do
	:: !filled -> atomic { data = 1; filled = true }
	:: !published && (filled || !PUBLISH_RELEASES) -> atomic { word = READY; published = true }
	:: filled && published -> break
	od
}

active proctype holder() /* slot_is_ready(), write() */
{
	bool looked, has_read;
	byte seen, got;

	do
	:: !looked -> atomic { seen = word; looked = true }
	:: !has_read && (looked || !READY_ACQUIRES) -> atomic { got = data; has_read = true }
	:: looked && has_read -> break
	od;
	assert(seen != READY || got == 1)
}
#endif

#if O == 3
active proctype holder() /* write(), slot_retire(); the slot has chunk 1 */
{
	bool has_read, retired;
	byte got;

	do
	:: !has_read -> atomic { got = data; has_read = true }
	:: !retired && (has_read || !RETIRE_RELEASES) -> atomic { word = NEXT; retired = true }
	:: has_read && retired -> break
	od;
	assert(got == 0)
}

active proctype worker() /* slot_await_free(), fill(): a store waits for the branch, whatever the load's order */
{
	if
	:: atomic { word == NEXT -> skip }; data = 2
	:: atomic { word != NEXT -> skip }
	fi
}
#endif

#if O == 6
bool was_taken;
byte seen, over;

active proctype worker() /* slot_publish(), the exchange of ring_drain() */
{
	bool published, tried;

	do
	:: !published -> atomic { word = READY; published = true }
	:: !tried && (published || !PUBLISH_BEFORE_EXCHANGE) -> atomic { was_taken = role; role = true; tried = true }
	:: published && tried -> break
	od;
	over++
}

active proctype holder() /* gives the role back, and looks again: slot_is_ready() */
{
	bool given, looked;

	do
	:: !given -> atomic { role = false; given = true }
	:: !looked && (given || !GIVEN_BEFORE_LOOK) -> atomic { seen = word; looked = true }
	:: given && looked -> break
	od;
	over++
}

init
{
	over == 2;
	assert(!was_taken || seen == READY) /* else nobody writes the chunk */
}
#endif

#if O == 7
active proctype before() /* writes, moves the head, gives the role back */
{
	bool moved, given;

	do
	:: !moved -> atomic { head = 1; moved = true }
	:: !given && (moved || !GIVE_RELEASES) -> atomic { role = false; given = true }
	:: moved && given -> break
	od
}

active proctype after() /* takes the role, looks at the head */
{
	bool tried, has_read, taken;
	byte got;

	do
	:: !tried -> atomic { taken = !role; role = true; tried = true }
	:: !has_read && (tried || !TAKE_ACQUIRES) -> atomic { got = head; has_read = true }
	:: tried && has_read -> break
	od;
	assert(!taken || got == 1)
}
#endif
