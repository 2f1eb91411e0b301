/* Rows of x rounded to bytes in blocks of 32. Declared in tensor/quant.h. */
#include "tensor/quant_layout.h"

static const quant_kernels *forced;

void quant_kernels_force(const quant_kernels *kernels) { forced = kernels; }

/* What can be used, the fastest last. */
static int find(const quant_kernels *list[5])
{
    int count = 0;
    list[count++] = &quant_scalar;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (nigh_cpu() >= NIGH_CPU_AVX2) list[count++] = &quant_avx2;
    if (nigh_cpu() == NIGH_CPU_AVX512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi")) {
        list[count++] = &quant_vnni;
        if (quant_amx_allowed()) list[count++] = &quant_amx;
    }
#endif
    list[count] = NULL;
    return count;
}

const quant_kernels *quant_kernels_at(int i)
{
    const quant_kernels *list[5];
    return i < find(list) ? list[i] : NULL;
}

const quant_kernels *quant_kernels_now(void)
{
    static const quant_kernels *known; /* two threads may both write the same value */
    const quant_kernels *kernels = __atomic_load_n(&known, __ATOMIC_RELAXED), *list[5];
    if (forced) return forced;
    if (!kernels) {
        kernels = list[find(list) - 1];
        __atomic_store_n(&known, kernels, __ATOMIC_RELAXED);
    }
    return kernels;
}

size_t quant_rows_bytes(int64_t cols, int64_t room)
{
    size_t groups = (size_t)(room + QUANT_PANEL - 1) / QUANT_PANEL;
    return (size_t)(room * quant_stride(cols)) * sizeof(quant_record) + groups * (size_t)quant_blocks(cols) * (2 * QUANT_PANEL * sizeof(float) + QUANT_TILE);
}

void quant_rows_bind(quant_rows *r, int64_t cols, int64_t room, void *memory)
{
    *r = (quant_rows){.cols = cols, .room = room, .memory = memory};
}

void quant_rows_fill(quant_rows *r, const float *x, int64_t ldx, int64_t first, int64_t count)
{
    const quant_kernels *kernels = quant_kernels_now();
    /* every member writes the same two */
    __atomic_store_n(&r->x, x, __ATOMIC_RELAXED);
    __atomic_store_n(&r->ldx, ldx, __ATOMIC_RELAXED);
    for (int64_t t = first; t < first + count; t++) {
        quant_record *records = quant_row(r, t);
        kernels->fill(r, x + t * ldx, records);
        float *scales = quant_scales(r, t) + t % QUANT_PANEL;
        int8_t *bytes = quant_tiles(r, t) + t % QUANT_PANEL * QUANT_BLOCK;
        for (int64_t b = 0; b < quant_blocks(r->cols); b++, scales += 2 * QUANT_PANEL, bytes += QUANT_TILE) {
            scales[0] = records[b].d, scales[QUANT_PANEL] = records[b].low;
            memcpy(bytes, records[b].q, sizeof records[b].q);
        }
    }
}
