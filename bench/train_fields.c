/*
 * Training steps and one-sample answers of networks on fields; the side of nigh in fields_beside.py, with the words of torch_fno.py:
 *
 *   train_fields step  [key=value ...]    seconds of training steps (forward, backward, Adam), after warming up
 *   train_fields apply [key=value ...]    seconds of one-sample answers
 *   train_fields parity FILE.npz [key=value ...]   losses of 50 Adam steps from the weights and batches in FILE, and a test error
 *   train_fields profile [key=value ...]  milliseconds of each part of a step; apply-profile: of an answer
 *
 * Keys are those of torch_fno.py, and micro (samples of a part of a batch; 0: the whole), unet (1: a U-Net with `width` channels and `layers` scales),
 * mgno (levels of a multigrid neural operator with `width` channels and `layers` V-cycles), lsm (1: a latent spectral model with `width` channels
 * and `layers` scales).
 */
#include "nigh/fields.h"
#include "nigh/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
    double size, width, modes, layers, batch, count, threads, rate, dims, micro, unet, mgno, lsm;
} options;

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "train_fields: %s\n", nigh_message(ctx));
    exit(1);
}

static options read_options(int argc, char **argv, int from)
{
    options o = {.size = 64, .width = 32, .modes = 12, .layers = 4, .batch = 20, .count = 10, .threads = 2, .rate = 1e-3, .dims = 2};
    struct { const char *key; double *value; } keys[] = {{"size", &o.size}, {"width", &o.width}, {"modes", &o.modes}, {"layers", &o.layers}, {"batch", &o.batch}, {"count", &o.count},
                                                         {"threads", &o.threads}, {"rate", &o.rate}, {"dims", &o.dims}, {"micro", &o.micro}, {"unet", &o.unet}, {"mgno", &o.mgno},
                                                         {"lsm", &o.lsm}};
    for (int i = from; i < argc; i++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            size_t n = strlen(keys[k].key);
            if (!strncmp(argv[i], keys[k].key, n) && argv[i][n] == '=') *keys[k].value = atof(argv[i] + n + 1);
        }
    if (o.micro == 0) o.micro = o.batch;
    return o;
}

static double resident(void)
{
    double pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*f %lf", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * 4096 / (1 << 20);
}

