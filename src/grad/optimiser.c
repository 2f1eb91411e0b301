/* The table of optimisers, and sums in a fixed order. Declared in optimiser.h. */
#include "grad/optimiser.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "grad/optimiser_kernels.h"

const optimiser_kernels *optimiser_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return &optimiser_avx512;
    if (level >= NIGH_CPU_AVX2) return &optimiser_avx2;
#endif
    return &optimiser_scalar;
}

#define RULE(name, index)                                                                                              \
    static void name##_f32(const optimiser_step *step, int64_t n, float *p, const float *g, float *const *slots)       \
    {                                                                                                                  \
        optimiser_kernels_at(nigh_cpu())->f32[index](step, n, p, g, slots);                                            \
    }                                                                                                                  \
    static void name##_f64(const optimiser_step *step, int64_t n, double *p, const double *g, double *const *slots)    \
    {                                                                                                                  \
        optimiser_kernels_at(nigh_cpu())->f64[index](step, n, p, g, slots);                                            \
    }
RULE(sgd, 0)
RULE(momentum, 1)
RULE(nesterov, 2)
RULE(adam, 3)
RULE(adamw, 4)
RULE(lion, 5)

static const optimiser builtin[] = {
    {"sgd", "steepest descent", 0, {0}, {1e-2, 0, 0, 0, 0}, sgd_f32, sgd_f64},
    {"momentum", "descent with heavy ball", 1, {"velocity"}, {1e-2, 0.9, 0, 0, 0}, momentum_f32, momentum_f64},
    {"nesterov", "descent with Nesterov's momentum", 1, {"velocity"}, {1e-2, 0.9, 0, 0, 0}, nesterov_f32, nesterov_f64},
    {"adam", "Adam, decay inside the gradient", 2, {"mean", "square"}, {1e-3, 0.9, 0.999, 1e-8, 0}, adam_f32, adam_f64},
    {"adamw", "Adam, decay beside the gradient", 2, {"mean", "square"}, {1e-3, 0.9, 0.999, 1e-8, 1e-2}, adamw_f32, adamw_f64},
    {"lion", "signs of an interpolated momentum", 1, {"mean"}, {1e-4, 0.9, 0.99, 0, 0}, lion_f32, lion_f64},
};
enum { BUILTIN = sizeof builtin / sizeof *builtin };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const optimiser *added_ones[OPTIMISER_MOST];
static int added_count;

const optimiser *optimiser_at(int i)
{
    if (i < 0) return NULL;
    if (i < BUILTIN) return builtin + i;
    pthread_mutex_lock(&lock);
    const optimiser *found = i - BUILTIN < added_count ? added_ones[i - BUILTIN] : NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

nigh_status optimiser_find(nigh_context *ctx, const char *name, const optimiser **found)
{
    nigh_buffer names = {.ctx = ctx};
    const optimiser *o;
    for (int i = 0; (o = optimiser_at(i)); i++) {
        if (!strcmp(o->name, name)) {
            nigh_buffer_free(&names);
            *found = o;
            return NIGH_OK;
        }
        nigh_status status = nigh_buffer_print(&names, "%s%s", i ? ", " : "", o->name);
        if (status) return nigh_buffer_free(&names), status;
    }
    nigh_status status = nigh_fail(ctx, NIGH_INVALID, "there is no optimiser '%s'; there are %s", name, names.data);
    nigh_buffer_free(&names);
    return status;
}

nigh_status optimiser_register(nigh_context *ctx, const optimiser *added)
{
    if (!added->name || !*added->name) return nigh_fail(ctx, NIGH_INVALID, "an optimiser needs a name");
    if (!added->f32 && !added->f64) return nigh_fail(ctx, NIGH_INVALID, "optimiser '%s' has no update rule", added->name);
    if (added->slots < 0 || added->slots > OPTIMISER_SLOTS)
        return nigh_fail(ctx, NIGH_INVALID, "optimiser '%s' has %d slots; 0 to %d are allowed", added->name, added->slots, OPTIMISER_SLOTS);
    nigh_status status = NIGH_OK;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BUILTIN + added_count; i++) {
        const optimiser *o = i < BUILTIN ? builtin + i : added_ones[i - BUILTIN];
        if (o == added) goto done;
        if (!strcmp(o->name, added->name)) {
            status = nigh_fail(ctx, NIGH_INVALID, "there is an optimiser '%s' already", added->name);
            goto done;
        }
    }
    if (added_count == OPTIMISER_MOST)
        status = nigh_fail(ctx, NIGH_RESOURCE, "at most %d optimisers can be registered", OPTIMISER_MOST);
    else
        added_ones[added_count++] = added;
done:
    pthread_mutex_unlock(&lock);
    return status;
}

