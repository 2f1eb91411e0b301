/* Enclosures and lines of activations against long double on grids: random intervals, tiny, huge, one-sided, touching kinks and bends. */
#include "support.h"
#include "verify/relax.h"

#include <math.h>
#include <string.h>

static uint64_t state_now = 1;

static double uniform(double low, double high)
{
    state_now = state_now * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(state_now >> 11) * 0x1p-53;
}

static const double parameters[BOUND_FUNCTIONS][3][2] = {
    [BOUND_LEAKY] = {{0.01, 0}, {-0.5, 0}, {3, 0}}, [BOUND_CLIP] = {{-1, 1}, {0, 6}, {0.25, 0.25}}, [BOUND_ELU] = {{1, 0}, {0.3, 0}, {2.5, 0}}};

static long double exact(bound_function f, const double p[2], long double x)
{
    const long double twice_root = 1.595769121605730711759784239737527473903L;
    switch (f) {
    case BOUND_RELU: return x > 0 ? x : 0;
    case BOUND_LEAKY: return x > 0 ? x : p[0] * x;
    case BOUND_CLIP: return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
    case BOUND_ABS: return fabsl(x);
    case BOUND_SIGMOID: return x >= 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x));
    case BOUND_TANH: return tanhl(x);
    case BOUND_SOFTPLUS: return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
    case BOUND_ELU: return x > 0 ? x : p[0] * expm1l(x);
    case BOUND_EXP: return expl(x);
    case BOUND_SQUARE: return x * x;
    case BOUND_SIN: return sinl(x);
    case BOUND_COS: return cosl(x);
    case BOUND_GELU: return x / 2 * erfcl(-x * 0.70710678118654752440084436210484903928L);
    case BOUND_GELU_TANH: return x * exact(BOUND_SIGMOID, p, twice_root * (x + 0.044715L * x * x * x));
    default: return x * exact(BOUND_SIGMOID, p, x);
    }
}

/* An interval of one of many sorts. */
static void draw(int sort, bound_function f, double *low, double *high)
{
    static const double special[] = {0, 1, -1, 6, 0.25, 1.4142135623730951, -1.4142135623730951, 1.418504008790829, 2.399357280515468, -2.399357280515468, -1.2784645427610738,
                                     -0.7517915246935645, 3.141592653589793, 1.5707963267948966, -6.283185307179586};
    double place = uniform(-4, 4), width = exp(uniform(-30, 2.5));
    double at = special[(int)uniform(0, 15)];
    switch (sort) {
    case 0: *low = place, *high = place + width; break;
    case 1: *low = -exp(uniform(-40, 3)), *high = exp(uniform(-40, 3)); break;
    case 2: *low = at, *high = at + width; break;
    case 3: *low = at - width, *high = at; break;
    case 4: *low = nextafter(at, -9), *high = nextafter(at, 9); break;
    case 5: *low = place, *high = nextafter(place, 9); break;
    case 6: *low = uniform(-40, 40), *high = *low + exp(uniform(-3, 4)); break;
    case 7: *low = -exp(uniform(-720, 6)), *high = exp(uniform(-720, 6)); break;
    case 8: *low = f == BOUND_EXP || f == BOUND_SQUARE ? -300 : -1e6 * uniform(0, 1), *high = f == BOUND_EXP ? 100 : 1e6 * uniform(0, 1); break;
    default: *low = *high = place; break;
    }
}

/* Grid points of [low, high], the ends first. */
static double grid_point(double low, double high, int i, bool single)
{
    double z = i == 0 ? low : i == 1 ? high : uniform(low, high);
    if (single && (float)z >= low && (float)z <= high) return (float)z;
    return z < low ? low : z > high ? high : z;
}

typedef struct tally {
    long lines, worse;
    double gap; /* of the pair at the middle, over the width of the enclosure */
} tally;

