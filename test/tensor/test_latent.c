/* The neural spectral block's kernels: every CPU level and odd size against plain loops in f64, forward and backward; what is refused. */
#include "support.h"

#include "tensor/latent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Plain loops: o, and du, d_token, dw for g, behind each other. All arrays as in latent.h. */
static void plain_patch(const latent_spec *s, const double *u, const double *token, const double *w, const double *g, const int64_t *at, int64_t h, double *o, double *du, double *d_token,
                        double *dw)
{
    int64_t points = s->patch[0] * s->patch[1], d = s->width, count = s->tokens, row = s->heads * (2 * d + count), all = s->heads * d, m_most = s->basis;
    double a[64][8], y[8][8], z[8][8], f[64][8], dz[8][8] = {{0}}, dy[8][8], df[64][8];
    const double *waves = w + h * d * 2 * m_most;
    for (int t = 0; t < count; t++) {
        double sum = 0;
        for (int l = 0; l < points; l++) sum += a[l][t] = exp(u[at[l] * row + h * (2 * d + count) + d + t]);
        for (int l = 0; l < points; l++) a[l][t] /= sum;
        for (int c = 0; c < d; c++) {
            y[t][c] = token[(h * count + t) * d + c];
            for (int l = 0; l < points; l++) y[t][c] += a[l][t] * u[at[l] * row + h * (2 * d + count) + d + count + c];
            z[t][c] = y[t][c];
            for (int m = 0; m < m_most; m++)
                z[t][c] += waves[c * 2 * m_most + m] * sin(M_PI * m * y[t][c] / (double)m_most) + waves[c * 2 * m_most + m_most + m] * cos(M_PI * m * y[t][c] / (double)m_most);
        }
    }
    for (int l = 0; l < points; l++) {
        const double *q = u + at[l] * row + h * (2 * d + count);
        double sum = 0;
        for (int t = 0; t < count; t++) {
            double dot = 0;
            for (int c = 0; c < d; c++) dot += q[c] * z[t][c];
            sum += f[l][t] = exp(dot);
        }
        for (int t = 0; t < count; t++) f[l][t] /= sum;
        for (int c = 0; c < d; c++)
            for (int t = 0; t < count; t++) o[at[l] * all + h * d + c] += f[l][t] * z[t][c];
        double mean = 0;
        for (int t = 0; t < count; t++) {
            df[l][t] = 0;
            for (int c = 0; c < d; c++) df[l][t] += g[at[l] * all + h * d + c] * z[t][c];
            mean += f[l][t] * df[l][t];
        }
        for (int t = 0; t < count; t++)
            for (int c = 0; c < d; c++) {
                double back = f[l][t] * (df[l][t] - mean);
                dz[t][c] += f[l][t] * g[at[l] * all + h * d + c] + back * q[c];
                du[at[l] * row + h * (2 * d + count) + c] += back * z[t][c];
            }
    }
    for (int t = 0; t < count; t++)
        for (int c = 0; c < d; c++) {
            double slope = 1;
            for (int m = 0; m < m_most; m++) {
                double k = M_PI * m / (double)m_most;
                slope += k * (waves[c * 2 * m_most + m] * cos(k * y[t][c]) - waves[c * 2 * m_most + m_most + m] * sin(k * y[t][c]));
                dw[(h * d + c) * 2 * m_most + m] += dz[t][c] * sin(k * y[t][c]);
                dw[(h * d + c) * 2 * m_most + m_most + m] += dz[t][c] * cos(k * y[t][c]);
            }
            dy[t][c] = dz[t][c] * slope;
            d_token[(h * count + t) * d + c] += dy[t][c];
        }
    for (int t = 0; t < count; t++) {
        double mean = 0, da[64];
        for (int l = 0; l < points; l++) {
            da[l] = 0;
            for (int c = 0; c < d; c++) {
                da[l] += u[at[l] * row + h * (2 * d + count) + d + count + c] * dy[t][c];
                du[at[l] * row + h * (2 * d + count) + d + count + c] += a[l][t] * dy[t][c];
            }
            mean += a[l][t] * da[l];
        }
        for (int l = 0; l < points; l++) du[at[l] * row + h * (2 * d + count) + d + t] += a[l][t] * (da[l] - mean);
    }
}

static void plain(const latent_spec *s, const double *u, const double *x, const double *token, const double *w, const double *g, double *o, double *du, double *d_token, double *dw)
{
    int64_t points = s->samples * s->size[0] * s->size[1], all = s->heads * s->width, at[64];
    memcpy(o, x, (size_t)(points * all) * sizeof *o);
    for (int64_t n = 0; n < s->samples; n++)
        for (int64_t i = 0; i < s->size[0]; i += s->patch[0])
            for (int64_t j = 0; j < s->size[1]; j += s->patch[1])
                for (int64_t h = 0; h < s->heads; h++) {
                    for (int64_t l = 0; l < s->patch[0] * s->patch[1]; l++) at[l] = (n * s->size[0] + i + l / s->patch[1]) * s->size[1] + j + l % s->patch[1];
                    plain_patch(s, u, token, w, g, at, h, o, du, d_token, dw);
                }
}

