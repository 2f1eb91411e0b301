/* Products with Jacobians, Hessians and Gauss-Newton matrices: closed forms, symmetry, Krylov methods on them, points that move. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/second.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill(double *x, int64_t n, uint64_t stream)
{
    nigh_rng rng = nigh_rng_new(11, stream);
    nigh_rng_fill_normal(&rng, n, x);
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* A tanh network 3-5-4-2 with squares, weights as six nodes. */
enum { N = 7, IN = 3, H1 = 5, H2 = 4, OUT = 2, P = IN * H1 + H1 + H1 * H2 + H2 + H2 * OUT + OUT };
typedef struct net {
    nigh_context *ctx;
    nigh_tape *t;
    nigh_node x, w[6], z, loss;
    double data[N * IN], weight[P];
} net;

static void net_new(net *m, nigh_context *ctx)
{
    m->ctx = ctx;
    assert_ok(ctx, nigh_tape_new(ctx, &m->t));
    int64_t width[4] = {IN, H1, H2, OUT};
    m->x = nigh_tape_input(m->t, "x", NIGH_F64, 2, (int64_t[]){N, IN});
    nigh_node h = m->x;
    for (int l = 0; l < 3; l++) {
        m->w[2 * l] = nigh_tape_input(m->t, "w", NIGH_F64, 2, (int64_t[]){width[l], width[l + 1]});
        m->w[2 * l + 1] = nigh_tape_input(m->t, "b", NIGH_F64, 1, &width[l + 1]);
        h = nigh_tape_linear(m->t, h, m->w[2 * l], m->w[2 * l + 1]);
        if (l < 2) h = nigh_tape_tanh(m->t, h);
    }
    m->z = h;
    nigh_node lse = nigh_tape_log_sum_exp(m->t, h, 2, false), first = nigh_tape_sum(m->t, nigh_tape_slice(m->t, h, 1, 0, 1, 1), NIGH_ALL, false);
    m->loss = nigh_tape_sub(m->t, nigh_tape_sum(m->t, lse, NIGH_ALL, false), first);
    fill(m->data, N * IN, 1);
    fill(m->weight, P, 2);
}

static nigh_over net_over(const net *m) { return (nigh_over){.n = 6, .node = m->w}; }

static void net_bind(net *m, nigh_executor *e)
{
    double *at = m->weight;
    if (nigh_executor_has(e, m->x)) assert_ok(m->ctx, nigh_executor_bind(e, m->x, m->data));
    for (int i = 0; i < 6; i++) {
        if (nigh_executor_has(e, m->w[i])) assert_ok(m->ctx, nigh_executor_bind(e, m->w[i], at));
        at += nigh_shape_count(nigh_tape_shape(m->t, m->w[i]));
    }
}

/* 1/2 x^T A x + b x: the Hessian is A. */
static void test_quadratic(void **state)
{
    enum { D = 6 };
    nigh_context *ctx = test_context_new();
    nigh_tape *t;
    nigh_product *h;
    double a[D * D], root[D * D], v[D], hv[D], dense[D * D], at[D] = {1, 2, 3, 4, 5, 6};
    fill(root, D * D, 3);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) a[i * D + j] = dot(root + i * D, root + j * D, D) + (i == j);
    assert_ok(ctx, nigh_tape_new(ctx, &t));
    nigh_node x = nigh_tape_input(t, "x", NIGH_F64, 2, (int64_t[]){1, D}), m = nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){D, D}, a);
    nigh_node f = nigh_tape_scale(t, nigh_tape_sum(t, nigh_tape_mul(t, nigh_tape_matmul(t, x, m, 0), x), NIGH_ALL, false), 0.5);
    f = nigh_tape_add(t, f, nigh_tape_sum(t, x, NIGH_ALL, false));
    assert_ok(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 1, .node = &x}, &h));
    if (nigh_executor_has(nigh_product_executor(h), x)) nigh_executor_bind(nigh_product_executor(h), x, at);
    fill(v, D, 4);
    assert_ok(ctx, nigh_product_run(h, v, hv));
    for (int i = 0; i < D; i++) assert_near(hv[i], dot(a + i * D, v, D), 1e-13, 1e-13);
    assert_ok(ctx, nigh_product_dense(ctx, h, true, dense));
    for (int i = 0; i < D * D; i++) assert_near(dense[i], a[i], 1e-13, 1e-13);
    double diagonal[D], error[D];
    assert_ok(ctx, nigh_product_diagonal(ctx, h, 4000, 5, diagonal, error));
    for (int i = 0; i < D; i++) assert_true(fabs(diagonal[i] - a[i * D + i]) < 5 * error[i] + 1e-12);
    nigh_product_free(h);
    nigh_tape_free(t);
    test_context_free(ctx);
}

