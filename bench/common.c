/* What the measurements share. Declared in common.h. */
#include "common.h"

#include <cblas.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- start and end ---- */

enum { MOST_LINES = 64 };
static struct line {
    int bar; /* 0: a note */
    char figure[96];
    double value, threshold;
    bool least, holds;
} lines[MOST_LINES];
static int line_count;

static int usage(const char *what)
{
    fprintf(stderr, "%s\n  --count N   problems or runs\n  --seed S    of all random numbers\n  --quick     a short look\n"
                    "  --only PART only what has PART in its name\n  --json FILE summary\n  --verbose   more lines\n", what);
    return 2;
}

static void print_machine(void)
{
    printf("nigh %s, %s (%s), OpenBLAS core %s, %ld cores online\n", nigh_version(), nigh_cpu_model(), nigh_cpu_level_name(nigh_cpu()),
           openblas_get_corename(), sysconf(_SC_NPROCESSORS_ONLN));
    fflush(stdout);
}

int bench_start(int argc, char **argv, const char *what, bench_args *args)
{
    if (getenv("OPENBLAS_CORETYPE") || getenv("OPENBLAS_L2_SIZE")) { /* read when the library is loaded */
        unsetenv("OPENBLAS_CORETYPE");
        unsetenv("OPENBLAS_L2_SIZE");
        execv("/proc/self/exe", argv);
        perror("cannot start again");
        return 2;
    }
    *args = (bench_args){.seed = 20260};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--quick") == 0) args->quick = true;
        else if (strcmp(argv[i], "--verbose") == 0) args->verbose = true;
        else if (more && strcmp(argv[i], "--count") == 0) args->count = atoll(argv[++i]);
        else if (more && strcmp(argv[i], "--seed") == 0) args->seed = strtoull(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--json") == 0) args->json = argv[++i];
        else if (more && strcmp(argv[i], "--only") == 0) args->only = argv[++i];
        else return usage(what);
    }
    print_machine();
    return -1;
}

static void remember(int bar, const char *figure, double value, bool least, double threshold, bool holds)
{
    if (line_count == MOST_LINES) return;
    struct line *line = &lines[line_count++];
    *line = (struct line){.bar = bar, .value = value, .threshold = threshold, .least = least, .holds = holds};
    snprintf(line->figure, sizeof line->figure, "%s", figure);
}

void bench_bar(int bar, const char *figure, double value, bool least, double threshold)
{
    bool holds = least ? value >= threshold : value <= threshold;
    printf("bar %d: %s %.4g %s %.4g: %s\n", bar, figure, value, least ? ">=" : "<=", threshold, holds ? "holds" : "FALLS SHORT");
    fflush(stdout);
    remember(bar, figure, value, least, threshold, holds);
}

void bench_note(const char *figure, double value) { remember(0, figure, value, false, 0, true); }

static void print_number(FILE *file, double x)
{
    if (isfinite(x))
        fprintf(file, "%.10g", x);
    else
        fprintf(file, "null");
}

int bench_end(const bench_args *args)
{
    int fell_short = 0;
    FILE *file = args->json ? fopen(args->json, "w") : NULL;
    if (args->json && !file) perror(args->json);
    if (file) fprintf(file, "{\"nigh\": \"%s\", \"cpu\": \"%s\", \"core\": \"%s\", \"seed\": %llu, \"figures\": [", nigh_version(), nigh_cpu_model(),
                      openblas_get_corename(), (unsigned long long)args->seed);
    for (int i = 0; i < line_count; i++) {
        const struct line *line = &lines[i];
        fell_short += !line->holds;
        if (!file) continue;
        fprintf(file, "%s\n  {\"figure\": \"%s\", \"value\": ", i ? "," : "", line->figure);
        print_number(file, line->value);
        if (line->bar)
            fprintf(file, ", \"bar\": %d, \"relation\": \"%s\", \"threshold\": %.10g, \"holds\": %s", line->bar, line->least ? ">=" : "<=",
                    line->threshold, line->holds ? "true" : "false");
        fprintf(file, "}");
    }
    if (file) fprintf(file, "\n]}\n"), fclose(file);
    return fell_short > 0;
}

