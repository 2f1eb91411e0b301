/*
 * Are bounds and verdicts ever wrong? Random networks and boxes: bounds of every kind against outputs at random points, corners and ascents; random properties with levels near what is
 * reached: every "unsat" proved again on a box cut elsewhere, with the other way of splitting, every "sat" replayed in f64 and in f32. With --json FILE networks and points of "sat" are left in
 * the folder FILE.replay for bench/verify_replay.py, which runs them in onnxruntime.
 */
#include "common.h"
#include "nigh/layers.h"
#include "nigh/onnx.h"
#include "nigh/random.h"
#include "nigh/verify.h"
#include "verify/descent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_IN = 128, MOST_OUT = 8, POINTS = 64, ASCENTS = 12 };

typedef struct trial {
    nigh_context *ctx;
    nigh_rng rng;
    nigh_network *net;
    bound_graph *graph;
    int64_t inputs, outputs, number;
    double low[MOST_IN], high[MOST_IN], most[MOST_OUT], least[MOST_OUT]; /* outputs seen */
    const char *folder;
} trial;

static struct {
    int64_t bounds, outside, verdicts, unsat, sat, open, twice, unconfirmed, wrong, refused;
} tally;

static double uniform(trial *t, double low, double high) { return low + (high - low) * nigh_rng_f64(&t->rng); }
static int64_t whole(trial *t, int64_t low, int64_t high) { return low + (int64_t)nigh_rng_below(&t->rng, (uint64_t)(high - low + 1)); }

/* ---- networks ----------------------------------------------------------------------------------------- */

static int activation(trial *t, int x, int number)
{
    static const char *const kinds[] = {"relu", "relu", "relu", "relu", "leaky-relu", "tanh", "sigmoid", "abs", "gelu", "silu", "softplus", "clamp", "sin", "exp"};
    char name[16];
    snprintf(name, sizeof name, "act%d", number);
    const char *kind = kinds[whole(t, 0, 13)];
    nigh_attribute attribute[] = {{"slope", 0.1, NULL}, {"low", -0.5, NULL}, {"high", 1, NULL}};
    if (!strcmp(kind, "leaky-relu")) return nigh_network_add(t->net, kind, name, 1, &x, 0, NULL, 1, attribute);
    if (!strcmp(kind, "clamp")) return nigh_network_add(t->net, kind, name, 1, &x, 0, NULL, 2, attribute + 1);
    return nigh_network_layer(t->net, kind, name, 1, &x);
}

static int dense(trial *t, int x, int64_t in, int64_t out, int number)
{
    char name[16];
    snprintf(name, sizeof name, "dense%d", number);
    return nigh_network_linear(t->net, name, x, in, out, true);
}

static int mlp(trial *t, bool residual)
{
    int64_t width = whole(t, 2, 24), in = t->inputs = whole(t, 1, 8);
    int layers = (int)whole(t, 1, 4), x = nigh_network_input(t->net, "x", 2, (int64_t[]){1, in});
    for (int l = 0; l < layers; l++) {
        int before = x;
        char name[16];
        snprintf(name, sizeof name, "join%d", l);
        x = activation(t, dense(t, x, in, width, l), l);
        if (residual && in == width) x = nigh_network_layer(t->net, whole(t, 0, 1) ? "add" : "sub", name, 2, (int[]){before, x});
        in = width;
        if (!residual) width = whole(t, 2, 24);
    }
    return dense(t, x, in, t->outputs, layers);
}

static int fields(trial *t)
{
    int64_t size = whole(t, 4, 7), channels = whole(t, 1, 2), stride = whole(t, 1, 2), wide = whole(t, 1, 4), kernel = whole(t, 2, 3);
    t->inputs = size * size * channels;
    int x = nigh_network_input(t->net, "x", 4, (int64_t[]){1, size, size, channels});
    nigh_convolution how = {.stride = {stride, stride}};
    x = nigh_network_conv(t->net, "conv", x, channels, wide, 2, (int64_t[]){kernel, kernel}, &how, true);
    x = activation(t, x, 0);
    int64_t left = (size - kernel) / stride + 1;
    if (left >= 2 && whole(t, 0, 2) == 0) {
        x = nigh_network_add(t->net, whole(t, 0, 1) ? "max-pool" : "average-pool", "pool", 1, &x, 0, NULL, 2, (nigh_attribute[]){{"window_0", 2, NULL}, {"window_1", 2, NULL}});
        left /= 2;
    }
    x = nigh_network_layer(t->net, "flatten", "flat", 1, &x);
    int64_t width = whole(t, 2, 12);
    x = activation(t, dense(t, x, left * left * wide, width, 0), 1);
    return dense(t, x, width, t->outputs, 1);
}

