/* Proved references of every f32: they cover each run, keep their margins beside Arb with 200 bits, and a wrong one is caught. */
#include "support.h"

#include "core/expr.h"
#include "function/enclosure.h"
#include "function/exhaustive.h"
#include "nigh/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(NIGH_HAVE_ARB)
#include <flint/flint.h>

static const exhaustive_kernels *levels[3] = {&exhaustive_kernels_scalar};
static int level_count = 1;

/* The reference at one float of a piece and its margin; every CPU level gives the same bits. */
static double reference(const function_piece *piece, int64_t key, double *margin)
{
    static float x[EXHAUSTIVE_BLOCK];
    static double f[3][EXHAUSTIVE_ROOM];
    if (piece->kind == PIECE_LIST) {
        *margin = piece->radius[key - piece->first];
        return piece->value[key - piece->first];
    }
    for (int l = 0; l < level_count; l++) {
        levels[l]->floats(1, (int32_t)key, x, f[l]);
        levels[l]->piece(piece, 1, f[l]);
        assert_true(f[l][0] == f[0][0]);
    }
    *margin = piece->margin.relative * fabs(f[0][0]) + piece->margin.absolute;
    return f[0][0];
}

/* |reference - f| beyond the margin? f with 200 bits. */
static bool violated(const function_target *target, const function_piece *piece, int64_t key)
{
    double margin, value = reference(piece, key, &margin), x = (double)function_float_of_key(key);
    arb_t f, other;
    arb_init(f);
    arb_init(other);
    function_enclose_at(f, target->expr, x, 200);
    bool bad;
    if (fabs(value) == 0x1p1000) { /* stands for whatever lies beyond 2^999 */
        arb_set_d(other, 0x1p999);
        if (value < 0) arb_neg(f, f);
        bad = arb_is_finite(f) ? !arb_gt(f, other) : !(fabs(x) >= 1024);
    } else {
        arb_set_d(other, value);
        arb_sub(f, f, other, 300);
        arb_abs(f, f);
        arb_set_d(other, margin);
        bad = !arb_le(f, other);
        /* f itself has a radius where its constants have one */
        if (bad && arb_rel_accuracy_bits(f) < 40) bad = !arb_overlaps(f, other) && arb_gt(f, other);
    }
    arb_clear(f);
    arb_clear(other);
    return bad;
}

/* Runs of 2^17 floats all over the interval: pieces lie side by side, margins are as small as promised, `looks` floats each. */
static void check(nigh_context *ctx, const char *text, double low, double high, const char *measure, int runs, int looks)
{
    function_target target;
    function_pieces *pieces;
    nigh_rng rng = nigh_rng_new(21, 1);
    assert_ok(ctx, function_target_make(ctx, text, low, high, measure, &target));
    assert_ok(ctx, function_pieces_new(ctx, &target, &pieces));
    int64_t first = function_key_of_float((float)low), last = function_key_of_float((float)high), run = 1 << 17;
    for (int r = 0; r < runs; r++) {
        int64_t from = first + (int64_t)((double)(last - first + 1) * nigh_rng_f64(&rng)), to = from + run - 1 < last ? from + run - 1 : last;
        int64_t next = from, left = looks;
        function_pieces_begin(pieces, from, to);
        for (const function_piece *piece; (piece = function_pieces_next(pieces)); next = piece->last + 1) {
            assert_true(piece->first == next && piece->last >= piece->first && piece->last <= to);
            double count = (double)(piece->last - piece->first + 1);
            int64_t here = 1 + (int64_t)((double)looks * count / (double)(to - from + 1));
            for (int64_t i = 0; i < here && left > 0; i++, left--) {
                int64_t key = i == 0 ? piece->first : piece->first + (int64_t)(count * nigh_rng_f64(&rng));
                if (violated(&target, piece, key)) fail_msg("%s at %a", text, (double)function_float_of_key(key));
                double margin, value = fabs(reference(piece, key, &margin));
                if (piece->kind == PIECE_POLYNOMIAL && measure[0] == 'r' && value > 0 && margin > 0x1.01p-46 * value)
                    fail_msg("%s at %a: margin %g of %g", text, (double)function_float_of_key(key), margin, value);
            }
        }
        assert_true(next == to + 1);
    }
    function_pieces_free(pieces);
    function_target_free(ctx, &target);
}

static void test_named(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int id = 0; id < FUNCTION_NAMED; id++) {
        const named_function *named = function_named((function_id)id);
        double low = named->low < 0 ? -(double)FLT_MAX : named->open_low ? 0x1p-149 : 0;
        check(ctx, named->text, low, (double)FLT_MAX, "ulp", 40, 140);
        check(ctx, named->text, low, (double)FLT_MAX, "relative", 10, 140);
        check(ctx, named->text, low < 0 ? -8 : low, 8, "absolute", 5, 140);
    }
    check(ctx, "cos", -8, 8, "relative", 30, 100);
    check(ctx, "tan", -(double)FLT_MAX, (double)FLT_MAX, "ulp", 40, 140);
    test_context_free(ctx);
}

