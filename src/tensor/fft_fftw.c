/*
 * The engine on FFTW (guru interface, 64-bit sizes). Planning is guarded by one lock, since FFTW's planner is not safe; running is. Plans
 * are estimated: what FFTW_MEASURE chooses depends on the clock. Two plans a transform, for arrays on 64-byte boundaries and for any.
 */
#include "tensor/fft_own.h"

#ifdef NIGH_HAVE_FFTW
#include <fftw3.h>
#include <pthread.h>
#include <string.h>

struct fft_fftw {
    nigh_context *ctx;
    nigh_fft_spec spec;
    bool single;
    double factor;
    fftwf_plan plan_f32[2]; /* aligned, any */
    fftw_plan plan_f64[2];
    size_t copy_bytes;      /* of an inverse real transform's input, which FFTW destroys */
    int in_loops, out_loops;
    nigh_fft_dim in_loop[FFT_LOOPS], out_loop[FFT_LOOPS]; /* sorted; out of in_loop: strides of the copy */
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

static int plan_dims(const fft_fftw *f, bool batch, fftw_iodim64 *to)
{
    int count = batch ? f->spec.batch_dims : f->spec.dims;
    const nigh_fft_dim *from = batch ? f->spec.batch : f->spec.dim;
    for (int i = 0; i < count; i++) to[i] = (fftw_iodim64){from[i].n, from[i].in, from[i].out};
    return count;
}

/* One precision: FFTW's names differ only by their prefix. */
#define PLAN(X, REAL_TYPE, COMPLEX_TYPE, PLANS)                                                                        \
    do {                                                                                                               \
        static _Alignas(64) REAL_TYPE room[2][32];                                                                     \
        REAL_TYPE *a = room[0], *b = f->spec.in_place ? a : room[1];                                                   \
        X##plan_with_nthreads(threads);                                                                                \
        for (int i = 0; i < 2; i++) {                                                                                  \
            unsigned flags = FFTW_ESTIMATE | (i ? FFTW_UNALIGNED : 0) | (destroy ? FFTW_DESTROY_INPUT : FFTW_PRESERVE_INPUT); \
            if (f->spec.kind == NIGH_FFT_COMPLEX)                                                                      \
                PLANS[i] = X##plan_guru64_dft(dims, dim, batches, batch, (COMPLEX_TYPE *)a, (COMPLEX_TYPE *)b,          \
                                              f->spec.inverse ? FFTW_BACKWARD : FFTW_FORWARD, flags);                  \
            else if (f->spec.kind != NIGH_FFT_REAL)                                                                    \
                PLANS[i] = X##plan_guru64_r2r(dims, dim, batches, batch, a, b, kinds, flags);                          \
            else if (f->spec.inverse)                                                                                  \
                PLANS[i] = X##plan_guru64_dft_c2r(dims, dim, batches, batch, (COMPLEX_TYPE *)a, b, flags);             \
            else                                                                                                       \
                PLANS[i] = X##plan_guru64_dft_r2c(dims, dim, batches, batch, a, (COMPLEX_TYPE *)b, flags);             \
        }                                                                                                              \
        good = PLANS[0] && PLANS[1];                                                                                   \
    } while (0)

static nigh_status make_plans(fft_fftw *f, int threads)
{
    static const fftw_r2r_kind forward[] = {FFTW_REDFT00, FFTW_REDFT10, FFTW_REDFT01, FFTW_RODFT00, FFTW_RODFT10, FFTW_RODFT01};
    static const fftw_r2r_kind backward[] = {FFTW_REDFT00, FFTW_REDFT01, FFTW_REDFT10, FFTW_RODFT00, FFTW_RODFT01, FFTW_RODFT10};
    fftw_iodim64 dim[NIGH_FFT_DIMS], batch[NIGH_FFT_BATCH_DIMS];
    fftw_r2r_kind kinds[NIGH_FFT_DIMS];
    int dims = plan_dims(f, false, dim), batches = plan_dims(f, true, batch);
    if (f->spec.kind >= NIGH_FFT_DCT1)
        for (int i = 0; i < dims; i++) kinds[i] = (f->spec.inverse ? backward : forward)[f->spec.kind - NIGH_FFT_DCT1];
    bool good, destroy = f->spec.in_place || (f->spec.kind == NIGH_FFT_REAL && f->spec.inverse && (f->copy_bytes || f->spec.destroy));
    static bool ready = false, threaded = false;
    pthread_mutex_lock(&planner);
    if (!ready) threaded = fftw_init_threads() && fftwf_init_threads();
    ready = true;
    if (!threaded) threads = 1;
    if (f->single)
        PLAN(fftwf_, float, fftwf_complex, f->plan_f32);
    else
        PLAN(fftw_, double, fftw_complex, f->plan_f64);
    pthread_mutex_unlock(&planner);
    return good ? NIGH_OK : nigh_fail(f->ctx, NIGH_UNSUPPORTED, "fft: FFTW makes no plan for this transform; NIGH_FFT_OWN does");
}