static nigh_status outside(nigh_context *ctx, const optimiser *o, const char *what, double value, const char *allowed)
{
    return nigh_fail(ctx, NIGH_INVALID, "%s of %s is %g; %s is allowed", what, o->name, value, allowed);
}

nigh_status optimiser_check(nigh_context *ctx, const optimiser *o, const optimiser_settings *s)
{
    if (!isfinite(s->rate) || s->rate < 0) return outside(ctx, o, "rate", s->rate, "0 or more");
    if (!(s->beta1 >= 0 && s->beta1 < 1)) return outside(ctx, o, "beta1", s->beta1, "0 to below 1");
    if (!(s->beta2 >= 0 && s->beta2 < 1)) return outside(ctx, o, "beta2", s->beta2, "0 to below 1");
    if (!isfinite(s->epsilon) || s->epsilon < 0) return outside(ctx, o, "epsilon", s->epsilon, "0 or more");
    if (!isfinite(s->decay) || s->decay < 0) return outside(ctx, o, "decay", s->decay, "0 or more");
    return NIGH_OK;
}

void optimiser_update_f32(const optimiser *o, const optimiser_step *step, int64_t n, float *parameters, const float *gradient, float *const *slots)
{
    if (n > 0) o->f32(step, n, parameters, gradient, slots);
}

void optimiser_update_f64(const optimiser *o, const optimiser_step *step, int64_t n, double *parameters, const double *gradient, double *const *slots)
{
    if (n > 0) o->f64(step, n, parameters, gradient, slots);
}

double optimiser_clip(double norm, double most)
{
    if (!(most > 0)) return 1;
    double factor = most / (norm + 1e-6);
    return factor < 1 ? factor : norm == norm ? 1 : norm;
}

/* ---- sums: pieces by the length alone, so that threads do not show ---- */

/* Below SMALL numbers (2 MB) a team of threads costs more than it saves, ten times so on a busy machine. */
enum { PIECES = 64, SMALL = 1 << 18 };

static int64_t piece_of(int64_t n)
{
    int64_t piece = (n + PIECES - 1) / PIECES;
    piece = (piece + 511) / 512 * 512;
    return piece < 8192 ? 8192 : piece;
}

/* Runs `statement` for the pieces [at, at + length) of n numbers, and adds up part[] in order. */
#define IN_PIECES(statement)                                                                                           \
    double part[PIECES] = {0}, sum = 0;                                                                                \
    int64_t piece = piece_of(n), pieces = (n + piece - 1) / piece;                                                     \
    if (threads <= 1 || n < SMALL) {                                                                                   \
        for (int64_t k = 0; k < pieces; k++) {                                                                         \
            int64_t at = k * piece, length = n - at < piece ? n - at : piece;                                          \
            statement;                                                                                                 \
        }                                                                                                              \
    } else {                                                                                                           \
        _Pragma("omp parallel for schedule(static) num_threads(threads)") for (int64_t k = 0; k < pieces; k++)         \
        {                                                                                                              \
            int64_t at = k * piece, length = n - at < piece ? n - at : piece;                                          \
            statement;                                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    for (int64_t k = 0; k < pieces; k++) sum += part[k];

double optimiser_squares_f32(int64_t n, const float *x, int threads)
{
    const optimiser_kernels *kernels = optimiser_kernels_at(nigh_cpu());
    IN_PIECES(part[k] = kernels->squares_f32(length, x + at))
    return sum;
}

double optimiser_squares_f64(int64_t n, const double *x, int threads)
{
    const optimiser_kernels *kernels = optimiser_kernels_at(nigh_cpu());
    IN_PIECES(part[k] = kernels->squares_f64(length, x + at))
    return sum;
}

double optimiser_dot(int64_t n, const double *a, const double *b, int threads)
{
    const optimiser_kernels *kernels = optimiser_kernels_at(nigh_cpu());
    IN_PIECES(part[k] = kernels->dot(length, a + at, b + at))
    return sum;
}

void optimiser_add(int64_t n, double factor, const double *x, double *y, int threads)
{
    const optimiser_kernels *kernels = optimiser_kernels_at(nigh_cpu());
    IN_PIECES((part[k] = 0, kernels->add(length, factor, x + at, y + at)))
    (void)sum;
}

double optimiser_add_dot(int64_t n, double factor, const double *x, double *y, const double *other, int threads)
{
    const optimiser_kernels *kernels = optimiser_kernels_at(nigh_cpu());
    IN_PIECES(part[k] = kernels->add_dot(length, factor, x + at, y + at, other + at))
    return sum;
}
