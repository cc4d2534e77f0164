"""Frames on a link, as docs/PROTOCOL.md has them: where each begins, and which it is.

Does no input or output.
"""
from dataclasses import dataclass
import struct

HEADER_BYTES = 24
LOOK_BYTES = 8  # of the payload: of DATA its place in the stream, of CHECKPOINT and ACK which

NAMES = {
    1: "HELLO", 2: "WELCOME", 3: "WAIT", 4: "REFUSE", 5: "ATTACH", 6: "TOTALS", 7: "GO", 8: "DATA",
    9: "CHECKPOINT", 10: "ACK", 11: "HEARTBEAT", 12: "END", 13: "DONE", 14: "ABORT",
}


@dataclass
class Frame:
    name: str
    size: int  # with its header
    number: int  # the first 8 bytes of its payload

    @property
    def stream_end(self):
        """Of DATA: where in the stream its bytes end."""
        return self.number + self.size - HEADER_BYTES - LOOK_BYTES


class Frames:
    """Takes the bytes of one direction apart."""

    def __init__(self):
        self.held = b""  # the beginning of a frame, too little to tell what it is
        self.left = 0  # of the frame that passes
        self.opaque = False  # no frames: TLS, SSH

    def feed(self, data):
        """Yields (frame, its first bytes) where one begins, else (None, more bytes)."""
        data = self.held + data
        self.held = b""
        while data:
            frame = None
            if self.opaque:
                self.left = len(data)
            elif not self.left:
                frame = self._look(data)
                if not frame and not self.opaque:
                    self.held = data
                    return
                self.left = frame.size if frame else len(data)
            piece, data = data[:self.left], data[self.left:]
            self.left -= len(piece)
            yield frame, piece

    def _look(self, data):
        """The frame that begins here; None if too little of it is there, or it is none."""
        if data[:4] != b"VMSF"[:len(data)]:
            self.opaque = True
            return None
        if len(data) < HEADER_BYTES:
            return None
        length = struct.unpack_from("<I", data, 8)[0]
        look = min(length, LOOK_BYTES)
        if len(data) < HEADER_BYTES + look:
            return None
        number = struct.unpack_from("<Q", data, HEADER_BYTES)[0] if look == LOOK_BYTES else 0
        return Frame(NAMES.get(data[5], f"type {data[5]}"), HEADER_BYTES + length, number)
