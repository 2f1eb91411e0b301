/*
 * Training steps of a decoder (forward, backward, clip, AdamW), for comparison with bench/torch_decoder.py.
 *
 *   train_decoder text=FILE batches=FILE save=FILE [steps=50 batch=16 context=128 layers=3 width=96 heads=4 threads=2 rate=1e-3 warmup=100 total=0
 *                 last=1e-4 positions=learned held=FILE profile=N write=STEPS go=1]
 *
 * Writes the first weights (save) and `write` batches of random windows of the text (batches), makes steps with them (a line each: loss, seconds), then with go=1
 * answers lines "go N" with the seconds and CPU seconds of N more steps, and the loss.
 */
#include "grad/optimiser.h"
#include "nigh/operators_rows.h"
#include "nigh/transformer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 256 };

static int count_arguments;
static char **arguments;

static const char *option(const char *key, const char *otherwise)
{
    size_t n = strlen(key);
    for (int i = 1; i < count_arguments; i++)
        if (!strncmp(arguments[i], key, n) && arguments[i][n] == '=') return arguments[i] + n + 1;
    return otherwise;
}

static double number(const char *key, const char *otherwise) { return strtod(option(key, otherwise), NULL); }

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "train_decoder: %s\n", nigh_message(ctx));
    exit(1);
}

typedef struct trainer {
    nigh_context *ctx;
    nigh_decoder d;
    nigh_network *net;
    nigh_parameters *set;
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node tokens, targets, loss, *weights, *gradients;
    float *gradient, *slots[2];
    const optimiser *rule;
    int64_t batch, count, batches;
    const int32_t *data;
    double rate, last;
    int64_t warm_up, total;
} trainer;

static void build(trainer *t)
{
    nigh_context *ctx = t->ctx;
    int n = nigh_parameters_count(t->set);
    int64_t size = nigh_parameters_size(t->set);
    t->weights = calloc((size_t)n, sizeof *t->weights), t->gradients = calloc((size_t)n + 1, sizeof *t->gradients);
    t->gradient = nigh_alloc_zero(ctx, (size_t)size, sizeof *t->gradient);
    for (int i = 0; i < 2; i++) t->slots[i] = nigh_alloc_zero(ctx, (size_t)size, sizeof *t->slots[i]);
    check(ctx, nigh_tape_new(ctx, &t->tape));
    t->tokens = nigh_tape_input(t->tape, "tokens", NIGH_I32, 2, (int64_t[]){t->batch, t->d.context});
    t->targets = nigh_tape_input(t->tape, "targets", NIGH_I32, 2, (int64_t[]){t->batch, t->d.context});
    nigh_node logits;
    nigh_recording how = {.train = true};
    check(ctx, nigh_parameters_record(t->set, t->tape, t->weights));
    check(ctx, nigh_network_record(t->net, t->tape, &how, &t->tokens, t->weights, &logits));
    t->loss = t->gradients[n] = nigh_tape_cross_entropy(t->tape, logits, t->targets, NIGH_NONE, -1, 0);
    check(ctx, nigh_tape_gradient(t->tape, t->loss, NIGH_NONE, n, t->weights, t->gradients));
    check(ctx, nigh_executor_new(ctx, t->tape, n + 1, t->gradients, &t->run));
    check(ctx, nigh_parameters_bind(t->set, t->run, t->weights));
    for (int i = 0; i < n; i++) check(ctx, nigh_executor_bind(t->run, t->gradients[i], t->gradient + nigh_parameters_at(t->set, i)->offset));
}

static double rate_at(const trainer *t)
{
    if (t->count < t->warm_up) return t->rate * (double)(t->count + 1) / (double)t->warm_up;
    if (!t->total) return t->rate;
    double p = (double)(t->count - t->warm_up) / (double)(t->total - t->warm_up);
    return t->last + (t->rate - t->last) * (1 + cos(acos(-1) * (p < 1 ? p : 1))) / 2;
}

