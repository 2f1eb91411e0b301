/* Losses: derivatives, weights as repeated rows, optimality, names, bad input. */
#include <math.h>
#include <string.h>

#include "nigh/coreset.h"
#include "nn/margin.h"
#include "support.h"

enum { N = 120, D = 5, MOST = 3 * N };

typedef struct data {
    double x[MOST * D], y[MOST], class[MOST], weight[MOST];
    nigh_rows rows, classes;
} data;

/* Weights 0, 1, 2; targets with heavy tails; classes that overlap. */
static void draw(data *a, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_rng_fill_normal(&rng, N * D, a->x);
    for (int i = 0; i < N; i++) {
        double m = 0.5;
        for (int k = 0; k < D; k++) m += a->x[i * D + k] * (k - 1.5);
        a->y[i] = m + nigh_rng_student_t(&rng, 2);
        a->class[i] = nigh_rng_f64(&rng) < 1 / (1 + exp(-m));
        a->weight[i] = i % 3;
    }
    a->rows = (nigh_rows){N, D, a->x, a->y, a->weight};
    a->classes = (nigh_rows){N, D, a->x, a->class, a->weight};
}

static void repeat(const data *from, data *to)
{
    int n = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < (int)from->weight[i]; k++, n++) {
            memcpy(to->x + n * D, from->x + i * D, D * sizeof(double));
            to->y[n] = from->y[i], to->class[n] = from->class[i];
        }
    to->rows = (nigh_rows){n, D, to->x, to->y, NULL};
    to->classes = (nigh_rows){n, D, to->x, to->class, NULL};
}

static data one, two;
static const nigh_rows *rows_of(const data *a, const nigh_loss *loss) { return nigh_loss_has_classes(loss) ? &a->classes : &a->rows; }

static const char *const linear[] = {"squares", "squares:lambda=3", "lp:p=1", "lp", "lp:p=1.2,lambda=2", "lp:p=3", "lp:p=4.5", "huber:delta=0.7", "huber:lambda=1",
                                     "logistic", "logistic:lambda=0.01,intercept=0", "hinge", "hinge:lambda=0.1", "hinge:intercept=0"};
enum { LINEAR = sizeof linear / sizeof *linear };

static void optimal(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 3), repeat(&one, &two);
    for (int l = 0; l < LINEAR; l++) {
        nigh_loss *loss;
        assert_ok(ctx, nigh_loss_parse(ctx, linear[l], &loss));
        double a[D + 1], b[D + 1], cost, gap;
        nigh_loss_fit fit, other;
        assert_ok(ctx, nigh_loss_train(ctx, loss, rows_of(&one, loss), NULL, a, &fit));
        assert_true(fit.met);
        assert_true(fit.gap <= 1e-9 * fit.cost);
        assert_ok(ctx, nigh_loss_cost(ctx, loss, rows_of(&one, loss), a, &cost));
        assert_near(fit.cost, cost, 0, 1e-12);
        assert_ok(ctx, nigh_loss_train(ctx, loss, rows_of(&two, loss), NULL, b, &other));
        assert_near(fit.cost, other.cost, 0, 2e-9);
        assert_ok(ctx, nigh_loss_gap(ctx, loss, rows_of(&one, loss), a, &cost, &gap));
        assert_true(cost <= fit.cost * (1 + 1e-12));
        nigh_rng rng = nigh_rng_new(4, (uint64_t)l);
        for (int k = 0; k < 5; k++) { /* the gap of a model beside the best one is no less than the truth */
            for (int j = 0; j <= D; j++) b[j] = a[j] + pow(10, -k) * nigh_rng_normal(&rng);
            if (nigh_loss_is(loss)->no_intercept) b[D] = 0;
            assert_ok(ctx, nigh_loss_gap(ctx, loss, rows_of(&one, loss), b, &cost, &gap));
            assert_true(gap >= cost - fit.cost - 1e-9 * cost);
        }
        nigh_loss_fit_options warm = {.start = a};
        assert_ok(ctx, nigh_loss_train(ctx, loss, rows_of(&one, loss), &warm, b, &other));
        assert_true(other.met);
        assert_near(other.cost, fit.cost, 0, 1e-9);
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

/* Least absolute deviations go through as many points as there are unknowns: all triples are tried. */
static void absolute(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { FEW = 14 };
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_parse(ctx, "lp:p=1", &loss));
    for (int seed = 1; seed < 6; seed++) {
        nigh_rng rng = nigh_rng_new((uint64_t)seed, 1);
        double x[FEW * 2], y[FEW], weight[FEW], model[3], best = INFINITY;
        nigh_rng_fill_normal(&rng, FEW * 2, x), nigh_rng_fill_normal(&rng, FEW, y);
        for (int i = 0; i < FEW; i++) weight[i] = 0.5 + i % 3, y[i] += x[2 * i];
        for (int a = 0; a < FEW; a++)
            for (int b = 0; b < a; b++)
                for (int c = 0; c < b; c++) {
                    double ax = x[2 * a] - x[2 * c], ay = x[2 * a + 1] - x[2 * c + 1], bx = x[2 * b] - x[2 * c], by = x[2 * b + 1] - x[2 * c + 1];
                    double det = ax * by - ay * bx, u = ((y[a] - y[c]) * by - ay * (y[b] - y[c])) / det, v = (ax * (y[b] - y[c]) - (y[a] - y[c]) * bx) / det, sum = 0;
                    for (int i = 0; i < FEW; i++) sum += weight[i] * fabs(y[i] - y[c] - u * (x[2 * i] - x[2 * c]) - v * (x[2 * i + 1] - x[2 * c + 1]));
                    best = fmin(best, sum);
                }
        nigh_rows rows = {FEW, 2, x, y, weight};
        nigh_loss_fit fit;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, model, &fit));
        assert_near(fit.cost, best, 0, 1e-9);
        assert_true(fit.cost >= best * (1 - 1e-13) && fit.cost - fit.gap <= best * (1 + 1e-13));
    }
    nigh_loss_free(loss);
    test_context_free(ctx);
}