static void test_expressions(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const char *const texts[] = {"exp(-x*x)*cos(3*x)", "x^3 - x + 0.1", "sqrt(1 + x^2) - x", "max(x, 0.125*x) + abs(x - 1)",
                                        "log(2 + sin(5*x))", "(exp(x) - 1)/x", "tan(x)", "floor(4*x)/4 + x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check(ctx, texts[i], 0x1p-20, 3, "relative", 4, 60);
        check(ctx, texts[i], 0x1p-20, 3, "ulp", 4, 60);
    }
    test_context_free(ctx);
}

/* Whole stretches around kinks, poles, zeros, overflow and the ends of domains. */
static void test_edges(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text;
        float low, high;
    } edges[] = {{"sin", -0x1p-140f, 0x1p-140f}, {"sin", 3.14159f, 3.1416f}, {"log", 0.9999f, 1.0001f}, {"abs(x)", -0x1p-148f, 0x1p-148f},
                 {"1/x", -0x1p-140f, 0x1p-140f}, {"floor(x)", .99999f, 1.00001f}, {"exp", 692.4f, 692.6f},
                 {"exp", 1023.9f, 1024.1f}, {"sinh", -1024.1f, -1023.9f},
                 {"exp", -104.1f, -103.9f}, {"sin", 63.999f, 64.001f}, {"cos", -64.001f, -63.999f},
                 {"log(x - 1)", .99999f, 1.00001f}, {"x*x - 2", 1.41421f, 1.41422f}};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        function_target target;
        function_pieces *pieces;
        int bad = 0, unknown = 0;
        assert_ok(ctx, function_target_make(ctx, edges[i].text, (double)edges[i].low, (double)edges[i].high, i % 2 ? "ulp" : "relative", &target));
        assert_ok(ctx, function_pieces_new(ctx, &target, &pieces));
        function_pieces_begin(pieces, function_key_of_float(edges[i].low), function_key_of_float(edges[i].high));
        for (const function_piece *piece; (piece = function_pieces_next(pieces));) {
            int64_t count = piece->last - piece->first + 1, step = count > 20 ? count / 20 : 1;
            for (int64_t key = piece->first; key <= piece->last; key += step) {
                double margin, value = reference(piece, key, &margin);
                if (isnan(value)) unknown++;
                else bad += violated(&target, piece, key);
            }
        }
        if (bad) fail_msg("%s on [%a, %a]: %d bad", edges[i].text, (double)edges[i].low, (double)edges[i].high, bad);
        bool partial = strcmp(edges[i].text, "1/x") == 0 || strcmp(edges[i].text, "log(x - 1)") == 0;
        if (partial != (unknown > 0)) fail_msg("%s: %d unknown", edges[i].text, unknown);
        function_pieces_free(pieces);
        function_target_free(ctx, &target);
    }
    test_context_free(ctx);
}

/* The floats of each binade nearest to multiples of pi/2, by the continued fraction of 2^shift 2/pi. */
static void test_hard_sines(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double smallest = 1;
    static const char *const names[] = {"sin", "cos", "tan"};
    for (int op = 0; op < 3; op++) {
        function_target target;
        function_pieces *pieces;
        assert_ok(ctx, function_target_make(ctx, names[op], -(double)FLT_MAX, (double)FLT_MAX, "ulp", &target));
        assert_ok(ctx, function_pieces_new(ctx, &target, &pieces));
        for (int exponent = 6; exponent < 128; exponent++) {
            float least = ldexpf(1, exponent);
            int64_t key = function_key_of_float(least);
            function_pieces_begin(pieces, key, key | 0x7fffff);
            const function_piece *piece = function_pieces_next(pieces);
            assert_true(piece->kind == PIECE_SINE && piece->last == (key | 0x7fffff));
            nigh_f128 a = ((nigh_f128)piece->turn[0] + piece->turn[1] + piece->turn[2]) * ldexp(1, exponent - 23), rest = a - F128(floor)(a);
            for (int64_t q = 1, before = 0; q < 1 << 24 && rest > 0;) { /* q: denominators of convergents */
                for (int64_t times = (0x7fffff + q) / q, end = times + 3; times < end; times++) {
                    int64_t m = times * q;
                    if (m < 1 << 23 || m >= 1 << 24) continue;
                    double margin, value = reference(piece, key + m - (1 << 23), &margin);
                    if (violated(&target, piece, key + m - (1 << 23))) fail_msg("%s at %d 2^%d", target.text, (int)m, exponent - 23);
                    assert_true(margin < 0x1p-45 * fabs(value));
                    if (op < 2 && fabs(value) < smallest) smallest = fabs(value);
                }
                nigh_f128 inverse = 1 / rest, whole = F128(floor)(inverse);
                int64_t following = whole < 1 << 25 ? (int64_t)whole * q + before : INT64_C(1) << 40;
                before = q;
                q = following;
                rest = inverse - whole;
            }
        }
        function_pieces_free(pieces);
        function_target_free(ctx, &target);
    }
    assert_true(smallest < 0x1p-28 && smallest > 0x1p-40);
    test_context_free(ctx);
}

