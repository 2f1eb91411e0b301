/* Optimisers beside PyTorch's numbers, every CPU level beside the scalar one, sums in a fixed order, registration; schedules. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grad/optimiser.h"
#include "grad/optimiser_kernels.h"
#include "grad/schedule.h"
#include "support.h"

static double gradient_of(int64_t i, int64_t t) { return (double)((i * 7919 + t * 104729 + i * t * 31) % 1000) / 500 - 1; }

/*
 * torch.optim (2.x, f64) after 50 steps from p = (0.5, 0.25, 0), rate 0.05, decay 0.1, gradient 0.5 gradient_of(i, t): SGD with
 * momentum 0.8; Adam and AdamW with betas (0.8, 0.97), eps 1e-6; lion by its formulas with the same betas.
 */
static const struct {
    const char *name;
    double after[3];
} torch_says[] = {
    {"sgd", {0.36493438329010808, 0.15418543190265596, 0.025571427959719589}},
    {"momentum", {0.074406594061718775, -0.024011933634261969, 0.058951020375244315}},
    {"nesterov", {0.062249700258581342, -0.026748311629297885, 0.06633036161976906}},
    {"adam", {0.13438523262856253, -0.013412234671380129, 0.047846971004002883}},
    {"adamw", {0.30567969600961165, 0.01770540679786194, 0.061921955841585545}},
    {"lion", {0.37127072569464042, -0.063429833572286196, -0.089149193651965844}},
};

static void as_pytorch(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t k = 0; k < sizeof torch_says / sizeof *torch_says; k++) {
        const optimiser *o;
        assert_ok(ctx, optimiser_find(ctx, torch_says[k].name, &o));
        optimiser_step step = {{0.05, 0.8, 0.97, 1e-6, 0.1}, 0, 0.5};
        assert_ok(ctx, optimiser_check(ctx, o, &step.settings));
        double p[3] = {0.5, 0.25, 0}, room[OPTIMISER_SLOTS][3] = {{0}}, *slots[OPTIMISER_SLOTS] = {room[0], room[1], room[2], room[3]};
        float pf[3] = {0.5f, 0.25f, 0}, roomf[OPTIMISER_SLOTS][3] = {{0}}, *slotsf[OPTIMISER_SLOTS] = {roomf[0], roomf[1], roomf[2], roomf[3]};
        for (step.number = 1; step.number <= 50; step.number++) {
            double g[3];
            float gf[3];
            for (int i = 0; i < 3; i++) gf[i] = (float)(g[i] = gradient_of(i, step.number));
            optimiser_update_f64(o, &step, 3, p, g, slots);
            optimiser_update_f32(o, &step, 3, pf, gf, slotsf);
        }
        for (int i = 0; i < 3; i++) {
            assert_near(p[i], torch_says[k].after[i], 1e-13, 1e-12);
            assert_near(pf[i], torch_says[k].after[i], 3e-6, 0);
        }
    }
    test_context_free(ctx);
}

enum { LONG = 1037 };

/* Levels and sub-ranges give the scalar whole's bits. */
static void levels_and_ranges(void **state)
{
    static float p[LONG], q[LONG], g[LONG], a[2][LONG], b[2][LONG];
    static double pd[LONG], qd[LONG], gd[LONG], ad[2][LONG], bd[2][LONG];
    optimiser_step step = {{0.01, 0.9, 0.99, 1e-8, 0.01}, 3, 0.7};
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++) {
        const optimiser_kernels *kernels = optimiser_kernels_at((nigh_cpu_level)level);
        for (int rule = 0; rule < 6; rule++) {
            for (int i = 0; i < LONG; i++) {
                pd[i] = qd[i] = p[i] = q[i] = (float)gradient_of(i, 1), gd[i] = g[i] = (float)gradient_of(i, 2);
                ad[0][i] = bd[0][i] = a[0][i] = b[0][i] = (float)gradient_of(i, 3);
                ad[1][i] = bd[1][i] = a[1][i] = b[1][i] = (float)fabs(gradient_of(i, 4));
            }
            optimiser_scalar.f32[rule](&step, LONG, p, g, (float *[]){a[0], a[1]});
            optimiser_scalar.f64[rule](&step, LONG, pd, gd, (double *[]){ad[0], ad[1]});
            for (int at = 0, next; at < LONG; at = next) {
                next = at + 1 + at / 3 < LONG ? at + 1 + at / 3 : LONG;
                kernels->f32[rule](&step, next - at, q + at, g + at, (float *[]){b[0] + at, b[1] + at});
                kernels->f64[rule](&step, next - at, qd + at, gd + at, (double *[]){bd[0] + at, bd[1] + at});
            }
            assert_memory_equal(p, q, sizeof p);
            assert_memory_equal(a, b, sizeof a);
            assert_memory_equal(pd, qd, sizeof pd);
            assert_memory_equal(ad, bd, sizeof ad);
        }
        double one = optimiser_scalar.dot(LONG, pd, gd), two = kernels->dot(LONG, pd, gd);
        assert_memory_equal(&one, &two, sizeof one);
        one = optimiser_scalar.squares_f32(LONG, p), two = kernels->squares_f32(LONG, p);
        assert_memory_equal(&one, &two, sizeof one);
        one = optimiser_scalar.add_dot(LONG, 0.3, gd, pd, ad[0]), two = kernels->add_dot(LONG, 0.3, gd, qd, ad[0]);
        assert_memory_equal(&one, &two, sizeof one);
        kernels->add(LONG, -0.1, gd, qd), optimiser_scalar.add(LONG, -0.1, gd, pd);
        assert_memory_equal(pd, qd, sizeof pd);
    }
}

