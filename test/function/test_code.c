/* Straight-line code: fusing keeps the real value, cores as code give the kernels' bits, what is refused. */
#include <math.h>
#include <string.h>

#include "function/approximation.h"
#include "function/code.h"
#include "support.h"

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static function_code random_code(uint64_t *state)
{
    function_code code = {.constants = 1 + (int)(uniform(state) * 5), .steps = 1 + (int)(uniform(state) * 12)};
    for (int i = 0; i < code.constants; i++) code.constant[i] = .5 + uniform(state);
    for (int i = 0; i < code.steps; i++) {
        int known = 1 + code.constants + i;
        function_code_step *s = &code.step[i];
        s->op = (uint8_t)(uniform(state) * CODE_OPS);
        s->a = (uint8_t)(uniform(state) * known);
        s->b = (uint8_t)(uniform(state) * known);
        s->c = s->op >= CODE_FMA ? (uint8_t)(uniform(state) * known) : 0;
    }
    return code;
}

static void fuse_keeps_the_value(void **unused)
{
    uint64_t state = 1;
    int shorter = 0;
    for (int i = 0; i < 20000; i++) {
        function_code code = random_code(&state), fused = code;
        assert_true(function_code_valid(&code));
        function_code_fuse(&fused);
        assert_true(function_code_valid(&fused));
        assert_true(function_code_fused(&fused));
        shorter += fused.steps < code.steps;
        for (int k = 0; k < 3; k++) {
            nigh_f128 x = uniform(&state) * 2 - 1, a = function_code_value(&code, x), b = function_code_value(&fused, x);
            if (a != a || a - a != 0) continue;
            assert_true(function_abs(a - b) <= 1e-20L * (1 + function_abs(a))); /* the same sums in another order of operands */
        }
    }
    assert_true(shorter > 1000);
}

static void fuse_by_hand(void **unused)
{
    function_code code = {.constants = 1, .constant = {3}, .steps = 3, .step = {{CODE_MUL, 0, 1, 0}, {CODE_MUL, 0, 0, 0}, {CODE_SUB, 2, 3, 0}}};
    assert_false(function_code_fused(&code));
    function_code_fuse(&code); /* 3 x - x x */
    assert_int_equal(code.steps, 2);
    assert_int_equal(code.step[0].op, CODE_MUL);
    assert_int_equal(code.step[1].op, CODE_FMS);
    assert_true(function_code_run_f64(&code, .5) == 1.25);
    assert_true(function_code_run_f32(&code, .5F) == 1.25F);
}

static void invalid(void **unused)
{
    function_code code = {.steps = 1, .step = {{CODE_ADD, 0, 0, 0}}};
    assert_true(function_code_valid(&code));
    code.step[0].b = 1; /* its own result */
    assert_false(function_code_valid(&code));
    code.step[0] = (function_code_step){CODE_OPS, 0, 0, 0};
    assert_false(function_code_valid(&code));
    code = (function_code){.steps = 0};
    assert_false(function_code_valid(&code));
    code = (function_code){.steps = CODE_MOST_STEPS + 1};
    assert_false(function_code_valid(&code));
}

enum { NUMBERS = 64, MOST = 40 };

/* One core without reduction on a few numbers: code and kernel. */
static void compare(const function_core *core, uint64_t *state)
{
    function_code code;
    assert_true(function_core_code(core, &code));
    assert_true(function_code_fused(&code));
    if (core->type == NIGH_F64) {
        double x[NUMBERS], y[NUMBERS];
        for (int i = 0; i < NUMBERS; i++) x[i] = i ? 4 * uniform(state) - 2 : -0.0;
        function_core_apply(core, NUMBERS, x, y);
        for (int i = 0; i < NUMBERS; i++) {
            double r = function_code_run_f64(&code, x[i]);
            assert_memory_equal(&r, &y[i], sizeof r);
        }
    } else {
        float x[NUMBERS], y[NUMBERS];
        for (int i = 0; i < NUMBERS; i++) x[i] = i ? (float)(4 * uniform(state) - 2) : -0.0F;
        function_core_apply(core, NUMBERS, x, y);
        for (int i = 0; i < NUMBERS; i++) {
            float r = function_code_run_f32(&code, x[i]);
            assert_memory_equal(&r, &y[i], sizeof r);
        }
    }
}

static void cores_as_code(void **unused)
{
    uint64_t state = 5;
    for (int i = 0; i < 2000; i++) {
        double data[MOST];
        function_core core = {.type = i % 2 ? NIGH_F32 : NIGH_F64, .form = uniform(&state) < .5 ? FUNCTION_POLYNOMIAL : FUNCTION_RATIONAL, .data = data};
        core.upper = 1 + (int)(uniform(&state) * 12);
        core.lower = core.form == FUNCTION_RATIONAL ? 1 + (int)(uniform(&state) * 8) : 0;
        core.square = uniform(&state) < .5;
        core.factor = uniform(&state) < .5;
        core.affine = uniform(&state) < .5;
        core.scale = core.affine ? .25 : 1;
        core.shift = core.affine ? -.375 : 0;
        for (int k = 0; k < core.upper + core.lower; k++) function_core_set(&core, k, function_round(core.type, 2 * uniform(&state) - 1));
        compare(&core, &state);
    }
}

/* Where the index is this one, a piece of a table is what the kernel does. */
static void pieces_as_code(void **unused)
{
    uint64_t state = 6;
    for (int factor = 0; factor < 2; factor++)
        for (int piece = 0; piece < 4; piece++) {
            double data[16], x[NUMBERS], y[NUMBERS];
            function_core core = {.type = NIGH_F64, .form = FUNCTION_TABLE, .data = data, .upper = 4, .lower = 4, .affine = true, .scale = 2, .shift = .25, .factor = factor};
            function_code code;
            for (int k = 0; k < 16; k++) data[k] = 2 * uniform(&state) - 1;
            assert_false(function_core_code(&core, &code));
            function_core_piece(&core, piece, &code);
            for (int i = 0; i < NUMBERS; i++) x[i] = (piece - .25 + .98 * (uniform(&state) - .5)) / 2;
            function_core_apply(&core, NUMBERS, x, y);
            for (int i = 0; i < NUMBERS; i++) assert_true(function_code_run_f64(&code, x[i]) == y[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fuse_keeps_the_value), cmocka_unit_test(fuse_by_hand), cmocka_unit_test(invalid),
                                       cmocka_unit_test(cores_as_code), cmocka_unit_test(pieces_as_code)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
