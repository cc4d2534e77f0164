"""What a disk has after a power cut: what was synced, and of the rest anything, in any order.

A Disk follows the steps of all programs that write below a directory. At a sync it keeps what the
file, or the directory, has by then; cut() leaves behind what a cut of the power could have left.
A file's data and length are durable by its own sync, its name by that of its directory.
"""
import os
import shutil

BLOCK = 4096
CHUNK = 1 << 20


class Kept:
    """A file that is open, so that its inode number stays its own, and its last synced content."""

    def __init__(self, path, copy):
        self.fd = os.open(path, os.O_RDONLY)
        self.copy = copy
        self.synced = False

    def sync(self):
        with open(self.copy, "wb") as out:
            os.lseek(self.fd, 0, os.SEEK_SET)
            while n := os.sendfile(out.fileno(), self.fd, None, 1 << 30):
                del n
        self.synced = True


class Disk:
    def __init__(self, top, work):
        """`top` is empty and durable; `work` is a directory for what is kept."""
        self.top, self.work = os.path.realpath(top), work
        self.files = {}  # inode number: Kept
        self.names = {self.top: {}}  # directory: name: inode number (of a directory: 0)

    def _is_below(self, path):
        return path == self.top or path.startswith(self.top + "/")

    def after(self, step):
        """A step is done. To be called for all of them, in their order, while programs wait."""
        path = os.path.realpath(step.paths[-1]) if step.paths else ""
        if not self._is_below(path):
            return
        if step.call in ("fsync", "fdatasync"):
            if os.path.isdir(path):
                self.names[path] = self._listing(path)
            elif os.path.exists(path):
                self._keep(path).sync()

    def _listing(self, directory):
        entries = {}
        with os.scandir(directory) as listing:
            for e in listing:
                is_dir = e.is_dir(follow_symlinks=False)
                if is_dir:
                    self.names.setdefault(e.path, {})
                else:
                    self._keep(e.path)
                entries[e.name] = 0 if is_dir else e.inode()
        return entries

    def _keep(self, path):
        inode = os.stat(path).st_ino
        if inode not in self.files:
            self.files[inode] = Kept(path, os.path.join(self.work, f"inode-{inode}"))
        return self.files[inode]

    def cut(self, rng):
        """With all programs dead: make `top` what a power cut could have left of it."""
        chance = rng.choice((0, 0.1, 0.5, 0.9, 1))  # that something unsynced survives
        new = self.top + ".new"
        os.mkdir(new, 0o700)
        self._rebuild(self.top, new, rng, chance)
        old = self.top + ".old"
        os.rename(self.top, old)
        os.rename(new, self.top)
        shutil.rmtree(old)
        for kept in self.files.values():
            os.close(kept.fd)
            if kept.synced:
                os.unlink(kept.copy)
        self.files.clear()
        self.names.clear()
        self._all_durable(self.top)

    def _all_durable(self, directory):
        """What was read back from the disk is on it."""
        self.names[directory] = self._listing(directory)
        for name, inode in self.names[directory].items():
            path = os.path.join(directory, name)
            if inode:
                self._keep(path).sync()
            else:
                self._all_durable(path)

    def _rebuild(self, directory, new, rng, chance):
        durable = self.names.get(directory, {})
        current = self._listing(directory) if os.path.isdir(directory) else {}
        # A rename is one change, though of two names: what happens to an inode happens as one.
        fates = {}
        for name in sorted(durable.keys() | current.keys()):
            before, now = durable.get(name), current.get(name)
            if before == now:
                inode = now
            else:
                fate = fates.setdefault(now if now is not None else before, rng.random() < chance)
                inode = now if fate else before
            if inode is None:
                continue
            path = os.path.join(new, name)
            if inode == 0:
                os.mkdir(path, 0o700)
                self._rebuild(os.path.join(directory, name), path, rng, chance)
            else:
                self._mix(self.files[inode], path, rng, chance)

    def _mix(self, kept, path, rng, chance):
        """The synced content, with any of the later blocks, and any of the later lengths."""
        now_bytes = os.fstat(kept.fd).st_size
        old = os.open(kept.copy, os.O_RDONLY) if kept.synced else os.open(os.devnull, os.O_RDONLY)
        old_bytes = os.fstat(old).st_size if kept.synced else 0
        size = rng.choice((old_bytes, now_bytes, rng.randint(*sorted((old_bytes, now_bytes)))))
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        for at in range(0, size, CHUNK):
            n = min(CHUNK, size - at)
            a, b = (os.pread(fd, n, at).ljust(n, b"\0") for fd in (old, kept.fd))
            if a != b:
                a = b"".join(x if x == y or rng.random() >= chance else y for x, y in
                             ((a[i:i + BLOCK], b[i:i + BLOCK]) for i in range(0, n, BLOCK)))
            if a.count(0) < n:
                os.pwrite(out, a, at)
        os.ftruncate(out, size)
        os.close(out)
        os.close(old)
