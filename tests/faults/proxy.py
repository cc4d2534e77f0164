"""A TCP proxy between sender and receiver that does to a link what networks do.

It calls watch(link, direction, frame, size) before bytes pass, with the frame that begins with them if
one does, and stops at the byte where that wants something done (Link.mark).
"""
import asyncio
import random
import socket
import struct
import time

from wire import Frames

# Little is held between the two ends, so that what was sent and what has come are nearly the same.
BUFFER_BYTES = 128 << 10
STEP_BYTES = 64 << 10


class LinkGone(Exception):
    """The link was ended by its own user."""


class Link:
    """One connection, both ways: direction "up" leads to the receiver, "down" to the sender."""

    def __init__(self, proxy, number, sender):
        self.proxy, self.number = proxy, number
        self.sender, self.receiver = sender, None
        self.tasks = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.rate = proxy.rate  # bytes a second to the receiver; 0: no limit
        self.flip = {"up": None, "down": None}  # how many bytes on, a bit is flipped
        self.bytes = {"up": 0, "down": 0}
        self.marks = {"up": [], "down": []}  # (byte at which something is done, what)
        self.alive = True

    async def run(self, port):
        loop = asyncio.get_running_loop()
        self.receiver = make_socket()
        try:
            await loop.sock_connect(self.receiver, ("127.0.0.1", port))
        except OSError:
            self.reset()
            return
        if not self.alive:
            return
        self.tasks = [asyncio.create_task(self._pump(self.sender, self.receiver, "up")),
                      asyncio.create_task(self._pump(self.receiver, self.sender, "down"))]
        await asyncio.wait(self.tasks)
        self.close()

    async def _pump(self, source, target, direction):
        loop = asyncio.get_running_loop()
        frames = Frames()
        try:
            while True:
                data = await loop.sock_recv(source, STEP_BYTES)
                if not data:
                    break
                for frame, piece in frames.feed(data):
                    await self._pass(target, direction, frame, piece)
            if frames.held:
                await self._send(target, direction, frames.held)
            target.shutdown(socket.SHUT_WR)
        except (LinkGone, asyncio.CancelledError):
            pass
        except OSError:  # one side is gone, and so the other has to learn of it
            self.reset()

    async def _pass(self, target, direction, frame, piece):
        """Bytes of one frame, with what is to be done before, in or behind them."""
        marks = self.marks[direction]
        self.proxy.watch(self, direction, frame, len(piece))
        while marks and marks[0][0] <= self.bytes[direction] + len(piece):
            at, action = marks.pop(0)
            head = at - self.bytes[direction]
            await self._send(target, direction, piece[:head])
            piece = piece[head:]
            await action(self)
            if not self.alive:
                raise LinkGone
        await self._send(target, direction, piece)

    def mark(self, direction, offset, action):
        """Let `action` be done so many bytes from here; nothing passes meanwhile."""
        self.marks[direction].append((self.bytes[direction] + offset, action))

    async def _send(self, target, direction, data):
        loop = asyncio.get_running_loop()
        flip = self.flip[direction]
        if flip is not None:
            if flip < len(data):
                data = bytearray(data)
                data[flip] ^= 1 << random.randrange(8)
                self.flip[direction] = None
            else:
                self.flip[direction] -= len(data)
        await self.flowing.wait()
        await loop.sock_sendall(target, data)
        self.bytes[direction] += len(data)
        if self.rate and direction == "up":
            await asyncio.sleep(len(data) / self.rate)

    def stall(self):
        """Nothing passes any more, and nobody is told."""
        self.flowing.clear()

    def resume(self):
        self.flowing.set()

    def close(self, linger=None):
        if not self.alive:
            return
        self.alive = False
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for s in (self.sender, self.receiver):
            if s and linger is not None:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if s:  # once the loop has let go of it
                asyncio.get_running_loop().call_soon(s.close)

    def reset(self):
        """Both ends get an RST."""
        self.close(struct.pack("ii", 1, 0))

    def half_close(self, side):
        """The end of the link reaches one side only; the other one waits for ever."""
        self.stall()
        try:
            (self.sender if side == "sender" else self.receiver).shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def make_socket():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setblocking(False)
    return s


class Proxy:
    """Listens on a port of loopback; each connection is a Link to `target`."""

    def __init__(self, target, watch, rate=0):
        self.target, self.watch, self.rate = target, watch, rate
        self.links = []
        self.runs = set()
        self.listener = make_socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.accepting = asyncio.create_task(self._accept())

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            s, _ = await loop.sock_accept(self.listener)
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(self, len(self.links) + 1, s)
            self.links.append(link)
            task = asyncio.create_task(link.run(self.target))
            self.runs.add(task)
            task.add_done_callback(self.runs.discard)

    def live(self):
        """The links that stand, the newest first."""
        return [link for link in reversed(self.links) if link.alive]

    def end(self):
        self.accepting.cancel()
        self.listener.close()
        for link in self.links:
            link.close()