/* Softmax-free logistic regression: H = X^T diag(p (1 - p)) X + lambda; CG with it solves to 1e-8. */
static void test_logistic(void **state)
{
    enum { R = 40, D = 5 };
    nigh_context *ctx = test_context_new();
    nigh_tape *t;
    nigh_product *h, *g;
    double x[R * D], w[D], want[D * D] = {0}, dense[D * D], b[D], solved[D] = {0}, back[D];
    fill(x, R * D, 6), fill(w, D, 7), fill(b, D, 8);
    for (int i = 0; i < R; i++) {
        double p = 1 / (1 + exp(-dot(x + i * D, w, D)));
        for (int j = 0; j < D * D; j++) want[j] += p * (1 - p) * x[i * D + j / D] * x[i * D + j % D];
    }
    for (int i = 0; i < D; i++) want[i * D + i] += 0.1;
    assert_ok(ctx, nigh_tape_new(ctx, &t));
    nigh_node data = nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){R, D}, x), weight = nigh_tape_input(t, "w", NIGH_F64, 2, (int64_t[]){D, 1});
    nigh_node z = nigh_tape_matmul(t, data, weight, 0), fit = nigh_tape_sum(t, nigh_tape_softplus(t, z, 1), NIGH_ALL, false);
    nigh_node loss = nigh_tape_add(t, fit, nigh_tape_scale(t, nigh_tape_sum(t, nigh_tape_square(t, weight), NIGH_ALL, false), 0.05));
    nigh_over over = {.n = 1, .node = &weight};
    assert_ok(ctx, nigh_hessian_new(ctx, t, loss, &over, &h));
    assert_ok(ctx, nigh_gauss_newton_new(ctx, t, fit, z, &over, &g));
    assert_ok(ctx, nigh_executor_bind(nigh_product_executor(h), weight, w));
    assert_ok(ctx, nigh_executor_bind(nigh_product_executor(g), weight, w));
    assert_ok(ctx, nigh_product_dense(ctx, h, false, dense));
    for (int i = 0; i < D * D; i++) assert_near(dense[i], want[i], 1e-12, 1e-12);
    assert_ok(ctx, nigh_product_dense(ctx, g, false, dense)); /* a linear model: the same without the penalty */
    for (int i = 0; i < D * D; i++) assert_near(dense[i] + (i / D == i % D ? 0.1 : 0), want[i], 1e-12, 1e-12);
    nigh_operator a = nigh_product_operator(h);
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, solved, &(nigh_krylov_options){.tolerance = 1e-12, .most = 50}, NULL));
    assert_ok(ctx, nigh_product_run(h, solved, back));
    for (int i = 0; i < D; i++) assert_near(back[i], b[i], 1e-8, 1e-8);
    nigh_product_free(h), nigh_product_free(g);
    nigh_tape_free(t);
    test_context_free(ctx);
}

static void gradient_at(net *m, nigh_executor *e, const nigh_node *g, double *out)
{
    net_bind(m, e);
    assert_ok(m->ctx, nigh_executor_run(e));
    for (int i = 0; i < 6; i++) {
        int64_t n = nigh_shape_count(nigh_tape_shape(m->t, m->w[i]));
        memcpy(out, nigh_executor_data(e, g[i]), (size_t)n * sizeof *out);
        out += n;
    }
}