static nigh_status build(trial *t)
{
    nigh_status status = nigh_network_new(t->ctx, NIGH_F32, &t->net);
    if (status) return status;
    t->outputs = whole(t, 1, 4);
    int64_t kind = whole(t, 0, 9);
    nigh_network_output(t->net, kind < 5 ? mlp(t, false) : kind < 7 ? mlp(t, true) : fields(t));
    if ((status = nigh_network_status(t->net))) return status;
    nigh_parameters *set = nigh_network_parameters(t->net);
    nigh_parameters_draw(set, nigh_rng_u64(&t->rng));
    static const double scales[] = {0.3, 1, 2, 2, 4, 30};
    for (int p = 0; p < nigh_parameters_count(set); p++) {
        float *data = nigh_parameters_data(set, p);
        double scale = scales[whole(t, 0, t->number % 7 ? 4 : 5)];
        const nigh_shape *shape = &nigh_parameters_at(set, p)->shape;
        for (int64_t i = 0; i < nigh_shape_count(shape); i++) data[i] = (float)(data[i] * scale);
    }
    return bound_graph_new(t->ctx, t->net, nigh_network_input_shape(t->net, 0), false, &t->graph);
}

static void draw_box(trial *t)
{
    double radius = pow(10, uniform(t, -4, 0.3));
    for (int64_t i = 0; i < t->inputs; i++) {
        double centre = uniform(t, -1, 1), r = whole(t, 0, 9) ? radius * uniform(t, 0, 1) : 0;
        t->low[i] = (float)(centre - r), t->high[i] = (float)(centre + r); /* f32 numbers: both semantics mean the same box */
    }
}

/* ---- outputs that are reached ------------------------------------------------------------------------- */

static void see(trial *t, const double *y, int64_t stride, int lanes)
{
    for (int64_t k = 0; k < t->outputs; k++)
        for (int l = 0; l < lanes; l++) t->most[k] = fmax(t->most[k], y[k * stride + l]), t->least[k] = fmin(t->least[k], y[k * stride + l]);
}

/* Random points, corners, and ascents on single outputs, one in each lane. */
static nigh_status explore(trial *t)
{
    descent *d;
    nigh_status status = descent_new(t->ctx, t->graph, &d);
    if (status) return status;
    enum { L = DESCENT_LANES };
    static double x[MOST_IN * L], weight[MOST_OUT * L];
    for (int64_t k = 0; k < MOST_OUT; k++) t->most[k] = -INFINITY, t->least[k] = INFINITY;
    for (int round = 0; round < POINTS / L; round++) {
        for (int64_t i = 0; i < t->inputs; i++)
            for (int l = 0; l < L; l++) {
                double u = round % 2 ? nigh_rng_f64(&t->rng) : (double)whole(t, 0, 1);
                x[i * L + l] = fmin(fmax(t->low[i] + u * (t->high[i] - t->low[i]), t->low[i]), t->high[i]);
            }
        memset(weight, 0, sizeof weight);
        for (int l = 0; l < L; l++) weight[(l / 2 % t->outputs) * L + l] = l % 2 ? 1 : -1;
        for (int step = 0; step <= ASCENTS; step++) {
            see(t, descent_values(d, x), L, L);
            const double *g = descent_gradient(d, weight);
            for (int64_t i = 0; i < t->inputs; i++)
                for (int l = 0; l < L; l++) {
                    double to = x[i * L + l] + (g[i * L + l] > 0 ? 0.3 : -0.3) * (t->high[i] - t->low[i]);
                    x[i * L + l] = fmin(fmax(to, t->low[i]), t->high[i]);
                }
        }
    }
    descent_free(d);
    return NIGH_OK;
}

/* ---- bounds ------------------------------------------------------------------------------------------- */