nigh_status fft_fftw_new(nigh_context *ctx, const nigh_fft_spec *spec, int threads, double factor, fft_fftw **out)
{
    fft_fftw *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    f->ctx = ctx;
    f->spec = *spec;
    f->single = spec->dtype == NIGH_F32;
    f->factor = factor;
    bool back = fft_half(spec, true);
    f->in_loops = fft_loops(spec, back, f->in_loop);
    f->out_loops = fft_loops(spec, fft_half(spec, false), f->out_loop);
    for (int i = 0; i < f->out_loops; i++) f->out_loop[i].in = f->out_loop[i].out;
    fft_loops_sort(f->out_loops, f->out_loop);
    if (back && spec->dims > 1 && !spec->destroy) {
        /* the copy is dense in the order of the input's strides; the plan reads it */
        nigh_fft_dim sorted[FFT_LOOPS];
        memcpy(sorted, f->in_loop, sizeof sorted);
        fft_loops_sort(f->in_loops, f->in_loop);
        int64_t size = 1;
        for (int i = 0; i < f->in_loops; i++) {
            f->in_loop[i].out = size;
            for (int d = 0; d < spec->dims + spec->batch_dims; d++) {
                const nigh_fft_dim *was = d < spec->dims ? &spec->dim[d] : &spec->batch[d - spec->dims];
                nigh_fft_dim *now = d < spec->dims ? &f->spec.dim[d] : &f->spec.batch[d - spec->dims];
                if (was->in == f->in_loop[i].in && was->n != 1) now->in = size;
            }
            size *= f->in_loop[i].n;
        }
        f->copy_bytes = (size_t)size * 2 * nigh_dtype_size(spec->dtype);
    }
    nigh_status status = make_plans(f, threads);
    if (status) {
        fft_fftw_free(f);
        return status;
    }
    *out = f;
    return NIGH_OK;
}

void fft_fftw_free(fft_fftw *f)
{
    if (!f) return;
    pthread_mutex_lock(&planner);
    for (int i = 0; i < 2; i++) {
        if (f->plan_f32[i]) fftwf_destroy_plan(f->plan_f32[i]);
        if (f->plan_f64[i]) fftw_destroy_plan(f->plan_f64[i]);
    }
    pthread_mutex_unlock(&planner);
    nigh_free(f->ctx, f);
}

size_t fft_fftw_workspace(const fft_fftw *f)
{
    return f->copy_bytes;
}

/* to[..] = factor from[..] over sorted loops, numbers of `parts` reals; the strides `in` and `out` of the loops. */
static void scale(const nigh_fft_dim *loop, int loops, bool single, int parts, double factor, const char *from, char *to)
{
    size_t unit = (single ? sizeof(float) : sizeof(double)) * (size_t)parts;
    if (loops > 1) {
        for (int64_t i = 0; i < loop[loops - 1].n; i++)
            scale(loop, loops - 1, single, parts, factor, from + (size_t)(i * loop[loops - 1].in) * unit, to + (size_t)(i * loop[loops - 1].out) * unit);
        return;
    }
    int64_t n = loops ? loop[0].n : 1, in = loops ? loop[0].in * parts : parts, out = loops ? loop[0].out * parts : parts;
    if (in == parts && out == parts) n *= parts, in = out = parts = 1;
    for (int p = 0; p < parts; p++) {
        if (single) {
            const float *x = (const float *)from + p;
            float *y = (float *)to + p;
            if (in == 1 && out == 1)
                for (int64_t i = 0; i < n; i++) y[i] = (float)factor * x[i];
            else
                for (int64_t i = 0; i < n; i++) y[i * out] = (float)factor * x[i * in];
        } else {
            const double *x = (const double *)from + p;
            double *y = (double *)to + p;
            for (int64_t i = 0; i < n; i++) y[i * out] = factor * x[i * in];
        }
    }
}

void fft_fftw_run(const fft_fftw *f, const void *in, void *out, void *workspace)
{
    const nigh_fft_spec *spec = &f->spec;
    double factor = f->factor;
    if (f->copy_bytes) {
        scale(f->in_loop, f->in_loops, f->single, 2, factor, in, workspace);
        in = workspace;
        factor = 1;
    }
    int any = (((uintptr_t)in | (uintptr_t)out) & 63) != 0;
    void *from = (void *)(uintptr_t)in;
    bool to_real = spec->kind == NIGH_FFT_REAL && spec->inverse, from_real = spec->kind == NIGH_FFT_REAL && !spec->inverse;
    if (f->single) {
        fftwf_plan plan = f->plan_f32[any];
        if (spec->kind == NIGH_FFT_COMPLEX) fftwf_execute_dft(plan, from, out);
        else if (from_real) fftwf_execute_dft_r2c(plan, from, out);
        else if (to_real) fftwf_execute_dft_c2r(plan, from, out);
        else fftwf_execute_r2r(plan, from, out);
    } else {
        fftw_plan plan = f->plan_f64[any];
        if (spec->kind == NIGH_FFT_COMPLEX) fftw_execute_dft(plan, from, out);
        else if (from_real) fftw_execute_dft_r2c(plan, from, out);
        else if (to_real) fftw_execute_dft_c2r(plan, from, out);
        else fftw_execute_r2r(plan, from, out);
    }
    if (factor != 1) scale(f->out_loop, f->out_loops, f->single, to_real || spec->kind >= NIGH_FFT_DCT1 ? 1 : 2, factor, out, out);
}
#else
nigh_status fft_fftw_new(nigh_context *ctx, const nigh_fft_spec *spec, int threads, double factor, fft_fftw **out)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "fft: this build has no FFTW");
}
void fft_fftw_free(fft_fftw *f)
{
}
size_t fft_fftw_workspace(const fft_fftw *f)
{
    return 0;
}
void fft_fftw_run(const fft_fftw *f, const void *in, void *out, void *workspace)
{
}
#endif
