/* The search for programs: normal form, kernels, fits, the search itself, determinism, checkpoints, failures. */
#include <math.h>
#include <string.h>

#include "core/expr.h"
#include "function/evolve_inside.h"
#include "support.h"

typedef enum curve { EXP2, LINE, BROKEN, WEIGHTLESS } curve;

static void at(const void *user, nigh_f128 t, nigh_f128 *value, nigh_f128 *weight)
{
    curve c = *(const curve *)user;
    *value = c == LINE ? 2 * t + 3 : c == BROKEN ? 1 / (t - t) : F128(exp2)(t);
    *weight = c == WEIGHTLESS ? 0 : 1 / *value;
}

static const curve curves[] = {EXP2, LINE, BROKEN, WEIGHTLESS};
static remez_problem problem_of(curve c) { return (remez_problem){.low = 0, .high = 1, .at = at, .user = &curves[c]}; }

static evolve_options small(void)
{
    evolve_options o = evolve_options_default();
    o.most_ops = 6, o.parents = 32, o.children = 32, o.islands = 3, o.seed = 5;
    return o;
}

/* (q + A + b x) / (q + A - b x), q = x x: known to reach 1.389e-5 of 2^x. */
static const function_code s22 = {.constants = 2, .steps = 6, .constant = {35, 12},
    .step = {{CODE_MUL, 0, 0, 0}, {CODE_ADD, 3, 1, 0}, {CODE_MUL, 0, 2, 0}, {CODE_ADD, 4, 5, 0}, {CODE_SUB, 4, 5, 0}, {CODE_DIV, 6, 7, 0}}};
/* s = q + A + B/(q + D), r = (s + b x) / (s - b x), r r: 4.4e-14, at the end of a long narrow valley. */
static const function_code s44 = {.constants = 4, .steps = 10,
    .step = {{CODE_MUL, 0, 0, 0}, {CODE_ADD, 5, 1, 0}, {CODE_DIV, 2, 6, 0}, {CODE_ADD, 5, 3, 0}, {CODE_ADD, 8, 7, 0},
             {CODE_MUL, 4, 0, 0}, {CODE_ADD, 9, 10, 0}, {CODE_SUB, 9, 10, 0}, {CODE_DIV, 11, 12, 0}, {CODE_MUL, 13, 13, 0}}};

/* ---- genomes -------------------------------------------------------------------------------------------------- */

/* Long walks of mutations stay in the options; nothing is left that folding would take out. */
static void mutations_stay_normal(void **state)
{
    for (int fma = 0; fma < 2; fma++) {
        evolve_options o = evolve_options_default();
        o.fma = fma, o.divide = !fma;
        evolve_genome g = {0};
        nigh_rng rng = nigh_rng_new(3, (uint64_t)fma);
        int most = 0;
        for (int i = 0; i < 20000; i++) {
            bool fresh[EVOLVE_MOST_CONSTANTS] = {false};
            if (!evolve_mutate(&g, &o, &rng, fresh)) continue;
            assert_true(evolve_genome_valid(&g, &o));
            if (g.steps > most) most = g.steps;
            bool used[EVOLVE_VALUES] = {false};
            for (int s = 0; s < g.steps; s++) {
                const function_code_step *step = &g.step[s];
                bool third = step->op >= CODE_FMA, constant = step->a && step->a <= g.constants && step->b && step->b <= g.constants;
                if (third) constant = constant && step->c && step->c <= g.constants;
                assert_false(constant);
                used[step->a] = used[step->b] = true;
                if (third) used[step->c] = true;
            }
            for (int k = 1; k < g.constants + g.steps && g.steps; k++) assert_true(used[k]);
        }
        assert_true(most >= o.most_ops - 2);
    }
}

