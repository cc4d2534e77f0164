/* How many CPUs there are. Level 0. */
#ifndef CPUS_H
#define CPUS_H

/* The number of CPUs that this process may run on, 1 and more, on machines of any size. */
unsigned cpus_at_hand(void);

#endif
