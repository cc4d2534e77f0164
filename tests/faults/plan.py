"""What shall happen to one dump: chosen from a seed, and nothing else.

A fault is an action at a place: a state of the session, and in it a byte of the link (FrameAt,
StreamAt, BytesAt) or a step of the receiver with its files (StepAt).
"""
from dataclasses import dataclass, field
import random

LINK = ("reset", "close", "half close", "stall", "delay", "throttle", "corrupt up", "corrupt down")
PEERS = ("kill sender", "kill session", "kill collector", "stop collector", "freeze sender",
         "freeze session", "duplicate")
# At a step of the receiver: it is what is killed, as a rule.
AT_STEP = ("kill session", "kill session", "kill collector", "kill sender", "reset", "half close",
           "stall", "stop collector", "duplicate", "I/O error")

# Where a frame is: nothing of it has passed, a part, all.
PLACES = ("before", "inside", "behind")


@dataclass
class FrameAt:
    name: str
    place: str
    number: int = None  # of DATA its place in the stream, of CHECKPOINT and ACK which; None: any
    nth: int = 1
    part: float = 0.5  # of the frame, for "inside"
    then_s: float = 0  # so much later
    met: int = 0

    def __str__(self):
        return f"{self.place} {self.name}" + (f" {self.number}" if self.number is not None else "")


@dataclass
class StreamAt:
    share: float  # of the stream

    def __str__(self):
        return f"at {100 * self.share:.1f} % of the stream"


@dataclass
class BytesAt:
    """Of a link that can't be looked into: bytes from its beginning, or from that of the first."""
    direction: str
    count: int
    of_all: bool = False
    met: int = 0

    def __str__(self):
        return f"{self.count} bytes {self.direction} the link"


@dataclass
class StepAt:
    phases: tuple
    calls: tuple  # of (when, call, file name)
    nth: int = 1
    met: int = 0

    def __str__(self):
        return f"step {self.nth} of {'/'.join(self.phases)}"


@dataclass
class Fault:
    state: str
    at: object
    actions: list
    seconds: float  # how long what lasts lasts, or until what is dead comes back
    dirt: float  # 0…1, for a choice within the action
    fired: bool = False

    def __str__(self):
        return f"{self.state}: {' and '.join(self.actions)} {self.at}"


@dataclass
class Plan:
    seed: str
    core: str
    level: int
    codec: str
    threads: int
    transport: str
    rate: int  # bytes a second; 0: as fast as it goes
    faults: list = field(default_factory=list)

    def __str__(self):
        rate = f"{self.rate / 1e6:.0f} MB/s" if self.rate else "full speed"
        return (f"{self.core} -d {self.level} {self.codec}, {self.threads} threads, "
                f"{self.transport}, {rate}")


SYNC_STEPS = (("before", "write", "vmcore.segments"), ("before", "fdatasync", "vmcore.segments"),
              ("after", "fdatasync", "vmcore.segments"))


def _frame(rng, names, **how):
    return FrameAt(rng.choice(names), rng.choice(PLACES), part=rng.random(), **how)


