/* Vector functions of SLEEF and of glibc over arrays, one loop each; compiled for AVX-512. */
#ifndef NIGH_BENCH_FUNCTIONS_PEERS_H
#define NIGH_BENCH_FUNCTIONS_PEERS_H
#include <stdint.h>

typedef struct functions_peer {
    const char *function; /* "exp" */
    const char *name;     /* of the entry point */
    int counts;           /* 0: shown, but in no bar */
    void (*run)(int64_t n, const float *x, float *y); /* n a multiple of 16 */
} functions_peer;

extern const functions_peer functions_peers[]; /* ended by run == NULL */
void functions_copy(int64_t n, const float *x, float *y, int stream); /* n a multiple of 16; stream: y aligned to 64 bytes */
#endif
