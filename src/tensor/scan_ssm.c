/*
 * Diagonal state space layers: kernel K by powers (always in f64), convolutions of blocks of heads by nigh's own real Fourier transforms
 * padded to twice the steps; the recurrence; gradients through K.
 */
#include "tensor/scan.h"
#include "nigh/fft.h"

#include <complex.h>
#include <string.h>

struct scan_ssm {
    nigh_context *ctx;
    const scan_kernels *kernels, *exact; /* of the dtype, of f64 */
    scan_ssm_spec spec;
    size_t size, room; /* of a number; of a thread */
    int threads;
    int64_t length, block, blocks, padded; /* of a transform; heads of a block; states to whole vectors */
    nigh_fft *forward, *backward;
};

typedef struct ssm_arrays {
    const void *x, *a, *b, *c, *dt, *dy;
    void *y, *state, *dx, *da, *db, *dc, *ddt;
} ssm_arrays;

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t plane_bytes(const scan_ssm *s)
{
    return aligned((size_t)(s->length * s->block) * s->size);
}

static size_t spectrum_bytes(const scan_ssm *s)
{
    return aligned((size_t)((s->length / 2 + 1) * s->block) * 2 * s->size);
}

/* Room of a thread: one plane, four spectra, the transform's own, one kernel in f64, eight planes of states. */
static size_t thread_bytes(const scan_ssm *s)
{
    size_t fft = nigh_fft_workspace(s->forward), back = nigh_fft_workspace(s->backward);
    return plane_bytes(s) + 4 * spectrum_bytes(s) + aligned(fft > back ? fft : back) + aligned((size_t)s->spec.steps * sizeof(double)) +
           8 * aligned((size_t)s->padded * s->size);
}

static int64_t good_length(int64_t least)
{
    for (int64_t n = least + (least & 1);; n += 2) {
        int64_t left = n;
        for (int p = 2; p <= 5; p++)
            while (left % p == 0) left /= p;
        if (left == 1) return n;
    }
}

nigh_status scan_ssm_new(nigh_context *ctx, const scan_ssm_spec *spec, int threads, scan_ssm **out)
{
    static const char *const name[] = {"batch", "steps", "heads", "states"};
    nigh_status status = scan_check(ctx, "state space", spec->dtype, 4, name, &spec->batch, (int64_t)1 << 40, threads);
    if (status) return status;
    if (spec->steps > 1 << 22) return nigh_fail(ctx, NIGH_INVALID, "state space: steps is %lld; 0 to %d is allowed", (long long)spec->steps, 1 << 22);
    scan_ssm *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->spec = *spec;
    s->size = nigh_dtype_size(spec->dtype);
    s->kernels = scan_kernels_at(nigh_cpu(), spec->dtype);
    s->exact = scan_kernels_at(nigh_cpu(), NIGH_F64);
    int64_t line = 64 / (int64_t)s->size, heads = spec->heads > 0 ? spec->heads : 1;
    s->length = good_length(spec->steps > 0 ? 2 * spec->steps : 2);
    s->block = 2 * line;
    if ((heads + s->block - 1) / s->block < threads) s->block = line;
    if (s->block > heads) s->block = heads;
    s->blocks = (spec->heads + s->block - 1) / s->block;
    s->padded = (spec->states + line - 1) / line * line;
    s->threads = s->blocks < threads ? (int)(s->blocks > 0 ? s->blocks : 1) : threads;
    if ((double)spec->batch * (double)spec->steps * (double)spec->heads * (double)(8 + spec->states) < 1 << 17) s->threads = 1;
    for (int i = 0; i < 2 && !status; i++) {
        nigh_fft_spec fft = nigh_fft_channels_last(NIGH_FFT_REAL, spec->dtype, i == 1, 1, 1, &s->length, s->block);
        fft.engine = NIGH_FFT_OWN;
        status = nigh_fft_new(ctx, &fft, 1, i ? &s->backward : &s->forward);
    }
    if (status) {
        scan_ssm_free(s);
        return status;
    }
    s->room = thread_bytes(s);
    *out = s;
    return NIGH_OK;
}

