/* Segments: sorted once; reductions split by segments among threads, or by columns where segments are few. */
#include "tensor/segment.h"

#include <string.h>

struct segments {
    nigh_context *ctx;
    int64_t n, count;
    int64_t *offset; /* [count + 1] */
    int64_t *order;  /* [n] rows by segment; NULL: as they are */
    int threads;
};

static nigh_status segments_new(nigh_context *ctx, int64_t n, int64_t count, int threads, segments **out)
{
    if (n < 0 || n > (int64_t)1 << 48 || count < 0 || count > (int64_t)1 << 48)
        return nigh_fail(ctx, NIGH_INVALID, "segments: n is %lld and count %lld; 0 to 2^48 is allowed", (long long)n, (long long)count);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "segments: threads is %d; 1 to 1024 is allowed", threads);
    segments *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (s) s->offset = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *s->offset);
    if (!s || !s->offset) {
        nigh_free(ctx, s);
        return NIGH_MEMORY;
    }
    s->ctx = ctx;
    s->n = n;
    s->count = count;
    s->threads = threads;
    *out = s;
    return NIGH_OK;
}

nigh_status segments_from_offsets(nigh_context *ctx, int64_t count, const int64_t *offsets, int threads, segments **out)
{
    for (int64_t i = 0; i <= count; i++)
        if (offsets[i] < (i ? offsets[i - 1] : 0) || (i == 0 && offsets[0]))
            return nigh_fail(ctx, NIGH_INVALID, "segments: offsets[%lld] is %lld; they rise from 0", (long long)i, (long long)offsets[i]);
    segments *s;
    nigh_status status = segments_new(ctx, count < 0 ? 0 : offsets[count], count, threads, &s);
    if (status) return status;
    memcpy(s->offset, offsets, ((size_t)count + 1) * sizeof *offsets);
    *out = s;
    return NIGH_OK;
}

nigh_status segments_from_ids(nigh_context *ctx, int64_t n, int64_t count, const int64_t *ids, int threads, segments **out)
{
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= count)
            return nigh_fail(ctx, NIGH_INVALID, "segments: ids[%lld] is %lld; 0 to %lld is allowed", (long long)i, (long long)ids[i], (long long)count - 1);
    segments *s;
    nigh_status status = segments_new(ctx, n, count, threads, &s);
    if (status) return status;
    s->order = nigh_alloc_zero(ctx, (size_t)n + 1, sizeof *s->order);
    if (!s->order) {
        segments_free(s);
        return NIGH_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) s->offset[ids[i] + 1]++;
    for (int64_t i = 0; i < count; i++) s->offset[i + 1] += s->offset[i];
    for (int64_t i = 0; i < n; i++) s->order[s->offset[ids[i]]++] = i;
    for (int64_t i = count; i > 0; i--) s->offset[i] = s->offset[i - 1];
    s->offset[0] = 0;
    *out = s;
    return NIGH_OK;
}

void segments_free(segments *s)
{
    if (!s) return;
    nigh_free(s->ctx, s->offset);
    nigh_free(s->ctx, s->order);
    nigh_free(s->ctx, s);
}

typedef struct job {
    const segments *s;
    const segment_kernels *kernels;
    segment_op op;
    bool add;
    size_t size;
    int64_t columns;
    const void *x;
    double empty;
    char *out;
    int64_t *arg;
} job;

static void run_part(const job *j, int64_t first, int64_t last, int64_t from, int64_t to)
{
    const segments *s = j->s;
    for (int64_t g = first; g < last; g++) {
        int64_t begin = s->offset[g], rows = s->offset[g + 1] - begin;
        const int64_t *order = s->order ? s->order + begin : NULL;
        void *out = j->out + (size_t)(g * j->columns) * j->size;
        int64_t *arg = j->arg ? j->arg + g * j->columns : NULL;
        if (j->op == SEGMENT_SUM || j->op == SEGMENT_MEAN) {
            if (rows == 0 && j->add) continue;
            j->kernels->sum(rows, begin, order, j->columns, from, to, j->op == SEGMENT_MEAN && rows ? 1 / (double)rows : 1, j->add, j->x, out);
        } else if (rows) {
            j->kernels->extreme(rows, begin, order, j->columns, from, to, j->op == SEGMENT_MIN, j->x, out, arg);
        } else {
            for (int64_t c = from; c < to; c++) {
                if (j->size == sizeof(float)) ((float *)out)[c] = (float)j->empty;
                else ((double *)out)[c] = j->empty;
                if (arg) arg[c] = -1;
            }
        }
    }
}

