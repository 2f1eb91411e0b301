/*
 * nearest: the outputs of the k nearest samples on standardised inputs, weighted by inverse distance (k = 1: the nearest
 * one's outputs as they are). Cover and Hart, "Nearest neighbor pattern classification"; Shepard, "A two-dimensional
 * interpolation function for irregularly-spaced data".
 *
 * Samples are kept in the order of a k-d tree (Friedman, Bentley and Finkel, "An algorithm for finding best matches in
 * logarithmic expected time"): the middle of a range is its node, cut along axis[middle]; ranges of LEAF or fewer have no
 * node. Up to TREE_INPUTS inputs the tree is searched, beyond every sample, where the tree prunes nothing. Of equally
 * near samples the one with the smaller position counts.
 */
#include "nigh/plan.h"
#include "regress/export.h"
#include "regress/fit.h"
#include "regress/methods.h"

#include <math.h>
#include <string.h>

enum { MOST_NEIGHBOURS = 8, LEAF = 12, TREE_INPUTS = 10, MOST_DEPTH = 64, PIECE = 128 };

typedef struct nearest {
    int64_t n, d, m;
    int k;
    double *shift, *stretch; /* [d] */
    double *point;           /* [n,d] */
    double *output;          /* [n,m] */
    int32_t *axis;           /* [n] */
} nearest;

static const nigh_option options[] = {
    {.name = "neighbours", .type = NIGH_OPTION_INT, .low = 1, .high = MOST_NEIGHBOURS, .value = 1, .grid = "1,2,4,8", .order = NIGH_ORDER_NONE,
     .unit = "samples", .help = "how many nearest samples, weighted by inverse distance"},
    {.name = NULL}};

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings) { return map_supports(ctx, problem); }

static double search_flops(double n, double d)
{
    const double alone = 6; /* flops of the vector units that one branching scalar operation takes as long as */
    if (d <= TREE_INPUTS) return alone * (d * fmin(n, 2 * LEAF * pow(1.8, d)) + 20 * log2(n + 1));
    return n * (3 * d + 100 * alone);
}

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double d = (double)nigh_shape_count(&problem->in), m = (double)nigh_shape_count(&problem->out), n = (double)n_fit;
    double k = nigh_setting(&nigh_method_nearest, settings, "neighbours");
    map_estimate(problem, n * d * log2(n + 1) * 4, search_flops(n, d) + 2 * k * m, 8 * n * (d + m), out);
    return NIGH_OK;
}

/* ---- search ---- */

typedef struct few {
    int k, found;
    double distance[MOST_NEIGHBOURS];
    int64_t at[MOST_NEIGHBOURS];
} few;

static inline bool nearer(double d, int64_t at, double d2, int64_t at2) { return d < d2 || (d == d2 && at < at2); }

static inline void offer(few *best, double d, int64_t at)
{
    if (isnan(d) || (best->found == best->k && !nearer(d, at, best->distance[best->k - 1], best->at[best->k - 1]))) return;
    int i = best->found < best->k ? best->found++ : best->k - 1;
    for (; i > 0 && nearer(d, at, best->distance[i - 1], best->at[i - 1]); i--) {
        best->distance[i] = best->distance[i - 1];
        best->at[i] = best->at[i - 1];
    }
    best->distance[i] = d;
    best->at[i] = at;
}

/* Squared distance, element by element: for a handful of inputs. */
static inline void visit(const nearest *s, const double *z, int64_t at, few *best)
{
    const double *p = s->point + at * s->d;
    double sum = 0;
    for (int64_t c = 0; c < s->d; c++) sum += (z[c] - p[c]) * (z[c] - p[c]);
    offer(best, sum, at);
}

/* Every sample, in pieces of PIECE inputs; a sample is left once it can no longer be among the best. */
static void search_all(const nearest *s, const double *z, few *best)
{
    const map_kernels *kernels = map_kernels_get();
    for (int64_t i = 0; i < s->n; i++) {
        const double *p = s->point + i * s->d;
        double most = best->found == best->k ? best->distance[best->k - 1] : INFINITY, sum = 0;
        for (int64_t j = 0; j < s->d && !(sum > most); j += PIECE) {
            int64_t part = s->d - j < PIECE ? s->d - j : PIECE;
            sum += kernels->gap(part, z + j, p + j);
        }
        offer(best, sum, i);
    }
}