/* Constants and their order do not matter to the hash; the function does. */
static void hashes(void **state)
{
    evolve_genome a = {.constants = 1, .steps = 2, .constant = {4}, .step = {{CODE_ADD, 0, 1, 0}, {CODE_MUL, 2, 2, 0}}}, b = a;
    b.constant[0] = -7;
    b.step[0] = (function_code_step){CODE_ADD, 1, 0, 0};
    assert_true(evolve_genome_hash(&a) == evolve_genome_hash(&b));
    b.step[1].b = 0;
    assert_true(evolve_genome_hash(&a) != evolve_genome_hash(&b));
}

/* ---- fits ------------------------------------------------------------------------------------------------------ */

static void kernels_agree(void **state)
{
#if defined(__x86_64__)
    const evolve_kernels *level[] = {&evolve_kernels_scalar, &evolve_kernels_avx2, &evolve_kernels_avx512};
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(EXP2);
    evolve_target *target;
    assert_ok(ctx, evolve_target_new(ctx, &problem, &target));
    evolve_room *room = nigh_alloc_zero(ctx, 1, sizeof *room);
    evolve_genome g = {.constants = 2, .steps = 6};
    memcpy(g.step, s22.step, sizeof *g.step * 6);
    double result[3][2];
    room->target = target;
    for (int k = 0; k <= (int)nigh_cpu(); k++) {
        result[k][0] = 20, result[k][1] = 5;
        level[k]->fit(room, &g, result[k], 0, 30, 1e-6);
        level[k]->fit(room, &g, result[k], 2, 10, 1e-6);
        assert_true(memcmp(result[k], result[0], sizeof result[0]) == 0);
        assert_true(level[k]->worst(room, &g, result[k]) < 1.6e-5);
        assert_false(level[k]->pole(room, &g, result[k]));
    }
    nigh_free(ctx, room);
    nigh_free(ctx, target);
    test_context_free(ctx);
#endif
}

static void structures_reach_their_minimax(void **state)
{
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(EXP2);
    evolve_program p;
    assert_ok(ctx, evolve_fit(ctx, &problem, &s22, NULL, 20, 1, &p));
    assert_true(p.error < 1.1e0 * 1.39e-5 && p.error > 1.38e-5);
    assert_near(p.digits, -log10((double)p.error), 0, 1e-12);
    nigh_f128 e = evolve_value(&p, (nigh_f128)0.3) / F128(exp2)((nigh_f128)0.3) - 1;
    assert_true((e < 0 ? -e : e) <= p.error);
    assert_near((double)function_code_value(&p.code, (nigh_f128)0.3), (double)evolve_value(&p, (nigh_f128)0.3), 0, 1e-14);

    assert_ok(ctx, evolve_fit(ctx, &problem, &s44, NULL, 500, 4, &p));
    assert_true(p.error < 1.2 * 4.4e-14);
    function_code code = p.code; /* rounded to double in turn, the rest fitted again */
    bool held[4] = {true, true};
    assert_ok(ctx, evolve_fit(ctx, &problem, &code, held, 0, 0, &p));
    assert_true(p.constant[0] == code.constant[0] && p.constant[1] == code.constant[1]);
    assert_true(p.error < 1.2 * 4.4e-14);
    test_context_free(ctx);
}

/* 1 / (x - c): whether the fit sees a pole that lies between its nodes. */
static void poles_are_seen(void **state)
{
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(EXP2);
    function_code code = {.constants = 2, .steps = 2, .constant = {-0.5, 1e-9}, .step = {{CODE_ADD, 0, 1, 0}, {CODE_DIV, 2, 3, 0}}};
    bool held[2] = {true, true};
    evolve_program p;
    assert_fails(ctx, evolve_fit(ctx, &problem, &code, held, 0, 0, &p), NIGH_UNMET, "pole");
    /* x / x: 0 / 0 at one end, 1 elsewhere */
    function_code quotient = {.constants = 1, .steps = 2, .constant = {1}, .step = {{CODE_MUL, 0, 1, 0}, {CODE_DIV, 2, 2, 0}}};
    assert_fails(ctx, evolve_fit(ctx, &problem, &quotient, NULL, 3, 0, &p), NIGH_UNMET, "pole");
    test_context_free(ctx);
}