/* Hessian of a network: symmetric, the difference of gradients, and a new point is seen after nigh_product_moved. */
static void test_network(void **state)
{
    nigh_context *ctx = test_context_new();
    net m;
    nigh_product *h;
    nigh_executor *e;
    nigh_node g[6];
    double v[P], w[P], hv[P], hw[P], low[P], high[P];
    net_new(&m, ctx);
    nigh_over over = net_over(&m);
    assert_ok(ctx, nigh_tape_gradient(m.t, m.loss, NIGH_NONE, 6, m.w, g));
    assert_ok(ctx, nigh_executor_new(ctx, m.t, 6, g, &e));
    assert_ok(ctx, nigh_hessian_new(ctx, m.t, m.loss, &over, &h));
    net_bind(&m, nigh_product_executor(h));
    fill(v, P, 9), fill(w, P, 10);
    for (int point = 0; point < 2; point++) {
        assert_ok(ctx, nigh_product_run(h, v, hv));
        assert_ok(ctx, nigh_product_run(h, w, hw));
        assert_near(dot(v, hw, P), dot(w, hv, P), 1e-11, 1e-11);
        double again[P];
        assert_ok(ctx, nigh_product_run(h, v, again)); /* held: the same bits */
        assert_memory_equal(again, hv, sizeof hv);
        const double step = 1e-5;
        for (int i = 0; i < P; i++) m.weight[i] += step * v[i];
        gradient_at(&m, e, g, high);
        for (int i = 0; i < P; i++) m.weight[i] -= 2 * step * v[i];
        gradient_at(&m, e, g, low);
        for (int i = 0; i < P; i++) m.weight[i] += step * v[i];
        for (int i = 0; i < P; i++) assert_near((high[i] - low[i]) / (2 * step), hv[i], 2e-7, 2e-7);
        nigh_product_moved(h);
        for (int i = 0; i < P; i++) m.weight[i] = 0.7 * m.weight[i] + 0.1;
    }
    nigh_product_free(h);
    nigh_executor_free(e);
    nigh_tape_free(m.t);
    test_context_free(ctx);
}

/* J v and J^T u agree, Gauss-Newton is J^T H J, mixed products are blocks of the Hessian, and the top eigenvalues those of the dense matrix. */
static void test_against_dense(void **state)
{
    enum { Z = N * OUT };
    nigh_context *ctx = test_context_new();
    net m;
    nigh_product *h, *j, *jt, *gn, *jj, *mixed, *hz;
    static double dense[P * P], jac[Z * P], back[P * Z], curved[Z * Z], gauss[P * P], block[(H1 * H2) * (IN * H1)];
    net_new(&m, ctx);
    nigh_over over = net_over(&m), first = {.n = 1, .node = &m.w[0]}, third = {.n = 1, .node = &m.w[2]}, outputs = {.n = 1, .node = &m.z};
    assert_ok(ctx, nigh_hessian_new(ctx, m.t, m.loss, &over, &h));
    assert_ok(ctx, nigh_hessian_new(ctx, m.t, m.loss, &outputs, &hz));
    assert_ok(ctx, nigh_jvp_new(ctx, m.t, m.z, &over, &j));
    assert_ok(ctx, nigh_vjp_new(ctx, m.t, m.z, &over, &jt));
    assert_ok(ctx, nigh_gauss_newton_new(ctx, m.t, m.loss, m.z, &over, &gn));
    assert_ok(ctx, nigh_gauss_newton_new(ctx, m.t, NIGH_NONE, m.z, &over, &jj));
    assert_ok(ctx, nigh_mixed_new(ctx, m.t, m.loss, &first, &third, &mixed));
    nigh_product *all[7] = {h, hz, j, jt, gn, jj, mixed};
    for (int i = 0; i < 7; i++) net_bind(&m, nigh_product_executor(all[i]));
    assert_int_equal(nigh_product_rows(j), Z);
    assert_int_equal(nigh_product_cols(j), P);
    assert_ok(ctx, nigh_product_dense(ctx, h, true, dense));
    assert_ok(ctx, nigh_product_dense(ctx, hz, true, curved));
    assert_ok(ctx, nigh_product_dense(ctx, j, false, jac));
    assert_ok(ctx, nigh_product_dense(ctx, jt, false, back));
    for (int i = 0; i < Z; i++)
        for (int k = 0; k < P; k++) assert_near(jac[i * P + k], back[k * Z + i], 1e-13, 1e-12);
    for (int pass = 0; pass < 2; pass++) {
        assert_ok(ctx, nigh_product_dense(ctx, pass ? jj : gn, false, gauss));
        for (int r = 0; r < P; r++)
            for (int c = 0; c < P; c++) {
                double want = 0;
                for (int i = 0; i < Z; i++)
                    for (int k = 0; k < Z; k++) want += jac[i * P + r] * (pass ? i == k : curved[i * Z + k]) * jac[k * P + c];
                assert_near(gauss[r * P + c], want, 1e-12, 1e-11);
            }
    }
    assert_ok(ctx, nigh_product_dense(ctx, mixed, false, block));
    for (int r = 0; r < H1 * H2; r++)
        for (int c = 0; c < IN * H1; c++) assert_near(block[r * IN * H1 + c], dense[(IN * H1 + H1 + r) * P + c], 1e-12, 1e-11);
    double value[3], bound[3], vectors[3 * P], again[P];
    int64_t found;
    assert_ok(ctx, nigh_product_top(ctx, h, 3, P, 5, &found, value, bound, vectors));
    assert_int_equal(found, 3);
    assert_true(value[0] >= value[1] && value[1] >= value[2]);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < P; i++) again[i] = dot(dense + i * P, vectors + k * P, P) - value[k] * vectors[k * P + i];
        assert_true(sqrt(dot(again, again, P)) < 1e-8 * value[0]);
    }
    double trace = 0, best = 0, x[P], y[P];
    for (int i = 0; i < P; i++) trace += dense[i * P + i], x[i] = 1;
    for (int it = 0; it < 4000; it++) { /* power iteration on the shifted dense matrix */
        double shift = fabs(trace) + value[0], norm;
        for (int i = 0; i < P; i++) y[i] = dot(dense + i * P, x, P) + shift * x[i];
        norm = sqrt(dot(y, y, P));
        for (int i = 0; i < P; i++) x[i] = y[i] / norm;
        best = norm - shift;
    }
    assert_near(value[0], best, 0, 1e-5);
    for (int i = 0; i < 7; i++) nigh_product_free(all[i]);
    nigh_tape_free(m.t);
    test_context_free(ctx);
}