static void check_bounds(trial *t)
{
    for (int k = NIGH_BOUND_INTERVAL; k <= NIGH_BOUND_OPTIMISED; k++) {
        if (k == NIGH_BOUND_OPTIMISED && t->number % 4) continue;
        nigh_verify_options how = {.semantics = t->number % 3 ? NIGH_SEMANTICS_REAL : NIGH_SEMANTICS_F32};
        double low[MOST_OUT], high[MOST_OUT];
        if (nigh_bound_outputs(t->ctx, t->net, (nigh_bound_kind)k, &how, t->low, t->high, low, high)) {
            tally.refused++;
            if (tally.refused < 10) printf("network %lld, bounds %d: %s\n", (long long)t->number, k, nigh_message(t->ctx));
            continue;
        }
        tally.bounds++;
        for (int64_t o = 0; o < t->outputs; o++) {
            double slack = 1e-12 * (1 + fabs(t->most[o]) + fabs(t->least[o])); /* of evaluating points in f64 */
            if (high[o] >= t->most[o] - slack && low[o] <= t->least[o] + slack) continue;
            tally.outside++;
            printf("OUTSIDE: network %lld, bounds %d, output %lld: [%.17g, %.17g] but [%.17g, %.17g] was seen\n", (long long)t->number, k, (long long)o, low[o], high[o], t->least[o],
                   t->most[o]);
        }
    }
}

/* ---- verdicts ----------------------------------------------------------------------------------------- */

static nigh_status property_text(trial *t, const double *low, const double *high, int64_t o, bool above, double level, int64_t other, double gap, nigh_property *property)
{
    nigh_buffer text = {.ctx = t->ctx};
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < t->inputs && !status; i++)
        status = nigh_buffer_print(&text, "(declare-const X_%lld Real)(assert (>= X_%lld %.17g))(assert (<= X_%lld %.17g))\n", (long long)i, (long long)i, low[i], (long long)i, high[i]);
    for (int64_t k = 0; k < t->outputs && !status; k++) status = nigh_buffer_print(&text, "(declare-const Y_%lld Real)\n", (long long)k);
    if (!status && other < 0) status = nigh_buffer_print(&text, "(assert (%s Y_%lld %.17g))\n", above ? ">=" : "<=", (long long)o, level);
    if (!status && other >= 0)
        status = nigh_buffer_print(&text, "(assert (or (and (%s Y_%lld %.17g) (>= Y_%lld %.17g)) (>= (- Y_%lld Y_%lld) %.17g)))\n", above ? ">=" : "<=", (long long)o, level,
                                   (long long)other, t->least[other], (long long)o, (long long)other, gap);
    if (!status) status = nigh_property_parse(t->ctx, text.data, text.size, "property", property);
    nigh_buffer_free(&text);
    return status;
}

/* The box cut in two at a random place of a random input: both parts with the other way of splitting. */
static void prove_again(trial *t, int64_t o, bool above, double level, int64_t other, double gap)
{
    int64_t cut = whole(t, 0, t->inputs - 1);
    double at = uniform(t, t->low[cut], t->high[cut]), edge[MOST_IN];
    for (int part = 0; part < 2; part++) {
        nigh_property property = {0};
        nigh_verify_result r = {0};
        memcpy(edge, part ? t->low : t->high, sizeof edge);
        edge[cut] = at;
        nigh_verify_options how = {.seconds = 5, .seed = 99, .splitting = t->number % 2 ? NIGH_SPLIT_INPUT : NIGH_SPLIT_RELU};
        nigh_status status = property_text(t, part ? edge : t->low, part ? t->high : edge, o, above, level, other, gap, &property);
        if (!status) status = nigh_verify(t->ctx, t->net, &property, &how, &r);
        if (!status && r.verdict == NIGH_VERIFY_VIOLATED) tally.wrong++, printf("WRONG: network %lld was unsat, part %d is sat\n", (long long)t->number, part);
        else if (!status && r.verdict == NIGH_VERIFY_HOLDS) tally.twice += part;
        else tally.unconfirmed++;
        nigh_verify_result_free(t->ctx, &r);
        nigh_property_free(&property);
        if (status || r.verdict != NIGH_VERIFY_HOLDS) return;
    }
}

/* In f64 by the plain interpreter, and left for onnxruntime. */
static void replay(trial *t, const nigh_verify_result *r, int64_t o, bool above, double level, int64_t other, double gap)
{
    nigh_array in = {.shape = *nigh_network_input_shape(t->net, 0)}, out = {0};
    in.shape.dtype = NIGH_F64, in.data = r->x;
    if (nigh_network_evaluate_f64(t->net, &in, &out)) return;
    const double *y = out.data;
    bool one = above ? y[o] >= level : y[o] <= level, hit = other < 0 ? one : (one && y[other] >= t->least[other]) || y[o] - y[other] >= gap;
    for (int64_t i = 0; i < t->inputs; i++) hit &= r->x[i] >= t->low[i] && r->x[i] <= t->high[i];
    if (!hit) tally.wrong++, printf("WRONG: network %lld: the point of sat does not violate in f64\n", (long long)t->number);
    nigh_array_free(t->ctx, &out);
    if (!t->folder) return;
    char path[512];
    snprintf(path, sizeof path, "%s/%lld.onnx", t->folder, (long long)t->number);
    if (nigh_onnx_write(t->net, nigh_network_input_shape(t->net, 0), path)) return;
    snprintf(path, sizeof path, "%s/%lld.txt", t->folder, (long long)t->number);
    FILE *file = fopen(path, "w");
    if (!file) return;
    fprintf(file, "%lld %d %.17g %lld %.17g %.17g\n", (long long)o, above, level, (long long)other, gap, other < 0 ? 0 : t->least[other]);
    for (int64_t i = 0; i < t->inputs; i++) fprintf(file, "%.17g\n", r->x[i]);
    fclose(file);
}

