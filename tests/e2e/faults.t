#!/bin/bash
# A few dumps of the fault campaign: `make faults` is the whole of it. SEED=N for other ones.
cd "$(dirname "$0")/../.." || exit 1
exec tests/faults/campaign --seed "${SEED:-1}" --first 3 --dumps 5 --jobs 2 --cores k61-512m \
    --build "${BUILD:-build}"
