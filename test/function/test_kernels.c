/* Kernels: all CPU levels give the same bits, for every form, reduction and length; NaN and far inputs. */
#include <math.h>
#include <string.h>

#include "function/core_kernel.h"
#include "support.h"

enum { MOST = 611 };

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

/* Code of all operations; every step uses the one before, so that a NaN goes through. */
static function_code *random_code(uint64_t *state, nigh_dtype type, function_code *code)
{
    *code = (function_code){.constants = (int)(uniform(state) * 12), .steps = 1 + (int)(uniform(state) * 20)};
    for (int i = 0; i < code->constants; i++) {
        double value = uniform(state) * 2 - 1;
        code->constant[i] = type == NIGH_F32 ? (double)(float)value : value;
    }
    for (int i = 0; i < code->steps; i++) {
        int known = 1 + code->constants + i;
        function_code_step step = {(uint8_t)(uniform(state) * CODE_OPS), (uint8_t)(uniform(state) * known), (uint8_t)(i ? known - 1 : 0), 0};
        if (step.op >= CODE_FMA) step.c = (uint8_t)(uniform(state) * known);
        code->step[i] = step;
    }
    assert_true(function_code_valid(code));
    return code;
}

/* A random core; its coefficients, or its code, fill data. */
static function_core random_core(uint64_t *state, nigh_dtype type, int form, int reduction, void *data)
{
    function_core core = {.type = type, .form = (function_form)form, .reduction = (function_reduction)reduction, .data = data};
    bool f32 = type == NIGH_F32;
    core.upper = form == FUNCTION_TABLE ? 1 + (int)(uniform(state) * 100) : 1 + (int)(uniform(state) * 12);
    core.lower = form == FUNCTION_TABLE ? 2 + 2 * (uniform(state) < .5) : form == FUNCTION_RATIONAL ? 1 + (int)(uniform(state) * 8) : 0;
    core.square = uniform(state) < .5;
    core.factor = uniform(state) < .5;
    core.affine = form == FUNCTION_TABLE || uniform(state) < .5;
    core.scale = core.affine ? .25 + (form == FUNCTION_TABLE ? core.upper / 8 : 0) : 1;
    core.shift = core.affine ? -.375 : 0;
    const double scaled[6] = {1.4426950408889634, -0.693145751953125, -1.4286068203094172e-06};
    const double turns[6] = {0.3183098861837907, -3.140625, -9.67653589793e-4, 1e-12, -.5, 1};
    if (reduction == FUNCTION_SCALED) memcpy(core.constant, scaled, sizeof scaled);
    else if (reduction == FUNCTION_TURNS) memcpy(core.constant, turns, sizeof turns);
    else core.constant[0] = reduction == FUNCTION_BINADE ? .6931471805599453 : 4;
    for (int i = 0; i < 6; i++) core.constant[i] = f32 ? (double)(float)core.constant[i] : core.constant[i];
    if (form == FUNCTION_CODE) {
        core.code = random_code(state, type, data);
        core.upper = core.code->constants, core.lower = core.code->steps, core.data = NULL;
        core.square = core.affine = false;
    }
    for (int64_t i = 0; core.data && i < function_core_numbers(&core); i++) {
        double value = uniform(state) * 2 - 1;
        if (f32) ((float *)data)[i] = (float)value;
        else ((double *)data)[i] = value;
    }
    return core;
}

static void fill(uint64_t *state, nigh_dtype type, int64_t n, void *x)
{
    const double odd[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1e30, -1e30, 1e-40, 3.5};
    for (int64_t i = 0; i < n; i++) {
        double value = uniform(state) < .1 ? odd[(int)(uniform(state) * 9)] : (uniform(state) * 2 - 1) * 10;
        if (type == NIGH_F32) ((float *)x)[i] = (float)value;
        else ((double *)x)[i] = value;
    }
}

/* Equal bits, or NaN both (the sign and payload of a NaN are the compiler's). */
static void assert_same(nigh_dtype type, int64_t n, const void *a, const void *b)
{
    for (int64_t i = 0; i < n; i++) {
        bool same;
        if (type == NIGH_F32) {
            float x = ((const float *)a)[i], y = ((const float *)b)[i];
            same = memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
            if (!same) fail_msg("number %d: %a, not %a", (int)i, (double)x, (double)y);
        } else {
            double x = ((const double *)a)[i], y = ((const double *)b)[i];
            same = memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
            if (!same) fail_msg("number %d: %a, not %a", (int)i, x, y);
        }
    }
}

