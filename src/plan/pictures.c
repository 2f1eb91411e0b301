/*
 * Fields to look at: of the inputs that tested the chosen plan the one nearest to the median error and the one with the largest; and the power spectrum of answers,
 * exact and near, which shows at which scales a method loses. Test rows of a file are never shown (a picture tells more than pass or fail): screen rows are.
 */
#include "plan/field_shape.h"
#include "plan/run.h"

#include "nigh/fft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SIDE = 64, MOST_LINE = 256, MOST_WAVES = 256, SPECTRUM_INPUTS = 64, LEAST_SIZE = 8, LEAST_UNKNOWN = 16 };

/* Lists of numbers may have this shape as well: without a grid only long ones are taken for fields. */
static bool are_fields(const nigh_problem *problem, nigh_field_shape *shape)
{
    if (!nigh_field_shape_of(&problem->in, &problem->out, shape)) return false;
    for (int k = 0; k < shape->dims; k++)
        if (shape->size[k] < (problem->grid == NIGH_GRID_UNKNOWN ? LEAST_UNKNOWN : LEAST_SIZE)) return false;
    return true;
}

/* ---- which ---- */

typedef struct ranked {
    double error;
    int64_t row;
} ranked;

static int by_error(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    if (p->error != q->error) return p->error < q->error ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

static nigh_status choose(plan_run *run, int64_t n, const double *errors, int64_t row[2])
{
    ranked *order = nigh_alloc(run->ctx, (size_t)n * sizeof *order);
    if (!order) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) order[i] = (ranked){errors[i], i};
    qsort(order, (size_t)n, sizeof *order, by_error);
    row[0] = order[(n - 1) / 2].row, row[1] = order[n - 1].row;
    nigh_free(run->ctx, order);
    return NIGH_OK;
}

/* ---- pictures ---- */

static double number_at(nigh_dtype dtype, const char *data, int64_t i)
{
    return dtype == NIGH_F32 ? (double)((const float *)(const void *)data)[i] : ((const double *)(const void *)data)[i];
}

/* Means over what each drawn point covers, of the first channel. */
static void reduce(const nigh_pictures *p, nigh_dtype dtype, int64_t channels, const char *data, double *out)
{
    for (int64_t r = 0; r < p->drawn[0]; r++)
        for (int64_t c = 0; c < p->drawn[1]; c++) {
            int64_t count = 0;
            double sum = 0;
            for (int64_t i = r * p->size[0] / p->drawn[0]; i < (r + 1) * p->size[0] / p->drawn[0]; i++)
                for (int64_t j = c * p->size[1] / p->drawn[1]; j < (c + 1) * p->size[1] / p->drawn[1]; j++)
                    sum += number_at(dtype, data, (i * p->size[1] + j) * channels), count++;
            out[r * p->drawn[1] + c] = sum / (double)count;
        }
}

static nigh_status take_picture(plan_run *run, nigh_pictures *p, const sample_set *set, int64_t row, const char *what, double error, const char *answer)
{
    nigh_picture *picture = &p->picture[p->count];
    size_t n = (size_t)(p->drawn[0] * p->drawn[1]);
    *picture = (nigh_picture){.what = what, .error = error, .input = nigh_arena_alloc(run->arena, 3 * n * sizeof(double))};
    if (!picture->input) return NIGH_MEMORY;
    picture->truth = picture->input + n, picture->answer = picture->truth + n;
    reduce(p, run->problem->in.dtype, p->in, set->in + (size_t)row * run->in_bytes, picture->input);
    reduce(p, run->problem->out.dtype, p->out, set->out + (size_t)row * run->out_bytes, picture->truth);
    reduce(p, run->problem->out.dtype, p->out, answer, picture->answer);
    p->count++;
    return NIGH_OK;
}

/* ---- spectrum ---- */

/*
 * Periodic fields by Fourier modes. Others by cosines, which are the Fourier modes of the field and its mirror image: there is no jump at the edge, whose own
 * spectrum would cover what is small. Mode m of cosines has m / 2 periods; both kinds are gathered by whole periods.
 */
typedef struct spectrum {
    nigh_fft *fft;
    bool fourier;
    const nigh_field_shape *shape;
    double *field, *modes, *sum[3], *count;
    void *workspace;
    int64_t waves;
} spectrum;

static double waves_of(const spectrum *s, int64_t size, int64_t mode) { return !s->fourier ? 0.5 * (double)mode : (double)(2 * mode > size ? size - mode : mode); }