/* Offsets with gaps; the pair for LSQR solves J v = r in the least-squares sense. */
static void test_layout(void **state)
{
    enum { GAP = 3, SIZE = P + 6 * GAP, Z = N * OUT };
    nigh_context *ctx = test_context_new();
    net m;
    nigh_product *h, *gappy;
    nigh_product_pair pair;
    double v[P], hv[P], wide[SIZE], hwide[SIZE], r[Z], x[P] = {0}, jx[Z], normal[P];
    int64_t offset[6], at = 1, from[6], dense_at = 0;
    net_new(&m, ctx);
    for (int i = 0; i < 6; i++) {
        int64_t n = nigh_shape_count(nigh_tape_shape(m.t, m.w[i]));
        offset[i] = at, from[i] = dense_at;
        at += n + GAP, dense_at += n;
    }
    nigh_over over = net_over(&m), spread = {.n = 6, .node = m.w, .offset = offset, .size = SIZE};
    assert_ok(ctx, nigh_hessian_new(ctx, m.t, m.loss, &over, &h));
    assert_ok(ctx, nigh_hessian_new(ctx, m.t, m.loss, &spread, &gappy));
    net_bind(&m, nigh_product_executor(h)), net_bind(&m, nigh_product_executor(gappy));
    fill(v, P, 12), fill(wide, SIZE, 13), fill(hwide, SIZE, 14);
    for (int i = 0; i < 6; i++) memcpy(wide + offset[i], v + from[i], (size_t)nigh_shape_count(nigh_tape_shape(m.t, m.w[i])) * sizeof *v);
    assert_ok(ctx, nigh_product_run(h, v, hv));
    assert_ok(ctx, nigh_product_run(gappy, wide, hwide));
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += fabs(hwide[i]);
    for (int i = 0; i < 6; i++)
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(m.t, m.w[i])); k++) {
            assert_near(hwide[offset[i] + k], hv[from[i] + k], 1e-14, 1e-13);
            sum -= fabs(hwide[offset[i] + k]);
        }
    assert_true(fabs(sum) < 1e-10);
    assert_ok(ctx, nigh_jvp_new(ctx, m.t, m.z, &over, &pair.forward));
    assert_ok(ctx, nigh_vjp_new(ctx, m.t, m.z, &over, &pair.back));
    net_bind(&m, nigh_product_executor(pair.forward)), net_bind(&m, nigh_product_executor(pair.back));
    nigh_operator j = nigh_product_pair_operator(&pair);
    fill(r, Z, 15);
    assert_ok(ctx, nigh_lsqr(ctx, &j, 0, r, x, &(nigh_krylov_options){.tolerance = 1e-12, .most = 400}, NULL));
    assert_ok(ctx, nigh_product_run(pair.forward, x, jx));
    for (int i = 0; i < Z; i++) jx[i] -= r[i];
    assert_ok(ctx, nigh_product_run(pair.back, jx, normal));
    for (int i = 0; i < P; i++) assert_true(fabs(normal[i]) < 1e-8);
    nigh_product_free(h), nigh_product_free(gappy), nigh_product_free(pair.forward), nigh_product_free(pair.back);
    nigh_tape_free(m.t);
    test_context_free(ctx);
}