static double most_resident(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static nigh_network *network_of(nigh_context *ctx, const options *o)
{
    nigh_network *net;
    nigh_fno_spec spec = {.dims = (int)o->dims, .in = 1, .out = 1, .width = (int64_t)o->width, .modes = {(int64_t)o->modes, (int64_t)o->modes}, .layers = (int)o->layers};
    nigh_unet_spec pyramid = {.dims = (int)o->dims, .in = 1, .out = 1, .base = (int64_t)o->width, .scales = (int)o->layers};
    nigh_lsm_spec latent = {.dims = (int)o->dims, .in = 1, .out = 1, .width = (int64_t)o->width, .scales = (int)o->layers};
    nigh_mgno_spec grids = {.dims = (int)o->dims, .size = {(int64_t)o->size, (int64_t)o->size}, .in = 1, .out = 1, .width = (int64_t)o->width, .layers = (int)o->layers,
                            .levels = (int)o->mgno};
    if (o->lsm > 0) check(ctx, nigh_lsm_new(ctx, NIGH_F32, &latent, &net));
    else if (o->mgno > 0) check(ctx, nigh_mgno_new(ctx, NIGH_F32, &grids, &net));
    else check(ctx, o->unet > 0 ? nigh_unet_new(ctx, NIGH_F32, &pyramid, &net) : nigh_fno_new(ctx, NIGH_F32, &spec, &net));
    check(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    return net;
}

static nigh_shape sample_of(const options *o)
{
    nigh_shape s = {NIGH_F32, (int)o->dims + 1, {(int64_t)o->size, o->dims == 2 ? (int64_t)o->size : 1, 1}};
    return s;
}

/* Mean over samples of |answer - y| / |y|. */
static nigh_node relative(nigh_tape *t, nigh_node answer, nigh_node y)
{
    unsigned axes = (1u << nigh_tape_shape(t, y)->ndim) - 2;
    nigh_node d = nigh_tape_sum(t, nigh_tape_square(t, nigh_tape_sub(t, answer, y)), axes, false), s = nigh_tape_sum(t, nigh_tape_square(t, y), axes, false);
    return nigh_tape_mean(t, nigh_tape_sqrt(t, nigh_tape_div(t, d, s)), NIGH_ALL, false);
}

static nigh_node record(void *user, const nigh_loss_call *call)
{
    nigh_node answer;
    if (nigh_network_record(user, call->tape, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    return relative(call->tape, answer, call->batch[1]);
}

typedef struct trainer {
    nigh_batches *rows;
    nigh_training *training;
} trainer;

/* Steps over the rows of x and y in their order, a batch in parts of `micro` samples. */
static trainer trainer_of(nigh_context *ctx, const options *o, nigh_network *net, int64_t n, float *x, float *y)
{
    trainer t;
    nigh_shape all = sample_of(o);
    for (int i = all.ndim++; i > 0; i--) all.dim[i] = all.dim[i - 1];
    all.dim[0] = n;
    nigh_array arrays[2] = {{all, x}, {all, y}};
    check(ctx, nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = (int64_t)o->micro, .in_order = true}, &t.rows));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.record = record, spec.user = net, spec.batches = t.rows;
    spec.accumulate = (int)(o->batch / o->micro);
    spec.rate = (nigh_schedule){.base = o->rate};
    spec.steps = 1 << 30;
    spec.validate_every = 1 << 30;
    check(ctx, nigh_training_new(ctx, &spec, &t.training));
    return t;
}

static void trainer_free(trainer *t)
{
    nigh_training_free(t->training);
    nigh_batches_free(t->rows);
}

static float *noise(int64_t n)
{
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    nigh_rng rng = nigh_rng_new(1, 1);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(nigh_rng_f64(&rng) - 0.5);
    return x;
}

/* Of each step the fastest run. */
static void print_profile(nigh_context *ctx, const options *o, nigh_executor *run)
{
    int steps = nigh_executor_steps(run);
    double *seconds = calloc(2 * (size_t)steps, sizeof *seconds), *least = seconds + steps;
    nigh_buffer text = {.ctx = ctx};
    for (int i = 0; i < (int)o->count; i++) {
        for (int k = 0; k < steps; k++) seconds[k] = 0;
        check(ctx, nigh_executor_profile(run, seconds));
        for (int k = 0; k < steps; k++) least[k] = i && least[k] < seconds[k] ? least[k] : seconds[k];
    }
    check(ctx, nigh_executor_print(run, &text));
    char *line = text.data;
    for (int i = 0; i < steps && line; i++) {
        char *end = strchr(line, '\n');
        printf("%9.3f ms  %.*s\n", 1e3 * least[i], (int)(end - line), line);
        line = end + 1;
    }
    printf("arena %.1f MB\n", (double)nigh_executor_bytes(run) / (1 << 20));
    nigh_buffer_free(&text);
    free(seconds);
}

static void steps(nigh_context *ctx, const options *o)
{
    nigh_network *net = network_of(ctx, o);
    nigh_shape sample = sample_of(o);
    int64_t each = nigh_shape_count(&sample), batch = (int64_t)o->batch;
    float *x = noise(batch * each), *y = noise(batch * each);
    double idle = resident();
    trainer t = trainer_of(ctx, o, net, batch, x, y);
    check(ctx, nigh_training_advance(t.training, 3));
    for (int i = 0; i < (int)o->count; i++) {
        double start = nigh_clock(), cpu = nigh_clock_cpu();
        check(ctx, nigh_training_advance(t.training, 1));
        printf("seconds %.6f %.6f\n", nigh_clock() - start, nigh_clock_cpu() - cpu);
    }
    printf("rss %.1f %.1f\n", idle, most_resident());
    trainer_free(&t);
    nigh_network_free(net);
    free(x), free(y);
}

/* Where the time of the gradient of one part goes. */
static void profile(nigh_context *ctx, const options *o)
{
    nigh_network *net = network_of(ctx, o);
    nigh_parameters *set = nigh_network_parameters(net);
    int count = nigh_parameters_count(set);
    nigh_shape s = sample_of(o);
    int64_t dim[4] = {(int64_t)o->micro, s.dim[0], s.dim[1], s.dim[2]}, each = nigh_shape_count(&s);
    nigh_tape *tape;
    nigh_node answer, *node = calloc(2 * (size_t)count + 1, sizeof *node), *parameter = node + count + 1;
    check(ctx, nigh_tape_new(ctx, &tape));
    nigh_node x = nigh_tape_input(tape, "x", NIGH_F32, s.ndim + 1, dim), y = nigh_tape_input(tape, "y", NIGH_F32, s.ndim + 1, dim);
    check(ctx, nigh_parameters_record(set, tape, parameter));
    check(ctx, nigh_network_record(net, tape, NULL, &x, parameter, &answer));
    node[0] = relative(tape, answer, y);
    check(ctx, nigh_tape_gradient(tape, node[0], NIGH_NONE, count, parameter, node + 1));
    nigh_executor *run;
    check(ctx, nigh_executor_new(ctx, tape, count + 1, node, &run));
    check(ctx, nigh_parameters_bind(set, run, parameter));
    float *data = noise((int64_t)o->micro * each);
    check(ctx, nigh_executor_bind(run, x, data));
    check(ctx, nigh_executor_bind(run, y, data));
    check(ctx, nigh_executor_run(run));
    print_profile(ctx, o, run);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    free(node), free(data);
}

/* The answers of a network to n samples. */
static nigh_executor *answers(nigh_context *ctx, nigh_network *net, const nigh_shape *sample, int64_t n, nigh_tape **tape, nigh_node *x, nigh_node *y)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node *parameter = calloc((size_t)nigh_parameters_count(set), sizeof *parameter);
    nigh_executor *run;
    int64_t dim[4] = {n, sample->dim[0], sample->dim[1], sample->dim[2]};
    check(ctx, nigh_tape_new(ctx, tape));
    *x = nigh_tape_input(*tape, "x", NIGH_F32, sample->ndim + 1, dim);
    check(ctx, nigh_parameters_record(set, *tape, parameter));
    check(ctx, nigh_network_record(net, *tape, NULL, x, parameter, y));
    check(ctx, nigh_executor_new(ctx, *tape, 1, y, &run));
    check(ctx, nigh_parameters_bind(set, run, parameter));
    free(parameter);
    return run;
}

static void apply(nigh_context *ctx, const options *o, bool profile)
{
    nigh_network *net = network_of(ctx, o);
    nigh_shape sample = sample_of(o);
    nigh_tape *tape;
    nigh_node in, out;
    double idle = resident();
    float *x = noise(nigh_shape_count(&sample));
    nigh_executor *run = answers(ctx, net, &sample, 1, &tape, &in, &out);
    check(ctx, nigh_executor_bind(run, in, x));
    for (int i = 0; i < 3; i++) check(ctx, nigh_executor_run(run));
    if (profile) print_profile(ctx, o, run);
    for (int i = 0; i < (int)o->count; i++) {
        double start = nigh_clock(), cpu = nigh_clock_cpu();
        check(ctx, nigh_executor_run(run));
        printf("seconds %.6f %.6f\n", nigh_clock() - start, nigh_clock_cpu() - cpu);
    }
    printf("rss %.1f %.1f\n", idle, most_resident());
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    free(x);
}

static double relative_error(int64_t n, const float *a, const float *b)
{
    double d = 0, s = 0;
    for (int64_t i = 0; i < n; i++) d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]), s += (double)b[i] * b[i];
    return sqrt(d / s);
}