/* ---- the search ---------------------------------------------------------------------------------------------------- */

static void search_from_nothing(void **state)
{
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(EXP2);
    evolve_options o = small();
    evolve *e;
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &e));
    assert_null(evolve_best(e, 3));
    assert_ok(ctx, evolve_advance(e, 96));
    assert_int_equal(evolve_candidates(e), 96 * 3 * 32);
    double digits = 0;
    for (int ops = 1; ops <= 6; ops++) {
        const evolve_program *p = evolve_frontier(e, ops);
        if (!p) continue;
        assert_true(p->digits > digits && p->ops == ops && p->code.steps == ops && function_code_valid(&p->code));
        digits = p->digits;
        for (int i = 0; i <= 1000; i++) {
            nigh_f128 t = (nigh_f128)i / 1000 + (nigh_f128)(i == 500) * (nigh_f128)1e-5, f = F128(exp2)(t), r = evolve_value(p, t) / f - 1;
            assert_true((r < 0 ? -r : r) <= p->error * (nigh_f128)1.001);
        }
    }
    assert_true(digits > 4);
    assert_null(evolve_best(e, 0));
    assert_null(evolve_best(e, 7));
    evolve_free(e);
    test_context_free(ctx);
}

static void exact_functions(void **state)
{
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(LINE);
    evolve_options o = small();
    o.most_ops = 3;
    o.islands = 1;
    evolve *e;
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &e));
    assert_ok(ctx, evolve_advance(e, 20));
    assert_non_null(evolve_best(e, 2));
    assert_true(evolve_best(e, 2)->digits > 30);
    evolve_free(e);
    test_context_free(ctx);
}

static void same_state(const evolve *a, const evolve *b)
{
    assert_int_equal(evolve_generations(a), evolve_generations(b));
    assert_int_equal(evolve_candidates(a), evolve_candidates(b));
    for (int ops = 1; ops <= 6; ops++) {
        const evolve_program *p = evolve_best(a, ops), *q = evolve_best(b, ops);
        assert_true(!p == !q);
        if (!p) continue;
        assert_true(p->error == q->error && memcmp(&p->code, &q->code, sizeof p->code) == 0);
        for (int k = 0; k < p->code.constants; k++) assert_true(p->constant[k] == q->constant[k]);
    }
}

/* However it is cut, on any number of threads, stopped and gone on: one state. */
static void deterministic(void **state)
{
    nigh_context *ctx = test_context_new();
    remez_problem problem = problem_of(EXP2);
    evolve_options o = small();
    evolve *whole, *parts, *resumed;
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &whole));
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &parts));
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &resumed));
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    assert_ok(ctx, evolve_advance(whole, 70));
    assert_ok(ctx, nigh_context_set_threads(ctx, 2));
    assert_ok(ctx, evolve_advance(parts, 9));
    assert_ok(ctx, evolve_checkpoint(parts, &bytes));
    assert_ok(ctx, evolve_advance(parts, 61));
    same_state(whole, parts);
    assert_ok(ctx, evolve_restore(resumed, bytes.data, bytes.size));
    assert_int_equal(evolve_generations(resumed), 9);
    assert_ok(ctx, evolve_advance(resumed, 61));
    same_state(whole, resumed);

    bytes.data[bytes.size / 2] ^= 1;
    assert_fails(ctx, evolve_restore(resumed, bytes.data, bytes.size), NIGH_FORMAT, "cut or changed");
    bytes.data[bytes.size / 2] ^= 1;
    assert_fails(ctx, evolve_restore(resumed, bytes.data, bytes.size - 3), NIGH_FORMAT, "cut or changed");
    assert_fails(ctx, evolve_restore(resumed, bytes.data, 12), NIGH_FORMAT, "12 bytes");
    evolve_free(resumed);
    o.seed++;
    assert_ok(ctx, evolve_new(ctx, &problem, &o, &resumed));
    assert_fails(ctx, evolve_restore(resumed, bytes.data, bytes.size), NIGH_FORMAT, "another problem");
    nigh_context_cancel(ctx);
    assert_int_equal(evolve_advance(resumed, 1), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    evolve_free(whole);
    evolve_free(parts);
    evolve_free(resumed);
    nigh_buffer_free(&bytes);
    test_context_free(ctx);
}

