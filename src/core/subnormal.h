/*
 * Subnormal numbers as zeros, in this thread and in a team of OpenMP's. Weights that fade (decay inside Adam, units that died) end in numbers below 1e-38, on which every
 * operation takes a hundred times as long.
 */
#ifndef NIGH_CORE_SUBNORMAL_H
#define NIGH_CORE_SUBNORMAL_H

/* Gives what was in force in this thread, for subnormal_restore with the same number of threads. Elsewhere than on x86 nothing happens. */
unsigned subnormal_flush(int threads);
void subnormal_restore(int threads, unsigned before);
#endif
