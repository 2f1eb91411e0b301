/* See code.h. */
#include "function/code.h"

#include <math.h>
#include <string.h>

bool function_code_valid(const function_code *code)
{
    if (code->constants < 0 || code->constants > CODE_MOST_CONSTANTS || code->steps < 1 || code->steps > CODE_MOST_STEPS) return false;
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        int known = 1 + code->constants + i;
        if (s->op >= CODE_OPS || s->a >= known || s->b >= known || s->c >= known) return false;
    }
    return true;
}

bool function_code_fused(const function_code *code)
{
    int base = 1 + code->constants;
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        if (s->op != CODE_ADD && s->op != CODE_SUB) continue;
        if (s->a >= base && code->step[s->a - base].op == CODE_MUL) return false;
        if (s->b >= base && code->step[s->b - base].op == CODE_MUL) return false;
    }
    return true;
}

/* Steps that the last one does not need are taken out. */
static void drop_unused(function_code *code)
{
    bool used[CODE_MOST_STEPS] = {false};
    int base = 1 + code->constants, number[CODE_MOST_STEPS], kept = 0;
    used[code->steps - 1] = true;
    for (int i = code->steps - 1; i >= 0; i--) {
        const function_code_step *s = &code->step[i];
        int count = s->op >= CODE_FMA ? 3 : 2, operand[3] = {s->a, s->b, s->c};
        for (int k = 0; k < count && used[i]; k++)
            if (operand[k] >= base) used[operand[k] - base] = true;
    }
    for (int i = 0; i < code->steps; i++) {
        if (!used[i]) continue;
        function_code_step s = code->step[i];
        uint8_t *operand[3] = {&s.a, &s.b, &s.c};
        for (int k = 0; k < (s.op >= CODE_FMA ? 3 : 2); k++)
            if (*operand[k] >= base) *operand[k] = (uint8_t)(base + number[*operand[k] - base]);
        number[i] = kept;
        code->step[kept++] = s;
    }
    code->steps = kept;
}

void function_code_fuse(function_code *code)
{
    int base = 1 + code->constants;
    for (int i = 0; i < code->steps; i++) {
        function_code_step *s = &code->step[i];
        if (s->op != CODE_ADD && s->op != CODE_SUB) continue;
        const function_code_step *left = s->a >= base ? &code->step[s->a - base] : NULL, *right = s->b >= base ? &code->step[s->b - base] : NULL;
        if (left && left->op == CODE_MUL)
            *s = (function_code_step){s->op == CODE_ADD ? CODE_FMA : CODE_FMS, left->a, left->b, s->b};
        else if (right && right->op == CODE_MUL)
            *s = (function_code_step){s->op == CODE_ADD ? CODE_FMA : CODE_FNMA, right->a, right->b, s->a};
    }
    drop_unused(code);
}

/* One walk for every type. */
#define RUN(NAME, REAL, FMA)                                                       \
    REAL NAME(const function_code *code, REAL argument)                            \
    {                                                                              \
        REAL value[1 + CODE_MOST_CONSTANTS + CODE_MOST_STEPS];                     \
        int count = 0;                                                             \
        value[count++] = argument;                                                 \
        for (int i = 0; i < code->constants; i++) value[count++] = (REAL)code->constant[i]; \
        for (int i = 0; i < code->steps; i++) {                                    \
            const function_code_step *s = &code->step[i];                          \
            REAL a = value[s->a], b = value[s->b], c = value[s->c], r;             \
            switch (s->op) {                                                       \
            case CODE_ADD: r = a + b; break;                                       \
            case CODE_SUB: r = a - b; break;                                       \
            case CODE_MUL: r = a * b; break;                                       \
            case CODE_DIV: r = a / b; break;                                       \
            case CODE_FMA: r = FMA(a, b, c); break;                                \
            case CODE_FMS: r = FMA(a, b, -c); break;                               \
            default: r = FMA(-a, b, c); break;                                     \
            }                                                                      \
            value[count++] = r;                                                    \
        }                                                                          \
        return value[count - 1];                                                   \
    }

static nigh_f128 multiply_add(nigh_f128 a, nigh_f128 b, nigh_f128 c) { return a * b + c; }

RUN(function_code_run_f32, float, fmaf)
RUN(function_code_run_f64, double, fma)
RUN(function_code_value, nigh_f128, multiply_add)
