/*
 * f32 products by oneDNN, which is the quicker from some 2^18 multiply-adds on: a primitive, prepared once. Memory objects belong to the product; a
 * second thread that runs the same product at the same time makes its own for the call.
 */
#include "tensor/matmul_kernel.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { LEAST_WORK = 1 << 18, LEAST_SIDE = 8, OPERANDS = 5 }; /* a, b, bias, c, scratch */

struct matmul_onednn {
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_desc_t desc[OPERANDS];
    dnnl_memory_t memory[OPERANDS];
    size_t scratch;
    int threads;
    bool bias;
    atomic_flag busy;
};

static const int places[OPERANDS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};

static dnnl_engine_t engine; /* of the process; NULL: none could be made */

static void make_engine(void)
{
    if (nigh_cpu() == NIGH_CPU_AVX2) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

static dnnl_engine_t the_engine(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_engine);
    return engine;
}

/* oneDNN takes as many threads as OpenMP would, when a primitive is made and when it runs. */
static int use_threads(int threads)
{
#ifdef _OPENMP
    int before = omp_get_max_threads();
    if (before != threads) omp_set_num_threads(threads);
    return before;
#else
    return threads;
#endif
}

static bool suits(const matmul_spec *s)
{
    int64_t batch = s->batch_dims ? s->batch[0] : 1;
    bool a_dense = s->a_row == 1 || s->a_column == 1, b_dense = s->b_row == 1 || s->b_column == 1;
    return s->dtype == NIGH_F32 && s->b_dtype == NIGH_F32 && s->batch_dims <= 1 && s->alpha == 1 && (s->beta == 0 || s->beta == 1) && s->c_column == 1 &&
           a_dense && b_dense && s->a_row > 0 && s->a_column > 0 && s->b_row > 0 && s->b_column > 0 && s->c_row > 0 && s->m >= LEAST_SIDE && s->n >= LEAST_SIDE &&
           s->k >= LEAST_SIDE && (double)batch * (double)s->m * (double)s->n * (double)s->k >= LEAST_WORK;
}

static bool describe(const matmul_spec *s, dnnl_memory_desc_t *desc)
{
    int nd = s->batch_dims ? 3 : 2, skip = 3 - nd;
    int64_t b = s->batch_dims ? s->batch[0] : 1;
    int64_t dims[4][3] = {{s->a_batch[0] ? b : 1, s->m, s->k}, {s->b_batch[0] ? b : 1, s->k, s->n}, {1, 1, s->n}, {b, s->m, s->n}};
    int64_t strides[4][3] = {{s->a_batch[0], s->a_row, s->a_column}, {s->b_batch[0], s->b_row, s->b_column}, {s->n, s->n, 1}, {s->c_batch[0], s->c_row, 1}};
    for (int i = 0; i < 4; i++) {
        dnnl_dims_t size, stride;
        for (int k = 0; k < nd; k++) size[k] = dims[i][skip + k], stride[k] = strides[i][skip + k];
        if (nd == 3 && size[0] == 1) stride[0] = size[1] * stride[1] > size[2] * stride[2] ? size[1] * stride[1] : size[2] * stride[2];
        if (dnnl_memory_desc_init_by_strides(&desc[i], nd, size, dnnl_f32, stride) != dnnl_success) return false;
    }
    return true;
}

static dnnl_primitive_desc_t make_primitive_desc(const matmul_spec *s, const matmul_onednn *x)
{
    dnnl_matmul_desc_t what;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t sum = NULL;
    dnnl_primitive_desc_t made = NULL;
    const char *name = NULL;
    bool good = dnnl_matmul_desc_init(&what, &x->desc[0], &x->desc[1], s->bias ? &x->desc[2] : NULL, &x->desc[3]) == dnnl_success &&
                dnnl_primitive_attr_create(&attributes) == dnnl_success && dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success;
    if (good && s->beta == 1)
        good = dnnl_post_ops_create(&sum) == dnnl_success && dnnl_post_ops_append_sum(sum, 1) == dnnl_success && dnnl_primitive_attr_set_post_ops(attributes, sum) == dnnl_success;
    if (good && dnnl_primitive_desc_create(&made, &what, attributes, the_engine(), NULL) != dnnl_success) made = NULL;
    /* its plain loops, where strides suit nothing else, are slower than anything of ours */
    if (made && (dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, &name) != dnnl_success || strstr(name, "ref"))) {
        dnnl_primitive_desc_destroy(made);
        made = NULL;
    }
    if (sum) dnnl_post_ops_destroy(sum);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return made;
}