/* p = 2 and a wide Huber are least squares; an expression is what it says; a large d goes through L-BFGS. */
static void equal(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *name, *same;
        double times, tolerance;
    } pairs[] = {{"lp:p=2", "squares", 1, 1e-12}, {"huber:delta=1e6", "squares", 2, 1e-12}, {"residual:r*r", "squares", 1, 1e-8},
                 {"residual:sqrt(1+r*r)*4", "residual:4*hypot(1,r)", 1, 1e-8}, {"residual:abs(r)^3", "lp:p=3", 1, 1e-7}, {"lp:p=1.0000001", "lp:p=1", 1, 1e-5}};
    draw(&one, 5);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        nigh_loss *a, *b;
        assert_ok(ctx, nigh_loss_parse(ctx, pairs[i].name, &a));
        assert_ok(ctx, nigh_loss_parse(ctx, pairs[i].same, &b));
        double u[D + 1], v[D + 1];
        nigh_loss_fit f, g;
        assert_ok(ctx, nigh_loss_train(ctx, a, &one.rows, NULL, u, &f));
        assert_ok(ctx, nigh_loss_train(ctx, b, &one.rows, NULL, v, &g));
        assert_near(f.cost * pairs[i].times, g.cost, 0, pairs[i].tolerance);
        for (int j = 0; j <= D; j++) assert_near(u[j], v[j], 20 * sqrt(pairs[i].tolerance), 0);
        nigh_loss_free(a), nigh_loss_free(b);
    }
    test_context_free(ctx);
}

static void many_columns(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { ROWS = 700, WIDE = 310 };
    static double x[ROWS * WIDE], y[ROWS], class[ROWS], model[WIDE + 1];
    nigh_rng rng = nigh_rng_new(8, 1);
    nigh_rng_fill_normal(&rng, ROWS * WIDE, x);
    for (int i = 0; i < ROWS; i++) y[i] = x[i * WIDE] + nigh_rng_normal(&rng), class[i] = y[i] > 0;
    static const char *const names[] = {"squares:lambda=1", "logistic", "huber:lambda=1", "lp:p=3,lambda=5"};
    for (int l = 0; l < 4; l++) {
        nigh_loss *loss;
        assert_ok(ctx, nigh_loss_parse(ctx, names[l], &loss));
        nigh_rows rows = {ROWS, WIDE, x, nigh_loss_has_classes(loss) ? class : y, NULL};
        nigh_loss_fit_options options = {.tolerance = 1e-8};
        nigh_loss_fit fit;
        double cost, gap;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, &options, model, &fit));
        assert_true(fit.met);
        assert_ok(ctx, nigh_loss_gap(ctx, loss, &rows, model, &cost, &gap));
        assert_true(gap <= 1e-4 * cost);
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

/* ---- passes ---- */

