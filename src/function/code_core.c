/* Fitted cores as straight-line code: the steps of core_kernel.inc between range reduction and reconstruction. */
#include "function/approximation.h"
#include "function/code.h"

static uint8_t add_constant(function_code *code, double value)
{
    code->constant[code->constants++] = value;
    return (uint8_t)code->constants;
}

static uint8_t add_step(function_code *code, function_code_op op, uint8_t a, uint8_t b, uint8_t c)
{
    code->step[code->steps++] = (function_code_step){(uint8_t)op, a, b, c};
    return (uint8_t)(code->constants + code->steps);
}

/* The polynomial whose coefficients are the constants first, first + 1, ... */
static uint8_t add_horner(function_code *code, uint8_t u, int first, int count)
{
    uint8_t sum = (uint8_t)(first + count - 1);
    for (int k = count - 2; k >= 0; k--) sum = add_step(code, CODE_FMA, sum, u, (uint8_t)(first + k));
    return sum;
}

/* Code of its own, with the factor behind it. */
static bool copy_code(const function_core *core, function_code *out)
{
    if (core->code->steps == CODE_MOST_STEPS) return false;
    *out = *core->code;
    if (core->factor) add_step(out, CODE_MUL, 0, (uint8_t)(out->constants + out->steps), 0);
    return true;
}

bool function_core_code(const function_core *core, function_code *out)
{
    if (core->form == FUNCTION_CODE) return copy_code(core, out);
    int numbers = (int)function_core_numbers(core);
    if (core->form == FUNCTION_TABLE || 2 + numbers > CODE_MOST_CONSTANTS || 4 + numbers > CODE_MOST_STEPS) return false;
    *out = (function_code){0};
    uint8_t scale = 0, shift = 0, u = 0;
    if (core->affine) {
        scale = add_constant(out, core->scale);
        shift = add_constant(out, core->shift);
    }
    int first = out->constants + 1;
    for (int i = 0; i < numbers; i++) add_constant(out, function_core_get(core, i));
    if (core->square) u = add_step(out, CODE_MUL, 0, 0, 0);
    if (core->affine) u = add_step(out, CODE_FMA, u, scale, shift);
    uint8_t value = add_horner(out, u, first, core->upper);
    if (core->form == FUNCTION_RATIONAL) value = add_step(out, CODE_DIV, value, add_horner(out, u, first + core->upper, core->lower), 0);
    if (core->factor) value = add_step(out, CODE_MUL, 0, value, 0);
    if (value > out->constants) function_code_fuse(out); /* nothing to fuse; steps that serve nothing go */
    else out->steps = 0; /* a constant, which stands last already */
    return true;
}

void function_core_piece(const function_core *core, int piece, function_code *out)
{
    *out = (function_code){0};
    uint8_t scale = 0, shift = 0, u = 0;
    if (core->affine) {
        scale = add_constant(out, core->scale);
        shift = add_constant(out, core->shift);
    }
    uint8_t index = add_constant(out, piece);
    for (int k = 0; k < core->lower; k++) add_constant(out, function_core_get(core, (int64_t)piece * core->lower + k));
    if (core->square) u = add_step(out, CODE_MUL, 0, 0, 0);
    if (core->affine) u = add_step(out, CODE_FMA, u, scale, shift);
    u = add_step(out, CODE_SUB, u, index, 0);
    uint8_t value = add_horner(out, u, index + 1, core->lower);
    if (core->factor) add_step(out, CODE_MUL, 0, value, 0);
}
