/* Losses: derivatives, weights as repeated rows, optimality, names, bad input. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/coreset.h"
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
        if (getenv("SHOW")) printf("%-40s cost %.12g gap %g iterations %d passes %d met %d\n", nigh_loss_name(loss), fit.cost, fit.gap, (int)fit.iterations, (int)fit.passes, fit.met);
        assert_true(fit.met);
        assert_true(fit.gap <= 1e-9 * fit.cost);
        assert_ok(ctx, nigh_loss_cost(ctx, loss, rows_of(&one, loss), a, &cost));
        assert_near(fit.cost, cost, 0, 1e-12);
        assert_ok(ctx, nigh_loss_train(ctx, loss, rows_of(&two, loss), NULL, b, &other));
        assert_near(fit.cost, other.cost, 0, 2e-9);
        assert_ok(ctx, nigh_loss_gap(ctx, loss, rows_of(&one, loss), a, &cost, &gap));
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(optimal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