/* Gradients and Hessians beside differences; the kernels of every level beside the scalar ones. */
static void derivatives(void **state)
{
    nigh_context *ctx = test_context_new();
    draw(&one, 11);
    static const margin_curve curves[] = {{.kind = NIGH_LOSS_SQUARES}, {.kind = NIGH_LOSS_LP, .p = 1, .smooth = 0.3}, {.kind = NIGH_LOSS_LP, .p = 1.5, .smooth = 0.2},
                                          {.kind = NIGH_LOSS_LP, .p = 1.3, .smooth = 0.2}, {.kind = NIGH_LOSS_LP, .p = 3}, {.kind = NIGH_LOSS_LP, .p = 4}, {.kind = NIGH_LOSS_LP, .p = 7.5},
                                          {.kind = NIGH_LOSS_HUBER, .delta = 0.9}, {.kind = NIGH_LOSS_LOGISTIC}, {.kind = NIGH_LOSS_HINGE, .smooth = 0.4}};
    margin_pass *pass;
    for (size_t c = 0; c < sizeof curves / sizeof *curves; c++) {
        const nigh_rows *rows = curves[c].kind >= NIGH_LOSS_LOGISTIC ? &one.classes : &one.rows;
        assert_ok(ctx, margin_new(ctx, rows, NULL, MARGIN_HESSIAN, &pass));
        double x[D + 1], g[D + 1], up[D + 1], down[D + 1], h[(D + 1) * (D + 1)], step = 1e-6;
        for (int j = 0; j <= D; j++) x[j] = 0.3 * (j - 2);
        double cost = margin_run(pass, &curves[c], x, MARGIN_GRADIENT | MARGIN_HESSIAN, NULL, g, h), scale = 1 + fabs(cost);
        for (int j = 0; j <= D; j++) {
            double at = x[j];
            x[j] = at + step;
            double high = margin_run(pass, &curves[c], x, MARGIN_GRADIENT, NULL, up, NULL);
            x[j] = at - step;
            double low = margin_run(pass, &curves[c], x, MARGIN_GRADIENT, NULL, down, NULL);
            x[j] = at;
            assert_near(g[j], (high - low) / (2 * step), 1e-8 * scale, 1e-6);
            for (int k = 0; k <= D; k++) assert_near(h[j * (D + 1) + k], (up[k] - down[k]) / (2 * step), 1e-5 * scale, 1e-5);
        }
        margin_free(pass);
    }
    test_context_free(ctx);
}

static void levels(void **state)
{
    enum { ROWS = 61, WIDEST = 67 };
    static double x[ROWS * WIDEST], w[WIDEST], y[ROWS], weight[ROWS], out[2][5][ROWS], g[2][2][WIDEST + 1], h[2][WIDEST * WIDEST];
    nigh_rng rng = nigh_rng_new(21, 1);
    nigh_rng_fill_normal(&rng, ROWS * WIDEST, x), nigh_rng_fill_normal(&rng, WIDEST, w);
    for (int i = 0; i < ROWS; i++) weight[i] = i % 4, y[i] = i % 2;
    static const margin_curve curves[] = {{.kind = NIGH_LOSS_SQUARES}, {.kind = NIGH_LOSS_LP, .p = 1.7, .smooth = 0.1}, {.kind = NIGH_LOSS_LP, .p = 1},
                                          {.kind = NIGH_LOSS_HUBER, .delta = 0.9}, {.kind = NIGH_LOSS_LOGISTIC}, {.kind = NIGH_LOSS_HINGE, .smooth = 0.4}, {.kind = NIGH_LOSS_HINGE}};
    for (int level = NIGH_CPU_AVX2; level <= (int)nigh_cpu(); level++)
        for (int64_t d = 1; d <= WIDEST; d++)
            for (int rows = 1; rows <= ROWS; rows += 15) {
                const margin_curve *curve = &curves[(d + rows) % 7];
                double sum[2];
                memset(g, 0, sizeof g), memset(h, 0, sizeof h);
                for (int s = 0; s < 2; s++) {
                    const margin_kernels *k = margin_kernels_at(s ? (nigh_cpu_level)level : NIGH_CPU_SCALAR);
                    k->margins(rows, d, x, w, 0.5, out[s][0]);
                    sum[s] = k->curve(curve, rows, out[0][0], y, d % 2 ? weight : NULL, out[s][1], out[s][2], out[s][3]);
                    k->border(rows, d, x, y, d % 3 ? weight : NULL, g[s][0], g[s][1]);
                    k->gram(rows, d, x, weight, WIDEST, h[s]);
                }
                assert_near(sum[1], sum[0], 1e-13 * rows, 1e-13);
                for (int a = 0; a < 4; a++)
                    for (int i = 0; i < rows; i++) assert_near(out[1][a][i], out[0][a][i], 1e-12, 1e-13);
                for (int a = 0; a < 2; a++)
                    for (int j = 0; j <= d; j++) assert_near(g[1][a][j], g[0][a][j], 1e-12, 0);
                for (int64_t j = 0; j < d; j++)
                    for (int64_t k = j; k < d; k++) assert_near(h[1][j * WIDEST + k], h[0][j * WIDEST + k], 1e-11, 0);
            }
}

