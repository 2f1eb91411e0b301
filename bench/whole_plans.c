/*
 * Bar 3: do the figures of whole plans hold? Plans cheap problems drawn by the seed (functions, maps, files of pairs) and
 * compares every stated bound of the receipt with the truth.
 *
 *     whole_plans [--count 200] [--seed S] [--quick] [--only function|map|pairs] [--json FILE] [--verbose]
 *
 * Truth: functions on 20,000 inputs, one in each of 20,000 equal parts of the interval (unbiased, with far less noise than
 * free draws); maps and files on 40,000 fresh draws of the law that the samples came from. The test sets are smaller (300 to 3000), so
 * that the noise of the truth hardly counts. A bound holds when the truth is not above it; for certificates: when no input
 * of 20,000 is worse. Receipts of plans that did not meet E count, too.
 *
 * "Exceeds": the true figure that decides (mean of min(e, 5E), p95, worst) is above 1.05 E though the plan left with NIGH_OK.
 * One plan in ten is made with the clock, the others by counted cost.
 */
#include "common.h"
#include "maps.h"

#include "nigh/function.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct plan_tally {
    int made, met, unmet, failed, exceeds;
    int all, mean, p95, outliers, certificate, certificates, decides;
} plan_tally;

typedef struct plan_job {
    nigh_problem *problem, *source; /* source: the law behind a file; else the problem itself */
    nigh_request request;
    char folder[64], label[200];
    bool function;
} plan_job;