static void check_lines(bound_function f, const double p[2], double low, double high, const double *free, bool single, tally *t)
{
    double ls, lt, us, ut, el, eh;
    relax_lines(f, p, 1, &low, &high, free, single, &ls, &lt, &us, &ut);
    relax_enclose(f, p, 1, &low, &high, single, &el, &eh);
    for (int i = 0; i < 24; i++) {
        double z = grid_point(low, high, i, single);
        long double y = exact(f, p, z), room = 0x1p-58L * fabsl(y) + 1e-4900L;
        long double below = (long double)ls * z + lt, above = (long double)us * z + ut;
        long double much = 0x1p-62L * (fabsl((long double)ls * z) + fabsl((long double)us * z));
        if (!(below <= y + room + much) || !(above >= y - room - much))
            fail_msg("function %d (%g, %g) on [%.17g, %.17g] at %.17g: %.20Lg not in [%.20Lg, %.20Lg]", (int)f, p[0], p[1], low, high, z, y, below, above);
        if (!(el <= y + room) || !(eh >= y - room)) fail_msg("function %d on [%.17g, %.17g] at %.17g: %.20Lg not in [%.20g, %.20g]", (int)f, low, high, z, y, el, eh);
        if (!single || (double)(float)z != z) continue; /* arguments in f32 are numbers of f32 */
        float rounded = (float)y;
        if (!isinf(rounded) && !(below <= rounded + much && above >= rounded - much && el <= rounded && eh >= rounded)) fail_msg("function %d in f32 on [%g, %g] at %g", (int)f, low, high, z);
    }
    double middle = 0.5 * low + 0.5 * high, gap = (us - ls) * middle + (ut - lt);
    t->lines++;
    t->worse += !free && gap > (eh - el) * 1.0001 + 1e-12 * (1 + fabs(eh) + fabs(el));
    t->gap += eh > el ? gap / (eh - el) : 0;
}

static void test_random(void **state)
{
    for (int f = 0; f < BOUND_FUNCTIONS; f++)
        for (int which = 0; which < 3; which++) {
            tally t = {0};
            for (int i = 0; i < 4000; i++) {
                double low, high, free = uniform(f == BOUND_ABS ? -1 : 0, 1);
                draw(i % 10, (bound_function)f, &low, &high);
                check_lines((bound_function)f, parameters[f][which], low, high, i / 10 % 2 ? &free : NULL, i / 20 % 3 == 2, &t);
            }
            if (t.worse) fail_msg("function %d: %ld of %ld pairs wider than constants", f, t.worse, t.lines);
        }
}