static void sums(void **state)
{
    int64_t n = 300007;
    float *x = malloc((size_t)n * sizeof *x);
    double *y = malloc((size_t)n * sizeof *y), *z = malloc((size_t)n * sizeof *z), slow = 0;
    for (int64_t i = 0; i < n; i++) y[i] = x[i] = (float)gradient_of(i, 5), z[i] = y[i] / 3, slow += y[i] * y[i];
    assert_near(optimiser_squares_f32(n, x, 1), slow, 0, 1e-11);
    assert_true(optimiser_squares_f32(n, x, 1) == optimiser_squares_f32(n, x, 2));
    assert_true(optimiser_squares_f64(n, y, 1) == optimiser_squares_f32(n, x, 3));
    assert_true(optimiser_dot(n, y, y, 2) == optimiser_squares_f64(n, y, 1));
    double fused = optimiser_add_dot(n, 0.25, y, z, y, 2);
    assert_near(fused, slow * (1 / 3.0 + 0.25), 0, 1e-11);
    assert_true(fused == optimiser_dot(n, z, y, 1));
    optimiser_add(n, -0.25, y, z, 2);
    assert_near(z[n - 1], y[n - 1] / 3, 1e-15, 0);
    x[n / 2] = INFINITY;
    assert_true(isinf(optimiser_squares_f32(n, x, 2)));
    assert_true(optimiser_squares_f32(0, x, 2) == 0);
    assert_true(optimiser_clip(4, 0) == 1 && optimiser_clip(0.5, 1) == 1 && isnan(optimiser_clip(NAN, 1)));
    assert_near(optimiser_clip(4, 1), 1 / (4 + 1e-6), 0, 1e-15);
    free(x), free(y), free(z);
}

static void halve(const optimiser_step *step, int64_t n, double *p, const double *g, double *const *slots)
{
    for (int64_t i = 0; i < n; i++) p[i] /= 2;
}

static void registration(void **state)
{
    nigh_context *ctx = test_context_new();
    static const optimiser half = {"half", "halves", 0, {0}, {0, 0, 0, 0, 0}, NULL, halve};
    static const optimiser twin = {"adam", "taken", 0, {0}, {0, 0, 0, 0, 0}, NULL, halve};
    static const optimiser idle = {"idle", "nothing", 0, {0}, {0, 0, 0, 0, 0}, NULL, NULL};
    static const optimiser wide = {"wide", "slots", 5, {0}, {0, 0, 0, 0, 0}, NULL, halve};
    assert_ok(ctx, optimiser_register(ctx, &half));
    assert_ok(ctx, optimiser_register(ctx, &half));
    assert_fails(ctx, optimiser_register(ctx, &twin), NIGH_INVALID, "'adam' already");
    assert_fails(ctx, optimiser_register(ctx, &idle), NIGH_INVALID, "no update rule");
    assert_fails(ctx, optimiser_register(ctx, &wide), NIGH_INVALID, "5 slots");
    const optimiser *o;
    assert_ok(ctx, optimiser_find(ctx, "half", &o));
    double p = 3, g = 0;
    optimiser_update_f64(o, &(optimiser_step){.number = 1}, 1, &p, &g, NULL);
    assert_true(p == 1.5 && optimiser_at(6) == &half && !optimiser_at(7) && !optimiser_at(-1));
    assert_fails(ctx, optimiser_find(ctx, "adamax", &o), NIGH_INVALID, "sgd, momentum, nesterov, adam, adamw, lion, half");
    optimiser_settings s = o->defaults;
    s.beta2 = 1;
    assert_fails(ctx, optimiser_check(ctx, o, &s), NIGH_INVALID, "beta2 of half is 1");
    s = o->defaults, s.rate = NAN;
    assert_fails(ctx, optimiser_check(ctx, o, &s), NIGH_INVALID, "rate");
    test_context_free(ctx);
}