void scan_ssm_free(scan_ssm *s)
{
    if (!s) return;
    nigh_fft_free(s->forward);
    nigh_fft_free(s->backward);
    nigh_free(s->ctx, s);
}

size_t scan_ssm_workspace(const scan_ssm *s)
{
    return s->room * (size_t)s->threads;
}

/* ---- numbers of the caller's dtype ---- */

static double get(const scan_ssm *s, const void *p, int64_t i)
{
    return s->size == sizeof(float) ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void put(const scan_ssm *s, void *p, int64_t i, double value)
{
    if (s->size == sizeof(float)) ((float *)p)[i] = (float)value;
    else ((double *)p)[i] = value;
}

static double complex pair_of(double re, double im)
{
    double part[2] = {re, im};
    double complex z;
    memcpy(&z, part, sizeof z);
    return z;
}

static double complex get_pair(const scan_ssm *s, const void *p, int64_t i)
{
    return pair_of(get(s, p, 2 * i), get(s, p, 2 * i + 1));
}

static void put_pair(const scan_ssm *s, void *p, int64_t i, double complex value)
{
    put(s, p, 2 * i, creal(value));
    put(s, p, 2 * i + 1, cimag(value));
}

/* One state of one head: z = exp(dt a), hold = (z - 1) / a and its slope in a; series where dt a is small. */
typedef struct pole {
    double complex a, b, c, z, hold, slope;
    double dt;
} pole;

static pole pole_of(const scan_ssm *s, const ssm_arrays *x, int64_t head, int64_t n)
{
    int64_t i = head * s->spec.states + n;
    pole p = {.a = get_pair(s, x->a, i), .b = get_pair(s, x->b, i), .c = get_pair(s, x->c, i), .dt = get(s, x->dt, head)};
    double complex t = p.dt * p.a;
    p.z = cexp(t);
    if (cabs(t) < 1e-2) {
        p.hold = p.dt * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7))))));
        p.slope = p.dt * p.dt * (0.5 + t * (1.0 / 3 + t * (1.0 / 8 + t * (1.0 / 30 + t * (1.0 / 144 + t / 840)))));
    } else {
        p.hold = (p.z - 1) / p.a;
        p.slope = (p.dt * p.z - p.hold) / p.a;
    }
    return p;
}

/* ---- rows of a block of heads ---- */

typedef struct room {
    char *plane, *spectrum[4], *fft, *states;
    double *kernel;
} room;

static room room_of(const scan_ssm *s, char *memory)
{
    room r = {.plane = memory};
    memory += plane_bytes(s);
    for (int i = 0; i < 4; i++) {
        r.spectrum[i] = memory;
        memory += spectrum_bytes(s);
    }
    r.kernel = (double *)(void *)memory;
    memory += aligned((size_t)s->spec.steps * sizeof(double));
    r.states = memory;
    r.fft = memory + 8 * aligned((size_t)s->padded * s->size);
    return r;
}

/* Spectrum of heads first .. first + block - 1 of x [steps, heads] of one sequence; heads beyond the last are 0. */
static void analyse(const scan_ssm *s, const room *r, const char *x, int64_t first, char *spectrum)
{
    int64_t heads = s->spec.heads, count = heads - first < s->block ? heads - first : s->block;
    memset(r->plane, 0, plane_bytes(s));
    for (int64_t t = 0; t < s->spec.steps; t++)
        memcpy(r->plane + (size_t)(t * s->block) * s->size, x + (size_t)(t * heads + first) * s->size, (size_t)count * s->size);
    nigh_fft_run(s->forward, r->plane, spectrum, r->fft);
}

static void synthesise(const scan_ssm *s, const room *r, const char *spectrum, int64_t first, char *y)
{
    int64_t heads = s->spec.heads, count = heads - first < s->block ? heads - first : s->block;
    nigh_fft_run(s->backward, spectrum, r->plane, r->fft);
    for (int64_t t = 0; t < s->spec.steps; t++)
        memcpy(y + (size_t)(t * heads + first) * s->size, r->plane + (size_t)(t * s->block) * s->size, (size_t)count * s->size);
}