static void same_bits(void **unused)
{
    static double data[1024], x[MOST], y[3][MOST + 1];
    uint64_t state = 1;
    for (int type = 0; type < 2; type++)
        for (int form = 0; form < FUNCTION_FORMS; form++)
            for (int reduction = 0; reduction < FUNCTION_REDUCTIONS; reduction++)
                for (int round = 0; round < 12; round++) {
                    nigh_dtype dtype = type ? NIGH_F32 : NIGH_F64;
                    function_core core = random_core(&state, dtype, form, reduction, data);
                    int64_t n = round == 0 ? 0 : 1 + (int64_t)(uniform(&state) * (MOST - 1));
                    size_t bytes = (size_t)n * nigh_dtype_size(dtype);
                    fill(&state, dtype, n, x);
                    for (int level = 0; level <= (int)nigh_cpu(); level++) {
                        memset(y[level], 0x5a, sizeof y[level]);
                        function_core_apply_at((nigh_cpu_level)level, &core, n, x, y[level]);
                        assert_int_equal(((unsigned char *)y[level])[bytes], 0x5a); /* nothing beyond the end */
                        assert_same(dtype, n, y[level], y[0]);
                    }
                }
}

/* Where the core is a plain number, the answer is known. */
static void nan_stays(void **unused)
{
    uint64_t state = 7;
    static double data[1024];
    for (int type = 0; type < 2; type++)
        for (int form = 0; form < FUNCTION_FORMS; form++)
            for (int reduction = 0; reduction < FUNCTION_REDUCTIONS; reduction++) {
                function_core core = random_core(&state, type ? NIGH_F32 : NIGH_F64, form, reduction, data);
                if (form == FUNCTION_POLYNOMIAL && core.upper == 1) core.upper = 2; /* a constant needs no input */
                if (form == FUNCTION_RATIONAL && core.upper == 1) core.upper = 2;
                for (int level = 0; level <= (int)nigh_cpu(); level++) {
                    float x = NAN, y = 0;
                    double wide_x = NAN, wide = 0;
                    function_core_apply_at((nigh_cpu_level)level, &core, 1, type ? (void *)&x : (void *)&wide_x, type ? (void *)&y : (void *)&wide);
                    assert_true(isnan(type ? (double)y : wide));
                }
            }
}

/* Reconstructions with cores that are exact: sqrt of powers of 4, log2 and exp2 of powers of 2, signs. */
static void reconstruction(void **unused)
{
    double one[1] = {1}, zero[1] = {0}, y[8];
    function_core core = {.type = NIGH_F64, .form = FUNCTION_POLYNOMIAL, .upper = 1, .scale = 1, .data = one};
    core.reduction = FUNCTION_ROOT;
    const double fours[8] = {1, 4, 16, .25, 1024, 0x1p-40, 0x1p100, 64};
    function_core_apply(&core, 8, fours, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == sqrt(fours[i]));
    core.reduction = FUNCTION_INVERSE_ROOT;
    function_core_apply(&core, 8, fours, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == 1 / sqrt(fours[i]));
    core.reduction = FUNCTION_SCALED;
    core.constant[0] = 1;
    core.constant[1] = -1;
    const double whole[8] = {0, 1, -1, 10, 1023, -1022, -1074, 52};
    function_core_apply(&core, 8, whole, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == ldexp(1, (int)whole[i]));
    core = (function_core){.type = NIGH_F64, .form = FUNCTION_POLYNOMIAL, .reduction = FUNCTION_BINADE, .upper = 1, .scale = 1, .data = zero};
    core.constant[0] = 1;
    function_core_apply(&core, 8, fours, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == log2(fours[i]));
    core = (function_core){.type = NIGH_F64, .form = FUNCTION_POLYNOMIAL, .reduction = FUNCTION_MIRROR, .upper = 1, .scale = 1, .data = one};
    core.constant[0] = 5;
    const double signs[8] = {-1, 1, -0.5, .5, -9, 9, -1e9, 1e9};
    function_core_apply(&core, 8, signs, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == (signs[i] < 0 ? 1 : 0));
    core.reduction = FUNCTION_ODD;
    function_core_apply(&core, 8, signs, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == (signs[i] < 0 ? -1 : 1));
    core.reduction = FUNCTION_RELU;
    function_core_apply(&core, 8, signs, y);
    for (int i = 0; i < 8; i++) assert_true(y[i] == (signs[i] < 0 ? 1 : signs[i] + 1));
}

/* Without a reduction a core of code is the code itself. */
static void code_alone(void **unused)
{
    static double data[1024], x[MOST], y[MOST], expected[MOST];
    uint64_t state = 11;
    for (int round = 0; round < 100; round++)
        for (int type = 0; type < 2; type++) {
            nigh_dtype dtype = type ? NIGH_F32 : NIGH_F64;
            function_core core = random_core(&state, dtype, FUNCTION_CODE, FUNCTION_NONE, data);
            core.factor = false;
            fill(&state, dtype, MOST, x);
            for (int i = 0; i < MOST; i++) {
                if (type) ((float *)expected)[i] = function_code_run_f32(core.code, ((float *)x)[i]);
                else expected[i] = function_code_run_f64(core.code, x[i]);
            }
            function_core_apply(&core, MOST, x, y);
            assert_same(dtype, MOST, y, expected);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(code_alone), cmocka_unit_test(nan_stays), cmocka_unit_test(reconstruction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