static void search_tree(const nearest *s, const double *z, few *best)
{
    struct range {
        int64_t low, high;
        double gap; /* squared distance to the cut that leads there */
    } stack[MOST_DEPTH];
    int depth = 0;
    stack[depth++] = (struct range){0, s->n, 0};
    while (depth) {
        struct range r = stack[--depth];
        if (best->found == best->k && r.gap > best->distance[best->k - 1]) continue;
        if (r.high - r.low <= LEAF) {
            for (int64_t i = r.low; i < r.high; i++) visit(s, z, i, best);
            continue;
        }
        int64_t middle = r.low + (r.high - r.low) / 2, axis = s->axis[middle];
        double gap = z[axis] - s->point[middle * s->d + axis];
        visit(s, z, middle, best);
        struct range left = {r.low, middle, gap > 0 ? gap * gap : 0}, right = {middle + 1, r.high, gap < 0 ? gap * gap : 0};
        stack[depth++] = gap < 0 ? right : left;
        stack[depth++] = gap < 0 ? left : right;
    }
}

static void find(const nearest *s, const double *z, few *best)
{
    if (s->d <= TREE_INPUTS)
        search_tree(s, z, best);
    else
        search_all(s, z, best);
}

static void answer(const nearest *s, const double *z, double *out)
{
    few best = {.k = s->k};
    find(s, z, &best);
    if (best.found == 0) { /* an input that is no number is near to nothing */
        for (int64_t j = 0; j < s->m; j++) out[j] = NAN;
        return;
    }
    if (best.k == 1 || !(best.distance[0] > 0)) {
        memcpy(out, s->output + best.at[0] * s->m, (size_t)s->m * sizeof *out);
        return;
    }
    double weight[MOST_NEIGHBOURS], sum = 0;
    for (int i = 0; i < best.found; i++) sum += weight[i] = sqrt(best.distance[0] / best.distance[i]);
    memset(out, 0, (size_t)s->m * sizeof *out);
    for (int i = 0; i < best.found; i++) {
        const double *y = s->output + best.at[i] * s->m, w = weight[i] / sum;
        for (int64_t j = 0; j < s->m; j++) out[j] += w * y[j];
    }
}

/* ---- building ---- */

/* Swaps samples a and b. */
static void swap(nearest *s, int64_t a, int64_t b)
{
    double *sides[] = {s->point, s->output};
    int64_t widths[] = {s->d, s->m};
    for (int side = 0; side < 2 && a != b; side++)
        for (int64_t j = 0; j < widths[side]; j++) {
            double *p = sides[side] + a * widths[side] + j, *q = sides[side] + b * widths[side] + j, keep = *p;
            *p = *q;
            *q = keep;
        }
}

/* Quickselect: the sample at `middle` is where sorting [low, high) along the axis would put it. */
static void select_middle(nearest *s, int64_t low, int64_t high, int64_t middle, int64_t axis)
{
    while (high - low > 1) {
        double pivot = s->point[(low + (high - low) / 2) * s->d + axis];
        int64_t i = low, j = high - 1;
        while (i <= j) {
            while (s->point[i * s->d + axis] < pivot) i++;
            while (s->point[j * s->d + axis] > pivot) j--;
            if (i <= j) swap(s, i++, j--);
        }
        if (middle <= j)
            high = j + 1;
        else if (middle >= i)
            low = i;
        else
            return;
    }
}

static int64_t widest_axis(const nearest *s, int64_t low, int64_t high)
{
    int64_t axis = 0;
    double width = -1;
    for (int64_t c = 0; c < s->d; c++) {
        double least = INFINITY, most = -INFINITY;
        for (int64_t i = low; i < high; i++) {
            least = fmin(least, s->point[i * s->d + c]);
            most = fmax(most, s->point[i * s->d + c]);
        }
        if (most - least > width) width = most - least, axis = c;
    }
    return axis;
}

