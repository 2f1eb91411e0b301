/* Networks on other grids: at the trained grid nothing changes, finer grids converge, what goes by index is refused; layers in physical units beside their exact limits. */
#include "support.h"

#include "nigh/discretise.h"
#include "nigh/fields.h"
#include "nigh/layers.h"
#include "nigh/pde.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum which { CONV, CONV_STRIDED, PATCHES, FNO, WHICH } which;

static nigh_network *network_new(nigh_context *ctx, which kind, nigh_dtype dtype, int dims, int64_t n, nigh_grid grid)
{
    nigh_network *net = NULL;
    nigh_padding padding = grid == NIGH_GRID_PERIODIC ? NIGH_PAD_CIRCULAR : NIGH_PAD_ZERO;
    nigh_unet_spec unet = {.dims = dims, .in = 2, .out = 1, .base = 4, .scales = 3, .padding = padding, .norm = kind == CONV ? NIGH_UNET_PLAIN : NIGH_UNET_GROUP, .strided = kind == CONV_STRIDED,
                           .transposed = kind == CONV_STRIDED};
    nigh_patches_spec patches = {.dims = dims, .in = 2, .out = 1, .size = {n, n}, .patch = 4, .width = 8, .heads = 2, .layers = 1, .padding = padding};
    nigh_fno_spec fno = {.dims = dims, .in = 2, .out = 1, .width = 4, .modes = {6, 6}, .layers = 2, .no_grid = grid == NIGH_GRID_PERIODIC};
    if (kind == PATCHES) assert_ok(ctx, nigh_patches_new(ctx, dtype, &patches, &net));
    else if (kind == FNO) assert_ok(ctx, nigh_fno_new(ctx, dtype, &fno, &net));
    else assert_ok(ctx, nigh_unet_new(ctx, dtype, &unet, &net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 5));
    return net;
}

/* The first output for inputs [samples, n.., channels] filled by `fill`. */
static double *answer(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, const double *x, int64_t *count)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_node y, *w = malloc((size_t)(nigh_parameters_count(set) + 1) * sizeof *w);
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node in = nigh_tape_input(tape, "x", shape->dtype, shape->ndim, shape->dim);
    assert_ok(ctx, nigh_parameters_record(set, tape, w));
    assert_ok(ctx, nigh_network_record(net, tape, NULL, &in, w, &y));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    assert_ok(ctx, nigh_parameters_bind(set, run, w));
    nigh_array a = {*shape, nigh_executor_data(run, in)}, b = {*nigh_tape_shape(tape, y), NULL};
    for (int64_t i = 0; i < nigh_shape_count(shape); i++) nigh_array_set(&a, i, x[i]);
    assert_ok(ctx, nigh_executor_run(run));
    b.data = nigh_executor_data(run, y);
    *count = nigh_shape_count(&b.shape);
    double *out = malloc((size_t)*count * sizeof *out);
    for (int64_t i = 0; i < *count; i++) out[i] = nigh_array_get(&b, i);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    free(w);
    return out;
}

static nigh_shape field(nigh_dtype dtype, int dims, int64_t n, int64_t channels)
{
    nigh_shape s = {dtype, dims + 2, {2, n, n, channels}};
    if (dims == 1) s.dim[2] = channels;
    return s;
}

static double *waves(const nigh_shape *s)
{
    int64_t n = nigh_shape_count(s);
    double *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = sin(1.1 * (double)i) + cos(0.17 * (double)(i % 37));
    return x;
}

static double distance(const double *a, const double *b, int64_t n)
{
    double d = 0, size = 0;
    for (int64_t i = 0; i < n; i++) d += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
    return sqrt(d / size);
}

/* ---- at the trained grid ------------------------------------------------------------------------------ */

