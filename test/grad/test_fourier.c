/* Fourier transforms on the tape: derivatives of every kind and size, transforms as sums, other grids, spectral derivatives, Sobolev losses. */
#include "derivatives.h"

#include "nigh/operators_fields.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const double tau = 6.28318530717958647692;

typedef struct form {
    int kind; /* 0 complex, 1 inverse complex, 2 real, 3 inverse real */
    unsigned axes;
    int64_t n;
    nigh_tape_norm norm;
} form;

static nigh_node transformed(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    nigh_node y = f->kind < 2 ? nigh_tape_fft(t, x[0], f->axes, f->kind == 1, f->norm) : f->kind == 2 ? nigh_tape_real_fft(t, x[0], f->axes, f->norm)
                                                                                                       : nigh_tape_inverse_real_fft(t, x[0], f->axes, f->n, f->norm);
    return nigh_tape_square(t, y);
}

static void test_derivatives(void **state)
{
    static const int64_t sizes[][3] = {{4, 6, 5}, {3, 4, 7}, {1, 2, 8}, {5, 3, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int kind = 0; kind < 4; kind++)
            for (int norm = 0; norm < 3; norm++) {
                static const unsigned axes[] = {2, 6, 14, 4, 10, 12};
                unsigned chosen = axes[((int)i + kind + norm) % 6];
                int last = chosen & 8 ? 3 : chosen & 4 ? 2 : 1;
                derivatives_input in = {.ndim = 5, .dim = {2, sizes[i][0], sizes[i][1], sizes[i][2], 2}, .complex = kind != 2};
                form f = {kind, chosen, in.dim[last], (nigh_tape_norm)norm};
                if (kind == 3) in.dim[last] = f.n / 2 + 1;
                check_derivatives("fft", transformed, &f, 1, &in, 2, 1e-7, 0);
            }
    derivatives_input plain = {.ndim = 1, .dim = {12}, .complex = true};
    form f = {0, 1, 12, NIGH_NORM_BACKWARD};
    check_derivatives("one array", transformed, &f, 1, &plain, 3, 1e-7, 0);
}

/* One run of `out` over inputs that hold sines. */
typedef struct runner {
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
} runner;

static void open_tape(runner *r)
{
    assert_int_equal(nigh_context_new(&r->ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(r->ctx, &r->t), NIGH_OK);
}

static const void *result(runner *r, nigh_node out, nigh_node in, const void *data)
{
    if (nigh_tape_status(r->t)) fail_msg("%s", nigh_message(r->ctx));
    assert_int_equal(nigh_executor_new(r->ctx, r->t, 1, &out, &r->run), NIGH_OK);
    assert_int_equal(nigh_executor_bind(r->run, in, (void *)data), NIGH_OK);
    assert_int_equal(nigh_executor_run(r->run), NIGH_OK);
    return nigh_executor_data(r->run, out);
}

static void close_tape(runner *r)
{
    nigh_executor_free(r->run);
    nigh_tape_free(r->t);
    nigh_context_free(r->ctx);
}

static void test_is_the_sum(void **state)
{
    enum { N = 6, M = 5 };
    double x[N * M];
    for (int i = 0; i < N * M; i++) x[i] = sin(1.7 * i) + 0.3 * cos(0.2 * i * i);
    runner r;
    open_tape(&r);
    nigh_node in = nigh_tape_input(r.t, "x", NIGH_F64, 4, (int64_t[]){1, N, M, 1});
    const double *y = result(&r, nigh_tape_real_fft(r.t, in, 6, NIGH_NORM_BACKWARD), in, x);
    for (int k = 0; k < N; k++)
        for (int l = 0; l < M / 2 + 1; l++) {
            double re = 0, im = 0;
            for (int i = 0; i < N; i++)
                for (int j = 0; j < M; j++) {
                    double angle = -tau * ((double)(i * k) / N + (double)(j * l) / M);
                    re += x[i * M + j] * cos(angle), im += x[i * M + j] * sin(angle);
                }
            const double *have = y + 2 * (k * (M / 2 + 1) + l);
            assert_true(fabs(have[0] - re) < 1e-12 && fabs(have[1] - im) < 1e-12);
        }
    close_tape(&r);
    open_tape(&r);
    in = nigh_tape_input(r.t, "x", NIGH_F64, 4, (int64_t[]){1, N, M, 1});
    y = result(&r, nigh_tape_inverse_real_fft(r.t, nigh_tape_real_fft(r.t, in, 6, NIGH_NORM_BACKWARD), 6, M, NIGH_NORM_BACKWARD), in, x);
    for (int i = 0; i < N * M; i++) assert_true(fabs(y[i] - x[i]) < 1e-14 * 10);
    close_tape(&r);
}

static nigh_node regridded(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_fourier_resample(t, x[0], user)); }

static double wave(double x, double y) { return 0.5 + cos(tau * x) + sin(tau * (x - y)) - 0.7 * cos(tau * 2 * y); }

static void test_grids(void **state)
{
    static const int64_t from[][2] = {{5, 6}, {6, 5}, {8, 8}, {7, 7}}, to[][2] = {{9, 12}, {12, 8}, {5, 6}, {14, 5}};
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) { /* waves that both grids hold are met exactly */
        runner r;
        double x[64];
        for (int64_t k = 0; k < from[i][0] * from[i][1]; k++) x[k] = wave((double)(k / from[i][1]) / (double)from[i][0], (double)(k % from[i][1]) / (double)from[i][1]);
        open_tape(&r);
        nigh_node in = nigh_tape_input(r.t, "x", NIGH_F64, 4, (int64_t[]){1, from[i][0], from[i][1], 1});
        const double *y = result(&r, nigh_tape_fourier_resample(r.t, in, to[i]), in, x);
        for (int64_t k = 0; k < to[i][0] * to[i][1]; k++)
            assert_true(fabs(y[k] - wave((double)(k / to[i][1]) / (double)to[i][0], (double)(k % to[i][1]) / (double)to[i][1])) < 1e-13);
        close_tape(&r);
        derivatives_input in2 = {.ndim = 4, .dim = {2, from[i][0], from[i][1], 2}};
        check_derivatives("grid", regridded, (void *)to[i], 1, &in2, 2, 1e-7, 0);
    }
}