static const struct subject {
    const char *text;
    double low, high; /* where intervals may lie */
} subjects[] = {
    {"exp", -5, 5},      {"exp2", -4, 6},     {"log", 0.2, 9},      {"log2", 0.3, 8},      {"sin", -9, 9},
    {"cos", -6, 12},     {"tanh", -4, 4},     {"erf", -3, 3},       {"sigmoid", -8, 8},    {"gelu", -4, 4},
    {"silu", -6, 6},     {"softplus", -6, 6}, {"sqrt", 0.1, 10},    {"rsqrt", 0.1, 10},    {"exp(-x*x)*cos(3*x)", -2, 3},
    {"1/(1+25*x*x)", -1, 1}, {"x*sin(5*x)", -2, 4}, {"log(1+x*x)", -3, 5}, {"exp(-abs(x))", -2, 2}, {"atan(4*x)", -2, 2},
    {"sqrt(1+x*x)-x", -3, 3}, {"cos(x)/(1+x*x)", -4, 6}, {"1+exp(x)*sin(7*x)", -1, 1}, {"cbrt(x)+x^3", 0.2, 2},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static nigh_status function_job(nigh_context *ctx, nigh_rng *rng, plan_job *job)
{
    const struct subject *s = &subjects[nigh_rng_below(rng, SUBJECTS)];
    double width = (s->high - s->low) * bench_between(rng, 0.1, 1), low = bench_between(rng, s->low, s->high - width);
    bool f32 = nigh_rng_below(rng, 5) < 3;
    uint64_t kind = nigh_rng_below(rng, 6);
    nigh_request *q = &job->request;
    q->statistic = kind < 3 ? NIGH_MEAN : kind < 5 ? NIGH_P95 : NIGH_WORST;
    if (q->statistic == NIGH_WORST) { /* proved input by input: f32, an octave or two of numbers */
        f32 = true;
        low = fmax(fabs(low), 0.25), width = bench_between(rng, 0.5, 1.5) * low;
        low = fmin(low, 3), width = fmin(width, 9 - low);
        s = &subjects[nigh_rng_below(rng, 14)];
    }
    uint64_t measure = nigh_rng_below(rng, 8);
    const char *measures[] = {"absolute", "relative", "ulp"};
    const char *m = measures[measure < 5 ? 0 : measure < 7 ? 1 : 2];
    if (strcmp(m, "ulp") == 0)
        q->error = bench_log_between(rng, 0.3, f32 ? 1e4 : 1e6);
    else
        q->error = f32 ? bench_log_between(rng, 2e-8, 1e-1) : bench_log_between(rng, 1e-13, 1e-1);
    snprintf(job->label, sizeof job->label, "%s on %.3g..%.3g %s %s", s->text, low, low + width, f32 ? "f32" : "f64", m);
    nigh_function f = {.text = s->text, .low = low, .high = low + width, .type = f32 ? NIGH_F32 : NIGH_F64, .measure = m};
    if (f32) f.low = (double)(float)f.low, f.high = (double)(float)f.high;
    job->function = true;
    nigh_status status = nigh_function_problem_new(ctx, &f, &job->problem);
    job->source = job->problem;
    return status;
}

static nigh_status map_job(nigh_context *ctx, nigh_rng *rng, bool pairs, plan_job *job)
{
    int maps = 0;
    while (bench_cheap_maps[maps].name) maps++;
    const bench_map *map = &bench_cheap_maps[nigh_rng_below(rng, (uint64_t)maps)];
    const char *measures[] = {"relative-l2", "absolute", "rms"};
    const char *measure = measures[nigh_rng_below(rng, 3)];
    nigh_request *q = &job->request;
    q->statistic = nigh_rng_below(rng, 3) ? NIGH_MEAN : NIGH_P95;
    q->error = bench_log_between(rng, 2e-4, 0.3);
    uint64_t seed = nigh_rng_u64(rng);
    nigh_status status = bench_map_problem(ctx, map, seed, measure, &job->source);
    job->problem = job->source;
    int64_t rows = 0;
    if (!status && pairs) {
        rows = (int64_t)bench_log_between(rng, 300, 1200);
        job->problem = NULL;
        status = bench_pairs_problem(ctx, job->source, seed + 1, rows, &job->problem);
    }
    q->fit = pairs ? 0 : (int64_t)bench_log_between(rng, 100, 400);
    if (pairs)
        snprintf(job->label, sizeof job->label, "pairs %s %s %lld rows", map->name, measure, (long long)rows);
    else
        snprintf(job->label, sizeof job->label, "map %s %s fit %lld", map->name, measure, (long long)q->fit);
    return status;
}

static nigh_status job_new(nigh_context *ctx, const bench_args *args, int64_t number, plan_job *job)
{
    nigh_rng rng = nigh_rng_new(args->seed, 1000 + (uint64_t)number);
    *job = (plan_job){.request = nigh_request_default()};
    bench_folder_new(job->folder);
    nigh_request *q = &job->request;
    q->state = job->folder;
    q->no_clock = nigh_rng_below(&rng, 10) > 0;
    uint64_t kind = nigh_rng_below(&rng, 10); /* six functions, two maps, two files in ten */
    if (args->only) kind = strcmp(args->only, "function") == 0 ? 0 : strcmp(args->only, "map") == 0 ? 7 : 9;
    nigh_status status = kind < 6 ? function_job(ctx, &rng, job) : map_job(ctx, &rng, kind >= 8, job);
    if (kind < 8) {
        const int64_t sizes[] = {300, 1000, 3000};
        q->test = sizes[nigh_rng_below(&rng, 3)];
        q->screen = sizes[nigh_rng_below(&rng, 3)];
    }
    if (q->statistic == NIGH_MEAN && nigh_rng_below(&rng, 5) == 0) q->outliers = 0.05;
    return status;
}

static void job_free(nigh_context *ctx, plan_job *job)
{
    if (job->source != job->problem) nigh_problem_free(ctx, job->source);
    nigh_problem_free(ctx, job->problem);
    bench_folder_remove(job->folder);
}

static nigh_status job_truth(nigh_context *ctx, const plan_job *job, const nigh_plan *plan, uint64_t seed, bench_truth *truth)
{
    bench_inputs fresh;
    int64_t n = job->function ? 20000 : 40000;
    nigh_status status = bench_inputs_new(ctx, job->source, seed, n, job->function, &fresh);
    if (status) return status;
    double *errors = nigh_alloc(ctx, (size_t)n * sizeof *errors);
    status = errors ? bench_errors(ctx, job->source, plan, n, fresh.in, fresh.out, errors) : NIGH_MEMORY;
    if (!status) *truth = bench_truth_of(n, errors, job->request.error);
    nigh_free(ctx, errors);
    bench_inputs_free(ctx, &fresh);
    return status;
}

/* Compares, counts, and shows what does not hold. */
static void judge(const plan_job *job, const nigh_receipt *r, const bench_truth *t, bool met, plan_tally *tally, bool verbose)
{
    bool certified = r->certificate.how != NULL;
    bool mean = t->mean <= r->mean.high, p95 = t->p95 <= r->p95.high, outliers = t->outliers <= r->outliers.high;
    bool certificate = !certified || t->worst <= r->certificate.worst;
    bool decides = r->statistic == NIGH_MEAN ? mean : r->statistic == NIGH_P95 ? p95 : certificate;
    bool all = mean && p95 && outliers && certificate;
    bool exceeds = met && bench_truth_decides(t, r->statistic) > 1.05 * r->error;
    tally->mean += mean, tally->p95 += p95, tally->outliers += outliers, tally->all += all, tally->decides += decides;
    tally->certificates += certified, tally->certificate += certified && certificate;
    tally->exceeds += exceeds;
    if (all && !exceeds && !verbose) return;
    printf("  %s%s %s | %s | E %.3g %s, %s, test %lld at %.3g%%\n", all ? "" : "BOUND ", exceeds ? "EXCEEDS" : "", job->label, r->method, r->error,
           r->statistic == NIGH_MEAN ? "mean" : r->statistic == NIGH_P95 ? "p95" : "worst", met ? "met" : "not met", (long long)r->tests, 100 * r->level);
    printf("      mean %.5g (+- %.2g) bound %.5g%s | p95 %.5g bound %.5g%s | outliers %.5g bound %.5g%s | worst %.5g", t->mean, t->mean_se,
           r->mean.high, mean ? "" : " <<", t->p95, r->p95.high, p95 ? "" : " <<", t->outliers, r->outliers.high, outliers ? "" : " <<", t->worst);
    if (certified) printf(" certified %.5g%s", r->certificate.worst, certificate ? "" : " <<");
    printf("\n");
}

static nigh_status run_job(nigh_context *ctx, const bench_args *args, int64_t number, plan_tally *tally)
{
    plan_job job;
    nigh_outcome *outcome = NULL;
    nigh_context_set_seed(ctx, nigh_seed_split(args->seed, (uint64_t)number));
    double start = nigh_clock();
    nigh_status status = job_new(ctx, args, number, &job);
    if (!status) status = nigh_plan_make(ctx, job.problem, &job.request, &outcome);
    bool met = status == NIGH_OK;
    if (status == NIGH_UNMET) status = NIGH_OK;
    const nigh_plan *plan = NULL; /* of the receipt */
    for (int i = 0; !status && i < outcome->count && !outcome->plan; i++)
        if (outcome->candidates[i].link == 0) plan = outcome->candidates[i].plan;
    if (!status && outcome->plan) plan = outcome->plan;
    if (status) {
        tally->failed++;
        printf("  FAILED %s: %s: %s\n", job.label, nigh_status_text(status), nigh_message(ctx));
    } else if (!plan || !outcome->receipt) {
        tally->unmet++, tally->failed++;
        printf("  NO PLAN %s: %d candidates\n", job.label, outcome->count);
    } else {
        bench_truth truth;
        status = job_truth(ctx, &job, plan, nigh_seed_split(args->seed, (uint64_t)number + (1u << 20)), &truth);
        tally->made++, tally->met += met, tally->unmet += !met;
        if (!status) judge(&job, outcome->receipt, &truth, met, tally, args->verbose);
    }
    if (args->verbose) printf("      %s %.2f s, %d candidates\n", job.label, nigh_clock() - start, outcome ? outcome->count : 0);
    fflush(stdout);
    nigh_outcome_free(ctx, outcome);
    job_free(ctx, &job);
    return status == NIGH_MEMORY ? status : NIGH_OK;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "whole_plans: do the bounds of whole plans hold?", &args);
    if (done >= 0) return done;
    int64_t count = args.count ? args.count : args.quick ? 20 : 200;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    plan_tally t = {0};
    double start = nigh_clock();
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < count && !status; i++) {
        bench_progress(i, count, "plans");
        status = run_job(ctx, &args, i, &t);
    }
    nigh_context_free(ctx);
    printf("%d plans with a receipt: %d met E, %d not; %d without; %.0f s\n", t.made, t.met, t.unmet, t.failed, nigh_clock() - start);
    printf("held: mean %d, p95 %d, outliers %d, certificates %d of %d, the deciding bound %d, all %d of %d\n", t.mean, t.p95, t.outliers,
           t.certificate, t.certificates, t.decides, t.all, t.made);
    bench_note("plans with a receipt", t.made);
    bench_note("met E", t.met);
    bench_note("deciding bound held", t.decides);
    bench_bar(3, "share of plans whose bounds all hold", t.made ? (double)t.all / t.made : 0, true, 0.91);
    bench_bar(3, "share of plans that left with 0 and exceed 1.05 E", t.met ? (double)t.exceeds / t.met : 1, false, 0.05);
    return status ? 3 : bench_end(&args) || t.failed > 0;
}