static void parity(nigh_context *ctx, const options *o, const char *path)
{
    nigh_network *net = network_of(ctx, o);
    nigh_bundle bundle = {.ctx = ctx};
    nigh_shape sample = sample_of(o);
    int64_t each = nigh_shape_count(&sample);
    check(ctx, nigh_npz_read(ctx, path, &bundle));
    check(ctx, nigh_parameters_load(nigh_network_parameters(net), "", &bundle));
    const nigh_array *x = nigh_bundle_find(&bundle, "x"), *y = nigh_bundle_find(&bundle, "y");
    const nigh_array *xt = nigh_bundle_find(&bundle, "xt"), *yt = nigh_bundle_find(&bundle, "yt");
    trainer t = trainer_of(ctx, o, net, x->shape.dim[0], x->data, y->data);
    for (int i = 0; i < 50; i++) {
        check(ctx, nigh_training_advance(t.training, 1));
        printf("loss %d %.9g\n", i, nigh_training_loss(t.training));
    }
    nigh_tape *tape;
    nigh_node in, out;
    int64_t n = xt->shape.dim[0];
    nigh_executor *run = answers(ctx, net, &sample, n, &tape, &in, &out);
    check(ctx, nigh_executor_bind(run, in, xt->data));
    check(ctx, nigh_executor_run(run));
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += relative_error(each, (const float *)nigh_executor_data(run, out) + i * each, (const float *)yt->data + i * each);
    printf("test %.9g\n", sum / (double)n);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    trainer_free(&t);
    nigh_bundle_free(&bundle);
    nigh_network_free(net);
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    const char *what = argc > 1 ? argv[1] : "step";
    bool same = !strcmp(what, "parity");
    options o = read_options(argc, argv, same ? 3 : 2);
    if (nigh_context_new(&ctx)) return 1;
    check(ctx, nigh_context_set_threads(ctx, (int)o.threads));
    if (same && argc > 2) parity(ctx, &o, argv[2]);
    else if (!strncmp(what, "apply", 5)) apply(ctx, &o, !strcmp(what, "apply-profile"));
    else if (!strcmp(what, "profile")) profile(ctx, &o);
    else steps(ctx, &o);
    nigh_context_free(ctx);
    return 0;
}