def _at(rng, state):
    """A place in a state."""
    if state == "hello":
        return _frame(rng, ("HELLO",))
    if state == "welcome":
        return FrameAt("WELCOME", rng.choice(("before", "inside")), part=rng.random())
    if state == "attach":
        return _frame(rng, ("ATTACH",))
    if state == "filter":
        return FrameAt("ATTACH", "behind", then_s=rng.uniform(0, 0.1))
    if state == "totals":
        return _frame(rng, ("TOTALS",)) if rng.random() < 0.5 else _frame(rng, ("GO",))
    if state == "prologue":
        if rng.random() < 0.6:
            return _frame(rng, ("DATA",), number=0)
        return _frame(rng, ("CHECKPOINT",), number=1)
    if state == "data":
        return StreamAt(rng.uniform(0.02, 1))
    if state == "checkpoint":
        return _frame(rng, ("CHECKPOINT",), nth=rng.randint(1, 3))
    if state == "sync to ACK":
        if rng.random() < 0.7:
            return StepAt(("synced",), SYNC_STEPS, nth=rng.randint(1, 3))
        return FrameAt("ACK", rng.choice(("before", "inside")), part=rng.random())
    if state == "acknowledged":
        return FrameAt("ACK", "behind", nth=rng.randint(1, 2))
    if state == "restoring":
        return StepAt(("begin",), (("after", "ftruncate", "vmcore.part"),
                                   ("after", "fallocate", "vmcore.part"),
                                   ("before", "fdatasync", "vmcore.part"),
                                   ("after", "fdatasync", "vmcore.part")), nth=rng.randint(1, 3))
    if state == "beginning":
        return StepAt(("begin",), (), nth=rng.randint(1, 24))
    if state == "mending":
        return StepAt(("data", "synced", "ending"), (("after", "ftruncate", "vmcore.part"),
                                                     ("after", "fsync", "vmcore.part"),
                                                     ("before", "rename", "meta.json")))
    if state == "end":
        if rng.random() < 0.4:
            return _frame(rng, ("END",))
        return StepAt(("ending",), (), nth=rng.randint(1, 10))
    if state == "rename to DONE":
        if rng.random() < 0.8:
            return StepAt(("renamed",), (), nth=rng.randint(1, 16))
        return FrameAt("DONE", rng.choice(("before", "inside")), part=rng.random())
    return FrameAt("DONE", "behind")


# How often what comes, for links whose frames can be read. A state is gone through in this order.
EARLY = {"hello": 3, "welcome": 2, "beginning": 3, "attach": 9, "filter": 2, "totals": 3,
         "prologue": 8}
MIDDLE = {"data": 12, "checkpoint": 5, "sync to ACK": 16, "acknowledged": 3, "restoring": 5,
          "mending": 3, "hello": 1, "attach": 4, "totals": 2}
LATE = {"end": 4, "rename to DONE": 6, "done": 1}


def _choose(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


def _fault(rng, state, opaque):
    at = _at(rng, state)
    if opaque and isinstance(at, FrameAt):
        if state in ("data", "checkpoint", "acknowledged", "sync to ACK", "end", "done"):
            state, at = "data", BytesAt("up", int(rng.uniform(4e3, 60e6)), True)
        else:
            state, at = "handshake", BytesAt(rng.choice(("up", "down")), rng.randint(0, 3000))
    elif opaque and isinstance(at, StreamAt):
        at = BytesAt("up", int(rng.uniform(4e3, 60e6)), True)
    pool = AT_STEP if isinstance(at, StepAt) else LINK + PEERS
    actions = [rng.choice(pool)]
    if rng.random() < 0.12:
        actions.append(rng.choice([a for a in LINK + PEERS if a not in actions]))
    return Fault(state, at, actions, seconds=rng.choice((0, 0, 0.1, 0.3, 1.0)), dirt=rng.random())


def make(seed, index, cores, transports, power_cuts=True):
    """The plan of dump number `index` of a campaign."""
    rng = random.Random(f"{seed}/{index}")
    core = rng.choice(cores)
    level, codec = rng.choice(((31, "none"), (31, "none"), (31, "none"), (1, "lzo"), (31, "zlib:1"),
                               (0, "lzo")))
    transport = transports[index % len(transports)]
    plan = Plan(f"{seed}/{index}", core, level, codec, rng.choice((0, 0, 1, 2)), transport,
                rng.choice((0, 10e6, 15e6, 15e6, 25e6, 40e6)))
    opaque = transport != "tcp"
    states = ([_choose(rng, EARLY) for _ in range(rng.randint(2, 4))] +
              [_choose(rng, MIDDLE) for _ in range(rng.randint(4, 8))] +
              [_choose(rng, LATE) for _ in range(rng.randint(1, 3))])
    order = list(EARLY)
    early = sorted((s for s in states if s in EARLY and s not in MIDDLE), key=order.index)
    middle = [s for s in states if s in MIDDLE]
    late = sorted((s for s in states if s in LATE), key=list(LATE).index)
    plan.faults = [_fault(rng, s, opaque) for s in early + middle + late]
    if power_cuts and rng.random() < 0.3:
        rng.choice(plan.faults[len(early):]).actions = ["power cut"]
    return plan