static void check_verdict(trial *t)
{
    int64_t o = whole(t, 0, t->outputs - 1), other = t->outputs > 1 && whole(t, 0, 2) == 0 ? (o + 1) % t->outputs : -1;
    static const double where[] = {-0.3, -0.02, 0.001, 0.05, 0.5};
    double u = where[whole(t, 0, 4)], width = t->most[o] - t->least[o] + 1e-6 * (1 + fabs(t->most[o])), gap = t->most[o] - (other < 0 ? 0 : t->least[other]) + u * width;
    bool above = whole(t, 0, 1);
    double level = above ? t->most[o] + u * width : t->least[o] - u * width;
    nigh_property property = {0};
    nigh_verify_result r = {0};
    nigh_verify_options how = {.seconds = 2, .seed = (uint64_t)t->number, .splitting = t->number % 2 ? NIGH_SPLIT_RELU : NIGH_SPLIT_INPUT};
    nigh_status status = property_text(t, t->low, t->high, o, above, level, other, gap, &property);
    if (!status) status = nigh_verify(t->ctx, t->net, &property, &how, &r);
    if (status) tally.refused++, printf("network %lld, verdict: %s\n", (long long)t->number, nigh_message(t->ctx));
    else {
        tally.verdicts++;
        bool seen = other < 0 && (above ? t->most[o] >= level + 1e-9 * (1 + fabs(level)) : t->least[o] <= level - 1e-9 * (1 + fabs(level)));
        if (r.verdict == NIGH_VERIFY_HOLDS && seen) tally.wrong++, printf("WRONG: network %lld is unsat, but %.17g is reached\n", (long long)t->number, level);
        if (r.verdict == NIGH_VERIFY_HOLDS) tally.unsat++, prove_again(t, o, above, level, other, gap);
        else if (r.verdict == NIGH_VERIFY_VIOLATED) tally.sat++, replay(t, &r, o, above, level, other, gap);
        else tally.open++;
    }
    nigh_verify_result_free(t->ctx, &r);
    nigh_property_free(&property);
}

static void run_trial(nigh_context *ctx, int64_t number, uint64_t seed, const char *folder)
{
    trial t = {.ctx = ctx, .number = number, .folder = folder, .rng = nigh_rng_new(seed, (uint64_t)number)};
    if (build(&t) || t.inputs > MOST_IN) tally.refused++, printf("network %lld: %s\n", (long long)number, nigh_message(ctx));
    else {
        draw_box(&t);
        if (explore(&t) == NIGH_OK && isfinite(t.most[0]) && fabs(t.most[0]) < 1e30) check_bounds(&t), check_verdict(&t);
    }
    bound_graph_free(t.graph);
    nigh_network_free(t.net);
}

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "bounds and verdicts of random networks", &args);
    if (code >= 0) return code;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    nigh_context_set_threads(ctx, 1);
    int64_t n = args.count ? args.count : args.quick ? 300 : 10000;
    char folder[400] = "";
    if (args.json) snprintf(folder, sizeof folder, "%s.replay", args.json), mkdir(folder, 0777);
    for (int64_t i = 0; i < n; i++) {
        run_trial(ctx, i, args.seed, args.json ? folder : NULL);
        if (i % 50 == 0) bench_progress(i, n, "networks");
    }
    printf("%lld networks: %lld bounds, %lld verdicts: %lld unsat (%lld proved again, %lld not in time), %lld sat, %lld open; %lld refused\n", (long long)n, (long long)tally.bounds,
           (long long)tally.verdicts, (long long)tally.unsat, (long long)tally.twice, (long long)tally.unconfirmed, (long long)tally.sat, (long long)tally.open, (long long)tally.refused);
    bench_bar(1, "outputs outside of bounds", (double)tally.outside, false, 0);
    bench_bar(2, "wrong verdicts", (double)tally.wrong, false, 0);
    nigh_context_free(ctx);
    return bench_end(&args);
}