static void test_same_grid(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int k = 0; k < WHICH * 2 * 3 * 5; k++) {
        which kind = (which)(k % WHICH);
        int dims = 1 + k / WHICH % 2;
        nigh_grid grid = (nigh_grid)(NIGH_GRID_CELL + k / WHICH / 2 % 3);
        nigh_resampling how = (nigh_resampling)(k / WHICH / 6);
        if (how == NIGH_RESAMPLING_FOURIER && grid != NIGH_GRID_PERIODIC) continue;
        nigh_network *net = network_new(ctx, kind, NIGH_F32, dims, 16, grid), *same = NULL;
        nigh_discretisation spec = {.dims = dims, .trained = {16, 16}, .grid = grid, .resampling = how};
        nigh_shape shape = field(NIGH_F32, dims, 16, 2);
        int64_t n, m;
        double *x = waves(&shape), *y = answer(ctx, net, &shape, x, &n);
        for (int wrapper = 0; wrapper < 2; wrapper++) {
            spec.wrapper = wrapper;
            assert_ok(ctx, nigh_network_rewrite(net, &spec, (int64_t[]){16, 16}, &same));
            double *z = answer(ctx, same, &shape, x, &m);
            assert_int_equal(n, m);
            if (distance(z, y, n) > 1e-6) fail_msg("network %d, %d dimensions, grid %s, %s: differs by %g", kind, dims, nigh_grid_name(grid), nigh_resampling_name(how), distance(z, y, n));
            nigh_network_free(same);
            free(z);
        }
        free(x), free(y);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* ---- other grids -------------------------------------------------------------------------------------- */

/* Tape, plain rules and a file agree on rewritten networks; sizes are those of the grid. */
static void test_forms(void **state)
{
    nigh_context *ctx = test_context_new();
    static const nigh_resampling hows[] = {NIGH_RESAMPLING_LINEAR, NIGH_RESAMPLING_POINTS, NIGH_RESAMPLING_DERIVATIVE, NIGH_RESAMPLING_FOURIER};
    static const int64_t grids[] = {32, 20, 8};
    for (int k = 0; k < 24; k++) {
        bool around = k % 4 == 3;
        nigh_network *net = network_new(ctx, k % 2 ? CONV : PATCHES, NIGH_F64, 1, 16, around ? NIGH_GRID_PERIODIC : NIGH_GRID_CELL), *other = NULL, *read = NULL;
        nigh_discretisation spec = {.dims = 1, .trained = {16}, .grid = around ? NIGH_GRID_PERIODIC : NIGH_GRID_CELL, .resampling = hows[k % 4], .wrapper = k >= 12};
        int64_t n = grids[k / 4 % 3], count;
        assert_ok(ctx, nigh_network_rewrite(net, &spec, &n, &other));
        nigh_shape shape = field(NIGH_F64, 1, n, 2);
        double *x = waves(&shape), *y = answer(ctx, other, &shape, x, &count);
        assert_int_equal(count, 2 * n);
        nigh_buffer bytes = {.ctx = ctx};
        assert_ok(ctx, nigh_network_format(other, &bytes));
        assert_ok(ctx, nigh_network_parse(ctx, bytes.data, bytes.size, "memory", &read));
        double *z = answer(ctx, read, &shape, x, &count);
        assert_memory_equal(y, z, (size_t)count * sizeof *y);
        free(z);
        nigh_buffer_free(&bytes);
        if (k % 2) { /* kinds of attention have no plain rule */
            nigh_array out = {0};
            nigh_status status = nigh_network_evaluate_f64(other, &(nigh_array){shape, x}, &out);
            if (status == NIGH_UNSUPPORTED) assert_non_null(strstr(nigh_message(ctx), "resample"));
            else assert_true(status == NIGH_OK && distance(out.data, y, count) < 1e-12);
            nigh_array_free(ctx, &out);
        }
        free(x), free(y);
        nigh_network_free(read), nigh_network_free(other), nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* A field that both grids can tell, through a linear network of one convolution: Fourier kernels give the same at shared points, hats the same up to their own smoothing. */
static void test_convolution(void **state)
{
    nigh_context *ctx = test_context_new();
    static const nigh_resampling hows[] = {NIGH_RESAMPLING_FOURIER, NIGH_RESAMPLING_POINTS, NIGH_RESAMPLING_LINEAR};
    static const double most[] = {1e-12, 1e-12, 0.05};
    for (int k = 0; k < 3; k++) {
        nigh_network *net = NULL, *other = NULL;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
        int x = nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 1});
        nigh_network_output(net, nigh_network_conv_same(net, "conv", x, 1, 2, 1, 5, NIGH_PAD_CIRCULAR, true));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
        nigh_discretisation spec = {.dims = 1, .trained = {16}, .grid = NIGH_GRID_PERIODIC, .resampling = hows[k]};
        assert_ok(ctx, nigh_network_rewrite(net, &spec, (int64_t[]){48}, &other));
        nigh_shape coarse = {NIGH_F64, 3, {1, 16, 1}}, fine = {NIGH_F64, 3, {1, 48, 1}};
        double a[16], b[48];
        for (int i = 0; i < 48; i++) b[i] = 0.3 + sin(2 * M_PI * i / 48.0) + 0.5 * cos(2 * M_PI * 2 * i / 48.0);
        for (int i = 0; i < 16; i++) a[i] = b[3 * i];
        int64_t n;
        double *y = answer(ctx, net, &coarse, a, &n), *z = answer(ctx, other, &fine, b, &n);
        for (int i = 0; i < 32; i++) assert_near(z[i / 2 * 6 + i % 2], y[i], most[k], most[k]);
        free(y), free(z);
        nigh_network_free(other), nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Dense layers over all points, sums and tables of positions: as integrals they give the same for a smooth field on a finer grid. */
static void test_integrals(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = NULL, *other = NULL;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int x = nigh_network_input(net, "x", 3, (int64_t[]){-1, 32, 2});
    int table = nigh_network_weight(net, "table", 2, (int64_t[]){40, 2}, (nigh_init){NIGH_INIT_ZERO, 0});
    int tokens = nigh_network_add(net, "reshape", "tokens", 1, &x, 0, NULL, 1, &(nigh_attribute){"shape", 0, "0,32,2"});
    int placed = nigh_network_add(net, "positions", "placed", 1, &tokens, 1, &table, 0, NULL);
    int total = nigh_network_add(net, "sum", "total", 1, &placed, 0, NULL, 1, &(nigh_attribute){"axes", 0, "1"});
    int flat = nigh_network_layer(net, "flatten", "flat", 1, &x);
    nigh_network_output(net, total);
    nigh_network_output(net, nigh_network_linear(net, "dense", flat, 64, 3, true));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    for (int i = 0; i < 80; i++) ((double *)nigh_parameters_data(nigh_network_parameters(net), table))[i] = i < 64 ? cos(2 * M_PI * (i / 2) / 32.0) + 0.2 : 1e3;
    nigh_discretisation spec = {.dims = 1, .trained = {32}, .grid = NIGH_GRID_PERIODIC};
    assert_ok(ctx, nigh_network_rewrite(net, &spec, (int64_t[]){96}, &other));
    double out[2][5];
    for (int k = 0; k < 2; k++) {
        int64_t n = k ? 96 : 32;
        nigh_array in = {{NIGH_F64, 3, {1, n, 2}}, malloc((size_t)(2 * n) * sizeof(double))}, y[2] = {{{0}, NULL}};
        for (int64_t i = 0; i < 2 * n; i++) ((double *)in.data)[i] = 1 + sin(2 * M_PI * (double)(i / 2) / (double)n + (double)(i % 2));
        nigh_tape *tape = NULL;
        nigh_executor *run = NULL;
        nigh_network *use = k ? other : net;
        nigh_node w[8], node[2];
        assert_ok(ctx, nigh_tape_new(ctx, &tape));
        nigh_node from = nigh_tape_input(tape, "x", NIGH_F64, 3, in.shape.dim);
        assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(use), tape, w));
        assert_ok(ctx, nigh_network_record(use, tape, NULL, &from, w, node));
        assert_ok(ctx, nigh_executor_new(ctx, tape, 2, node, &run));
        assert_ok(ctx, nigh_parameters_bind(nigh_network_parameters(use), run, w));
        memcpy(nigh_executor_data(run, from), in.data, (size_t)(2 * n) * sizeof(double));
        assert_ok(ctx, nigh_executor_run(run));
        memcpy(out[k], nigh_executor_data(run, node[0]), 2 * sizeof(double)), memcpy(out[k] + 2, nigh_executor_data(run, node[1]), 3 * sizeof(double));
        nigh_executor_free(run);
        nigh_tape_free(tape);
        free(in.data);
        nigh_array_free(ctx, &y[0]);
    }
    for (int i = 0; i < 5; i++) assert_near(out[1][i], out[0][i], 1e-11, 1e-11);
    nigh_network_free(other), nigh_network_free(net);
    test_context_free(ctx);
}

/* Gradients of derived weights reach the trained ones: a loss of the rewritten network falls along them as differences say. */
static void test_tied_weights(void **state)
{
    nigh_context *ctx = test_context_new();
    static const nigh_resampling hows[] = {NIGH_RESAMPLING_LINEAR, NIGH_RESAMPLING_DERIVATIVE, NIGH_RESAMPLING_POINTS};
    for (int k = 0; k < 3; k++) {
        nigh_network *net = network_new(ctx, CONV, NIGH_F64, 2, 16, NIGH_GRID_PERIODIC), *other = NULL;
        nigh_discretisation spec = {.dims = 2, .trained = {16, 16}, .grid = NIGH_GRID_PERIODIC, .resampling = hows[k]};
        const int64_t grid[] = {24, 24};
        assert_ok(ctx, nigh_network_rewrite(net, &spec, grid, &other));
        nigh_parameters *set = nigh_network_parameters(net), *then = nigh_network_parameters(other);
        nigh_shape shape = field(NIGH_F64, 2, 24, 2);
        nigh_tape *tape = NULL;
        nigh_executor *run = NULL;
        nigh_node w[128], derived[128], y, slope;
        assert_ok(ctx, nigh_tape_new(ctx, &tape));
        nigh_node in = nigh_tape_input(tape, "x", NIGH_F64, 4, shape.dim);
        assert_ok(ctx, nigh_parameters_record(set, tape, w));
        assert_ok(ctx, nigh_network_rewrite_record(net, &spec, grid, other, tape, w, derived));
        assert_ok(ctx, nigh_network_record(other, tape, NULL, &in, derived, &y));
        nigh_node loss = nigh_tape_mean(tape, nigh_tape_square(tape, y), NIGH_ALL, false);
        assert_ok(ctx, nigh_tape_gradient(tape, loss, NIGH_NONE, 1, &w[0], &slope));
        assert_ok(ctx, nigh_executor_new(ctx, tape, 3, (nigh_node[]){loss, slope, y}, &run));
        assert_ok(ctx, nigh_parameters_bind(set, run, w));
        double *x = waves(&shape), *weight = nigh_parameters_data(set, 0);
        memcpy(nigh_executor_data(run, in), x, (size_t)nigh_shape_count(&shape) * sizeof *x);
        assert_ok(ctx, nigh_executor_run(run));
        double gradient = ((double *)nigh_executor_data(run, slope))[3], was = weight[3], side[2];
        int64_t n;
        double *plain = answer(ctx, other, &shape, x, &n);
        assert_true(distance(nigh_executor_data(run, y), plain, n) < 1e-12);
        for (int s = 0; s < 2; s++) {
            weight[3] = was + (s ? 1e-5 : -1e-5);
            assert_ok(ctx, nigh_executor_run(run));
            side[s] = *(double *)nigh_executor_data(run, loss);
        }
        assert_near((side[1] - side[0]) / 2e-5, gradient, 1e-9, 1e-6);
        assert_true(nigh_parameters_count(then) == nigh_parameters_count(set));
        free(plain), free(x);
        nigh_executor_free(run);
        nigh_tape_free(tape);
        nigh_network_free(other), nigh_network_free(net);
    }
    test_context_free(ctx);
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static nigh_network *physical_network(nigh_context *ctx)
{
    nigh_network *net = NULL;
    const nigh_physical spec = {.grid = NIGH_GRID_PERIODIC, .radius = 0.3, .rings = 2, .sectors = 3};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, -1, -1, 2});
    x = nigh_network_disc_conv(net, "disc", x, 2, 3, 2, &spec, true);
    x = nigh_network_layer(net, "tanh", "act", 1, &x);
    nigh_network_output(net, nigh_network_difference_conv(net, "difference", x, 3, 1, 2, &spec, true));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 5));
    return net;
}

