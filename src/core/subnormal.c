/* See subnormal.h. */
#include "core/subnormal.h"

#ifdef __x86_64__
#include <xmmintrin.h>

enum { FLUSH = 0x8040 }; /* results and operands: FTZ, DAZ */

static void set_all(int threads, unsigned state)
{
#pragma omp parallel num_threads(threads) if (threads > 1)
    _mm_setcsr(state);
}

unsigned subnormal_flush(int threads)
{
    unsigned before = _mm_getcsr();
    set_all(threads, before | FLUSH);
    return before;
}

void subnormal_restore(int threads, unsigned before) { set_all(threads, before); }
#else
unsigned subnormal_flush(int threads)
{
    (void)threads;
    return 0;
}

void subnormal_restore(int threads, unsigned before)
{
    (void)threads, (void)before;
}
#endif