static void update(trainer *t)
{
    int threads = nigh_context_threads(t->ctx);
    int64_t size = nigh_parameters_size(t->set);
    double clip = optimiser_clip(sqrt(optimiser_squares_f32(size, t->gradient, threads)), 1);
    float *block = nigh_parameters_block(t->set);
    for (int i = 0; i < nigh_parameters_count(t->set); i++) {
        const nigh_parameter *p = nigh_parameters_at(t->set, i);
        optimiser_step step = {.settings = {.rate = rate_at(t), .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .decay = 0.1 * p->decay}, .number = t->count + 1,
                               .gradient_scale = clip};
        float *slots[2] = {t->slots[0] + p->offset, t->slots[1] + p->offset};
        optimiser_update_f32(t->rule, &step, nigh_shape_count(&p->shape), block + p->offset, t->gradient + p->offset, slots);
    }
}

static double step(trainer *t)
{
    int64_t length = t->d.context;
    int32_t *tokens = nigh_executor_data(t->run, t->tokens), *targets = nigh_executor_data(t->run, t->targets);
    const int32_t *rows = t->data + t->count % t->batches * t->batch * (length + 1);
    for (int64_t b = 0; b < t->batch; b++) {
        memcpy(tokens + b * length, rows + b * (length + 1), (size_t)length * sizeof *tokens);
        memcpy(targets + b * length, rows + b * (length + 1) + 1, (size_t)length * sizeof *tokens);
    }
    check(t->ctx, nigh_executor_run(t->run));
    update(t);
    t->count++;
    return *(const float *)nigh_executor_data(t->run, t->loss);
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static int32_t *read_text(trainer *t, int64_t *n)
{
    FILE *f = fopen(option("text", "tinyshakespeare.txt"), "rb");
    if (!f) perror("text"), exit(1);
    int32_t *text = NULL;
    int64_t room = 0;
    *n = 0;
    for (int c; (c = getc(f)) != EOF; text[(*n)++] = c)
        if (*n == room) text = realloc(text, (size_t)(room = room ? 2 * room : 1 << 20) * sizeof *text);
    fclose(f);
    return text;
}

static void write_file(const char *path, const int32_t *data, int64_t n)
{
    FILE *f = *path ? fopen(path, "wb") : NULL;
    if (!f) return;
    fwrite(data, sizeof *data, (size_t)n, f);
    fclose(f);
}

/* Nine tenths of the text to learn from, in random windows; the rest to hold out. */
static void make_batches(trainer *t, int64_t steps, const int32_t *text, int64_t n)
{
    int64_t row = t->d.context + 1, learn = n * 9 / 10;
    int32_t *data = malloc((size_t)(steps * t->batch * row) * sizeof *data);
    nigh_rng rng = nigh_rng_new(1, 99);
    for (int64_t i = 0; i < steps * t->batch; i++) memcpy(data + i * row, text + (int64_t)(nigh_rng_f64(&rng) * (double)(learn - row)), (size_t)row * sizeof *data);
    t->data = data;
    t->batches = steps;
    write_file(option("batches", ""), data, steps * t->batch * row);
    write_file(option("held", ""), text + learn, n - learn);
}

static void evaluate(trainer *t, const int32_t *held, int64_t n)
{
    nigh_scorer *scorer;
    nigh_perplexity p;
    check(t->ctx, nigh_scorer_new(t->ctx, t->net, t->batch, t->d.context, &scorer));
    check(t->ctx, nigh_scorer_perplexity(scorer, (n - 1) / t->d.context * t->d.context + 1, held, 0, &p));
    printf("held %.4f bits a token, %lld tokens\n", p.bits, (long long)p.tokens);
    nigh_scorer_free(scorer);
}

/* Each step of the executor with the least time of so many runs: what it needs when nothing disturbs it. */
static void profile(trainer *t, int runs)
{
    nigh_buffer text = {.ctx = t->ctx};
    int n = nigh_executor_steps(t->run);
    double *now = calloc((size_t)n, sizeof *now), *least = calloc((size_t)n, sizeof *least), all = 0;
    for (int i = 0; i < runs; i++) {
        memset(now, 0, (size_t)n * sizeof *now);
        check(t->ctx, nigh_executor_profile(t->run, now));
        for (int k = 0; k < n; k++) least[k] = i && least[k] < now[k] ? least[k] : now[k];
    }
    check(t->ctx, nigh_executor_print(t->run, &text));
    char *line = text.data;
    for (int i = 0; i < n; i++, line = strchr(line, '\n') + 1) {
        fprintf(stderr, "%8.1f us  %.*s\n", least[i] * 1e6, (int)strcspn(line, "\n"), line);
        all += least[i];
    }
    fprintf(stderr, "%8.1f us in all, arena %.1f MB\n", all * 1e6, (double)nigh_executor_bytes(t->run) / 1e6);
    nigh_buffer_free(&text);
    free(now), free(least);
}

int main(int argc, char **argv)
{
    trainer t = {0};
    count_arguments = argc, arguments = argv;
    if (nigh_context_new(&t.ctx)) return 1;
    nigh_context_set_threads(t.ctx, (int)number("threads", "2"));
    t.d = nigh_decoder_default();
    t.d.vocabulary = BYTES, t.d.layers = (int64_t)number("layers", "3"), t.d.width = (int64_t)number("width", "96"), t.d.heads = (int64_t)number("heads", "4");
    t.d.context = (int64_t)number("context", "128");
    if (!strcmp(option("positions", "learned"), "rotary")) t.d.positions = NIGH_POSITIONS_ROTARY;
    t.batch = (int64_t)number("batch", "16"), t.rate = number("rate", "1e-3"), t.last = number("last", "1e-4");
    t.warm_up = (int64_t)number("warmup", "100"), t.total = (int64_t)number("total", "0");
    check(t.ctx, nigh_decoder_build(t.ctx, &t.d, &t.net));
    t.set = nigh_network_parameters(t.net);
    check(t.ctx, nigh_parameters_draw(t.set, 7));
    check(t.ctx, optimiser_find(t.ctx, "adamw", &t.rule));
    if (*option("save", "")) check(t.ctx, nigh_decoder_save(t.ctx, t.net, &t.d, option("save", "")));
    build(&t);
    fprintf(stderr, "%lld weights, %d steps of the executor\n", (long long)nigh_parameters_numbers(t.set), nigh_executor_steps(t.run));
    int64_t n, steps = (int64_t)number("steps", "50");
    int32_t *text = read_text(&t, &n);
    make_batches(&t, (int64_t)number("write", option("steps", "50")), text, n);
    double start = nigh_clock();
    for (int64_t i = 0; i < steps; i++) {
        double before = nigh_clock(), loss = step(&t);
        printf("%lld %.6f %.5f\n", (long long)i, loss, nigh_clock() - before);
    }
    fprintf(stderr, "%.2f ms a step\n", (nigh_clock() - start) / (double)steps * 1e3);
    if (*option("held", "")) evaluate(&t, text + n * 9 / 10, n - n * 9 / 10);
    if (number("profile", "0") > 0) profile(&t, (int)number("profile", "0"));
    fflush(stdout);
    for (char line[64]; number("go", "0") > 0 && fgets(line, sizeof line, stdin);) {
        double before = nigh_clock(), cpu = (double)clock(), loss = 0;
        for (long i = strtol(line + 2, NULL, 10); i > 0; i--) loss = step(&t);
        printf("%.6f %.6f %.6f\n", nigh_clock() - before, ((double)clock() - cpu) / CLOCKS_PER_SEC, loss);
        fflush(stdout);
    }
    free(text), free((void *)t.data), free(t.weights), free(t.gradients);
    nigh_executor_free(t.run), nigh_tape_free(t.tape), nigh_network_free(t.net);
    for (int i = 0; i < 2; i++) nigh_free(t.ctx, t.slots[i]);
    nigh_free(t.ctx, t.gradient);
    nigh_context_free(t.ctx);
}