/* ---- failures ------------------------------------------------------------------------------------------------------ */

static void refused(void **state)
{
    nigh_context *ctx = test_context_new();
    evolve_options o = small();
    evolve *e;
    remez_problem broken = problem_of(BROKEN), weightless = problem_of(WEIGHTLESS), fine = problem_of(EXP2);
    assert_fails(ctx, evolve_new(ctx, &broken, &o, &e), NIGH_FAILED, "finite");
    assert_fails(ctx, evolve_new(ctx, &weightless, &o, &e), NIGH_FAILED, "f(x)/x");
    remez_problem empty = fine;
    empty.high = 0;
    assert_fails(ctx, evolve_new(ctx, &empty, &o, &e), NIGH_INVALID, "0 to 0");
    o.most_ops = 15;
    assert_fails(ctx, evolve_new(ctx, &fine, &o, &e), NIGH_INVALID, "1 to 14");
    o = small(), o.parents = 3;
    assert_fails(ctx, evolve_new(ctx, &fine, &o, &e), NIGH_INVALID, "parents is 3");
    o = small(), o.children = 5000;
    assert_fails(ctx, evolve_new(ctx, &fine, &o, &e), NIGH_INVALID, "children is 5000");
    o = small(), o.islands = 0;
    assert_fails(ctx, evolve_new(ctx, &fine, &o, &e), NIGH_INVALID, "islands is 0");
    evolve_program p;
    function_code bad = s22;
    bad.steps = 15;
    assert_fails(ctx, evolve_fit(ctx, &fine, &bad, NULL, 1, 1, &p), NIGH_INVALID, "15 steps");
    assert_fails(ctx, evolve_fit(ctx, &fine, &s22, NULL, -1, 1, &p), NIGH_INVALID, "starts is -1");
    test_context_free(ctx);
}

static nigh_status everything(nigh_context *ctx)
{
    remez_problem problem = problem_of(LINE);
    evolve_options o = small();
    evolve *e = NULL;
    evolve_program p;
    o.most_ops = 2, o.islands = 2;
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = evolve_new(ctx, &problem, &o, &e);
    if (!status) status = evolve_checkpoint(e, &bytes);
    if (!status) status = evolve_restore(e, bytes.data, bytes.size);
    if (!status) status = evolve_fit(ctx, &problem, &s22, NULL, 1, 1, &p);
    evolve_free(e);
    nigh_buffer_free(&bytes);
    return status;
}

static void without_memory(void **state)
{
    test_allocator allocator = {0};
    nigh_context *ctx = test_context_failing(&allocator);
    long before = allocator.count;
    assert_ok(ctx, everything(ctx));
    long calls = allocator.count - before;
    nigh_context_free(ctx);
    assert_true(calls > 12);
    for (long i = 1; i <= calls; i++) {
        allocator = (test_allocator){0};
        ctx = test_context_failing(&allocator);
        long live = allocator.live;
        allocator.fail_at = allocator.count + i;
        assert_int_equal(everything(ctx), NIGH_MEMORY);
        assert_int_equal(allocator.live, live);
        nigh_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutations_stay_normal), cmocka_unit_test(hashes),        cmocka_unit_test(kernels_agree),
        cmocka_unit_test(structures_reach_their_minimax), cmocka_unit_test(poles_are_seen), cmocka_unit_test(search_from_nothing),
        cmocka_unit_test(exact_functions),       cmocka_unit_test(deterministic), cmocka_unit_test(refused),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
