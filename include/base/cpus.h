/* How many CPUs there are, and what they can. */
#ifndef CPUS_H
#define CPUS_H

#include <stdbool.h>

/* The number of CPUs that this process may run on, 1 and more, on machines of any size. */
unsigned cpus_at_hand(void);

/* Whether they have instructions for SHA-256. On those that don't, of 64 bits, SHA-512 takes a
 * third less for a byte. */
bool cpus_have_sha256(void);

#endif