void bench_progress(int64_t done, int64_t total, const char *what)
{
    if (isatty(2)) fprintf(stderr, "\r%lld of %lld %-40.40s%s", (long long)done, (long long)total, what, done == total ? "\n" : "");
}

/* ---- small ---- */

int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_folder_new(char path[64])
{
    snprintf(path, 64, "/tmp/nigh-bench-XXXXXX");
    if (!mkdtemp(path)) perror(path), exit(3);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place) { return remove(path); }

void bench_folder_remove(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

double bench_between(nigh_rng *rng, double low, double high) { return low + (high - low) * nigh_rng_f64(rng); }

double bench_log_between(nigh_rng *rng, double low, double high) { return exp(bench_between(rng, log(low), log(high))); }

/* ---- truth ---- */

static double element(nigh_dtype dtype, const void *data, int64_t i)
{
    return dtype == NIGH_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

nigh_status bench_errors(nigh_context *ctx, const nigh_problem *problem, const nigh_plan *plan, int64_t n, const void *in, const void *out,
                         double *errors)
{
    int64_t m = nigh_shape_count(&problem->out);
    nigh_dtype dtype = problem->out.dtype;
    size_t bytes = nigh_plan_workspace(plan);
    char *answer = nigh_alloc(ctx, (size_t)(n * m) * nigh_dtype_size(dtype));
    void *workspace = nigh_alloc(ctx, bytes ? bytes : 1);
    double *rows = nigh_alloc(ctx, 2 * (size_t)m * sizeof *rows);
    nigh_status status = answer && workspace && rows ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = nigh_plan_apply(plan, n, in, answer, workspace, bytes);
    if (status == NIGH_OUTSIDE) status = NIGH_OK;
    if (!status && problem->ops->errors) {
        status = problem->ops->errors(ctx, problem, n, in, out, answer, errors);
    } else if (!status) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < m; j++) rows[j] = element(dtype, out, i * m + j), rows[m + j] = element(dtype, answer, i * m + j);
            errors[i] = problem->measure->error(m, rows, rows + m, dtype);
        }
    }
    nigh_free(ctx, rows);
    nigh_free(ctx, workspace);
    nigh_free(ctx, answer);
    return status;
}

bench_truth bench_truth_of(int64_t n, double *errors, double error)
{
    double clip = 5 * error, sum = 0, squares = 0;
    int64_t over = 0;
    qsort(errors, (size_t)n, sizeof *errors, bench_by_value);
    for (int64_t i = 0; i < n; i++) {
        double e = fmin(errors[i], clip);
        sum += e, squares += e * e;
        over += errors[i] > clip;
    }
    double mean = sum / (double)n;
    return (bench_truth){.mean = mean,
                         .mean_se = sqrt(fmax(squares / (double)n - mean * mean, 0) / (double)n),
                         .outliers = (double)over / (double)n,
                         .p95 = errors[(int64_t)ceil(0.95 * (double)n) - 1],
                         .worst = errors[n - 1]};
}

double bench_truth_decides(const bench_truth *truth, nigh_statistic statistic)
{
    return statistic == NIGH_MEAN ? truth->mean : statistic == NIGH_P95 ? truth->p95 : truth->worst;
}

/* Less noise than free draws for a function of one variable, and no bias. */
static void draw_even(const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    double low = problem->low[0], high = problem->high[0];
    for (int64_t i = 0; i < n; i++) {
        double x = fmin(fmax(low + (high - low) * ((double)i + nigh_rng_f64(rng)) / (double)n, low), high);
        if (problem->in.dtype == NIGH_F32)
            ((float *)in)[i] = (float)x;
        else
            ((double *)in)[i] = x;
    }
}