/* The BLAS way of wide rows beside the own kernel's sums; many rows on several threads beside one, and the same bits twice. */
static void threads(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { ROWS = 30000 };
    double *x = nigh_alloc(ctx, ROWS * 70 * sizeof *x), *y = nigh_alloc(ctx, ROWS * sizeof *y);
    nigh_rng rng = nigh_rng_new(22, 1);
    nigh_rng_fill_normal(&rng, ROWS * 70, x);
    for (int i = 0; i < ROWS; i++) y[i] = i % 2;
    static double h[3][71 * 71], g[3][71], model[71];
    for (int d = 20; d <= 70; d += 50) {
        nigh_rows rows = {ROWS, d, x, y, NULL};
        margin_curve curve = {.kind = NIGH_LOSS_LOGISTIC};
        double cost[3];
        for (int j = 0; j <= d; j++) model[j] = 0.01 * (j % 5);
        for (int t = 0; t < 3; t++) {
            margin_pass *pass;
            assert_ok(ctx, nigh_context_set_threads(ctx, t ? 3 : 1));
            assert_ok(ctx, margin_new(ctx, &rows, NULL, MARGIN_HESSIAN, &pass));
            cost[t] = margin_run(pass, &curve, model, MARGIN_GRADIENT | MARGIN_HESSIAN, NULL, g[t], h[t]);
            margin_free(pass);
        }
        assert_near(cost[1], cost[0], 0, 1e-12);
        assert_true(cost[1] == cost[2] && !memcmp(g[1], g[2], sizeof g[1]) && !memcmp(h[1], h[2], sizeof h[1]));
        for (int j = 0; j < (d + 1) * (d + 1); j++) assert_near(h[1][j], h[0][j], 1e-8, 1e-12);
        double one_entry = 0;
        for (int i = 0; i < ROWS; i++) {
            double m = model[d];
            for (int j = 0; j < d; j++) m += x[i * d + j] * model[j];
            one_entry += x[i * d + 3] * x[i * d + d - 1] / ((1 + exp(m)) * (1 + exp(-m)));
        }
        assert_near(h[0][3 * (d + 1) + d - 1], one_entry, 1e-9, 1e-11);
    }
    nigh_free(ctx, x), nigh_free(ctx, y);
    test_context_free(ctx);
}

/* ---- text, bad input ---- */

