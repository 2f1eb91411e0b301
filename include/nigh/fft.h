/*
 * nigh/fft.h: Fourier, cosine and sine transforms, planned once and run often.
 *
 * Forward transforms compute X[k] = sum_j x[j] exp(-2 pi i j k / n) along each dimension without a factor; inverse ones have the other sign and
 * the factor 1/n of each dimension (as numpy.fft). Real transforms keep the n/2 + 1 first coefficients of the LAST transformed dimension.
 * Cosine and sine transforms follow FFTW's r2r kinds and scipy.fft:
 *     DCT-I   y[k] = x[0] + (-1)^k x[n-1] + 2 sum_{0<j<n-1} x[j] cos(pi j k / (n-1))     n >= 2; inverse: DCT-I / (2 (n-1))
 *     DCT-II  y[k] = 2 sum_j x[j] cos(pi k (2j+1) / (2n))                               inverse: DCT-III / (2n)
 *     DCT-III y[k] = x[0] + 2 sum_{j>0} x[j] cos(pi j (2k+1) / (2n))                    inverse: DCT-II / (2n)
 *     DST-I   y[k] = 2 sum_j x[j] sin(pi (j+1) (k+1) / (n+1))                           inverse: DST-I / (2 (n+1))
 *     DST-II  y[k] = 2 sum_j x[j] sin(pi (k+1) (2j+1) / (2n))                           inverse: DST-III / (2n)
 *     DST-III y[k] = (-1)^k x[n-1] + 2 sum_{j<n-1} x[j] sin(pi (j+1) (2k+1) / (2n))     inverse: DST-II / (2n)
 * and, of more than one dimension, are products of these.
 *
 * Any size is allowed; 2^a 3^b 5^c is the fastest. Source of nigh's own code: Van Loan, "Computational frameworks for the fast Fourier
 * transform", 1.7 (Stockham), 4.2 (Bluestein's chirp), 4.4 (two real transforms as one complex; cosine and sine transforms).
 */
#ifndef NIGH_FFT_H
#define NIGH_FFT_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_fft_kind {
    NIGH_FFT_COMPLEX, /* complex to complex */
    NIGH_FFT_REAL,    /* forward: real to half complex; inverse: half complex to real */
    NIGH_FFT_DCT1, NIGH_FFT_DCT2, NIGH_FFT_DCT3, NIGH_FFT_DST1, NIGH_FFT_DST2, NIGH_FFT_DST3
} nigh_fft_kind;

typedef enum nigh_fft_norm {
    NIGH_FFT_BACKWARD, /* forward none, inverse 1/n (of cosines and sines: the factor above) */
    NIGH_FFT_ORTHO,    /* 1/sqrt of that both ways; cosine and sine transforms become orthogonal matrices, as scipy.fft does */
    NIGH_FFT_RAW       /* no factor either way: the caller has it elsewhere */
} nigh_fft_norm;

typedef enum nigh_fft_engine {
    NIGH_FFT_CHOOSE, /* the faster one by rules measured once */
    NIGH_FFT_OWN,    /* nigh's own code */
    NIGH_FFT_FFTW    /* NIGH_UNSUPPORTED where the build lacks it, and for orthogonal cosine and sine transforms */
} nigh_fft_engine;

enum { NIGH_FFT_DIMS = 3, NIGH_FFT_BATCH_DIMS = 4 };

/* One loop: how often, and the strides of input and output in elements of their own type (complex numbers or real ones). */
typedef struct nigh_fft_dim {
    int64_t n, in, out;
} nigh_fft_dim;

typedef struct nigh_fft_spec {
    nigh_fft_kind kind;
    nigh_dtype dtype; /* NIGH_F32 or NIGH_F64; complex numbers are pairs of it */
    bool inverse;
    nigh_fft_norm norm;
    nigh_fft_engine engine;
    int dims;        /* 1 .. 3 transformed dimensions; n is the real length for NIGH_FFT_REAL */
    nigh_fft_dim dim[NIGH_FFT_DIMS];
    int batch_dims;  /* 0 .. 4 */
    nigh_fft_dim batch[NIGH_FFT_BATCH_DIMS];
    bool in_place;   /* run gets in == out; not for NIGH_FFT_REAL; strides of in and out are the same */
    bool destroy;    /* the input of an inverse real transform may be overwritten, which saves a copy */
} nigh_fft_spec;

typedef struct nigh_fft nigh_fft;

/* dtype, kind and loops of a dense field [batch, n[0], .., n[dims-1], channels]; the rest is zero, for the caller to change. channels = 1
   and batch = 1 give a plain array. dims 1 .. 3. */
NIGH_API nigh_fft_spec nigh_fft_channels_last(nigh_fft_kind kind, nigh_dtype dtype, bool inverse, int64_t batch, int dims, const int64_t *n,
                                              int64_t channels);

/*
 * Prepares a transform. threads: at most so many, one where the work is small. NIGH_INVALID: n below 1 (DCT-I: 2) or above 2^24, a batch
 * below 0, strides of 0 or below, more than 2^40 elements; NIGH_UNSUPPORTED: the engine. Output elements must be distinct; input and output do not
 * overlap unless in_place. With FFTW plans are estimated, never measured: measured plans differ from run to run, and bits with
 * them. Safe from several threads with a context each.
 */
NIGH_API nigh_status nigh_fft_new(nigh_context *ctx, const nigh_fft_spec *spec, int threads, nigh_fft **fft);
NIGH_API void nigh_fft_free(nigh_fft *fft);                   /* NULL is fine */
NIGH_API size_t nigh_fft_workspace(const nigh_fft *fft);      /* bytes, 64-byte aligned; 0: none */
NIGH_API const char *nigh_fft_path(const nigh_fft *fft);      /* "own" or "fftw" */

/*
 * Transforms. An empty batch does nothing. Any number of threads may run one plan, each with its own workspace. The same bits for the same plan and alignment
 * (64 bytes or not) of in and out. FFTW may allocate scratch of its own. Cost: some 5 n log2 n operations a transform, half of
 * that for real ones.
 */
NIGH_API void nigh_fft_run(const nigh_fft *fft, const void *in, void *out, void *workspace);

#ifdef __cplusplus
}
#endif
#endif