/* Results that no vector reaches, vectors handed through, one node asked for twice. */
static void test_degenerate(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tape *t;
    nigh_product *h, *same, *zero;
    double v[3] = {1, 2, 3}, y[6] = {9, 9, 9, 9, 9, 9};
    assert_ok(ctx, nigh_tape_new(ctx, &t));
    nigh_node x[2] = {nigh_tape_input(t, "x", NIGH_F64, 1, (int64_t[]){3}), nigh_tape_input(t, "y", NIGH_F64, 1, (int64_t[]){3})};
    nigh_node sum = nigh_tape_add(t, x[0], x[1]), f = nigh_tape_sum(t, sum, NIGH_ALL, false);
    assert_ok(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 1, .node = x}, &zero)); /* linear: 0 */
    for (int i = 0; i < 2; i++) {
        double out[3] = {7, 7, 7};
        assert_ok(ctx, nigh_product_run(zero, v, out));
        assert_true(out[0] == 0 && out[1] == 0 && out[2] == 0);
    }
    assert_ok(ctx, nigh_vjp_new(ctx, t, sum, &(nigh_over){.n = 2, .node = x}, &same)); /* the vector itself, twice */
    assert_ok(ctx, nigh_product_run(same, v, y));
    for (int i = 0; i < 6; i++) assert_true(y[i] == v[i % 3]);
    nigh_node half = nigh_tape_scale(t, nigh_tape_sum(t, nigh_tape_square(t, sum), NIGH_ALL, false), 0.5);
    assert_ok(ctx, nigh_hessian_new(ctx, t, half, &(nigh_over){.n = 2, .node = x}, &h)); /* [1 1; 1 1] in blocks */
    double w[6] = {1, 2, 3, 10, 20, 30};
    assert_ok(ctx, nigh_product_block(h, 1, w, y));
    for (int i = 0; i < 6; i++) assert_near(y[i], 11 * v[i % 3], 1e-15, 1e-15);
    nigh_node c = nigh_tape_input(t, "c", NIGH_F32, 0, NULL);
    nigh_product *p = NULL;
    assert_fails(ctx, nigh_hessian_new(ctx, t, sum, &(nigh_over){.n = 1, .node = x}, &p), NIGH_INVALID, "one element");
    assert_fails(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 0}, &p), NIGH_INVALID, "1 or more");
    assert_fails(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 2, .node = (nigh_node[]){x[0], c}}, &p), NIGH_INVALID, "f32");
    assert_fails(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 1, .node = (nigh_node[]){999}}, &p), NIGH_INVALID, "not on the tape");
    assert_fails(ctx, nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 2, .node = x, .offset = (int64_t[]){0, 2}, .size = 9}, &p), NIGH_INVALID, "from 3 on");
    assert_null(p);
    int64_t found;
    assert_fails(ctx, nigh_product_top(ctx, h, 5, 3, 1, &found, y, NULL, NULL), NIGH_INVALID, "steps");
    nigh_product_free(h), nigh_product_free(same), nigh_product_free(zero);
    nigh_tape_free(t);
    test_context_free(ctx);
}

