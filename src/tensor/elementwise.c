/* Which kernel of elementwise.h belongs to a type and CPU level, and what the operators are called. */
#include "tensor/elementwise_table.h"

static const struct {
    const char *name;
    int inputs;
} operators[ELEMENTWISE_COUNT] = {
    {"copy", 1}, {"neg", 1}, {"abs", 1}, {"sign", 1}, {"square", 1}, {"sqrt", 1}, {"rsqrt", 1}, {"reciprocal", 1}, {"exp", 1},
    {"expm1", 1}, {"log", 1}, {"log1p", 1}, {"sin", 1}, {"cos", 1}, {"tanh", 1}, {"sigmoid", 1}, {"softplus", 1}, {"silu", 1},
    {"silu-slope", 1}, {"gelu", 1}, {"gelu-slope", 1}, {"erf", 1}, {"relu", 1}, {"leaky", 1}, {"step", 1}, {"round", 1},
    {"floor", 1}, {"affine", 1}, {"pow", 1}, {"clamp", 1}, {"inside", 1}, {"add", 2}, {"sub", 2}, {"mul", 2}, {"div", 2},
    {"min", 2}, {"max", 2}, {"greater", 2}, {"greater-equal", 2}, {"equal", 2}, {"where", 3}, {"fma", 3},
};

int elementwise_inputs(elementwise_id id) { return operators[id].inputs; }
const char *elementwise_name(elementwise_id id) { return operators[id].name; }

elementwise_kernel *elementwise_at(nigh_cpu_level level, nigh_dtype dtype, elementwise_id id)
{
    const elementwise_table *table = &elementwise_scalar;
    elementwise_type type;
    switch (dtype) {
    case NIGH_F32: type = ELEMENTWISE_F32; break;
    case NIGH_F64: type = ELEMENTWISE_F64; break;
    case NIGH_C64: type = ELEMENTWISE_C64; break;
    case NIGH_C128: type = ELEMENTWISE_C128; break;
    case NIGH_I32: type = ELEMENTWISE_I32; break;
    case NIGH_I64: type = ELEMENTWISE_I64; break;
    default: return NULL;
    }
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) table = &elementwise_avx512;
    else if (level >= NIGH_CPU_AVX2) table = &elementwise_avx2;
#endif
    return table->kernel[type][id];
}

elementwise_kernel *elementwise_find(nigh_dtype dtype, elementwise_id id) { return elementwise_at(nigh_cpu(), dtype, id); }
