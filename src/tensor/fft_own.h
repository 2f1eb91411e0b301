/* The two engines behind nigh/fft.h, and the kernels of the own one. */
#ifndef NIGH_TENSOR_FFT_OWN_H
#define NIGH_TENSOR_FFT_OWN_H
#include "nigh/fft.h"

/* Lines that run beside each other as lanes of vectors, at most: one cache line of numbers. */
#define FFT_LANES(size) (64 / (int64_t)(size))

/* Lines of one group: `rows` elements `stride` apart from each offset; lanes beyond `count` repeat the last line. */
typedef struct fft_lines {
    int64_t rows, stride, lanes, count, offset[16];
    bool side_by_side; /* all lanes are used and lie one element apart */
} fft_lines;

/* How a cosine or sine transform of n numbers reads and writes the Fourier transform that it runs on. weight: f32 or f64 as the plan. */
typedef struct fft_map {
    int64_t *from, *mirror; /* [rows] */
    int64_t *row, *to;      /* [results] */
    int64_t results;
    void *weight[6]; /* 0-3: [rows], of the load; 4, 5: [results], of the store */
} fft_map;

typedef struct fft_kernels {
    void (*pass)(int radix, int64_t m, int64_t s, const void *w, const void *xr, const void *xi, void *yr, void *yi);
    void (*multiply)(int64_t rows, int64_t lanes, const void *table, const void *xr, const void *xi, void *yr, void *yi);
    void (*load_complex)(const fft_lines *lines, const void *in, void *xr, void *xi);
    void (*store_complex)(const fft_lines *lines, double factor, const void *xr, const void *xi, void *out);
    void (*load_real)(const fft_lines *a, const fft_lines *b, const fft_map *map, const void *in, void *xr, void *xi);
    void (*store_real)(const fft_lines *a, const fft_lines *b, const fft_map *map, double factor, const void *xr, const void *xi, void *out);
    void (*load_half)(const fft_lines *a, const fft_lines *b, const void *in, void *xr, void *xi);
    void (*store_half)(const fft_lines *a, const fft_lines *b, double factor, const void *xr, const void *xi, void *out);
    void (*load_third)(const fft_lines *a, const fft_lines *b, const fft_map *map, const void *in, void *xr, void *xi);
    void (*store_table)(const fft_lines *a, const fft_lines *b, const fft_map *map, const void *xr, const void *xi, void *out);
} fft_kernels;
extern const fft_kernels *const fft_scalar[2], *const fft_avx2[2], *const fft_avx512[2]; /* f32, f64 */

/* A complex transform of n rows of planes. */
typedef struct fft_core fft_core;
nigh_status fft_core_new(nigh_context *ctx, const fft_kernels *const *kernels, nigh_dtype dtype, int64_t n, fft_core **core);
void fft_core_free(nigh_context *ctx, fft_core *core);
int64_t fft_core_rows(const fft_core *core); /* of each plane; n or, with a chirp, more */

/* Planes x hold the first n rows; *yr, *yi become planes with the result: x itself or the other ones. All planes are overwritten. */
void fft_core_run(const fft_core *core, int64_t lanes, void *const x[2], void *const other[2], void *y[2]);

/* The map of a cosine or sine transform of n numbers; *rows: of the Fourier transform below it. Memory of ctx. */
nigh_status fft_map_new(nigh_context *ctx, nigh_fft_kind kind, nigh_dtype dtype, int64_t n, bool ortho, double factor, int64_t *rows, fft_map *map);
void fft_map_free(nigh_context *ctx, fft_map *map);

/* Engines; the spec was checked. factor: product of the factors of all dimensions. */
typedef struct fft_own fft_own;
nigh_status fft_own_new(nigh_context *ctx, const nigh_fft_spec *spec, nigh_cpu_level level, int threads, double factor, fft_own **own);
void fft_own_free(fft_own *own);
size_t fft_own_workspace(const fft_own *own);
void fft_own_run(const fft_own *own, const void *in, void *out, void *workspace);

typedef struct fft_fftw fft_fftw;
nigh_status fft_fftw_new(nigh_context *ctx, const nigh_fft_spec *spec, int threads, double factor, fft_fftw **fftw);
void fft_fftw_free(fft_fftw *fftw);
size_t fft_fftw_workspace(const fft_fftw *fftw);
void fft_fftw_run(const fft_fftw *fftw, const void *in, void *out, void *workspace);

/* All loops of a spec (batch, then dim), those of n = 1 left out; half: the last dim has n/2 + 1. Returns how many. */
enum { FFT_LOOPS = NIGH_FFT_DIMS + NIGH_FFT_BATCH_DIMS };
int fft_loops(const nigh_fft_spec *spec, bool half, nigh_fft_dim loop[FFT_LOOPS]);
/* Sorts by the stride of the input, smallest first. */
void fft_loops_sort(int count, nigh_fft_dim *loop);
bool fft_half(const nigh_fft_spec *spec, bool of_input); /* is that side half complex? */
#endif