static void build_tree(nearest *s, int64_t low, int64_t high)
{
    while (high - low > LEAF) {
        int64_t middle = low + (high - low) / 2, axis = widest_axis(s, low, high);
        select_middle(s, low, high, middle, axis);
        s->axis[middle] = (int32_t)axis;
        build_tree(s, low, middle);
        low = middle + 1;
    }
}

static nigh_status alloc_state(nigh_arena *arena, nearest *s)
{
    size_t n = (size_t)s->n, d = (size_t)s->d, m = (size_t)s->m;
    bool all = (s->shift = nigh_arena_alloc(arena, d * sizeof(double))) && (s->stretch = nigh_arena_alloc(arena, d * sizeof(double))) &&
               (s->point = nigh_arena_alloc(arena, n * d * sizeof(double))) && (s->output = nigh_arena_alloc(arena, n * m * sizeof(double))) &&
               (s->axis = nigh_arena_alloc_zero(arena, n, sizeof(int32_t)));
    return all ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    nearest *s = fit->own;
    *s = (nearest){.n = fit->n, .d = fit->d, .m = fit->m, .k = (int)fmin(map_setting(fit, "neighbours"), (double)fit->n)};
    nigh_status status = alloc_state(fit->arena, s);
    if (status) return status;
    map_moments(s->n, s->d, fit->x, true, s->shift, s->stretch);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < s->d; j++) s->point[i * s->d + j] = (fit->x[i * s->d + j] - s->shift[j]) * s->stretch[j];
    memcpy(s->output, fit->y, (size_t)(s->n * s->m) * sizeof *s->output);
    if (s->d <= TREE_INPUTS) build_tree(s, 0, s->n);
    return nigh_poll(ctx);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    void *fit = NULL;
    nigh_status status = map_fit_start(ctx, &nigh_method_nearest, problem, samples, settings, solve, &fit);
    if (status) return status;
    map_fit *shell = fit;
    if (!(shell->own = nigh_arena_alloc_zero(shell->arena, 1, sizeof(nearest)))) {
        map_fit_abandon(ctx, shell);
        return NIGH_MEMORY;
    }
    *out = shell;
    return NIGH_OK;
}

/* ---- the plan ---- */

static size_t plan_workspace(const nigh_plan *plan, int64_t block) { return (size_t)((const nearest *)plan->state)->d * sizeof(double); }

static void plan_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    const nearest *s = plan->state;
    const map_kernels *kernels = map_kernels_get();
    for (int64_t i = 0; i < n; i++) {
        kernels->standardise(s->d, (const double *)in + i * s->d, s->shift, s->stretch, workspace);
        answer(s, workspace, (double *)out + i * s->m);
    }
}

static nigh_status plan_save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    const nearest *s = plan->state;
    int64_t sizes[] = {s->n, s->d, s->m, s->k};
    nigh_status status = nigh_planfile_put(file, "sizes", &(nigh_shape){NIGH_I64, 1, {4}}, sizes);
    if (!status) status = nigh_planfile_put(file, "shift", &(nigh_shape){NIGH_F64, 1, {s->d}}, s->shift);
    if (!status) status = nigh_planfile_put(file, "stretch", &(nigh_shape){NIGH_F64, 1, {s->d}}, s->stretch);
    if (!status) status = nigh_planfile_put(file, "points", &(nigh_shape){NIGH_F64, 2, {s->n, s->d}}, s->point);
    if (!status) status = nigh_planfile_put(file, "outputs", &(nigh_shape){NIGH_F64, 2, {s->n, s->m}}, s->output);
    return status ? status : nigh_planfile_put(file, "axis", &(nigh_shape){NIGH_I32, 1, {s->n}}, s->axis);
}

