"""Answers tests/preload/steps.so: what a program does with its files, step by step.

The program waits for the answer, so that whatever happens meanwhile happens exactly there.
"""
import asyncio
from dataclasses import dataclass
import os
import socket

GO_ON = 0


@dataclass
class Step:
    pid: int
    when: str  # before, after
    call: str
    paths: list  # absolute, where the call gives names: as far as they can be told
    phase: str = ""  # of the dump's file: see Phases

    def is_on(self, when, call, name):
        return (self.when, self.call) == (when, call) and os.path.basename(self.paths[-1]) == name


class Phases:
    """How far a receiver's session is, by its steps.

    begin: up to the first data   data: some was written   synced: a sync that an ACK will follow
    ending: the file gets its final state   renamed: it has its final name
    """

    def __init__(self):
        self.of = {}

    def judge(self, step):
        phase = self.of.get(step.pid, "begin")
        if step.is_on("before", "pwrite", "vmcore.part") and phase != "ending":
            phase = "data"
        elif step.is_on("before", "write", "vmcore.segments") and phase == "data":
            phase = "synced"
        elif step.is_on("before", "fsync", "vmcore.part"):
            phase = "ending"
        elif step.is_on("after", "rename", "vmcore"):
            phase = "renamed"
        self.of[step.pid] = step.phase = phase


class StepServer:
    """Calls `on_step` (a coroutine) with each Step; what that gives back is the answer."""

    def __init__(self, path, on_step):
        self.path, self.on_step = path, on_step
        self.phases = Phases()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.tasks = {asyncio.create_task(self._accept())}

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self.listener)
            connection.setblocking(False)
            task = asyncio.create_task(self._serve(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _serve(self, connection):
        loop = asyncio.get_running_loop()
        pid = int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4],
                             "little")
        with connection:
            while True:
                try:
                    message = await loop.sock_recv(connection, 1 << 16)
                    if not message:
                        return
                    answer = await self.on_step(self._step(pid, message))
                    await loop.sock_sendall(connection, bytes([answer]))
                except OSError:  # the program is gone
                    return

    def _step(self, pid, message):
        when, call, *paths = message.decode(errors="replace").split("\0")
        try:
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            cwd = ""
        step = Step(pid, when, call, [os.path.join(cwd, p) for p in paths if p])
        self.phases.judge(step)
        return step

    def end(self):
        for task in self.tasks:
            task.cancel()
        self.listener.close()