/* Rewritten networks as C: compiled, they give what the tape gives. */
static void test_export(void **state)
{
    static const char main_c[] = "#include <stdio.h>\n#include <stdlib.h>\n#include \"model.c\"\nint main(void)\n{\n    static float x[200], y[100], s[model_SCRATCH + 1];\n"
                                 "    if (fread(x, sizeof *x, 200, stdin) != 200) return 1;\n    model(x, y, s);\n    return fwrite(y, sizeof *y, 100, stdout) != 100;\n}\n";
    static const nigh_resampling hows[] = {NIGH_RESAMPLING_LINEAR, NIGH_RESAMPLING_FOURIER, NIGH_RESAMPLING_AUTO};
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), command[1024];
    write_file(folder, "main.c", main_c, sizeof main_c - 1);
    for (int k = 0; k < 3; k++) {
        nigh_grid grid = k ? NIGH_GRID_PERIODIC : NIGH_GRID_CELL;
        nigh_network *net = k < 2 ? network_new(ctx, k ? CONV : PATCHES, NIGH_F32, 2, 8, grid) : physical_network(ctx), *other = NULL;
        assert_ok(ctx, nigh_network_rewrite(net, &(nigh_discretisation){.dims = 2, .trained = {8, 8}, .grid = grid, .resampling = hows[k]}, (int64_t[]){10, 10}, &other));
        nigh_shape shape = {NIGH_F32, 4, {1, 10, 10, 2}};
        nigh_buffer text = {.ctx = ctx};
        int64_t n;
        double *x = waves(&shape), *y = answer(ctx, other, &shape, x, &n), z[100];
        float from[200], to[100];
        for (int i = 0; i < 200; i++) from[i] = (float)x[i];
        assert_ok(ctx, nigh_network_export(other, &shape, "model", &text));
        write_file(folder, "model.c", text.data, text.size);
        write_file(folder, "in", from, sizeof from);
        snprintf(command, sizeof command, "cd %s && cc -std=c99 -O1 main.c -lm -o run && ./run < in > out", folder);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command, "%s/out", folder);
        FILE *file = fopen(command, "rb");
        assert_int_equal(fread(to, sizeof *to, 100, file), 100);
        fclose(file);
        for (int i = 0; i < 100; i++) z[i] = to[i];
        assert_true(n == 100 && distance(z, y, n) < 1e-5);
        free(x), free(y);
        nigh_buffer_free(&text);
        nigh_network_free(other), nigh_network_free(net);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* ---- consistency -------------------------------------------------------------------------------------- */