static nigh_status plan_export(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text)
{
    const nearest *s = plan->state;
    long long n = s->n, d = s->d, m = s->m;
    nigh_status status = map_export_room(ctx, (double)s->n * (double)(s->d + s->m));
    if (!status) status = nigh_buffer_print(text, "#include <math.h>\n");
    if (!status) status = map_export_doubles(text, "shift", 1, d, d, s->shift);
    if (!status) status = map_export_doubles(text, "stretch", 1, d, d, s->stretch);
    if (!status) status = map_export_doubles(text, "points", n, d, d, s->point);
    if (!status) status = map_export_doubles(text, "outputs", n, m, m, s->output);
    if (status) return status;
    return nigh_buffer_print(
        text,
        "\n/* n inputs of %lld numbers each to n outputs of %lld: every sample is looked at, no tree. */\n"
        "void %s(long n, const double *in, double *out);\n"
        "void %s(long n, const double *in, double *out)\n"
        "{\n"
        "    enum { N = %lld, D = %lld, M = %lld, K = %d };\n"
        "    for (long i = 0; i < n; i++) {\n"
        "        const double *x = in + i * D;\n"
        "        double *y = out + i * M, z[D], near[K] = {0}, sum = 0;\n"
        "        long at[K] = {0}, found = 0, j, k;\n"
        "        for (j = 0; j < D; j++) z[j] = (x[j] - shift[j]) * stretch[j];\n"
        "        for (k = 0; k < N; k++) {\n"
        "            double d = 0;\n"
        "            for (j = 0; j < D; j++) d += (z[j] - points[k * D + j]) * (z[j] - points[k * D + j]);\n"
        "            if (!(found < K || d < near[K - 1]) || !(d == d)) continue;\n"
        "            if (found < K) found++;\n"
        "            for (j = found - 1; j > 0 && d < near[j - 1]; j--) near[j] = near[j - 1], at[j] = at[j - 1];\n"
        "            near[j] = d;\n"
        "            at[j] = k;\n"
        "        }\n"
        "        for (j = 0; j < M; j++) y[j] = found ? 0 : NAN;\n"
        "        if (found && !(near[0] > 0)) found = 1;\n"
        "        for (k = 0; k < found; k++) sum += k ? sqrt(near[0] / near[k]) : 1;\n"
        "        for (k = 0; k < found; k++)\n"
        "            for (j = 0; j < M; j++) y[j] += (k ? sqrt(near[0] / near[k]) : 1) / sum * outputs[at[k] * M + j];\n"
        "    }\n"
        "}\n",
        d, m, name, name, n, d, m, s->k);
}

static const nigh_plan_ops plan_ops = {.workspace = plan_workspace, .apply = plan_apply, .save = plan_save, .export_c = plan_export};

static void set_work(nigh_plan *plan, nearest *s)
{
    double n = (double)s->n, d = (double)s->d, m = (double)s->m;
    plan->state = s;
    plan->bytes = 8 * n * (d + m) + 4 * n + 16 * d;
    plan->work = (nigh_work){.flops = search_flops(n, d) + 2 * s->k * m, .bytes = 8 * (d + m)};
}

static nigh_status finish(nigh_context *ctx, void *fit, nigh_plan **out)
{
    map_fit *shell = fit;
    if (!shell->done) return nigh_fail(ctx, NIGH_INVALID, "nearest was not fitted yet; advance it by one unit");
    const nearest *from = shell->own;
    nigh_plan *plan = NULL;
    nigh_status status = nigh_plan_new(ctx, shell->method, &shell->settings, &shell->in, &shell->out, &plan_ops, &plan);
    if (status) return status;
    nearest *s = nigh_arena_alloc(plan->arena, sizeof *s);
    if (s) *s = *from;
    status = s ? alloc_state(plan->arena, s) : NIGH_MEMORY;
    if (!status) status = map_fit_box(shell, plan);
    if (status) {
        nigh_plan_free(ctx, plan);
        return status;
    }
    memcpy(s->shift, from->shift, (size_t)s->d * sizeof *s->shift);
    memcpy(s->stretch, from->stretch, (size_t)s->d * sizeof *s->stretch);
    memcpy(s->point, from->point, (size_t)(s->n * s->d) * sizeof *s->point);
    memcpy(s->output, from->output, (size_t)(s->n * s->m) * sizeof *s->output);
    memcpy(s->axis, from->axis, (size_t)s->n * sizeof *s->axis);
    set_work(plan, s);
    *out = plan;
    return NIGH_OK;
}

