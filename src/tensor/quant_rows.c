/* Rows of x rounded to bytes in blocks of 32. Declared in tensor/quant.h. */
#include "tensor/quant_layout.h"

static const quant_kernels *forced;

void quant_kernels_force(const quant_kernels *kernels) { forced = kernels; }

const quant_kernels *quant_kernels_at(int i) { return i == 0 ? &quant_scalar : NULL; }

const quant_kernels *quant_kernels_now(void) { return forced ? forced : &quant_scalar; }

size_t quant_rows_bytes(int64_t cols, int64_t room) { return (size_t)(room * quant_stride(cols)) * sizeof(quant_record); }

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
    for (int64_t t = first; t < first + count; t++) kernels->fill(r, x + t * ldx, quant_row(r, t));
}