/* Arrays of one case: u, x, token, w, g and the results o, du, d_token, dw. */
enum { U, X, TOKEN, W, G, O, DU, D_TOKEN, DW, ARRAYS };

static void sizes_of(const latent_spec *s, int64_t *n)
{
    int64_t points = s->samples * s->size[0] * s->size[1], all = s->heads * s->width;
    n[U] = n[DU] = points * s->heads * (2 * s->width + s->tokens), n[X] = n[G] = n[O] = points * all;
    n[TOKEN] = n[D_TOKEN] = s->heads * s->tokens * s->width, n[W] = n[DW] = all * 2 * s->basis;
}

static void check_case(nigh_context *ctx, const latent_spec *spec, nigh_cpu_level level, int threads)
{
    int64_t n[ARRAYS];
    double *want[ARRAYS];
    void *have[ARRAYS];
    bool single = spec->dtype == NIGH_F32;
    size_t size = nigh_dtype_size(spec->dtype);
    sizes_of(spec, n);
    for (int i = 0; i < ARRAYS; i++) {
        want[i] = calloc((size_t)n[i] + 1, sizeof(double)), have[i] = calloc((size_t)n[i] + 1, size);
        for (int64_t k = 0; k < n[i] && i <= G; k++) {
            want[i][k] = (float)(sin(1.7 * (double)k + i) * (i == W ? 0.4 : 1.5));
            if (single) ((float *)have[i])[k] = (float)want[i][k];
            else ((double *)have[i])[k] = want[i][k];
        }
    }
    latent *l;
    assert_ok(ctx, latent_new_at(ctx, level, spec, threads, &l));
    char *workspace = aligned_alloc(64, (latent_workspace(l) + 127) / 64 * 64);
    memset(workspace, 0xff, latent_workspace(l) + 1);
    latent_run(l, have[U], have[X], have[TOKEN], have[W], have[O], workspace);
    memset(workspace, 0xff, latent_workspace(l) + 1);
    latent_backward(l, have[U], have[TOKEN], have[W], have[G], have[DU], have[D_TOKEN], have[DW], workspace);
    assert_int_equal((unsigned char)workspace[latent_workspace(l)], 0xff);
    plain(spec, want[U], want[X], want[TOKEN], want[W], want[G], want[O], want[DU], want[D_TOKEN], want[DW]);
    for (int i = O; i < ARRAYS; i++)
        for (int64_t k = 0; k < n[i]; k++) {
            double v = single ? (double)((float *)have[i])[k] : ((double *)have[i])[k];
            if (!(fabs(v - want[i][k]) <= (single ? 1e-4 : 1e-11) * (1 + fabs(want[i][k])))) fail_msg("level %d, array %d, number %lld: %.12g, not %.12g", level, i, (long long)k, v, want[i][k]);
        }
    latent_free(l);
    free(workspace);
    for (int i = 0; i < ARRAYS; i++) free(want[i]), free(have[i]);
}

static void test_levels(void **state)
{
    nigh_context *ctx = test_context_new();
    static const latent_spec cases[] = {
        {.samples = 1, .size = {8, 12}, .patch = {4, 4}, .heads = 2, .width = 3, .tokens = 4, .basis = 12},
        {.samples = 3, .size = {6, 15}, .patch = {2, 3}, .heads = 3, .width = 5, .tokens = 3, .basis = 4}, /* 45 patches: groups that are not full */
        {.samples = 2, .size = {5, 7}, .patch = {1, 1}, .heads = 1, .width = 8, .tokens = 1, .basis = 1},
        {.samples = 1, .size = {1, 9}, .patch = {1, 9}, .heads = 2, .width = 1, .tokens = 8, .basis = 0},
        {.samples = 4, .size = {24, 24}, .patch = {4, 4}, .heads = 4, .width = 4, .tokens = 4, .basis = 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++)
            for (int single = 0; single < 2; single++)
                for (int threads = 1; threads < 4; threads += 2) {
                    latent_spec s = cases[i];
                    s.dtype = single ? NIGH_F32 : NIGH_F64;
                    check_case(ctx, &s, (nigh_cpu_level)level, threads);
                }
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    latent *l;
    latent_spec good = {.dtype = NIGH_F32, .samples = 1, .size = {8, 8}, .patch = {4, 4}, .heads = 1, .width = 4, .tokens = 4, .basis = 3}, bad = good;
    bad.patch[1] = 3;
    assert_fails(ctx, latent_new(ctx, &bad, 1, &l), NIGH_INVALID, "size 8 of dimension 1 is no multiple of the patch's 3");
    bad = good, bad.tokens = 0;
    assert_fails(ctx, latent_new(ctx, &bad, 1, &l), NIGH_INVALID, "0 tokens");
    bad = good, bad.dtype = NIGH_BF16;
    assert_fails(ctx, latent_new(ctx, &bad, 1, &l), NIGH_UNSUPPORTED, "f32 or f64");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