/* to (+)= a b, or a conj(b). */
static void multiply(const scan_ssm *s, const char *a_, const char *b_, bool conjugate, bool add, char *to_)
{
    int64_t n = (s->length / 2 + 1) * s->block;
#define MULTIPLY(T)                                                                                                    \
    do {                                                                                                               \
        const T *a = (const T *)(const void *)a_, *b = (const T *)(const void *)b_, sign = conjugate ? -1 : 1;         \
        T *to = (T *)(void *)to_;                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            T br = b[2 * i], bi = sign * b[2 * i + 1], re = a[2 * i] * br - a[2 * i + 1] * bi, im = a[2 * i] * bi + a[2 * i + 1] * br; \
            to[2 * i] = add ? to[2 * i] + re : re;                                                                     \
            to[2 * i + 1] = add ? to[2 * i + 1] + im : im;                                                             \
        }                                                                                                              \
    } while (0)
    if (s->size == sizeof(float)) MULTIPLY(float);
    else MULTIPLY(double);
#undef MULTIPLY
}

/* K of a block of heads, transformed. */
static void kernel_spectrum(const scan_ssm *s, const ssm_arrays *x, const room *r, int64_t first, char *spectrum)
{
    memset(r->plane, 0, plane_bytes(s));
    for (int64_t h = first; h < s->spec.heads && h < first + s->block; h++) {
        memset(r->kernel, 0, (size_t)s->spec.steps * sizeof(double));
        for (int64_t n = 0; n < s->spec.states; n++) {
            pole p = pole_of(s, x, h, n);
            double complex w = p.c * p.b * p.hold;
            s->exact->powers(s->spec.steps, &w, &p.z, r->kernel);
        }
        for (int64_t l = 0; l < s->spec.steps; l++) put(s, r->plane, l * s->block + h - first, r->kernel[l]);
    }
    nigh_fft_run(s->forward, r->plane, spectrum, r->fft);
}

static void convolve(const scan_ssm *s, const ssm_arrays *x, int64_t block, char *memory)
{
    room r = room_of(s, memory);
    int64_t first = block * s->block;
    size_t each = (size_t)(s->spec.steps * s->spec.heads) * s->size;
    kernel_spectrum(s, x, &r, first, r.spectrum[0]);
    for (int64_t b = 0; b < s->spec.batch; b++) {
        analyse(s, &r, (const char *)x->x + (size_t)b * each, first, r.spectrum[1]);
        multiply(s, r.spectrum[1], r.spectrum[0], false, false, r.spectrum[1]);
        synthesise(s, &r, r.spectrum[1], first, (char *)x->y + (size_t)b * each);
    }
}

/* Gradients of one head's poles from g = dK. */
static void pole_gradients(const scan_ssm *s, const ssm_arrays *x, int64_t head, const double *g)
{
    double ddt = 0;
    for (int64_t n = 0; n < s->spec.states; n++) {
        pole p = pole_of(s, x, head, n);
        double complex moment[2], w = p.c * p.b * p.hold;
        s->exact->moments(s->spec.steps, &p.z, g, moment);
        double complex dw = 2 * conj(moment[0]), dz = 2 * conj(w * moment[1]);
        double complex drive = conj(p.c) * dw, dhold = conj(p.b) * drive;
        int64_t i = head * s->spec.states + n;
        put_pair(s, x->dc, i, conj(p.b * p.hold) * dw);
        put_pair(s, x->db, i, conj(p.hold) * drive);
        put_pair(s, x->da, i, p.dt * conj(p.z) * dz + conj(p.slope) * dhold);
        ddt += creal(conj(p.a * p.z) * dz + conj(p.z) * dhold);
    }
    put(s, x->ddt, head, ddt);
}

