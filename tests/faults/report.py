"""What came of a campaign, as tables."""
from collections import Counter
import statistics

# Places that each have to be hit so often in a whole campaign.
WANTED = {"prologue": 30, "attach": 30, "sync to ACK": 30, "rename to DONE": 30}
STATES = ("handshake", "hello", "welcome", "beginning", "attach", "filter", "totals", "restoring",
          "prologue", "data", "checkpoint", "sync to ACK", "acknowledged", "mending", "end",
          "rename to DONE", "done")


def mib(count):
    return f"{count / (1 << 20):.1f} MiB"


def summary(results):
    """Lines of Markdown."""
    states = Counter(state for r in results for state, _ in r["faults"])
    actions = Counter(a for r in results for _, done in r["faults"] for a in done)
    resent = [again for r in results for again, _ in r["resent"]]
    faults = sum(states.values())
    bad = sum(bool(r["wrong"]) for r in results)
    yield (f"{len(results)} dumps, {faults} faults, {sum(r['links'] for r in results)} links, "
           f"{sum(r['senders'] for r in results)} runs of vmsend; {len(results) - bad} dumps arrived "
           f"as they should, {bad} did not.")
    if resent:
        yield ""
        yield (f"Sent again after a fault, {len(resent)} times: median {mib(statistics.median(resent))}, "
               f"at most {mib(max(resent))}.")
    yield from ("", "| where | faults |", "| --- | --- |")
    yield from (f"| {s} | {states[s]} |" for s in STATES if states[s])
    yield from ("", "| what | faults |", "| --- | --- |")
    yield from (f"| {a} | {n} |" for a, n in actions.most_common())


def missing(results):
    """What a whole campaign should have hit, and this one has not."""
    states = Counter(state for r in results for state, _ in r["faults"])
    return [f"{states[s]} faults in \"{s}\", {n} are wanted" for s, n in WANTED.items()
            if states[s] < n]