/* Pieces do not depend on what was asked before; a coefficient that is off is seen. */
static void test_sabotage(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const char *const texts[] = {"exp", "sin", "exp(x)*x", "gelu"};
    for (int i = 0; i < 4; i++) {
        function_target target;
        function_pieces *pieces;
        assert_ok(ctx, function_target_make(ctx, texts[i], -100, 100, "relative", &target));
        assert_ok(ctx, function_pieces_new(ctx, &target, &pieces));
        int64_t first = function_key_of_float(i == 1 ? 80 : 1.25f), last = function_key_of_float(i == 1 ? 90 : 1.5f);
        function_pieces_begin(pieces, first, last);
        function_piece piece = *function_pieces_next(pieces), again;
        function_pieces_begin(pieces, first - 12345, last + 999);
        function_pieces_next(pieces);
        function_pieces_begin(pieces, first, last);
        again = *function_pieces_next(pieces);
        assert_true(piece.last == again.last && piece.degree == again.degree && piece.margin.absolute == again.margin.absolute);
        assert_memory_equal(piece.c, again.c, sizeof piece.c);
        if (i == 1) again.turn[1] *= 1 + 0x1p-20;
        else again.c[1] *= 1 + 0x1p-38;
        int bad = 0, wrong = 0;
        for (int k = 0; k < 50; k++) {
            int64_t key = piece.first + (piece.last - piece.first) * k / 49;
            bad += violated(&target, &piece, key);
            wrong += violated(&target, &again, key);
        }
        if (bad || wrong < 30) fail_msg("%s: %d bad, %d caught of 50", texts[i], bad, wrong);
        function_pieces_free(pieces);
        function_target_free(ctx, &target);
    }
    test_context_free(ctx);
}

/* The error at one point: bounds from both sides, overflow, an answer of 0. */
static void test_point_errors(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text, *measure;
        float x;
        double answer, error;
    } cases[] = {{"sqrt", "ulp", 4, 2, 0}, {"sqrt", "ulp", 4, 2 + 0x1p-22, 1}, {"x - 1", "ulp", 3, 2 - 0x1p-23, .5}, {"sqrt", "relative", 4, 3, .5},
                 {"exp", "absolute", 0, 1.5, .5}, {"exp", "ulp", 100, INFINITY, 0}, {"exp", "ulp", 88, INFINITY, INFINITY},
                 {"exp", "ulp", 100, -INFINITY, INFINITY},
                 {"exp", "relative", -1000, 0, 1}, {"exp", "relative", 0, NAN, INFINITY}, {"sin", "relative", 0, 0, 0},
                 {"log", "ulp", -1, 3, INFINITY}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        function_target target;
        function_pieces *pieces;
        double least;
        assert_ok(ctx, function_target_make(ctx, cases[i].text, -1000, 1000, cases[i].measure, &target));
        assert_ok(ctx, function_pieces_new(ctx, &target, &pieces));
        double most = function_pieces_error(pieces, cases[i].x, cases[i].answer, &least);
        bool near = most >= cases[i].error && (most <= cases[i].error * (1 + 1e-12) || most == cases[i].error);
        if (!near || !(least <= most)) fail_msg("case %d: %g", (int)i, most);
        function_pieces_free(pieces);
        function_target_free(ctx, &target);
    }
    function_target target;
    assert_fails(ctx, function_target_make(ctx, "exp", 0, 1e300, "ulp", &target), NIGH_INVALID, "f32 numbers");
    assert_fails(ctx, function_target_make(ctx, "exp", 2, 1, "ulp", &target), NIGH_INVALID, "low <= high");
    assert_fails(ctx, function_target_make(ctx, "exq", 0, 1, "ulp", &target), NIGH_INVALID, "exq");
    assert_fails(ctx, function_target_make(ctx, "exp", 0, 1, "rms", &target), NIGH_INVALID, "rms");
    test_context_free(ctx);
}

int main(void)
{
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX2) levels[level_count++] = &exhaustive_kernels_avx2;
    if (nigh_cpu() >= NIGH_CPU_AVX512) levels[level_count++] = &exhaustive_kernels_avx512;
#endif
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_named), cmocka_unit_test(test_expressions), cmocka_unit_test(test_edges),
                                       cmocka_unit_test(test_hard_sines), cmocka_unit_test(test_sabotage), cmocka_unit_test(test_point_errors)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    flint_cleanup();
    return failed;
}
#else
int main(void)
{
    return 0;
}
#endif
