/*
 * Training steps and one-sample answers of networks on fields; the side of nigh in fields_beside.py, with the words of torch_fno.py:
 *
 *   train_fields step  [key=value ...]    seconds of training steps (forward, backward, Adam), after warming up
 *   train_fields apply [key=value ...]    seconds of one-sample answers
 *   train_fields parity FILE.npz [key=value ...]   losses of 50 Adam steps from the weights and batches in FILE, and a test error
 *   train_fields profile [key=value ...]  milliseconds of each part of a step; apply-profile: of an answer
 */
#include "nigh/fields.h"

#include "operator/fields_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
    double size, width, modes, layers, batch, count, threads, rate, dims, micro;
} options;

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "train_fields: %s\n", nigh_message(ctx));
    exit(1);
}

static options read_options(int argc, char **argv, int from)
{
    options o = {64, 32, 12, 4, 20, 10, 2, 1e-3, 2, 0};
    struct { const char *key; double *value; } keys[] = {{"size", &o.size}, {"width", &o.width}, {"modes", &o.modes}, {"layers", &o.layers}, {"batch", &o.batch}, {"count", &o.count},
                                                         {"threads", &o.threads}, {"rate", &o.rate}, {"dims", &o.dims}, {"micro", &o.micro}};
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
    check(ctx, nigh_fno_new(ctx, NIGH_F32, &spec, &net));
    check(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    return net;
}

static nigh_shape sample_of(const options *o)
{
    nigh_shape s = {NIGH_F32, (int)o->dims + 1, {(int64_t)o->size, o->dims == 2 ? (int64_t)o->size : 1, 1}};
    return s;
}

static fields_trainer *trainer_of(nigh_context *ctx, const options *o, nigh_network *net)
{
    fields_trainer *t;
    fields_training spec = fields_training_defaults();
    spec.net = net, spec.in = spec.out = sample_of(o), spec.batch = (int64_t)o->batch, spec.micro = (int64_t)o->micro;
    check(ctx, fields_trainer_new(ctx, &spec, &t));
    return t;
}

static float *noise(int64_t n)
{
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    nigh_rng rng = nigh_rng_new(1, 1);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(nigh_rng_f64(&rng) - 0.5);
    return x;
}

static void print_profile(nigh_context *ctx, const options *o, nigh_executor *run)
{
    double *seconds = calloc((size_t)nigh_executor_steps(run), sizeof *seconds);
    nigh_buffer text = {.ctx = ctx};
    for (int i = 0; i < (int)o->count; i++) check(ctx, nigh_executor_profile(run, seconds));
    check(ctx, nigh_executor_print(run, &text));
    char *line = text.data;
    for (int i = 0; i < nigh_executor_steps(run) && line; i++) {
        char *end = strchr(line, '\n');
        printf("%9.3f ms  %.*s\n", 1e3 * seconds[i] / o->count, (int)(end - line), line);
        line = end + 1;
    }
    printf("arena %.1f MB\n", (double)nigh_executor_bytes(run) / (1 << 20));
    nigh_buffer_free(&text);
    free(seconds);
}

static void steps(nigh_context *ctx, const options *o, bool profile)
{
    nigh_network *net = network_of(ctx, o);
    nigh_shape sample = sample_of(o);
    int64_t each = nigh_shape_count(&sample);
    float *x = noise((int64_t)o->batch * each), *y = noise((int64_t)o->batch * each);
    double idle = resident(), loss;
    fields_trainer *t = trainer_of(ctx, o, net);
    for (int i = 0; i < 3; i++) check(ctx, fields_trainer_step(t, o->rate, x, y, &loss));
    for (int i = 0; i < (int)o->count && !profile; i++) {
        double start = nigh_clock(), cpu = nigh_clock_cpu();
        check(ctx, fields_trainer_step(t, o->rate, x, y, &loss));
        printf("seconds %.6f %.6f\n", nigh_clock() - start, nigh_clock_cpu() - cpu);
    }
    if (profile) print_profile(ctx, o, fields_trainer_executor(t));
    printf("rss %.1f %.1f\n", idle, most_resident());
    fields_trainer_free(t);
    nigh_network_free(net);
    free(x), free(y);
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
    int64_t each = nigh_shape_count(&sample), batch = (int64_t)o->batch;
    check(ctx, nigh_npz_read(ctx, path, &bundle));
    check(ctx, nigh_parameters_load(nigh_network_parameters(net), "", &bundle));
    const float *x = nigh_bundle_find(&bundle, "x")->data, *y = nigh_bundle_find(&bundle, "y")->data;
    const nigh_array *xt = nigh_bundle_find(&bundle, "xt"), *yt = nigh_bundle_find(&bundle, "yt");
    fields_trainer *t = trainer_of(ctx, o, net);
    for (int i = 0; i < 50; i++) {
        double loss;
        check(ctx, fields_trainer_step(t, o->rate, x + i % 10 * batch * each, y + i % 10 * batch * each, &loss));
        printf("loss %d %.9g\n", i, loss);
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
    fields_trainer_free(t);
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
    else steps(ctx, &o, !strcmp(what, "profile"));
    nigh_context_free(ctx);
    return 0;
}
