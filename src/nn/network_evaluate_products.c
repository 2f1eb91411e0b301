/* Plain rules: products of matrices. Listed in nn/network_evaluate.h. */
#include "nn/network_evaluate.h"

#include <string.h>

static nigh_status linear(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape, *w = &e->parameter->shape;
    int64_t dim[NIGH_MAX_DIMS], in = w->dim[0], out = w->dim[1];
    if (x->ndim < 1 || w->ndim != 2 || x->dim[x->ndim - 1] != in) return evaluate_fail(e, "x [..., in] and w [in, out] are needed");
    memcpy(dim, x->dim, sizeof dim);
    dim[x->ndim - 1] = out;
    nigh_status status = evaluate_out(e, x->ndim, dim);
    for (int64_t r = 0; !status && r < nigh_shape_count(x) / in; r++)
        for (int64_t j = 0; j < out; j++) {
            double sum = e->layer->parameters > 1 ? evaluate_numbers(&e->parameter[1])[j] : 0;
            for (int64_t i = 0; i < in; i++) sum += evaluate_numbers(e->input)[r * in + i] * evaluate_numbers(e->parameter)[i * out + j];
            evaluate_numbers(e->out)[r * out + j] = sum;
        }
    return status;
}

static nigh_status matmul(const evaluation *e)
{
    nigh_shape a = e->input[0].shape, b = e->input[1].shape, lead = {.dtype = NIGH_F64};
    bool ta = nigh_layer_number(e->layer, "transpose-a", 0) != 0, tb = nigh_layer_number(e->layer, "transpose-b", 0) != 0;
    if (a.ndim < 2 || b.ndim < 2) return evaluate_fail(e, "matrices are needed");
    int64_t m = a.dim[a.ndim - (ta ? 1 : 2)], k = a.dim[a.ndim - (ta ? 2 : 1)], n = b.dim[b.ndim - (tb ? 2 : 1)], dim[NIGH_MAX_DIMS];
    if (b.dim[b.ndim - (tb ? 1 : 2)] != k) return evaluate_fail(e, "the inner sizes differ");
    a.ndim -= 2, b.ndim -= 2;
    lead.ndim = a.ndim > b.ndim ? a.ndim : b.ndim;
    for (int i = 1; i <= lead.ndim; i++) {
        int64_t p = i <= a.ndim ? a.dim[a.ndim - i] : 1, q = i <= b.ndim ? b.dim[b.ndim - i] : 1;
        dim[lead.ndim - i] = lead.dim[lead.ndim - i] = p == 1 ? q : p;
    }
    dim[lead.ndim] = m, dim[lead.ndim + 1] = n;
    nigh_status status = evaluate_out(e, lead.ndim + 2, dim);
    for (int64_t s = 0; !status && s < nigh_shape_count(&lead); s++) {
        const double *x = evaluate_numbers(&e->input[0]) + evaluate_from(&lead, s, &a) * m * k, *y = evaluate_numbers(&e->input[1]) + evaluate_from(&lead, s, &b) * k * n;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++) sum += x[ta ? l * m + i : i * k + l] * y[tb ? j * k + l : l * n + j];
                evaluate_numbers(e->out)[(s * m + i) * n + j] = sum;
            }
    }
    return status;
}

const evaluate_rule evaluate_products[] = {{"linear", linear}, {"matmul", matmul}, {NULL, NULL}};