static nigh_status read_state(nigh_context *ctx, nigh_planfile *file, nigh_arena *arena, nearest *s)
{
    const void *data, *shift, *stretch, *points, *outputs, *axis;
    nigh_status status = nigh_planfile_get(file, "sizes", NIGH_I64, 1, (int64_t[]){4}, &data);
    if (status) return status;
    const int64_t *sizes = data, most = (int64_t)1 << 31;
    *s = (nearest){.n = sizes[0], .d = sizes[1], .m = sizes[2], .k = (int)(sizes[3] & 15)};
    if (s->n < 1 || s->n > most || s->d < 1 || s->d > 1 << 24 || s->m < 1 || s->m > 1 << 24 || sizes[3] < 1 || sizes[3] > MOST_NEIGHBOURS ||
        sizes[3] > s->n)
        return nigh_fail(ctx, NIGH_FORMAT, "the plan's array 'sizes' states widths that no plan of nearest has");
    status = nigh_planfile_get(file, "shift", NIGH_F64, 1, (int64_t[]){s->d}, &shift);
    if (!status) status = nigh_planfile_get(file, "stretch", NIGH_F64, 1, (int64_t[]){s->d}, &stretch);
    if (!status) status = nigh_planfile_get(file, "points", NIGH_F64, 2, (int64_t[]){s->n, s->d}, &points);
    if (!status) status = nigh_planfile_get(file, "outputs", NIGH_F64, 2, (int64_t[]){s->n, s->m}, &outputs);
    if (!status) status = nigh_planfile_get(file, "axis", NIGH_I32, 1, (int64_t[]){s->n}, &axis);
    if (!status) status = alloc_state(arena, s);
    if (status) return status;
    memcpy(s->shift, shift, (size_t)s->d * sizeof *s->shift);
    memcpy(s->stretch, stretch, (size_t)s->d * sizeof *s->stretch);
    memcpy(s->point, points, (size_t)(s->n * s->d) * sizeof *s->point);
    memcpy(s->output, outputs, (size_t)(s->n * s->m) * sizeof *s->output);
    memcpy(s->axis, axis, (size_t)s->n * sizeof *s->axis);
    for (int64_t i = 0; i < s->n; i++)
        if (s->axis[i] < 0 || s->axis[i] >= s->d)
            return nigh_fail(ctx, NIGH_FORMAT, "sample %lld of the plan is cut along axis %d; 0 to %lld exist", (long long)i, s->axis[i],
                             (long long)s->d - 1);
    return NIGH_OK;
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **out)
{
    nigh_plan *plan = NULL;
    const nigh_shape *in = nigh_planfile_in(file), *shape = nigh_planfile_out(file);
    nigh_status status = nigh_plan_new(ctx, &nigh_method_nearest, nigh_planfile_settings(file), in, shape, &plan_ops, &plan);
    if (status) return status;
    nearest *s = nigh_arena_alloc(plan->arena, sizeof *s);
    status = s ? read_state(ctx, file, plan->arena, s) : NIGH_MEMORY;
    if (!status && (in->dtype != NIGH_F64 || shape->dtype != NIGH_F64 || s->d != nigh_shape_count(in) || s->m != nigh_shape_count(shape)))
        status = nigh_fail(ctx, NIGH_FORMAT, "the plan's arrays are for %lld inputs and %lld outputs, its shapes are not", (long long)s->d,
                           (long long)s->m);
    if (status) {
        nigh_plan_free(ctx, plan);
        return status;
    }
    set_work(plan, s);
    *out = plan;
    return NIGH_OK;
}

const nigh_method nigh_method_nearest = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "nearest",
    .problem = "map",
    .summary = "outputs of the nearest samples, weighted by inverse distance",
    .source = "Cover and Hart, \"Nearest neighbor pattern classification\"; Friedman, Bentley and Finkel, \"An algorithm for finding best "
              "matches in logarithmic expected time\"",
    .when = "Rough maps with jumps, few inputs, many samples; and as the plain rival of everything else.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = finish,
    .abandon = map_fit_abandon, .load = load,
};
