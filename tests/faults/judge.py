"""What must hold of dumps, whole and in part. Each function gives back what is wrong, as lines."""
import json
import os
import struct
import subprocess

CHUNK = 4 << 20

# docs/FORMAT.md: the main header, and a descriptor.
STATUS_AT, BLOCK_SIZE_AT, SUB_BLOCKS_AT, BITMAP_BLOCKS_AT = 424, 428, 432, 436
INCOMPLETE = 8
DESC = struct.Struct("<QIIQ")


def differs(path, other):
    """Where two files differ first; None: nowhere."""
    with open(path, "rb") as a, open(other, "rb") as b:
        at = 0
        while True:
            x, y = a.read(CHUNK), b.read(CHUNK)
            if x != y:
                return at + next((i for i, (p, q) in enumerate(zip(x, y)) if p != q),
                                 min(len(x), len(y)))
            if not x:
                return None
            at += len(x)


class Reference:
    """The dump as it has to be, and what may stand in a part of it."""

    def __init__(self, path):
        self.path = path
        self.fd = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.fd).st_size
        header = os.pread(self.fd, 512, 0)
        block, sub, bitmaps = (struct.unpack_from("<I", header, at)[0]
                               for at in (BLOCK_SIZE_AT, SUB_BLOCKS_AT, BITMAP_BLOCKS_AT))
        half = bitmaps // 2 * block
        self.table = block * (1 + sub + bitmaps)
        pages = int.from_bytes(os.pread(self.fd, half, self.table - half), "little").bit_count()
        raw = os.pread(self.fd, pages * DESC.size, self.table)
        self.descs = list(DESC.iter_unpack(raw))

    def wrong_in_part(self, path):
        """Every descriptor of a part is zero, or the right one with the right data."""
        fd = os.open(path, os.O_RDONLY)
        wrong, there = [], 0
        try:
            status = struct.unpack("<I", os.pread(fd, 4, STATUS_AT).ljust(4, b"\0"))[0]
            if os.fstat(fd).st_size and not status & INCOMPLETE:
                wrong.append(f"{path}: its header doesn't say that it is incomplete")
            raw = os.pread(fd, len(self.descs) * DESC.size, self.table)
            raw = raw.ljust(len(self.descs) * DESC.size, b"\0")
            for i, want in enumerate(self.descs):
                got = DESC.unpack_from(raw, i * DESC.size)
                if got == (0, 0, 0, 0):
                    continue
                there += 1
                if got != want:
                    wrong.append(f"{path}: descriptor {i} is {got}, not {want}")
                elif os.pread(fd, want[1], want[0]) != os.pread(self.fd, want[1], want[0]):
                    wrong.append(f"{path}: the data of descriptor {i} is wrong")
                if len(wrong) > 5:
                    break
        finally:
            os.close(fd)
        return wrong, there


def published(top):
    """The paths of all dumps below `top` that have their final name."""
    found = []
    for folder, _, names in os.walk(top):
        if "vmcore" in names:
            found.append(os.path.join(folder, "vmcore"))
    return found


def folders(top):
    """The directories of dumps below `top`: DIR/HOST/TIME."""
    return sorted(os.path.join(top, host, time) for host in os.listdir(top)
                  for time in os.listdir(os.path.join(top, host)))


def check_status(vmrecv, path):
    """The exit status of vmrecv --check, and what it says."""
    done = subprocess.run([vmrecv, "--check", "-q", path], capture_output=True, text=True,
                          errors="replace", check=False)
    return done.returncode, done.stderr.strip()


def wrong_in_whole(vmrecv, top, reference, log):
    """One dump, in one directory, complete in every respect, and nothing else."""
    wrong = []
    all_folders = folders(top)
    whole = published(top)
    if len(whole) != 1:
        wrong.append(f"{len(whole)} dumps were published: {' '.join(whole)}")
    for folder in all_folders:
        names = sorted(os.listdir(folder))
        # A reservation stays for what it tells of such dumps; the next look at the store removes it.
        names = [name for name in names if name != ".reserved"]
        if names != ["meta.json", "vmcore", "vmcore-dmesg.txt", "vmcore.segments"]:
            wrong.append(f"{folder} has {' '.join(names) or 'nothing'}")
    for path in whole:
        folder = os.path.dirname(path)
        if (at := differs(path, reference.path)) is not None:
            wrong.append(f"{path} is wrong from byte {at} on")
        status, said = check_status(vmrecv, path)
        if status:
            wrong.append(f"vmrecv --check {path}: exit status {status}: {said}")
        try:
            if differs(os.path.join(folder, "vmcore-dmesg.txt"), log) is not None:
                wrong.append(f"{folder}: the kernel log is wrong")
            with open(os.path.join(folder, "meta.json"), encoding="utf-8") as f:
                meta = json.load(f)
            if meta["status"] != "complete" or not meta["digest"]:
                wrong.append(f"{folder}/meta.json: status {meta['status']}, digest {meta['digest']}")
        except OSError as e:
            wrong.append(str(e))
        except ValueError as e:
            wrong.append(f"{folder}/meta.json: {e}")
    return wrong