/* Larger and back changes nothing, also where the grid's own highest frequency is in x. */
static void test_there_and_back(void **state)
{
    enum { N = 6, M = 8 };
    static const int64_t large[][2] = {{10, 12}, {7, 9}, {12, 8}, {6, 9}};
    double x[N * M];
    for (int i = 0; i < N * M; i++) x[i] = sin(1.7 * i) + 0.3 * cos(0.2 * i * i);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        runner r;
        open_tape(&r);
        nigh_node in = nigh_tape_input(r.t, "x", NIGH_F64, 4, (int64_t[]){1, N, M, 1});
        const double *y = result(&r, nigh_tape_fourier_resample(r.t, nigh_tape_fourier_resample(r.t, in, large[i]), (int64_t[]){N, M}), in, x);
        for (int k = 0; k < N * M; k++) assert_true(fabs(y[k] - x[k]) < 1e-13);
        close_tape(&r);
    }
}

typedef struct slope {
    int axis, order;
} slope;

static nigh_node derived(nigh_tape *t, const nigh_node *x, void *user)
{
    const slope *s = user;
    return nigh_tape_square(t, nigh_tape_spectral_derivative(t, x[0], s->axis, s->order, tau));
}

static void test_spectral_derivatives(void **state)
{
    for (int order = 1; order <= 4; order++)
        for (int n = 7; n <= 8; n++) {
            runner r;
            double x[16];
            for (int i = 0; i < n; i++) x[2 * i] = cos(tau * i / n) + sin(2 * tau * i / n), x[2 * i + 1] = 3;
            open_tape(&r);
            nigh_node in = nigh_tape_input(r.t, "x", NIGH_F64, 3, (int64_t[]){1, n, 2});
            const double *y = result(&r, nigh_tape_spectral_derivative(r.t, in, 1, order, tau), in, x);
            for (int i = 0; i < n; i++) {
                double a = tau * i / n, turn = order * tau / 4; /* each derivative turns by a quarter */
                assert_true(fabs(y[2 * i] - (cos(a + turn) + pow(2, order) * sin(2 * a + turn))) < 1e-12);
                assert_true(fabs(y[2 * i + 1]) < 1e-12);
            }
            close_tape(&r);
            slope s = {1, order};
            derivatives_input field = {.ndim = 4, .dim = {2, n, 3, 2}};
            check_derivatives("derivative", derived, &s, 1, &field, 2, 1e-7, 1e-3);
        }
}

