/* Which kernel runs, and what it costs. */
#include "function/core_kernel.h"

int64_t function_core_numbers(const function_core *core)
{
    if (core->form == FUNCTION_CODE) return core->upper;
    if (core->form == FUNCTION_TABLE) return (int64_t)core->upper * core->lower;
    return (int64_t)core->upper + core->lower;
}

void function_core_apply_at(nigh_cpu_level level, const function_core *core, int64_t n, const void *x, void *y)
{
    int type = core->type == NIGH_F32;
    function_core_kernel *kernel = function_core_scalar[type][core->form][core->reduction];
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) kernel = function_core_avx512[type][core->form][core->reduction];
    else if (level == NIGH_CPU_AVX2) kernel = function_core_avx2[type][core->form][core->reduction];
#endif
    if (n > 0) kernel(core, n, x, y);
}

void function_core_apply(const function_core *core, int64_t n, const void *x, void *y)
{
    function_core_apply_at(nigh_cpu(), core, n, x, y);
}

/* Every step is a turn of an interpreter with two loads and a store, whatever it computes. */
static double code_flops(const function_code *code, double division)
{
    enum { STEP = 4 };
    double flops = 0;
    for (int i = 0; i < code->steps; i++) flops += STEP + (code->step[i].op == CODE_DIV ? division : 0);
    return flops;
}

double function_core_flops(const function_core *core)
{
    /* Times beside those of polynomials in L1, AVX-512 in f32: what else the time of one gather would have computed. */
    static const double reduction[FUNCTION_REDUCTIONS] = {0, 20, 26, 19, 14, 14, 5, 8, 5};
    enum { GATHER = 32, DIVISION = 17 };
    double flops = reduction[core->reduction] + (core->square ? 1 : 0) + (core->factor ? 1 : 0) + (core->affine ? 2 : 0);
    if (core->form == FUNCTION_CODE) return flops + code_flops(core->code, DIVISION);
    if (core->form == FUNCTION_TABLE) return flops + 6 + core->lower * (double)GATHER + 2.0 * (core->lower - 1);
    flops += 2.0 * (core->upper - 1) + 1;
    if (core->form == FUNCTION_RATIONAL) flops += 2.0 * (core->lower - 1) + 1 + DIVISION;
    return flops;
}
