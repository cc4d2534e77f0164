"""What the benchmarks share: the programs that are measured, the machine, and what is made of samples."""
import os
import platform
import re
import shutil
import statistics
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPTIONS = {"zlib": "-c", "lzo": "-l", "snappy": "-p", "zstd": "-z"}
TIMEOUT_S = 900


class Tool:
    """A makedumpfile, or ours: how it is called, what it is, and which codecs it has."""

    def __init__(self, name, command, version, codecs):
        self.name, self.command, self.version, self.codecs = name, command, version, codecs

    def dump(self, cell, core, out):
        """The arguments that dump `core` into the file `out`, or (None) to standard output."""
        args = [OPTIONS[cell["codec"]], "-d", str(cell["level"])]
        threads = cell["threads"] if self.name == "vmsend" else cell.get("its_threads", cell["threads"])
        if self.name == "vmsend" or threads:
            args += ["--num-threads", str(threads)]
        if self.name == "vmsend":
            args.append("-q")
        return self.command + args + (["-F", core] if out is None else [core, out])

    def receive(self, out):
        return self.command + (["-q", out] if self.name == "vmrecv" else ["-R", out])


def said(command):
    run = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return run.stdout + run.stderr


def our_tool(build, name):
    path = os.path.join(build, name)
    version = said([path, "--version"]).split("\n")[0].split()[-1]
    return Tool(name, [path], version, set(OPTIONS))


def makedumpfile(command):
    text = said(command + ["-v"])
    version = re.search(r"version (\S+)", text)
    codecs = {"zlib"} | {c for c in OPTIONS if re.search(rf"^{c}\s+enabled", text, re.M)}
    return Tool(f"makedumpfile {version.group(1)}", command, version.group(1), codecs)


def makedumpfiles(newest):
    tools = []
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if newest != "only" and shutil.which("makedumpfile", path=path):
        tools.append(makedumpfile([shutil.which("makedumpfile", path=path)]))
    if newest != "no":
        # As its wrapper calls it, but for the shell, which would be measured too.
        folder = subprocess.run([os.path.join(TOP, "scripts/lab/newer-tools")], check=True,
                                stdout=subprocess.PIPE, text=True).stdout.strip()
        lib = os.path.join(folder, "root/usr/lib", platform.machine() + "-linux-gnu")
        tools.append(makedumpfile([os.path.join(lib, "ld-linux-x86-64.so.2"), "--library-path", lib,
                                   os.path.join(folder, "root/usr/bin/makedumpfile")]))
    return tools


def version_of(name):
    return [int(n) for n in re.findall(r"\d+", name)]


def read_data(path):
    """Into the page cache, but for holes."""
    size = os.path.getsize(path)
    with open(path, "rb", buffering=0) as f:
        at = 0
        while at < size:
            try:
                f.seek(at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            at = f.tell() + max(len(f.read(1 << 24)), 1)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return f"{model.group(1) if model else platform.machine()}, {os.cpu_count()} CPUs, " \
           f"Linux {platform.release()}"


# --- samples: a dict, name of a program to what each round took ---

def median(samples, key):
    return statistics.median(s[key] for s in samples)


def ratio(samples, ours, theirs, key):
    """The median of the rounds' ratios."""
    pairs = zip(samples[ours], samples[theirs])
    return statistics.median(a[key] / b[key] for a, b in pairs if b[key])


def spread(samples, key):
    """Half the distance between the quartiles, of the median: in percent."""
    values = sorted(s[key] for s in samples)
    q = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return 100 * (q[2] - q[0]) / 2 / q[1] if q[1] else 0