static void names(void **state)
{
    nigh_context *ctx = test_context_new();
    static const char *const pairs[][2] = {{"squares", "squares:lambda=0,intercept=1"}, {"lp:p=1", "lp:p=1,lambda=0,intercept=1"}, {"huber:delta=2", "huber:delta=2,lambda=0,intercept=1"},
        {"logistic:lambda=0.1", "logistic:lambda=0.1,intercept=1"}, {"hinge", "hinge:lambda=1,intercept=1"}, {"k-means:k=10", "k-means:k=10,seed=0,restarts=4"},
        {"mixture:k=3,seed=5", "mixture:k=3,seed=5,restarts=2"}, {"residual:log(1+r*r)", "residual:log(1+r*r)"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        nigh_loss *a, *b;
        assert_ok(ctx, nigh_loss_parse(ctx, pairs[i][0], &a));
        assert_string_equal(nigh_loss_name(a), pairs[i][1]);
        assert_ok(ctx, nigh_loss_parse(ctx, nigh_loss_name(a), &b));
        assert_string_equal(nigh_loss_name(b), pairs[i][1]);
        nigh_loss_free(a), nigh_loss_free(b);
    }
    nigh_loss *out = NULL;
    static const char *const wrong[][2] = {{"", "missing"}, {"logistc", "did you mean logistic"}, {"zzzzzzz", "are known"}, {"lp:q=3", "no 'q'"}, {"lp:p=9", "1 to 8"}, {"lp:p", "write p=NUMBER"},
        {"lp:p=x", "a number is needed"}, {"lp:p=nan", "a number is needed"}, {"huber:delta=0", "positive"}, {"huber:delt=1", "did you mean delta"}, {"k-means:k=0", "whole number"}, {"k-means:k=2.5", "whole number"},
        {"logistic:lambda=0", "positive"}, {"squares:lambda=-1", "0 or more"}, {"squares:intercept=2", "0 and 1"}, {"residual:", "expression in r"}, {"residual", "expression in r"},
        {"residual:r*s", "'s'"}, {"residual:r+", "residual r"}, {"lp:p=1,,lambda=2", "no value"}, {"k-means:restarts=0", "whole number"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_fails(ctx, nigh_loss_parse(ctx, wrong[i][0], &out), NIGH_INVALID, wrong[i][1]);
    assert_null(out);
    nigh_loss_options o = {.kind = NIGH_LOSS_CALLBACK};
    assert_fails(ctx, nigh_loss_new(ctx, &o, &out), NIGH_INVALID, "callbacks");
    o = (nigh_loss_options){.kind = (nigh_row_loss_kind)77};
    assert_fails(ctx, nigh_loss_new(ctx, &o, &out), NIGH_INVALID, "kind is 77");
    test_context_free(ctx);
}

static void bad(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_loss *logistic, *squares;
    double model[D + 1];
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic", &logistic));
    assert_ok(ctx, nigh_loss_parse(ctx, "squares", &squares));
#define FAILS(loss, rows, part) assert_fails(ctx, nigh_loss_train(ctx, loss, rows, NULL, model, NULL), NIGH_INVALID, part)
    draw(&one, 1);
    nigh_rows rows = one.rows;
    rows.n = 0;
    FAILS(squares, &rows, "0 rows");
    rows = one.rows, rows.y = NULL;
    FAILS(squares, &rows, "needs targets");
    rows = one.rows, rows.x = NULL;
    FAILS(squares, &rows, "rows.x is NULL");
    one.x[7 * D + 3] = NAN;
    FAILS(squares, &one.rows, "x has nan in row 7, column 3");
    one.x[7 * D + 3] = -INFINITY;
    FAILS(squares, &one.rows, "x has -inf in row 7, column 3");
    draw(&one, 1), one.y[119] = INFINITY;
    FAILS(squares, &one.rows, "y has inf in row 119");
    draw(&one, 1), one.weight[5] = -1;
    FAILS(squares, &one.rows, "weight of row 5 is -1");
    one.weight[5] = NAN;
    FAILS(squares, &one.rows, "weight of row 5 is nan");
    draw(&one, 1), memset(one.weight, 0, sizeof one.weight);
    FAILS(squares, &one.rows, "sum to 0");
    draw(&one, 1);
    FAILS(logistic, &one.rows, "classes 0 and 1");
    for (int i = 0; i < N; i++) one.class[i] = 0;
    FAILS(logistic, &one.classes, "class 1 has no row");
    one.class[0] = 1; /* of weight 0 */
    FAILS(logistic, &one.classes, "class 1 has no row");
    nigh_loss_fit_options options = {.tolerance = -1};
    assert_fails(ctx, nigh_loss_train(ctx, squares, &one.rows, &options, model, NULL), NIGH_INVALID, "tolerance is -1");
    options = (nigh_loss_fit_options){.iterations = -1};
    assert_fails(ctx, nigh_loss_train(ctx, squares, &one.rows, &options, model, NULL), NIGH_INVALID, "iterations is -1");
    nigh_loss_free(logistic), nigh_loss_free(squares);
    test_context_free(ctx);
}

/* A constant column beside the intercept, two equal columns, fewer rows than columns, one row, targets met exactly. */
static void deficient(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int l = 0; l < LINEAR; l++) {
        nigh_loss *loss;
        assert_ok(ctx, nigh_loss_parse(ctx, linear[l], &loss));
        double whole[D + 1], part[D + 1];
        nigh_loss_fit a, b;
        draw(&one, 9);
        for (int i = 0; i < N; i++) one.x[i * D + 4] = 2, one.x[i * D + 3] = one.x[i * D + 2];
        assert_ok(ctx, nigh_loss_train(ctx, loss, rows_of(&one, loss), NULL, whole, &a));
        for (int j = 0; j <= D; j++) assert_true(isfinite(whole[j]));
        if (nigh_loss_is(loss)->lambda == 0) { /* the same cost without the columns */
            for (int i = 0; i < N; i++)
                for (int j = 0; j < 3; j++) two.x[i * 3 + j] = one.x[i * D + j];
            nigh_rows rows = {N, 3, two.x, rows_of(&one, loss)->y, one.weight};
            assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, part, &b));
            assert_near(a.cost, b.cost, 0, 3e-9);
        }
        nigh_rows few = *rows_of(&one, loss);
        few.n = 4, one.weight[0] = 1, one.class[0] = 0, one.class[1] = 1;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &few, NULL, whole, &a));
        for (int j = 0; j <= D; j++) assert_true(isfinite(whole[j]));
        if (nigh_loss_is(loss)->lambda == 0) assert_near(a.cost, 0, 1e-6, 0);
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