/* Adds the power of each mode to that of its wave number; weight: how many modes this coefficient stands for. */
static void add_power(spectrum *s, double *power, double *count)
{
    const nigh_field_shape *shape = s->shape;
    int64_t last = shape->size[shape->dims - 1], kept = s->fourier ? last / 2 + 1 : last, rows = shape->dims == 2 ? shape->size[0] : 1;
    double scale = 1 / pow((s->fourier ? 1.0 : 2.0), shape->dims) / (double)shape->points;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t m = 0; m < kept; m++) {
            double k = hypot(shape->dims == 2 ? waves_of(s, rows, r) : 0, waves_of(s, last, m)), weight = s->fourier && m && 2 * m != last ? 2 : 1;
            int64_t bin = (int64_t)floor(k + 0.5) - 1;
            if (bin < 0 || bin >= s->waves) continue;
            for (int64_t c = 0; c < shape->out; c++) {
                const double *x = s->modes + (s->fourier ? 2 : 1) * ((r * kept + m) * shape->out + c);
                double norm = s->fourier ? x[0] * x[0] + x[1] * x[1] : x[0] * x[0];
                power[bin] += weight * norm * scale * scale;
            }
            if (count) count[bin] += weight;
        }
}

static void transform(spectrum *s, nigh_dtype dtype, const char *data, const char *minus)
{
    for (int64_t i = 0; i < s->shape->points * s->shape->out; i++) s->field[i] = number_at(dtype, data, i) - (minus ? number_at(dtype, minus, i) : 0);
    nigh_fft_run(s->fft, s->field, s->modes, s->workspace);
}

static nigh_status spectrum_new(plan_run *run, const nigh_field_shape *shape, spectrum *s)
{
    nigh_context *ctx = run->ctx;
    *s = (spectrum){.fourier = run->problem->grid == NIGH_GRID_PERIODIC, .shape = shape};
    int64_t least = shape->dims == 2 && shape->size[1] > shape->size[0] ? shape->size[0] : shape->size[shape->dims - 1];
    s->waves = least / 2; /* up to the finest that the grid tells apart in every direction */
    nigh_fft_spec spec = nigh_fft_channels_last(s->fourier ? NIGH_FFT_REAL : NIGH_FFT_DCT2, NIGH_F64, false, 1, shape->dims, shape->size, shape->out);
    nigh_status status = nigh_fft_new(ctx, &spec, 1, &s->fft);
    if (status) return status;
    size_t numbers = (size_t)(shape->points * shape->out);
    s->field = nigh_alloc(ctx, numbers * sizeof(double));
    s->modes = nigh_alloc(ctx, (2 * numbers + 4 * (size_t)(shape->size[0] * shape->out)) * sizeof(double));
    s->workspace = nigh_alloc(ctx, nigh_fft_workspace(s->fft) + 64);
    s->count = nigh_alloc_zero(ctx, (size_t)s->waves, sizeof(double));
    bool room = s->field && s->modes && s->workspace && s->count;
    for (int i = 0; i < 3; i++) room = (s->sum[i] = nigh_alloc_zero(ctx, (size_t)s->waves, sizeof(double))) && room;
    return room ? NIGH_OK : NIGH_MEMORY;
}

static void spectrum_free(nigh_context *ctx, spectrum *s)
{
    for (int i = 0; i < 3; i++) nigh_free(ctx, s->sum[i]);
    nigh_free(ctx, s->count);
    nigh_free(ctx, s->workspace);
    nigh_free(ctx, s->modes);
    nigh_free(ctx, s->field);
    nigh_fft_free(s->fft);
}

/* At most MOST_WAVES of them, the far ones a mean over several neighbours. */
static nigh_status spectrum_give(plan_run *run, const spectrum *s, int64_t inputs, nigh_pictures *p)
{
    int64_t room = s->waves < MOST_WAVES ? s->waves : MOST_WAVES, n = 0;
    double *to = nigh_arena_alloc(run->arena, 4 * (size_t)room * sizeof *to), *out[3];
    if (!to) return NIGH_MEMORY;
    for (int i = 0; i < 3; i++) out[i] = to + (i + 1) * room;
    for (int64_t begin = 0, end; begin < s->waves && n < room; begin = end) {
        double width = ceil((double)(s->waves - begin) / (double)(room - n)), modes = 0, sum[3] = {0}, k = 0;
        if (s->waves > room && begin < room / 2) width = 1;
        end = begin + (int64_t)width < s->waves ? begin + (int64_t)width : s->waves;
        for (int64_t b = begin; b < end; b++) {
            modes += s->count[b] * (double)inputs, k += (double)(b + 1) / (double)(end - begin);
            for (int i = 0; i < 3; i++) sum[i] += s->sum[i][b];
        }
        to[n] = k;
        for (int i = 0; i < 3; i++) out[i][n] = modes > 0 ? sum[i] / modes : 0;
        n++;
    }
    p->k = to, p->truth = out[0], p->answer = out[1], p->error = out[2], p->waves = n, p->inputs = inputs;
    return NIGH_OK;
}

