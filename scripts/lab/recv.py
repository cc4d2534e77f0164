#!/usr/bin/python3
"""Take one TCP connection on loopback and write its bytes to a file, with holes for zeros.

    recv.py PORT FILE

QEMU's user network delivers to this loopback what a guest sends to 10.0.2.2. A guest that dies
looks like an end of data: the caller must know the length, or look for an end marker.
"""
import socket
import sys
import time

CHUNK = 1 << 16
ZERO = bytes(CHUNK)

if len(sys.argv) != 3:
    sys.exit(__doc__)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn, _ = listener.accept()
start = time.monotonic()
total = 0
with conn, conn.makefile("rb", buffering=1 << 20) as src, open(sys.argv[2], "wb") as dst:
    while data := src.read(CHUNK):
        if data == ZERO:
            dst.seek(len(data), 1)
        else:
            dst.write(data)
        total += len(data)
    dst.truncate(total)
took = max(time.monotonic() - start, 1e-3)
print(f"received {total} bytes in {took:.1f} s, {total / took / 1e6:.1f} MB/s", flush=True)