nigh_status bench_inputs_new(nigh_context *ctx, const nigh_problem *problem, uint64_t seed, int64_t n, bool even, bench_inputs *inputs)
{
    size_t in = (size_t)nigh_shape_count(&problem->in) * nigh_dtype_size(problem->in.dtype);
    size_t out = (size_t)nigh_shape_count(&problem->out) * nigh_dtype_size(problem->out.dtype);
    *inputs = (bench_inputs){n, nigh_alloc(ctx, (size_t)n * in), nigh_alloc(ctx, (size_t)n * out)};
    nigh_rng rng = nigh_rng_new(seed, 77);
    nigh_status status = inputs->in && inputs->out ? NIGH_OK : NIGH_MEMORY;
    if (!status && even)
        draw_even(problem, &rng, n, inputs->in);
    else if (!status)
        status = problem->ops->draw(ctx, problem, &rng, n, inputs->in);
    if (!status) status = problem->ops->exact(ctx, problem, n, inputs->in, inputs->out);
    if (status) bench_inputs_free(ctx, inputs);
    return status;
}

void bench_inputs_free(nigh_context *ctx, bench_inputs *inputs)
{
    nigh_free(ctx, inputs->in);
    nigh_free(ctx, inputs->out);
    *inputs = (bench_inputs){0};
}

/* ---- work that is timed ---- */

nigh_status bench_work_new(nigh_context *ctx, const nigh_problem *problem, const nigh_plan *plan, const bench_inputs *inputs, bench_work *work)
{
    *work = (bench_work){.plan = plan, .n = inputs->n < 4096 ? inputs->n : 4096, .in = inputs->in, .bytes = nigh_plan_workspace(plan)};
    work->in_bytes = (size_t)nigh_shape_count(&problem->in) * nigh_dtype_size(problem->in.dtype);
    work->out_bytes = (size_t)nigh_shape_count(&problem->out) * nigh_dtype_size(problem->out.dtype);
    work->out = nigh_alloc_zero(ctx, (size_t)work->n, work->out_bytes);
    work->workspace = nigh_alloc(ctx, work->bytes ? work->bytes : 1);
    if (work->out && work->workspace) return NIGH_OK;
    bench_work_free(ctx, work);
    return NIGH_MEMORY;
}

void bench_work_free(nigh_context *ctx, bench_work *work)
{
    nigh_free(ctx, work->out);
    nigh_free(ctx, work->workspace);
    work->out = work->workspace = NULL;
}

nigh_status bench_work_run(nigh_context *ctx, void *user, int64_t samples)
{
    bench_work *work = user;
    for (int64_t done = 0; done < samples;) {
        int64_t n = samples - done < work->n ? samples - done : work->n;
        nigh_status status = nigh_plan_apply(work->plan, n, work->in, work->out, work->workspace, work->bytes);
        if (status && status != NIGH_OUTSIDE) return status;
        done += n;
    }
    return NIGH_OK;
}

nigh_status bench_work_seconds(nigh_context *ctx, bench_work *work, double *seconds)
{
    double took[5];
    int64_t batch = 1;
    for (int round = -1; round < 5;) {
        double start = nigh_clock_cpu();
        nigh_status status = bench_work_run(ctx, work, batch);
        if (status) return status;
        double s = nigh_clock_cpu() - start;
        if (round < 0 && s < 1e-3) {
            batch *= s < 1e-4 ? 8 : 2;
            continue;
        }
        if (round >= 0) took[round] = s / (double)batch;
        round++;
    }
    qsort(took, 5, sizeof *took, bench_by_value);
    *seconds = took[2];
    return NIGH_OK;
}

nigh_status bench_fit(nigh_context *ctx, const nigh_problem *problem, const nigh_method *method, const nigh_settings *settings,
                      const nigh_samples *samples, nigh_plan **plan, double *seconds)
{
    void *fit = NULL;
    nigh_progress_point point = {0};
    double start = nigh_clock_cpu();
    *plan = NULL;
    nigh_status status = method->start(ctx, method, problem, samples, settings, &fit);
    while (!status && !point.done) status = method->advance(ctx, fit, 1 + point.total / 100, &point);
    if (!status) status = method->finish(ctx, fit, plan);
    method->abandon(ctx, fit);
    *seconds = nigh_clock_cpu() - start;
    return status;
}
