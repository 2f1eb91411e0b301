/*
 * Linear bounds of a network alone: reads a network and a box, times the library's calls, prints what came out.
 *
 *     crown_time NET BOX [--count THREADS] [--repeats N] [--steps N] [--fast]
 *
 * NET and BOX are arrays of f64 as crown_beside.py writes them. Timed: bounds_interval, bounds_crown and bounds_lower of both signs of all outputs ("crown"), from a
 * prepared object on; with --steps: bounds_optimise of each of these rows with slopes of its own ("optimised", the time of "crown" included). One line of JSON.
 */
#include "verify/bounds.h"
#include "verify/graph_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *load(const char *path, size_t *count)
{
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *count = (size_t)ftell(file) / sizeof(double);
    rewind(file);
    double *x = malloc(*count * sizeof *x + 1);
    if (!x || fread(x, sizeof *x, *count, file) != *count) exit(2);
    fclose(file);
    return x;
}

static double *take(graph_build *build, const double **at, int64_t n)
{
    double *x = nigh_arena_alloc(build->graph->arena, (size_t)n * sizeof *x);
    memcpy(x, *at, (size_t)n * sizeof *x);
    *at += n;
    return x;
}

static const double ones[2] = {1, 1};

/* Records: kind, numbers, arrays. 0 size; 1 from size, W, b; 2 from h w c out kernel stride pad, W, b [out]; 3 from; 4 from from. */
static int read_node(graph_build *build, const double **at)
{
    const double *p = *at;
    int kind = (int)p[0], from[2] = {(int)p[1], (int)p[2]};
    *at += kind == 0 ? 2 : kind == 1 ? 3 : kind == 2 ? 9 : kind == 3 ? 2 : 3;
    bound_node node = {.name = "node", .inputs = 1, .input = from};
    if (kind == 0) node = (bound_node){.kind = BOUND_INPUT, .name = "input", .size = (int64_t)p[1]};
    else if (kind == 1) {
        int64_t n = build->graph->node[from[0]].size;
        node.kind = BOUND_DENSE, node.size = (int64_t)p[2], node.roundings = (int)n + 1;
        node.weight = take(build, at, n * node.size), node.bias = take(build, at, node.size);
    } else if (kind == 2) {
        bound_window w = {(int64_t)p[2], (int64_t)p[3], (int64_t)p[4], 0, 0, (int64_t)p[5], {(int64_t)p[6], (int64_t)p[6]}, {(int64_t)p[7], (int64_t)p[7]}, {1, 1}, {(int64_t)p[8], (int64_t)p[8]}, 1};
        w.out_height = (w.height + 2 * w.pad[0] - w.kernel[0]) / w.stride[0] + 1, w.out_width = (w.width + 2 * w.pad[1] - w.kernel[1]) / w.stride[1] + 1;
        node.kind = BOUND_CONVOLUTION, node.size = w.out_height * w.out_width * w.out_channels, node.window = w, node.roundings = (int)(w.kernel[0] * w.kernel[1] * w.channels) + 1;
        node.weight = take(build, at, w.kernel[0] * w.kernel[1] * w.channels * w.out_channels);
        double *bias = nigh_arena_alloc(build->graph->arena, (size_t)node.size * sizeof *bias);
        for (int64_t i = 0; i < node.size; i++) bias[i] = (*at)[i % w.out_channels];
        *at += w.out_channels;
        node.bias = bias;
    } else if (kind == 3) node.kind = BOUND_ACTIVATION, node.size = build->graph->node[from[0]].size;
    else node.kind = BOUND_SUM, node.inputs = 2, node.scale = ones, node.size = build->graph->node[from[0]].size, node.roundings = 1;
    return graph_build_add(build, &node);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print(const char *name, double *seconds, int repeats, int64_t outputs, const double *bound)
{
    qsort(seconds, (size_t)repeats, sizeof *seconds, compare);
    printf("\"%s\": {\"best_ms\": %.4f, \"median_ms\": %.4f, \"low\": [", name, seconds[0] * 1e3, seconds[repeats / 2] * 1e3);
    for (int64_t i = 0; i < outputs; i++) printf("%s%.9g", i ? ", " : "", bound[2 * i]);
    printf("], \"high\": [");
    for (int64_t i = 0; i < outputs; i++) printf("%s%.9g", i ? ", " : "", -bound[2 * i + 1]);
    printf("]}");
}

int main(int argc, char **argv)
{
    int threads = 1, repeats = 20, steps = 0;
    bool fast = false;
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--fast")) fast = true;
        else if (i + 1 < argc && !strcmp(argv[i], "--count")) threads = atoi(argv[++i]);
        else if (i + 1 < argc && !strcmp(argv[i], "--repeats")) repeats = atoi(argv[++i]);
        else if (i + 1 < argc && !strcmp(argv[i], "--steps")) steps = atoi(argv[++i]);
    }
    nigh_context *ctx;
    graph_build build;
    size_t count, box_count;
    double *net = argc > 2 ? load(argv[1], &count) : NULL, *box = argc > 2 ? load(argv[2], &box_count) : NULL;
    if (!net || !box || repeats < 1 || nigh_context_new(&ctx) || graph_build_new(ctx, &build)) return 2;
    const double *at = net;
    int last = 0;
    while (at < net + count) last = read_node(&build, &at);
    bound_graph *g = build.graph;
    bounds *b;
    bounds_batch batch, each;
    bounds_options options = {.fast = fast, .threads = threads};
    if (graph_build_finish(&build, last, g->node[last].size) || bounds_new(ctx, g, &options, box, box + g->inputs, &b) || bounds_batch_new(ctx, g, 1, 0, &batch)) return 2;
    int64_t n = g->node[last].size;
    batch.domains = 1;
    memcpy(batch.low, box, (size_t)g->inputs * sizeof *box);
    memcpy(batch.high, box + g->inputs, (size_t)g->inputs * sizeof *box);
    double *row = calloc((size_t)(2 * n * n), sizeof *row), *bound = malloc((size_t)(2 * n) * sizeof *bound), *seconds = malloc((size_t)repeats * sizeof *seconds);
    for (int64_t i = 0; i < 2 * n; i++) row[i * n + i / 2] = i % 2 ? -1 : 1;
    bounds_rows rows = {.node = last, .rows = 2 * n, .coefficient = row, .shared = true, .bound = bound};
    for (int r = 0; r < repeats; r++) {
        double start = nigh_clock();
        bounds_interval(b, &batch, false);
        if (bounds_crown(b, &batch, 0) || bounds_lower(b, &batch, &rows)) return 2;
        seconds[r] = nigh_clock() - start;
    }
    printf("{");
    print("crown", seconds, repeats, n, bound);
    printf(", \"uncertain\": [");
    for (int a = 0; a < g->activations; a++) {
        int64_t size = g->node[g->activation[a]].size, open = 0;
        for (int64_t j = 0; j < size; j++) open += batch.pre_low[a][j] < 0 && batch.pre_high[a][j] > 0;
        printf("%s%lld", a ? ", " : "", (long long)open);
    }
    printf("]");
    if (steps > 0) {
        if (bounds_batch_new(ctx, g, 2 * n, BOUNDS_SLOPE, &each)) return 2;
        bounds_rows own = {.node = last, .rows = 1, .coefficient = row, .bound = bound};
        for (int r = 0; r < repeats; r++) {
            double start = nigh_clock();
            bounds_interval(b, &batch, false);
            if (bounds_crown(b, &batch, 0)) return 2;
            each.domains = 2 * n;
            for (int64_t i = 0; i < 2 * n; i++) bounds_batch_copy(g, &batch, 0, &each, i);
            bounds_slopes(g, &each, 0);
            if (bounds_optimise(b, &each, &own, &(bounds_optimise_options){.steps = steps})) return 2;
            seconds[r] = nigh_clock() - start;
        }
        printf(", ");
        print("optimised", seconds, repeats, n, bound);
        bounds_batch_free(ctx, g, &each);
    }
    printf("}\n");
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
    nigh_context_free(ctx);
    free(net), free(box), free(row), free(bound), free(seconds);
    return 0;
}