static void test_consistency(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct { which kind; nigh_grid grid; nigh_resampling how; double order; } cases[] = {
        {CONV, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_FOURIER, 3}, {CONV, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_LINEAR, 1.5}, {CONV, NIGH_GRID_NODE, NIGH_RESAMPLING_LINEAR, 0.8},
        {PATCHES, NIGH_GRID_CELL, NIGH_RESAMPLING_LINEAR, 1}, {FNO, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_AUTO, 3}, {FNO, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 1.3}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        nigh_network *net = network_new(ctx, cases[k].kind, NIGH_F32, 1, cases[k].grid == NIGH_GRID_NODE ? 33 : 32, cases[k].grid);
        nigh_discretisation spec = {.dims = 1, .trained = {cases[k].grid == NIGH_GRID_NODE ? 33 : 32}, .grid = cases[k].grid, .resampling = cases[k].how};
        nigh_consistency c;
        assert_ok(ctx, nigh_network_consistency(net, &spec, &(nigh_consistency_options){.samples = 3, .width = 0.3}, &c));
        if (!(c.order >= cases[k].order)) fail_msg("case %zu: order %g, c %g %g %g %g", k, c.order, c.rewritten[0], c.rewritten[1], c.rewritten[2], c.rewritten[3]);
        if (cases[k].kind == CONV) assert_true(c.plain_order < 0.2 && c.plain[3] > 5 * c.rewritten[3]);
        if (cases[k].kind == PATCHES) assert_true(isnan(c.plain[2]));
        assert_near(c.plain[1], c.rewritten[1], 1e-9, 1e-4);
        nigh_buffer text = {.ctx = ctx}, json = {.ctx = ctx};
        assert_ok(ctx, nigh_consistency_print(&c, 1, NIGH_NETWORK_TABLE, &text));
        assert_ok(ctx, nigh_consistency_print(&c, 1, NIGH_NETWORK_JSON, &json));
        nigh_buffer_free(&text), nigh_buffer_free(&json);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* ---- layers ------------------------------------------------------------------------------------------- */

static nigh_network *single(nigh_context *ctx, int dims, int64_t in, int64_t out, const nigh_physical *spec, bool difference)
{
    nigh_network *net = NULL;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int64_t dim[] = {-1, -1, -1, in};
    if (dims == 1) dim[2] = in;
    int x = nigh_network_input(net, "x", dims + 2, dim);
    x = difference ? nigh_network_difference_conv(net, "layer", x, in, out, dims, spec, true) : nigh_network_disc_conv(net, "layer", x, in, out, dims, spec, true);
    nigh_network_output(net, x);
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 2));
    return net;
}