static void schedules(void **state)
{
    nigh_context *ctx = test_context_new();
    schedule s = {.kind = SCHEDULE_COSINE, .base = 2, .last = 0.5, .warm_up = 4, .total = 14};
    assert_ok(ctx, schedule_check(ctx, &s));
    assert_near(schedule_at(&s, NULL, 0), 0.5, 1e-15, 0);
    assert_near(schedule_at(&s, NULL, 3), 2, 1e-15, 0);
    assert_near(schedule_at(&s, NULL, 4), 2, 1e-15, 0);
    assert_near(schedule_at(&s, NULL, 9), 1.25, 1e-15, 0);
    assert_near(schedule_at(&s, NULL, 14), 0.5, 1e-15, 0);
    assert_near(schedule_at(&s, NULL, 99), 0.5, 1e-15, 0);
    s.kind = SCHEDULE_LINEAR;
    assert_near(schedule_at(&s, NULL, 9), 1.25, 1e-15, 0);
    s.kind = SCHEDULE_INVERSE_ROOT;
    assert_near(schedule_at(&s, NULL, 15), 1, 1e-15, 0);
    s = (schedule){.kind = SCHEDULE_STEP, .base = 1, .period = 3, .factor = 0.5, .last = 0.2};
    assert_ok(ctx, schedule_check(ctx, &s));
    assert_true(schedule_at(&s, NULL, 2) == 1 && schedule_at(&s, NULL, 3) == 0.5 && schedule_at(&s, NULL, 12) == 0.2);
    s.kind = SCHEDULE_CONSTANT;
    assert_true(schedule_at(&s, NULL, 1000) == 1);

    /* torch.optim.lr_scheduler.OneCycleLR(max_lr=0.2, total_steps=50) */
    s = (schedule){.kind = SCHEDULE_ONE_CYCLE, .base = 0.2, .total = 50};
    assert_ok(ctx, schedule_check(ctx, &s));
    static const double cycle[][2] = {{0, 0.008}, {7, 0.104}, {14, 0.2}, {15, 0.19959743100980634}, {30, 0.11342367288845923}, {49, 8e-07}};
    for (int k = 0; k < 6; k++) assert_near(schedule_at(&s, NULL, (int64_t)cycle[k][0]), cycle[k][1], 0, 1e-12);

    s = (schedule){.kind = SCHEDULE_PLATEAU, .base = 1, .patience = 2, .factor = 0.1, .cooldown = 1, .last = 0.05};
    assert_ok(ctx, schedule_check(ctx, &s));
    schedule_plateau plateau = {0};
    static const double metric[] = {1, 0.9, 0.9, NAN, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95};
    static const double value[] = {1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05};
    for (int t = 0; t < 10; t++) {
        schedule_plateau_feed(&s, &plateau, metric[t]);
        assert_near(schedule_at(&s, &plateau, t), value[t], 1e-15, 0);
    }

    s = (schedule){.kind = SCHEDULE_ONE_CYCLE, .base = 0.2, .total = 5, .rise = 0.2};
    assert_ok(ctx, schedule_check(ctx, &s));
    assert_near(schedule_at(&s, NULL, 0), 0.2, 0, 0); /* a rise of one step starts at its end */
    assert_true(schedule_named("one-cycle") == SCHEDULE_ONE_CYCLE && schedule_named("none") == SCHEDULE_KINDS && !schedule_name(SCHEDULE_KINDS));
    s = (schedule){.kind = SCHEDULE_COSINE, .base = 1, .warm_up = 5, .total = 5};
    assert_fails(ctx, schedule_check(ctx, &s), NIGH_INVALID, "total of a cosine schedule is 5");
    s = (schedule){.kind = SCHEDULE_STEP, .base = 1};
    assert_fails(ctx, schedule_check(ctx, &s), NIGH_INVALID, "period");
    s = (schedule){.kind = SCHEDULE_CONSTANT, .base = INFINITY};
    assert_fails(ctx, schedule_check(ctx, &s), NIGH_INVALID, "finite");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pytorch), cmocka_unit_test(levels_and_ranges), cmocka_unit_test(sums),
        cmocka_unit_test(registration), cmocka_unit_test(schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