/* f(w0) + J (w - w0): equal at w0, linear, and its gradient by w is J^T g. */
static void test_linearise(void **state)
{
    nigh_context *ctx = test_context_new();
    net m;
    nigh_node moved[6], out, g[6];
    nigh_executor *e;
    nigh_product *j, *jt;
    double w[P], way[P], jv[N * OUT], ones[N * OUT], pulled[P], z[N * OUT];
    net_new(&m, ctx);
    for (int i = 0; i < 6; i++) {
        const nigh_shape shape = *nigh_tape_shape(m.t, m.w[i]);
        moved[i] = nigh_tape_input(m.t, "moved", NIGH_F64, shape.ndim, shape.dim);
    }
    nigh_over over = net_over(&m);
    assert_ok(ctx, nigh_tape_linearise(m.t, m.z, 6, m.w, moved, &out));
    assert_ok(ctx, nigh_tape_gradient(m.t, nigh_tape_sum(m.t, out, NIGH_ALL, false), NIGH_NONE, 6, moved, g));
    assert_ok(ctx, nigh_executor_new(ctx, m.t, 8, (nigh_node[]){out, m.z, g[0], g[1], g[2], g[3], g[4], g[5]}, &e));
    assert_ok(ctx, nigh_jvp_new(ctx, m.t, m.z, &over, &j));
    assert_ok(ctx, nigh_vjp_new(ctx, m.t, m.z, &over, &jt));
    net_bind(&m, e), net_bind(&m, nigh_product_executor(j)), net_bind(&m, nigh_product_executor(jt));
    fill(way, P, 16);
    for (int i = 0; i < P; i++) w[i] = m.weight[i] + way[i];
    double *at = w;
    for (int i = 0; i < 6; i++) {
        if (nigh_executor_has(e, moved[i])) assert_ok(ctx, nigh_executor_bind(e, moved[i], at));
        at += nigh_shape_count(nigh_tape_shape(m.t, m.w[i]));
    }
    assert_ok(ctx, nigh_executor_run(e));
    memcpy(z, nigh_executor_data(e, m.z), sizeof z);
    assert_ok(ctx, nigh_product_run(j, way, jv));
    for (int i = 0; i < N * OUT; i++) assert_near(((double *)nigh_executor_data(e, out))[i], z[i] + jv[i], 1e-12, 1e-12);
    for (int i = 0; i < N * OUT; i++) ones[i] = 1;
    assert_ok(ctx, nigh_product_run(jt, ones, pulled));
    at = pulled;
    for (int i = 0; i < 6; i++) {
        const double *have = nigh_executor_data(e, g[i]);
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(m.t, m.w[i])); k++) assert_near(have[k], *at++, 1e-12, 1e-12);
    }
    nigh_product_free(j), nigh_product_free(jt);
    nigh_executor_free(e);
    nigh_tape_free(m.t);
    test_context_free(ctx);
}

/* Every allocation that fails leaves nothing behind. */
static void test_memory(void **state)
{
    for (long at = 1;; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_tape *t = NULL;
        nigh_product *h = NULL;
        nigh_status status = nigh_tape_new(ctx, &t);
        if (!status) {
            nigh_node x = nigh_tape_input(t, "x", NIGH_F64, 1, (int64_t[]){3});
            nigh_node f = nigh_tape_sum(t, nigh_tape_exp(t, nigh_tape_square(t, x)), NIGH_ALL, false);
            status = nigh_hessian_new(ctx, t, f, &(nigh_over){.n = 1, .node = &x}, &h);
        }
        double dense[9];
        if (!status) {
            void *at_x = nigh_executor_data(nigh_product_executor(h), 0);
            if (at_x) memset(at_x, 0, 3 * sizeof(double)), status = nigh_product_dense(ctx, h, false, dense);
            else status = NIGH_MEMORY;
        }
        nigh_product_free(h);
        nigh_tape_free(t);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) {
            for (int i = 0; i < 9; i++) assert_near(dense[i], i % 4 == 0 ? 2 : 0, 1e-15, 0);
            break;
        }
        assert_int_equal(status, NIGH_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quadratic), cmocka_unit_test(test_logistic), cmocka_unit_test(test_network), cmocka_unit_test(test_against_dense),
        cmocka_unit_test(test_layout), cmocka_unit_test(test_degenerate), cmocka_unit_test(test_linearise), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