/* A stencil of weights (a, b, c) becomes (c - a) times the derivative: the error falls with the spacing. */
static void test_difference(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_physical spec = {.grid = NIGH_GRID_PERIODIC};
    nigh_network *net = single(ctx, 1, 1, 1, &spec, true);
    double *w = nigh_parameters_data(nigh_network_parameters(net), 0), error[3];
    w[0] = 0.2, w[1] = -0.4, w[2] = 0.9;
    *(double *)nigh_parameters_data(nigh_network_parameters(net), 1) = 0;
    for (int k = 0; k < 3; k++) {
        int64_t n = 32 << k, count;
        double x[128];
        for (int64_t i = 0; i < n; i++) x[i] = sin(2 * M_PI * (double)i / (double)n);
        double *y = answer(ctx, net, &(nigh_shape){NIGH_F64, 3, {1, n, 1}}, x, &count);
        error[k] = 0;
        for (int64_t i = 0; i < n; i++) error[k] = fmax(error[k], fabs(y[i] - (w[2] - w[0]) * 2 * M_PI * cos(2 * M_PI * (double)i / (double)n)));
        free(y);
    }
    assert_true(log2(error[0] / error[1]) > 0.9 && log2(error[1] / error[2]) > 0.9);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Physical kernels by the tape, by the plain rules, and on finer grids. */
static void test_disc(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int k = 0; k < 8; k++) {
        int dims = 1 + k % 2;
        nigh_physical spec = {.grid = k & 2 ? NIGH_GRID_PERIODIC : NIGH_GRID_CELL, .length = 2, .radius = 0.5, .rings = 2, .sectors = 3};
        nigh_network *net = single(ctx, dims, 2, 3, &spec, k >= 4);
        nigh_shape shape = field(NIGH_F64, dims, 12, 2);
        nigh_array out = {0};
        int64_t n;
        double *x = waves(&shape), *y = answer(ctx, net, &shape, x, &n);
        assert_ok(ctx, nigh_network_evaluate_f64(net, &(nigh_array){shape, x}, &out));
        assert_true(distance(y, out.data, n) < 1e-13);
        nigh_array_free(ctx, &out);
        free(x), free(y);
        nigh_network_free(net);
    }
    nigh_physical spec = {.grid = NIGH_GRID_PERIODIC, .radius = 0.2, .rings = 2, .sectors = 4};
    nigh_network *net = single(ctx, 2, 1, 1, &spec, false);
    nigh_consistency c;
    assert_ok(ctx, nigh_network_consistency(net, &(nigh_discretisation){.dims = 2, .trained = {16, 16}, .grid = NIGH_GRID_PERIODIC}, &(nigh_consistency_options){.width = 0.4}, &c));
    assert_true(c.order > 1.5);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Points anywhere, weights of the trapezoidal rule: nearer to the integral than without. */
static void test_attention(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = NULL;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int64_t dim[] = {-1, -1, 1, 2};
    int q = nigh_network_input(net, "q", 4, dim), k = nigh_network_input(net, "k", 4, dim), v = nigh_network_input(net, "v", 4, dim), w = nigh_network_input(net, "w", 1, (int64_t[]){-1});
    nigh_network_output(net, nigh_network_layer(net, "weighted-attention", "attention", 4, (int[]){q, k, v, w}));
    enum { FINE = 400, FEW = 40 };
    double place[FINE], weight[FINE], in[3][2 * FINE], exact[2], error[2];
    for (int form = 0; form < 3; form++) { /* the integral, with weights, without */
        int n = form ? FEW : FINE;
        for (int i = 0; i < n; i++) place[i] = form ? pow((i + 0.5) / n, 3) : (i + 0.5) / n;
        for (int i = 0; i < n; i++) weight[i] = form == 2 ? 1 : ((i + 1 < n ? place[i] + place[i + 1] : 2) - (i ? place[i] + place[i - 1] : 0)) / 2;
        for (int i = 0; i < 2 * n; i++) in[0][i] = 0.3 + i % 2, in[1][i] = cos(3 * place[i / 2] + i % 2), in[2][i] = sin(5 * place[i / 2]) + place[i / 2] * (i % 2);
        nigh_array arrays[4] = {{{NIGH_F64, 4, {1, 1, 1, 2}}, in[0]}, {{NIGH_F64, 4, {1, n, 1, 2}}, in[1]}, {{NIGH_F64, 4, {1, n, 1, 2}}, in[2]}, {{NIGH_F64, 1, {n}}, weight}}, out = {0};
        assert_ok(ctx, nigh_network_evaluate_f64(net, arrays, &out));
        if (!form) memcpy(exact, out.data, sizeof exact);
        else error[form - 1] = distance(out.data, exact, 2);
        nigh_tape *tape = NULL;
        nigh_executor *run = NULL;
        nigh_node node[4], y;
        assert_ok(ctx, nigh_tape_new(ctx, &tape));
        for (int i = 0; i < 4; i++) node[i] = nigh_tape_input(tape, "in", NIGH_F64, arrays[i].shape.ndim, arrays[i].shape.dim);
        assert_ok(ctx, nigh_network_record(net, tape, NULL, node, NULL, &y));
        assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
        for (int i = 0; i < 4; i++) memcpy(nigh_executor_data(run, node[i]), arrays[i].data, (size_t)nigh_shape_count(&arrays[i].shape) * sizeof(double));
        assert_ok(ctx, nigh_executor_run(run));
        assert_true(distance(nigh_executor_data(run, y), out.data, 2) < 1e-12);
        nigh_executor_free(run);
        nigh_tape_free(tape);
        nigh_array_free(ctx, &out);
    }
    assert_true(error[0] < 0.1 * error[1]);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

static nigh_status rewrite(nigh_network *net, int64_t trained, nigh_grid grid, nigh_resampling how, int64_t n)
{
    nigh_network *other = NULL;
    nigh_status status = nigh_network_rewrite(net, &(nigh_discretisation){.dims = 1, .trained = {trained}, .grid = grid, .resampling = how}, &n, &other);
    nigh_network_free(other);
    return status;
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = network_new(ctx, FNO, NIGH_F32, 1, 16, NIGH_GRID_PERIODIC), *conv = network_new(ctx, CONV, NIGH_F32, 1, 16, NIGH_GRID_CELL), *patches;
    assert_ok(ctx, rewrite(net, 16, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_AUTO, 6));
    assert_fails(ctx, rewrite(net, 16, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_AUTO, 5), NIGH_UNSUPPORTED, "dimension 0 of the grid is 5; the network's Fourier modes need 6 points");
    assert_fails(ctx, rewrite(net, 16, NIGH_GRID_CELL, NIGH_RESAMPLING_FOURIER, 32), NIGH_INVALID, "ring at its edges");
    assert_fails(ctx, rewrite(net, 16, NIGH_GRID_UNKNOWN, NIGH_RESAMPLING_AUTO, 32), NIGH_INVALID, "quadrature weights");
    assert_fails(ctx, rewrite(net, 1, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 32), NIGH_INVALID, "1 points in dimension 0");
    assert_fails(ctx, rewrite(conv, 16, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 1), NIGH_INVALID, "grid is 1");
    assert_fails(ctx, rewrite(conv, 8, NIGH_GRID_CELL, NIGH_RESAMPLING_LINEAR, 70000), NIGH_INVALID, "70000");
    ((float *)nigh_parameters_data(nigh_network_parameters(conv), 0))[1] = NAN;
    assert_fails(ctx, rewrite(conv, 16, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 32), NIGH_INVALID, "element 1 of weight");
    nigh_network_free(conv);
    patches = network_new(ctx, PATCHES, NIGH_F32, 1, 16, NIGH_GRID_CELL);
    assert_fails(ctx, rewrite(patches, 32, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 64), NIGH_INVALID, "input 'x' has 16 points in dimension 0");
    nigh_network_free(patches), nigh_network_free(net);

    /* a kernel wider than the domain */
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 1});
    nigh_network_output(net, nigh_network_conv_same(net, "wide", x, 1, 1, 1, 19, NIGH_PAD_CIRCULAR, false));
    assert_ok(ctx, rewrite(net, 9, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_POINTS, 18));
    assert_fails(ctx, rewrite(net, 9, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_LINEAR, 18), NIGH_INVALID, "layer 'wide': on a grid of 18 points in dimension 0 its kernel reaches 19");
    nigh_network_free(net);

    /* by index */
    static const struct { const char *kind, *why; nigh_attribute attribute; } cases[] = {
        {"roll", "by the index of points", {"axis", 1, NULL}}, {"cumulative-sum", "by the index of points", {"axis", 1, NULL}}, {"softmax", "no quadrature weights", {"axis", 1, NULL}},
        {"sine-positions", "by the index of points", {"first", 0, NULL}}, {"permute", "exchanges space", {"order", 0, "0,2,1"}}, {"log-sum-exp", "without quadrature", {"axes", 0, "1"}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_audit *audit = NULL;
        nigh_buffer text = {.ctx = ctx};
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        x = nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 4});
        nigh_network_output(net, nigh_network_add(net, cases[i].kind, "it", 1, &x, 0, NULL, 1, &cases[i].attribute));
        assert_fails(ctx, rewrite(net, 16, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 32), NIGH_UNSUPPORTED, cases[i].why);
        assert_ok(ctx, nigh_network_audit(net, &(nigh_discretisation){.dims = 1, .trained = {16}, .grid = NIGH_GRID_CELL}, &audit));
        assert_int_equal(audit->refused, 1), assert_int_equal(audit->row[1].verdict, NIGH_VERDICT_REFUSED);
        assert_ok(ctx, nigh_audit_print(audit, NIGH_NETWORK_TABLE, &text));
        assert_ok(ctx, nigh_audit_print(audit, NIGH_NETWORK_JSON, &text));
        nigh_buffer_free(&text);
        nigh_audit_free(audit);
        nigh_network_free(net);
    }
    /* an embedding of every grid point */
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    x = nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 4});
    int w = nigh_network_weight(net, "w", 2, (int64_t[]){16, 4}, (nigh_init){NIGH_INIT_ONE, 1});
    int table = nigh_network_add(net, "constant", "table", 0, NULL, 1, &w, 0, NULL);
    nigh_network_output(net, nigh_network_layer(net, "add", "sum", 2, (int[]){x, table}));
    assert_fails(ctx, rewrite(net, 16, NIGH_GRID_CELL, NIGH_RESAMPLING_AUTO, 32), NIGH_UNSUPPORTED, "a number for every grid point");
    nigh_network_free(net);
    /* physical kernels on too coarse a grid, or too wide */
    net = single(ctx, 1, 2, 1, &(nigh_physical){.grid = NIGH_GRID_CELL, .radius = 0.1, .rings = 2}, false);
    nigh_shape shape = field(NIGH_F64, 1, 8, 2);
    nigh_buffer text = {.ctx = ctx};
    assert_fails(ctx, nigh_network_describe(net, &shape, NIGH_NETWORK_TABLE, &text), NIGH_INVALID, "needs a finer grid");
    nigh_network_free(net);
    net = single(ctx, 1, 2, 1, &(nigh_physical){.grid = NIGH_GRID_CELL, .radius = 0.7, .rings = 2}, false);
    assert_fails(ctx, nigh_network_describe(net, &shape, NIGH_NETWORK_TABLE, &text), NIGH_INVALID, "at most half the domain's length");
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_regrid(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[12], y[20], z[12];
    for (int i = 0; i < 12; i++) x[i] = 1 + sin(2 * M_PI * i / 12.0) + cos(2 * M_PI * 6 * i / 12.0); /* with the highest one that 12 points can tell */
    assert_ok(ctx, nigh_regrid_axis(ctx, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_FOURIER, 1, 12, 20, 1, x, y));
    assert_ok(ctx, nigh_regrid_axis(ctx, NIGH_GRID_PERIODIC, NIGH_RESAMPLING_FOURIER, 1, 20, 12, 1, y, z));
    for (int i = 0; i < 12; i++) assert_near(z[i], x[i], 1e-13, 0);
    for (int grid = NIGH_GRID_CELL; grid <= NIGH_GRID_PERIODIC; grid++)
        for (int to = 5; to <= 20; to += 15) {
            for (int i = 0; i < 12; i++) x[i] = 3;
            assert_ok(ctx, nigh_regrid_axis(ctx, (nigh_grid)grid, NIGH_RESAMPLING_LINEAR, 2, 6, to / 2, 1, x, y));
            for (int i = 0; i < to / 2 * 2; i++) assert_near(y[i], 3, 1e-13, 0);
        }
    assert_fails(ctx, nigh_regrid_axis(ctx, NIGH_GRID_NODE, NIGH_RESAMPLING_FOURIER, 1, 12, 20, 1, x, y), NIGH_INVALID, "ring at its edges");
    test_context_free(ctx);
}