/* First segment of part t: where t / threads of the rows are behind. */
static int64_t part_start(const segments *s, int t, int threads)
{
    int64_t low = 0, high = s->count, want = s->n * t / threads;
    if (t == threads) return s->count;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (s->offset[mid] < want) low = mid + 1;
        else high = mid;
    }
    return t ? low : 0;
}

static void run_all(const job *j)
{
    const segments *s = j->s;
    int threads = (s->n + s->count) * j->columns < 1 << 16 ? 1 : s->threads;
    if (threads == 1) {
        run_part(j, 0, s->count, 0, j->columns);
        return;
    }
    bool by_columns = s->count < 8 * threads && j->columns >= 16 * threads;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        if (by_columns)
            run_part(j, 0, s->count, j->columns / 16 * t / threads * 16, t + 1 == threads ? j->columns : j->columns / 16 * (t + 1) / threads * 16);
        else
            run_part(j, part_start(s, t, threads), part_start(s, t + 1, threads), 0, j->columns);
    }
}

static const segment_kernels *kernels_for(nigh_dtype dtype)
{
    nigh_cpu_level level = nigh_cpu();
    return (level == NIGH_CPU_AVX512 ? segment_avx512 : level == NIGH_CPU_AVX2 ? segment_avx2 : segment_scalar) + (dtype == NIGH_F64);
}

void segments_reduce(const segments *s, segment_op op, nigh_dtype dtype, int64_t columns, const void *x, double empty, void *out, int64_t *arg)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64) return;
    job j = {s, kernels_for(dtype), op, false, nigh_dtype_size(dtype), columns, x, empty, out, arg};
    run_all(&j);
}

void segments_add(const segments *s, nigh_dtype dtype, int64_t columns, const void *x, void *out)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64) return;
    job j = {s, kernels_for(dtype), SEGMENT_SUM, true, nigh_dtype_size(dtype), columns, x, 0, out, NULL};
    run_all(&j);
}

void segments_reduce_back(const segments *s, segment_op op, nigh_dtype dtype, int64_t columns, const void *g, const int64_t *arg, void *dx)
{
    bool extreme = op == SEGMENT_MAX || op == SEGMENT_MIN, single = dtype == NIGH_F32;
    if (extreme) memset(dx, 0, (size_t)(s->n * columns) * nigh_dtype_size(dtype));
    int threads = s->n * columns < 1 << 16 ? 1 : s->threads;
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t k = 0; k < s->count; k++) {
        int64_t rows = s->offset[k + 1] - s->offset[k], at = k * columns;
        double factor = op == SEGMENT_MEAN && rows ? 1 / (double)rows : 1;
        for (int64_t c = 0; extreme && c < columns; c++) {
            if (arg[at + c] < 0) continue;
            if (single) ((float *)dx)[arg[at + c] * columns + c] = ((const float *)g)[at + c];
            else ((double *)dx)[arg[at + c] * columns + c] = ((const double *)g)[at + c];
        }
        for (int64_t i = 0; !extreme && i < rows; i++) {
            int64_t row = (s->order ? s->order[s->offset[k] + i] : s->offset[k] + i) * columns;
            if (single)
                for (int64_t c = 0; c < columns; c++) ((float *)dx)[row + c] = (float)factor * ((const float *)g)[at + c];
            else
                for (int64_t c = 0; c < columns; c++) ((double *)dx)[row + c] = factor * ((const double *)g)[at + c];
        }
    }
}

nigh_status gather_rows(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t rows, int64_t columns, const int64_t *ids, const void *x, int threads,
                        void *out)
{
    if (n < 0 || rows < 0 || columns < 0) return nigh_fail(ctx, NIGH_INVALID, "gather: %lld rows of [%lld, %lld]", (long long)n, (long long)rows, (long long)columns);
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= rows)
            return nigh_fail(ctx, NIGH_INVALID, "gather: ids[%lld] is %lld; 0 to %lld is allowed", (long long)i, (long long)ids[i], (long long)rows - 1);
    size_t bytes = (size_t)columns * nigh_dtype_size(dtype);
    if (n * columns < 1 << 16) threads = 1;
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < n; i++) memcpy((char *)out + (size_t)i * bytes, (const char *)x + (size_t)ids[i] * bytes, bytes);
    return NIGH_OK;
}