/* Where the best line is known: the gap at the middle of the interval, and no more than that. */
static void test_tight(void **state)
{
    static const struct {
        bound_function f;
        double p[2], low, high, gap; /* envelopes at the middle, by long double tangents */
    } known[] = {{BOUND_RELU, {0}, -1, 1, 0.5}, {BOUND_ABS, {0}, -1, 1, 1}, {BOUND_LEAKY, {0.1}, -1, 1, 0.45}, {BOUND_SQUARE, {0}, -1, 2, 2.25}, {BOUND_EXP, {0}, 0, 1, 0.21041964348}, {BOUND_CLIP, {-1, 1}, -2, 2, 2.0 / 3},
                 {BOUND_TANH, {0}, -3, -1, 0.0}, {BOUND_SIGMOID, {0}, -8, 8, 0}, {BOUND_SIN, {0}, 0.5, 2.5, 0}, {BOUND_GELU, {0}, -3, 3, 0}, {BOUND_SILU, {0}, -0.5, 4, 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double ls, lt, us, ut, low = known[i].low, high = known[i].high, middle = 0.5 * (low + high);
        relax_lines(known[i].f, known[i].p, 1, &low, &high, NULL, false, &ls, &lt, &us, &ut);
        double gap = (us - ls) * middle + ut - lt, want = known[i].gap;
        if (want > 0) assert_near(gap, want, 1e-9, 1e-9);
        else { /* the envelopes by brute force: at the middle, chords between any two points */
            enum { N = 400 };
            long double best_low = INFINITY, best_high = -INFINITY;
            for (int a = 0; a <= N; a++)
                for (int b = 0; b <= N; b++) {
                    double x = low + (middle - low) * a / N, y = middle + (high - middle) * b / N, part = y > x ? (middle - x) / (y - x) : 0;
                    long double v = (1 - part) * exact(known[i].f, known[i].p, x) + part * exact(known[i].f, known[i].p, y);
                    best_low = fminl(best_low, v);
                    best_high = fmaxl(best_high, v);
                }
            if (gap > (double)(best_high - best_low) * 1.01 + 1e-9) fail_msg("function %d on [%g, %g]: gap %g, not %Lg", (int)known[i].f, low, high, gap, best_high - best_low);
        }
    }
}

/* On ever smaller intervals both lines close in as the square of the width, until rounding is left. */
static void test_small(void **state)
{
    for (int f = 0; f < BOUND_FUNCTIONS; f++)
        for (double width = 0.1; width > 1e-9; width *= 0.1) {
            double low = 0.31, high = 0.31 + width, ls, lt, us, ut;
            const double p[2] = {f == BOUND_CLIP ? -1 : 0.5, 1};
            relax_lines((bound_function)f, p, 1, &low, &high, NULL, false, &ls, &lt, &us, &ut);
            double gap = (us - ls) * (low + high) / 2 + ut - lt;
            if (gap > 0.5 * width * width + 1e-13) fail_msg("function %d, width %g: gap %g", f, width, gap);
        }
}

static void test_linear(void **state)
{
    for (int f = 0; f < BOUND_FUNCTIONS; f++)
        for (int i = 0; i < 500; i++) {
            double low, high, ls, lt, us, ut;
            draw(i % 10, (bound_function)f, &low, &high);
            if (!relax_linear((bound_function)f, parameters[f][0], low, high) || !(low < high)) continue;
            relax_lines((bound_function)f, parameters[f][0], 1, &low, &high, NULL, false, &ls, &lt, &us, &ut);
            assert_near(ls, us, 0, 0);
            assert_near(lt, ut, 1e-11 * (1 + fabs(high) + fabs(low)), 0);
        }
    assert_true(relax_linear(BOUND_RELU, NULL, 0, 2) && relax_linear(BOUND_RELU, NULL, -1, 0) && !relax_linear(BOUND_RELU, NULL, -1, 1));
    assert_true(relax_linear(BOUND_CLIP, (double[]){-1, 1}, -1, 1) && !relax_linear(BOUND_SIN, NULL, 0, 1e-9));
}

/* Infinite intervals give the enclosure; many elements at once give what one gives. */
static void test_ends(void **state)
{
    for (int f = 0; f < BOUND_FUNCTIONS; f++) {
        double low = -INFINITY, high = INFINITY, ls, lt, us, ut;
        relax_lines((bound_function)f, parameters[f][0], 1, &low, &high, NULL, false, &ls, &lt, &us, &ut);
        assert_true(ls == 0 || f == BOUND_RELU || f == BOUND_LEAKY);
        if (f == BOUND_SIGMOID) assert_true(lt == 0 && ut == 1);
        if (f == BOUND_SIN) assert_true(lt == -1 && ut == 1);
    }
    double low[40], high[40], one[4], all[4][40];
    for (int i = 0; i < 40; i++) draw(i % 10, BOUND_RELU, &low[i], &high[i]);
    relax_lines(BOUND_RELU, NULL, 40, low, high, NULL, false, all[0], all[1], all[2], all[3]);
    for (int i = 0; i < 40; i++) {
        relax_lines(BOUND_RELU, NULL, 1, &low[i], &high[i], NULL, false, &one[0], &one[1], &one[2], &one[3]);
        for (int k = 0; k < 4; k++) assert_true(one[k] == all[k][i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_tight), cmocka_unit_test(test_small), cmocka_unit_test(test_linear), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