/* ---- callbacks ---- */

static nigh_status mean_values(void *user, const nigh_rows *rows, const double *model, double *value)
{
    for (int64_t i = 0; i < rows->n; i++) value[i] = fabs(rows->x[i * rows->d] - *model);
    return *(nigh_status *)user;
}

static nigh_status mean_fit(void *user, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *fit)
{
    double sum = 0, weight = 0;
    for (int64_t i = 0; i < rows->n; i++) sum += rows->x[i * rows->d] * (rows->weight ? rows->weight[i] : 1), weight += rows->weight ? rows->weight[i] : 1;
    *model = sum / weight + (start ? 1 : 0);
    fit->passes = 1, fit->met = true;
    return *(nigh_status *)user;
}

static double mean_penalty(void *user, const double *model) { return 100 + *model * 0; }

static void callbacks(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_status status = NIGH_OK;
    nigh_loss_callbacks calls = {1, mean_values, mean_fit, mean_penalty, &status};
    nigh_loss_options o = {.kind = NIGH_LOSS_CALLBACK, .callbacks = &calls};
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_new(ctx, &o, &loss));
    double x[3] = {1, 2, 6}, weight[3] = {1, 1, 0}, model, cost, gap, value[3];
    nigh_rows rows = {3, 1, x, NULL, weight};
    nigh_loss_fit fit;
    assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, &model, &fit));
    assert_near(model, 1.5, 1e-15, 0);
    assert_true(fit.met && fit.gap == INFINITY && nigh_loss_parameters(loss, 1) == 1 && !nigh_loss_convex(loss) && !nigh_loss_uses_y(loss));
    assert_ok(ctx, nigh_loss_cost(ctx, loss, &rows, &model, &cost));
    assert_near(cost, 101, 1e-13, 0);
    assert_ok(ctx, nigh_loss_gap(ctx, loss, &rows, &model, &cost, &gap));
    assert_true(cost == 101 && gap == INFINITY);
    status = NIGH_FAILED;
    assert_fails(ctx, nigh_loss_train(ctx, loss, &rows, NULL, &model, &fit), NIGH_FAILED, "fit failed");
    assert_fails(ctx, nigh_loss_values(ctx, loss, &rows, &model, value), NIGH_FAILED, "values failed");
    nigh_loss_free(loss);
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    static const char *const kinds[] = {"squares", "lp:p=1", "huber", "logistic", "hinge", "residual:log(1+r*r)", "k-means:k=3", "mixture:k=2"};
    draw(&one, 2);
    for (int l = 0; l < 8; l++) {
        long count = 1;
        for (long at = 0; at <= count; at += at < 40 ? 1 : 1 + count / 40) {
            test_allocator allocator = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_loss *loss = NULL;
            double model[64], cost, gap;
            nigh_status status = nigh_loss_parse(ctx, kinds[l], &loss);
            const nigh_rows *rows = loss ? rows_of(&one, loss) : NULL;
            if (!status) status = nigh_loss_train(ctx, loss, rows, NULL, model, NULL);
            if (!status) status = nigh_loss_gap(ctx, loss, rows, model, &cost, &gap);
            assert_int_equal(status, at ? NIGH_MEMORY : NIGH_OK);
            if (!at) count = allocator.count;
            nigh_loss_free(loss);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(optimal), cmocka_unit_test(absolute), cmocka_unit_test(equal), cmocka_unit_test(many_columns), cmocka_unit_test(derivatives),
                                       cmocka_unit_test(levels), cmocka_unit_test(threads), cmocka_unit_test(names), cmocka_unit_test(bad), cmocka_unit_test(deficient),
                                       cmocka_unit_test(callbacks), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