static void back(const scan_ssm *s, const ssm_arrays *x, int64_t block, char *memory)
{
    room r = room_of(s, memory);
    int64_t first = block * s->block;
    size_t each = (size_t)(s->spec.steps * s->spec.heads) * s->size;
    kernel_spectrum(s, x, &r, first, r.spectrum[0]);
    memset(r.spectrum[3], 0, spectrum_bytes(s));
    for (int64_t b = 0; b < s->spec.batch; b++) {
        analyse(s, &r, (const char *)x->x + (size_t)b * each, first, r.spectrum[1]);
        analyse(s, &r, (const char *)x->dy + (size_t)b * each, first, r.spectrum[2]);
        multiply(s, r.spectrum[2], r.spectrum[1], true, true, r.spectrum[3]);
        multiply(s, r.spectrum[2], r.spectrum[0], true, false, r.spectrum[2]);
        synthesise(s, &r, r.spectrum[2], first, (char *)x->dx + (size_t)b * each);
    }
    nigh_fft_run(s->backward, r.spectrum[3], r.plane, r.fft);
    for (int64_t h = first; h < s->spec.heads && h < first + s->block; h++) {
        for (int64_t l = 0; l < s->spec.steps; l++) r.kernel[l] = get(s, r.plane, l * s->block + h - first);
        pole_gradients(s, x, h, r.kernel);
    }
}

static void recur(const scan_ssm *s, const ssm_arrays *x, int64_t block, char *memory)
{
    room r = room_of(s, memory);
    const scan_ssm_spec *p = &s->spec;
    char *plane[8];
    for (int i = 0; i < 8; i++) plane[i] = r.states + (size_t)i * aligned((size_t)s->padded * s->size);
    memset(r.states, 0, 8 * aligned((size_t)s->padded * s->size));
    for (int64_t h = block * s->block; h < p->heads && h < (block + 1) * s->block; h++) {
        for (int64_t n = 0; n < p->states; n++) {
            pole one = pole_of(s, x, h, n);
            double complex values[3] = {one.z, one.b * one.hold, one.c};
            for (int i = 0; i < 3; i++) put(s, plane[2 * i], n, creal(values[i])), put(s, plane[2 * i + 1], n, cimag(values[i]));
        }
        for (int64_t b = 0; b < p->batch; b++) {
            for (int64_t n = 0; n < p->states; n++) {
                double complex start = x->state ? get_pair(s, x->state, (b * p->heads + h) * p->states + n) : 0;
                put(s, plane[6], n, creal(start)), put(s, plane[7], n, cimag(start));
            }
            size_t at = (size_t)(b * p->steps * p->heads + h) * s->size;
            s->kernels->ssm(p->steps, p->heads, p->states, (const char *)x->x + at, plane[0], plane[1], plane[2], plane[3], plane[4], plane[5],
                            plane[6], plane[7], (char *)x->y + at);
            for (int64_t n = 0; x->state && n < p->states; n++)
                put_pair(s, x->state, (b * p->heads + h) * p->states + n, pair_of(get(s, plane[6], n), get(s, plane[7], n)));
        }
    }
}

static void run_blocks(const scan_ssm *s, const ssm_arrays *x, char *workspace, void (*one)(const scan_ssm *, const ssm_arrays *, int64_t, char *))
{
    if (s->threads == 1) {
        for (int64_t i = 0; i < s->blocks; i++) one(s, x, i, workspace);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (int t = 0; t < s->threads; t++)
        for (int64_t i = s->blocks * t / s->threads; i < s->blocks * (t + 1) / s->threads; i++) one(s, x, i, workspace + (size_t)t * s->room);
}

void scan_ssm_convolve(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, void *y, void *workspace)
{
    ssm_arrays arrays = {.x = x, .a = a, .b = b, .c = c, .dt = dt, .y = y};
    run_blocks(s, &arrays, workspace, convolve);
}

void scan_ssm_recur(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, void *state, void *y,
                    void *workspace)
{
    ssm_arrays arrays = {.x = x, .a = a, .b = b, .c = c, .dt = dt, .state = state, .y = y};
    run_blocks(s, &arrays, workspace, recur);
}

void scan_ssm_back(const scan_ssm *s, const void *x, const void *a, const void *b, const void *c, const void *dt, const void *dy, void *dx,
                   void *da, void *db, void *dc, void *ddt, void *workspace)
{
    ssm_arrays arrays = {.x = x, .a = a, .b = b, .c = c, .dt = dt, .dy = dy, .dx = dx, .da = da, .db = db, .dc = dc, .ddt = ddt};
    run_blocks(s, &arrays, workspace, back);
}