static void free_memory(dnnl_memory_t *memory)
{
    for (int i = 0; i < OPERANDS; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
}

static bool make_memory(const matmul_onednn *x, dnnl_memory_t *memory)
{
    memset(memory, 0, OPERANDS * sizeof *memory);
    for (int i = 0; i < OPERANDS; i++)
        if (dnnl_memory_create(&memory[i], &x->desc[i], engine, DNNL_MEMORY_NONE) != dnnl_success) return false;
    return true;
}

nigh_status matmul_onednn_new(nigh_context *ctx, const matmul_spec *s, int threads, matmul_onednn **out)
{
    *out = NULL;
    if (!suits(s) || !the_engine()) return NIGH_OK;
    matmul_onednn *x = nigh_alloc_zero(ctx, 1, sizeof *x);
    if (!x) return NIGH_MEMORY;
    x->threads = threads;
    x->bias = s->bias;
    atomic_flag_clear(&x->busy);
    int before = use_threads(threads);
    dnnl_primitive_desc_t made = describe(s, x->desc) ? make_primitive_desc(s, x) : NULL;
    bool good = made && dnnl_primitive_create(&x->primitive, made) == dnnl_success;
    use_threads(before);
    if (good) {
        x->desc[4] = *dnnl_primitive_desc_query_md(made, dnnl_query_scratchpad_md, 0);
        x->scratch = dnnl_memory_desc_get_size(&x->desc[4]);
        good = dnnl_stream_create(&x->stream, engine, dnnl_stream_default_flags) == dnnl_success && make_memory(x, x->memory);
    }
    if (made) dnnl_primitive_desc_destroy(made);
    if (good) *out = x;
    else matmul_onednn_free(ctx, x);
    return NIGH_OK;
}

void matmul_onednn_free(nigh_context *ctx, matmul_onednn *x)
{
    if (!x) return;
    free_memory(x->memory);
    if (x->stream) dnnl_stream_destroy(x->stream);
    if (x->primitive) dnnl_primitive_destroy(x->primitive);
    nigh_free(ctx, x);
}

size_t matmul_onednn_workspace(const matmul_onednn *x) { return x ? x->scratch : 0; }

bool matmul_onednn_run(matmul_onednn *x, const void *a, const void *b, const void *bias, void *c, void *workspace)
{
    dnnl_memory_t other[OPERANDS], *memory = x->memory;
    bool mine = !atomic_flag_test_and_set(&x->busy);
    if (!mine && !make_memory(x, memory = other)) return free_memory(other), false;
    const void *data[OPERANDS] = {a, b, bias, c, workspace};
    dnnl_exec_arg_t args[OPERANDS];
    int count = 0;
    for (int i = 0; i < OPERANDS; i++) {
        if ((i == 2 && !x->bias) || (i == 4 && !x->scratch)) continue;
        dnnl_memory_set_data_handle(memory[i], (void *)data[i]);
        args[count++] = (dnnl_exec_arg_t){places[i], memory[i]};
    }
    int before = use_threads(x->threads);
    bool good = dnnl_primitive_execute(x->primitive, x->stream, count, args) == dnnl_success && dnnl_stream_wait(x->stream) == dnnl_success;
    use_threads(before);
    if (mine) atomic_flag_clear(&x->busy);
    else free_memory(other);
    return good;
}
