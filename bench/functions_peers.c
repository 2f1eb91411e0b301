/* See functions_peers.h. */
#include "functions_peers.h"

#include <immintrin.h>
#include <stddef.h>
#ifdef NIGH_HAVE_SLEEF
#include <sleef.h>
#endif

#define LOOP512(f)                                                                                  \
    static void run_##f(int64_t n, const float *x, float *y)                                        \
    {                                                                                               \
        for (int64_t i = 0; i < n; i += 16) _mm512_storeu_ps(y + i, f(_mm512_loadu_ps(x + i)));     \
    }
#define LOOP256(f)                                                                                  \
    static void run_##f(int64_t n, const float *x, float *y)                                        \
    {                                                                                               \
        for (int64_t i = 0; i < n; i += 8) _mm256_storeu_ps(y + i, f(_mm256_loadu_ps(x + i)));      \
    }
#define SLEEF(P)                                                                                                          \
    P(exp, Sleef_expf16_u10avx512f, 512, 1) P(exp, Sleef_expf8_u10avx2, 256, 1) P(log, Sleef_logf16_u10avx512f, 512, 1)   \
    P(log, Sleef_logf16_u35avx512f, 512, 1) P(log, Sleef_logf8_u35avx2, 256, 1) P(sin, Sleef_sinf16_u10avx512f, 512, 1)   \
    P(sin, Sleef_sinf16_u35avx512f, 512, 1) P(sin, Sleef_sinf8_u35avx2, 256, 1) P(sin, Sleef_fastsinf16_u3500avx512f, 512, 0) \
    P(cos, Sleef_cosf16_u10avx512f, 512, 1) P(cos, Sleef_cosf16_u35avx512f, 512, 1) P(tanh, Sleef_tanhf16_u10avx512f, 512, 1) \
    P(tanh, Sleef_tanhf16_u35avx512f, 512, 1) P(tanh, Sleef_tanhf8_u35avx2, 256, 1) P(erf, Sleef_erff16_u10avx512f, 512, 1)
#define GLIBC(P)                                                                                                  \
    P(exp, _ZGVeN16v_expf, 512, 1) P(exp, _ZGVdN8v_expf, 256, 1) P(log, _ZGVeN16v_logf, 512, 1) P(log, _ZGVdN8v_logf, 256, 1) \
    P(sin, _ZGVeN16v_sinf, 512, 1) P(sin, _ZGVdN8v_sinf, 256, 1) P(cos, _ZGVeN16v_cosf, 512, 1) P(tanh, _ZGVeN16v_tanhf, 512, 1) \
    P(tanh, _ZGVdN8v_tanhf, 256, 1) P(erf, _ZGVeN16v_erff, 512, 1) P(erf, _ZGVdN8v_erff, 256, 1)

#define V512 __m512
#define V256 __m256
#define DECLARE(id, f, bits, counts) V##bits f(V##bits);
#define LOOP(id, f, bits, counts) LOOP##bits(f)
#define ENTRY(id, f, bits, counts) {#id, #f, counts, run_##f},
#ifdef NIGH_HAVE_SLEEF
SLEEF(LOOP)
#endif
#ifdef NIGH_HAVE_LIBMVEC
GLIBC(DECLARE)
GLIBC(LOOP)
#endif

const functions_peer functions_peers[] = {
#ifdef NIGH_HAVE_SLEEF
    SLEEF(ENTRY)
#endif
#ifdef NIGH_HAVE_LIBMVEC
    GLIBC(ENTRY)
#endif
    {NULL, NULL, 0, NULL},
};

void functions_copy(int64_t n, const float *x, float *y, int stream)
{
    for (int64_t i = 0; i < n; i += 16)
        if (stream) _mm512_stream_ps(y + i, _mm512_loadu_ps(x + i));
        else _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
    if (stream) _mm_sfence();
}
