"""One dump and what happens to it: runs a plan with real programs, and gives back what came of it."""
import asyncio
from dataclasses import dataclass, field
import errno
import os
import random
import signal
import subprocess
import tempfile
import time
import traceback

import judge
from plan import BytesAt, FrameAt, StepAt, StreamAt
from powercut import Disk
from proxy import Proxy
from steps import StepServer

TIMEOUT_S = 2  # of both programs, for silence; what stalls, stalls for longer
STALL_S = TIMEOUT_S + 1
ARMED = 3
TRIAL_S = 300  # more means that it hangs
SEGMENT = (16 << 20) + (2 << 20)  # with the chunk and the runs that end it


@dataclass
class Result:
    wrong: list = field(default_factory=list)
    fired: list = field(default_factory=list)  # faults
    resent: list = field(default_factory=list)  # (bytes sent again, the most that may be)
    links: int = 0
    senders: int = 0
    seconds: float = 0


class Program:
    """A program that runs, with what it says in a file."""

    def __init__(self, args, said, env=None):
        self.said = said
        with open(said, "ab") as out:
            out.write(f"--- {' '.join(args)}\n".encode())
            out.flush()
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})},
                                            start_new_session=True)
        self.pid = self.process.pid
        self.killed = False

    async def wait(self):
        while self.process.poll() is None:
            await asyncio.sleep(0.02)
        return self.process.returncode

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.killed = True
        self.signal(signal.SIGKILL)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(c) for c in f.read().split()]
    except OSError:
        return []


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Trial:
    def __init__(self, plan, setup, folder):
        """setup: programs and references (campaign.Setup); `folder` is this trial's own."""
        self.plan, self.setup, self.folder = plan, setup, folder
        self.rng = random.Random(f"{plan.seed}/trial")
        self.store = os.path.join(folder, "store")
        os.mkdir(self.store, 0o700)
        self.reference = setup.reference(plan)
        self.result = Result()
        self.waiting = list(plan.faults)  # in this order, more or less
        self.acting = set()
        self.stops = 0  # of the collector
        self.collector = self.sender = None
        self.sessions = set()  # pids that were seen at a step
        self.others = []  # senders that were overtaken
        self.sent = {}  # by link, in their order: [(time, byte of the stream)]
        self.disk = None
        if any("power cut" in f.actions for f in plan.faults):
            self.disk = Disk(self.store, tempfile.mkdtemp(dir=folder))

    # --- programs ------------------------------------------------------------------------------

    def start_collector(self):
        self.collector = Program(
            [self.setup.vmrecv, "--listen", f"127.0.0.1:{self.port}", "--dir", self.store,
             "--timeout", str(TIMEOUT_S), *self.setup.receiver_options(self.plan.transport)],
            self.path("vmrecv.log"),
            {"LD_PRELOAD": self.setup.preload, "STEPS_SOCKET": self.path("steps")})

    def start_sender(self):
        plan = self.plan
        self.result.senders += 1
        self.sender = Program(
            [self.setup.vmsend, "-d", str(plan.level), f"--compress={plan.codec}",
             "--num-threads", str(plan.threads), "--timeout", str(TIMEOUT_S),
             *self.setup.sender_options(plan.transport),
             "--to", f"{plan.transport}://127.0.0.1:{self.proxy.port}", self.setup.core(plan.core)],
            self.path("vmsend.log"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def all_sessions(self):
        return children(self.collector.pid)

    def kill_receiver(self):
        """The collector and all of its sessions, also of collectors before it."""
        self.collector.kill()
        for pid in self.all_sessions() + list(self.sessions):
            send_signal(pid, signal.SIGKILL)
        self.sessions.clear()

    # --- where faults are ------------------------------------------------------------------------

    def armed(self):
        """What may happen now: more than one fault, since not every place is come to."""
        return self.waiting[:ARMED]

    async def fire(self, fault, link=None):
        self.waiting.remove(fault)
        fault.fired = True
        self.result.fired.append(fault)
        # Who is here may be the link that ends by it, which must not end what is done.
        await asyncio.shield(self.spawn(self.act(fault, link)))

    def on_bytes(self, link, direction, frame, size):
        """The proxy's: bytes come up, perhaps with a frame that begins with them."""
        if frame and frame.name == "DATA":
            self.note_data(link, frame)
        for fault in self.armed():
            offset = self.offset_in_frame(fault.at, frame) if frame else None
            if isinstance(fault.at, BytesAt) and fault.at.direction == direction:
                offset = self.offset_in_bytes(fault.at, link, size)
            if offset is not None:
                link.mark(direction, offset, lambda link, f=fault: self.reached(f, link))

    def offset_in_bytes(self, at, link, size):
        """Where in the next bytes the place is; None: elsewhere."""
        links = self.proxy.links if at.of_all else [link]
        passed = sum(other.bytes[at.direction] for other in links)
        if at.met or at.count >= passed + size:
            return None
        at.met = 1
        return max(0, at.count - passed)

    def offset_in_frame(self, at, frame):
        """Where in the frame the place is; None: elsewhere."""
        if isinstance(at, StreamAt) and frame.name == "DATA":
            want = int(at.share * self.reference.size)
            if frame.stream_end > want:
                return max(0, min(want - frame.number, frame.size - 1))
        if not isinstance(at, FrameAt) or frame.name != at.name:
            return None
        if at.number is not None and at.number != frame.number:
            return None
        at.met += 1
        if at.met != at.nth:
            return None
        return {"before": 0, "inside": 1 + int(at.part * (frame.size - 2)),
                "behind": frame.size}[at.place]

    async def reached(self, fault, link):
        if getattr(fault.at, "then_s", 0):
            self.spawn(self.later(fault.at.then_s, lambda: self.spawn(self.reached_now(fault, link))))
        else:
            await self.reached_now(fault, link)

    async def reached_now(self, fault, link):
        if not fault.fired:
            await self.fire(fault, link)

    def note_data(self, link, frame):
        """What is sent again of the link before, and what may be: a segment, and a second of it."""
        if link not in self.sent:
            last = next(reversed(self.sent.values()), None)
            if last and (again := last[-1][1] - frame.number) > 0:
                self.result.resent.append((again, SEGMENT + self.most_in_a_second(last)))
            self.sent[link] = []
        self.sent[link].append((time.monotonic(), frame.stream_end))

    @staticmethod
    def most_in_a_second(sent):
        most, first = 0, 0
        for now, end in sent:
            while sent[first][0] < now - 1:
                first += 1
            most = max(most, end - sent[first][1])
        return most

    async def on_step(self, step):
        """The steps' server's: a receiver is about to do something, or has just done it."""
        if step.pid != self.collector.pid:
            self.sessions.add(step.pid)
        if step.is_on("after", "rename", "vmcore"):
            self.judge_published()
        if self.disk and step.when == "after":
            self.disk.after(step)
        if not self.sender:
            return 0  # of the link by which we saw that the collector listens
        for fault in self.armed():
            if self.is_at(fault.at, step):
                await self.fire(fault)
                return errno.EIO if "I/O error" in fault.actions else 0
        return 0

    @staticmethod
    def is_at(at, step):
        if not isinstance(at, StepAt) or step.phase not in at.phases:
            return False
        if at.calls and not any(step.is_on(*call) for call in at.calls):
            return False
        at.met += 1
        return at.met == at.nth

    def judge_published(self):
        for path in judge.published(self.store):
            if (at := judge.differs(path, self.reference.path)) is not None:
                self.result.wrong.append(f"{path} was published, wrong from byte {at} on")

    # --- faults ----------------------------------------------------------------------------------

    def spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.acting.add(task)
        task.add_done_callback(self.acting.discard)
        return task

    async def act(self, fault, link):
        """Begin what the fault does; what lasts goes on by itself."""
        for action in fault.actions:
            do = getattr(self, "do_" + action.replace(" ", "_").replace("/", "").lower())
            try:
                await do(fault, link or next(iter(self.proxy.live()), None))
            except Exception:  # a mistake of the harness, not of what it tests
                self.result.wrong.append(f"{fault}: {traceback.format_exc()}")

    def bring_back(self, seconds):
        """Start the collector so much later, unless it is stopped once more until then."""
        self.stops += 1
        stops = self.stops

        async def start():
            old = self.collector
            await old.wait()
            await asyncio.sleep(seconds)
            if stops == self.stops:
                self.start_collector()

        self.spawn(start())

    async def do_reset(self, _, link):
        if link:
            link.reset()

    async def do_close(self, _, link):
        if link:
            link.close()

    async def do_half_close(self, fault, link):
        if link:
            link.half_close("sender" if fault.dirt < 0.5 else "receiver")
            self.spawn(self.later(STALL_S, link.reset))

    async def do_stall(self, _, link):
        if link:
            link.stall()
            self.spawn(self.later(STALL_S, link.resume))

    async def do_delay(self, fault, link):
        if link:
            link.stall()
            self.spawn(self.later(fault.dirt * TIMEOUT_S * 0.7, link.resume))

    async def do_throttle(self, fault, link):
        if link:
            old, link.rate = link.rate, 300e3 + fault.dirt * 2e6
            self.spawn(self.later(fault.seconds, lambda: setattr(link, "rate", old)))

    async def do_corrupt_up(self, fault, link):
        self.corrupt(link, "up", fault.dirt)

    async def do_corrupt_down(self, fault, link):
        self.corrupt(link, "down", fault.dirt)

    @staticmethod
    def corrupt(link, direction, dirt):
        """A bit close by or far away."""
        if link:
            link.flip[direction] = int(dirt * 64) if dirt < 0.5 else int(dirt * 4e6)

    async def do_kill_sender(self, fault, _):
        self.sender.kill()
        self.restart_s = fault.seconds

    async def do_kill_session(self, *_):
        for pid in self.all_sessions() or list(self.sessions):
            send_signal(pid, signal.SIGKILL)

    async def do_kill_collector(self, fault, _):
        self.kill_receiver()
        self.bring_back(fault.seconds)

    async def do_stop_collector(self, fault, _):
        self.collector.signal(signal.SIGTERM)
        self.bring_back(fault.seconds)

    async def do_freeze_sender(self, fault, _):
        self.freeze([self.sender.pid], fault)

    async def do_freeze_session(self, fault, _):
        self.freeze(self.all_sessions(), fault)

    def freeze(self, pids, fault):
        for pid in pids:
            send_signal(pid, signal.SIGSTOP)
            self.spawn(self.later(STALL_S if fault.dirt < 0.5 else fault.dirt,
                                  lambda pid=pid: send_signal(pid, signal.SIGCONT)))

    async def do_duplicate(self, *_):
        """The same crash is sent once more: the new link takes the dump over."""
        self.others.append(self.sender)
        self.start_sender()

    async def do_io_error(self, *_):
        """The step's answer does it."""

    async def do_power_cut(self, fault, _):
        self.stops += 1  # nobody brings it back meanwhile
        self.kill_receiver()
        for link in self.proxy.live():
            link.stall()  # nobody is there to say that the link is gone
            self.spawn(self.later(STALL_S, link.reset))
        await self.collector.wait()
        self.disk.cut(self.rng)
        self.judge_published()
        self.bring_back(fault.seconds)

    @staticmethod
    async def later(seconds, what):
        await asyncio.sleep(seconds)
        what()

    # --- from beginning to end -----------------------------------------------------------------

    async def run(self):
        begin = time.monotonic()
        self.port = self.setup.free_port()
        self.steps = StepServer(self.path("steps"), self.on_step)
        self.proxy = Proxy(self.port, self.on_bytes, self.plan.rate)
        self.start_collector()
        try:
            status = await asyncio.wait_for(self.until_sent(), TRIAL_S)
            if status:
                self.result.wrong.append(f"vmsend ended with exit status {status}")
        except asyncio.TimeoutError:
            self.result.wrong.append(f"not done after {TRIAL_S} s")
        await self.end()
        self.result.links = len(self.proxy.links)
        self.result.seconds = time.monotonic() - begin
        return self.result

    async def until_sent(self):
        """Until a sender says that the dump has arrived, or none is left; the exit status."""
        await self.setup.until_listening(self.port)
        self.start_sender()
        while True:
            if any(other.process.poll() == 0 for other in self.others):
                return 0
            sender = self.sender  # another one may have overtaken the last
            status = sender.process.poll()
            if status is None:
                await asyncio.sleep(0.02)
            elif not sender.killed:
                return status
            else:
                await asyncio.sleep(self.restart_s)
                if sender is self.sender:
                    self.start_sender()

    async def end(self):
        for task in list(self.acting):
            task.cancel()
        for other in self.others:
            other.kill()
            await other.wait()
        self.sender.kill()
        await self.sender.wait()
        self.collector.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.collector.wait(), 20)
        except asyncio.TimeoutError:
            self.result.wrong.append("the collector doesn't end")
        self.kill_receiver()
        await self.collector.wait()
        self.proxy.end()
        self.steps.end()