static nigh_status everything(nigh_context *ctx)
{
    nigh_network *net = NULL, *other = NULL;
    nigh_audit *audit = NULL;
    nigh_buffer text = {.ctx = ctx};
    nigh_discretisation spec = {.dims = 1, .trained = {8}, .grid = NIGH_GRID_CELL, .resampling = NIGH_RESAMPLING_LINEAR};
    nigh_consistency c;
    nigh_status status = nigh_unet_new(ctx, NIGH_F32, &(nigh_unet_spec){.dims = 1, .in = 1, .out = 1, .base = 1, .scales = 2, .norm = NIGH_UNET_PLAIN}, &net);
    if (!status) status = nigh_network_audit(net, &spec, &audit);
    if (!status) status = nigh_audit_print(audit, NIGH_NETWORK_JSON, &text);
    if (!status) status = nigh_network_rewrite(net, &spec, (int64_t[]){16}, &other);
    if (!status) status = nigh_network_consistency(net, &spec, &(nigh_consistency_options){.samples = 1, .finest = 2}, &c);
    nigh_buffer_free(&text);
    nigh_audit_free(audit);
    nigh_network_free(other), nigh_network_free(net);
    return status;
}

static void test_out_of_memory(void **state)
{
    nigh_status status = NIGH_MEMORY;
    for (long at = 2, step = 1; status; at += step, step += at % 5 == 0) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = everything(ctx);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_grid),   cmocka_unit_test(test_forms),      cmocka_unit_test(test_convolution), cmocka_unit_test(test_integrals),
        cmocka_unit_test(test_tied_weights), cmocka_unit_test(test_export), cmocka_unit_test(test_consistency), cmocka_unit_test(test_difference),  cmocka_unit_test(test_disc),
        cmocka_unit_test(test_attention),   cmocka_unit_test(test_refused),    cmocka_unit_test(test_regrid),      cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
