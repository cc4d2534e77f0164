/* Model of when a sender leaves a server: sender/delivery/mark.c, and what delivery.c makes of it; tests/model/run runs it.
 * The server does what it likes within the protocol: goes on from anywhere, acknowledges what was sent or doesn't, and
 * breaks the link at any point. Doesn't know time: V links without progress in a row stand for the time of --retry, and
 * that a link ends at all is what overdue.c is for.
 *
 *   -DN=…   points of the dump      -DV=…   links without progress
 *
 *   [L1] a server is left, or has the dump, after V links for each point and V more at the most
 *
 * Mutants, each of which must fail: see the list in tests/model/run.
 */
#ifndef N
#define N 3
#endif
#ifndef V
#define V 2
#endif

byte mark;      /* the furthest point that was acknowledged, over all links */
byte vain;      /* links without progress, in a row */
byte links;

active proctype sender()
{
	byte sent, acked;
	bool moved;

	do
	:: vain == V -> break
	:: mark == N && sent == N -> break
	:: else ->
		links++;
		assert(links <= (N + 1) * V);                                   /* [L1] */
		moved = false;
		/* GO: from the beginning, or from what it had. */
		if
		:: sent = 0
		:: sent = mark
		fi;
		acked = sent;
#ifdef BREAK_L_WELCOME
		moved = true;
#endif
		do
		:: sent < N -> sent++
		:: acked < sent ->
			acked++;
#ifdef BREAK_L_SAME_AGAIN
			moved = true;
#endif
			if
			:: acked > mark -> mark = acked; moved = true
			:: else
			fi
#ifdef BREAK_L_SENT
		:: sent == N -> moved = true; break
#endif
		:: break
		od;
		if
		:: moved -> vain = 0
		:: else -> vain++
		fi
	od
}