static nigh_status take_spectrum(plan_run *run, const nigh_field_shape *shape, int64_t n, const char *truth, const char *answer, nigh_pictures *p)
{
    spectrum s;
    nigh_status status = spectrum_new(run, shape, &s);
    nigh_dtype dtype = run->problem->out.dtype;
    for (int64_t i = 0; i < n && !status; i++) {
        const char *t = truth + (size_t)i * run->out_bytes, *a = answer + (size_t)i * run->out_bytes;
        transform(&s, dtype, t, NULL);
        add_power(&s, s.sum[0], i ? NULL : s.count);
        transform(&s, dtype, a, NULL);
        add_power(&s, s.sum[1], NULL);
        transform(&s, dtype, a, t);
        add_power(&s, s.sum[2], NULL);
    }
    if (!status) status = spectrum_give(run, &s, n, p);
    spectrum_free(run->ctx, &s);
    return status;
}

/* ---- all ---- */

static nigh_pictures *pictures_new(plan_run *run, const nigh_field_shape *shape)
{
    nigh_pictures *p = nigh_arena_alloc_zero(run->arena, 1, sizeof *p);
    if (!p) return NULL;
    *p = (nigh_pictures){.dims = shape->dims, .grid = run->problem->grid, .size = {shape->size[0], shape->size[1]}, .in = shape->in, .out = shape->out, .screen = run->reads > 0};
    for (int k = 0; k < 2; k++) {
        int64_t most = shape->dims == 1 ? MOST_LINE : MOST_SIDE;
        p->drawn[k] = p->size[k] < most ? p->size[k] : most;
    }
    return p;
}

/* Answers of the first rows, and of the two that were chosen behind them. */
static nigh_status answers(plan_run *run, const nigh_plan *plan, const sample_set *set, int64_t first, const int64_t row[2], char *out)
{
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(run->ctx, bytes);
    if (!workspace) return NIGH_MEMORY;
    nigh_plan_apply(plan, first, set->in, out, workspace, bytes);
    for (int i = 0; i < 2; i++) nigh_plan_apply(plan, 1, set->in + (size_t)row[i] * run->in_bytes, out + (size_t)(first + i) * run->out_bytes, workspace, bytes);
    nigh_free(run->ctx, workspace);
    return NIGH_OK;
}

nigh_status pictures_take(plan_run *run, const nigh_plan *plan, const double *test_errors)
{
    static const char *const names[] = {"typical", "worst"};
    nigh_field_shape shape;
    const sample_set *set = run->reads > 0 ? &run->screen : &run->test;
    if (set->n < 1 || !are_fields(run->problem, &shape)) return NIGH_OK;
    int64_t first = set->n < SPECTRUM_INPUTS ? set->n : SPECTRUM_INPUTS, row[2];
    double *errors = nigh_alloc(run->ctx, (size_t)set->n * sizeof *errors);
    char *out = nigh_alloc(run->ctx, (size_t)(first + 2) * run->out_bytes);
    nigh_pictures *p = pictures_new(run, &shape);
    nigh_status status = errors && out && p ? NIGH_OK : NIGH_MEMORY;
    if (!status && p->screen) status = set_errors(run, plan, set, errors);
    else if (!status) memcpy(errors, test_errors, (size_t)set->n * sizeof *errors);
    if (!status) status = choose(run, set->n, errors, row);
    if (!status) status = answers(run, plan, set, first, row, out);
    for (int i = 0; i < 2 && !status; i++) status = take_picture(run, p, set, row[i], names[i], errors[row[i]], out + (size_t)(first + i) * run->out_bytes);
    if (!status) status = take_spectrum(run, &shape, first, set->out, out, p);
    nigh_free(run->ctx, out);
    nigh_free(run->ctx, errors);
    if (!status) run->outcome->pictures = p;
    return status;
}