static nigh_node sobolev(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_relative_h1(t, x[0], x[1], (double[]){2, 3, 1}); }

/* |sin(tau x)|^2 = 1/2, its slope's is tau^2 / 2; twice it is off by all of it. */
static void test_sobolev(void **state)
{
    derivatives_input in[2] = {{.ndim = 4, .dim = {2, 5, 6, 2}}, {.ndim = 4, .dim = {2, 5, 6, 2}}};
    check_derivatives("relative h1", sobolev, NULL, 2, in, 2, 1e-6, 1e-3);
    runner r;
    double x[12];
    for (int i = 0; i < 12; i++) x[i] = sin(tau * i / 12);
    open_tape(&r);
    nigh_node u = nigh_tape_input(r.t, "x", NIGH_F64, 3, (int64_t[]){1, 12, 1}), one = nigh_tape_fill(r.t, NIGH_F64, 3, (int64_t[]){1, 12, 1}, 1);
    const double *y = result(&r, nigh_tape_relative_h1(r.t, nigh_tape_add(r.t, u, nigh_tape_scale(r.t, one, 0.5)), u, NULL), u, x);
    assert_true(fabs(*y - sqrt(0.25 / (0.5 + 0.5 * tau * tau))) < 1e-12);
    close_tape(&r);
    open_tape(&r);
    nigh_node v = nigh_tape_input(r.t, "x", NIGH_F64, 3, (int64_t[]){1, 12, 1}), g;
    assert_int_equal(nigh_tape_gradient(r.t, nigh_tape_relative_h1(r.t, v, v, NULL), NIGH_NONE, 1, &v, &g), NIGH_OK);
    y = result(&r, g, v, x);
    for (int i = 0; i < 12; i++) assert_true(fabs(y[i]) < 1e-9);
    close_tape(&r);
}

static nigh_node modes(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_mode_product(t, x[0], x[1])); }

static void test_mode_products(void **state)
{
    derivatives_input in[2] = {{.ndim = 4, .dim = {2, 3, 2, 4}, .complex = true}, {.ndim = 4, .dim = {3, 2, 4, 5}, .complex = true}};
    check_derivatives("modes", modes, NULL, 2, in, 2, 1e-7, 0);
    in[0].complex = in[1].complex = false;
    check_derivatives("real modes", modes, NULL, 2, in, 2, 1e-7, 0);
}

static void test_misuse(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int i = 0; i < 9; i++) {
        nigh_tape *t;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x = nigh_tape_input(t, "x", NIGH_F32, 4, (int64_t[]){2, 4, 4, 3}), z = nigh_tape_input(t, "z", NIGH_C64, 4, (int64_t[]){2, 4, 3, 3}), y = NIGH_NONE;
        if (i == 0) y = nigh_tape_fft(t, x, 6, false, NIGH_NORM_NONE);
        if (i == 1) y = nigh_tape_real_fft(t, z, 6, NIGH_NORM_NONE);
        if (i == 2) y = nigh_tape_real_fft(t, x, 0, NIGH_NORM_NONE);
        if (i == 3) y = nigh_tape_real_fft(t, x, 31, NIGH_NORM_NONE);
        if (i == 4) y = nigh_tape_inverse_real_fft(t, z, 6, 6, NIGH_NORM_NONE);
        if (i == 5) y = nigh_tape_spectrum_resize(t, z, 2, 6, 8, true);
        if (i == 6) y = nigh_tape_fourier_resample(t, x, (int64_t[]){0, 4});
        if (i == 7) y = nigh_tape_spectral_derivative(t, x, 1, 0, 1);
        if (i == 8) y = nigh_tape_mode_product(t, x, x);
        assert_int_equal(y, NIGH_NONE);
        assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_is_the_sum), cmocka_unit_test(test_grids),
                                       cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_spectral_derivatives), cmocka_unit_test(test_sobolev),
                                       cmocka_unit_test(test_mode_products), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
