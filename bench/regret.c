/*
 * Bar 4: regret of the planner against brute force over all methods and their declared grids, and what deciding costs.
 *
 *     regret [--count 40] [--seed S] [--quick] [--only PART] [--json FILE] [--verbose]
 *     regret --only certified
 *
 * The second form: 12 functions with three bounds of the worst error each, which only a proof can meet; it also holds that every plan is
 * certified and made in less than two minutes.
 *
 * 40 problems: 30 functions (f32 and f64, several E and statistics, 10^6 and 10^9 uses) and 10 maps (six simulations that
 * stand for a user's program, four cheap ones).
 *
 * Brute force: nigh_plan_make with request.brute fits and screens every setting of every grid; it is run with 1.05 E, so that those whose
 * screened figure was unlucky take part. Then every one that passed is timed and, where the worst error is asked for,
 * certified. The contenders are the cheapest three whose true figure (20,000 fresh inputs; the certificate) meets E.
 *
 * Cost = fit + exact calls of the fit + uses x apply. The chosen one and each contender are measured against each other in
 * one run: 6 fits of each in turn (fewer when they are long) by CPU time, and nigh_time_pair for apply. Pair k of the timing goes with fit k mod 6 to
 * a ratio of costs; their median is the regret, and 1 when their 95% interval contains 1 (a tie) or the median is below 1.
 * The regret of a problem is the largest over its contenders.
 *
 * Deciding time: CPU seconds (this process and its children) of nigh_plan_make, all of it: exact answers, search, timing of
 * finalists, test walk, paired timing of the receipt. Brute force: the same of its nigh_plan_make, which includes the same
 * walk and receipt, plus the timing and certificates of those that passed. The share without what both do alike (all from
 * the test walk on) is printed beside it as "search".
 */
#include "common.h"
#include "maps.h"

#include "nigh/function.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { CONTENDERS = 3, FITS = 6, TRUTH = 20000, MOST_PROBLEMS = 128 };

static const struct function_case {
    const char *text;
    double low, high;
    nigh_dtype type;
    const char *measure;
    nigh_statistic statistic;
    double error, uses;
} function_cases[] = {
    {"exp", -1, 1, NIGH_F32, "absolute", NIGH_MEAN, 1e-6, 1e6},
    {"exp", -10, 10, NIGH_F32, "relative", NIGH_MEAN, 1e-4, 1e9},
    {"exp", -1, 1, NIGH_F64, "relative", NIGH_MEAN, 1e-12, 1e9},
    {"exp2", -4, 4, NIGH_F64, "relative", NIGH_P95, 1e-8, 1e6},
    {"exp2", 1, 2, NIGH_F32, "ulp", NIGH_WORST, 2, 1e9},
    {"log", 0.5, 4, NIGH_F32, "absolute", NIGH_MEAN, 1e-5, 1e9},
    {"log", 0.1, 100, NIGH_F64, "absolute", NIGH_MEAN, 1e-9, 1e9},
    {"log2", 1, 2, NIGH_F32, "absolute", NIGH_WORST, 1e-3, 1e6},
    {"log2", 0.5, 16, NIGH_F64, "absolute", NIGH_P95, 1e-6, 1e6},
    {"sin", -3.15, 3.15, NIGH_F32, "absolute", NIGH_MEAN, 1e-5, 1e6},
    {"sin", -20, 20, NIGH_F32, "absolute", NIGH_P95, 1e-3, 1e9},
    {"sin", -100, 100, NIGH_F64, "absolute", NIGH_MEAN, 1e-10, 1e9},
    {"cos", 0, 1.6, NIGH_F64, "absolute", NIGH_MEAN, 1e-14, 1e6},
    {"tanh", -3, 3, NIGH_F32, "absolute", NIGH_MEAN, 1e-4, 1e9},
    {"tanh", 0.5, 1, NIGH_F32, "absolute", NIGH_WORST, 1e-6, 1e9},
    {"erf", -2, 2, NIGH_F64, "absolute", NIGH_MEAN, 1e-6, 1e6},
    {"sigmoid", -8, 8, NIGH_F32, "absolute", NIGH_MEAN, 1e-3, 1e6},
    {"gelu", -4, 4, NIGH_F32, "absolute", NIGH_MEAN, 1e-4, 1e9},
    {"silu", -6, 6, NIGH_F32, "absolute", NIGH_P95, 1e-2, 1e6},
    {"softplus", -6, 6, NIGH_F64, "absolute", NIGH_MEAN, 1e-7, 1e9},
    {"sqrt", 0.25, 4, NIGH_F32, "relative", NIGH_MEAN, 1e-5, 1e6},
    {"rsqrt", 1, 2, NIGH_F32, "relative", NIGH_WORST, 1e-4, 1e9},
    {"rsqrt", 0.1, 10, NIGH_F64, "relative", NIGH_MEAN, 1e-10, 1e6},
    {"exp(-x*x)*cos(3*x)", 0, 3, NIGH_F32, "absolute", NIGH_MEAN, 1e-4, 1e6},
    {"exp(-x*x)*cos(3*x)", 0, 3, NIGH_F64, "absolute", NIGH_MEAN, 1e-9, 1e9},
    {"1/(1+25*x*x)", -1, 1, NIGH_F32, "absolute", NIGH_P95, 1e-3, 1e9},
    {"x*sin(5*x)", -2, 4, NIGH_F64, "absolute", NIGH_MEAN, 1e-3, 1e6},
    {"exp(-abs(x))", -2, 2, NIGH_F32, "absolute", NIGH_MEAN, 1e-3, 1e9},
    {"log(1+x*x)", -3, 5, NIGH_F32, "absolute", NIGH_MEAN, 1e-2, 1e6},
    {"atan(4*x)", -2, 2, NIGH_F64, "absolute", NIGH_P95, 1e-5, 1e9},
};
enum { FUNCTIONS = sizeof function_cases / sizeof *function_cases };

/* The worst error, for 10^9 uses. */
static const struct certified_case {
    const char *text;
    double low, high;
    nigh_dtype type;
    const char *measure;
    double error[3];
} certified_cases[] = {
    {"exp", -10, 10, NIGH_F32, "relative", {1e-2, 1e-4, 2e-7}},   {"log", 0.01, 100, NIGH_F32, "absolute", {1e-2, 1e-4, 1e-6}},
    {"sin", 0.5, 30, NIGH_F32, "absolute", {1e-2, 1e-4, 3e-7}},   {"tanh", 0.25, 5, NIGH_F32, "ulp", {1e5, 1e3, 4}},
    {"gelu", -6, 6, NIGH_F32, "absolute", {1e-2, 1e-4, 1e-6}},    {"exp(-x*x)*cos(3*x)", 0.25, 3, NIGH_F32, "absolute", {1e-2, 1e-4, 1e-6}},
    {"exp2", -20, 20, NIGH_F64, "relative", {1e-4, 1e-9, 1e-15}}, {"log", 0.01, 100, NIGH_F64, "absolute", {1e-4, 1e-9, 1e-14}},
    {"cos", -30, 30, NIGH_F64, "absolute", {1e-4, 1e-9, 1e-14}},  {"erf", -4, 4, NIGH_F64, "absolute", {1e-4, 1e-9, 1e-14}},
    {"rsqrt", 0.1, 10, NIGH_F64, "relative", {1e-4, 1e-9, 1e-15}}, {"log(1+exp(sin(5*x)))", 0, 3, NIGH_F64, "absolute", {1e-3, 1e-6, 1e-9}},
};
enum { CERTIFIED = 3 * (int)(sizeof certified_cases / sizeof *certified_cases) };

static const struct map_case {
    const char *name, *measure;
    nigh_statistic statistic;
    double error, uses;
} map_cases[] = {
    {"projectile", "relative-l2", NIGH_MEAN, 1e-2, 1e6}, {"pendulum", "absolute", NIGH_MEAN, 5e-2, 1e6},
    {"prey", "relative-l2", NIGH_MEAN, 1e-2, 1e6},       {"exchanger", "relative-l2", NIGH_P95, 5e-3, 1e6},
    {"rod", "relative-l2", NIGH_MEAN, 2e-3, 1e6},        {"reaction", "rms", NIGH_P95, 2e-2, 1e6},
    {"smooth4", "relative-l2", NIGH_MEAN, 2e-2, 1e6},    {"rational2", "absolute", NIGH_MEAN, 1e-2, 1e6},
    {"oscillating2", "absolute", NIGH_MEAN, 2e-2, 1e6},  {"kink3", "absolute", NIGH_P95, 2e-1, 1e6},
};
enum { MAPS = sizeof map_cases / sizeof *map_cases, PROBLEMS = FUNCTIONS + MAPS, ALL = PROBLEMS + CERTIFIED };

/* CPU seconds of this process and of its children. */
static double cpu_seconds(void)
{
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    return nigh_clock_cpu() + (double)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
           1e-6 * (double)(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
}

typedef struct planned {
    nigh_outcome *outcome;
    nigh_status status;
    double seconds, start, walk, timing; /* CPU: all; when it began; when the test walk, the paired timing began */
    double wall;
} planned;

static void notice(void *user, const char *what, double done, double total)
{
    planned *p = user;
    bool walk = strcmp(what, "exact answers to test") == 0 || strcmp(what, "testing") == 0;
    if (walk && p->walk == 0) p->walk = cpu_seconds();
    if (strcmp(what, "timing") == 0 && p->timing == 0) p->timing = cpu_seconds(); /* after its first pair */
}

static void make(nigh_context *ctx, const nigh_problem *problem, const nigh_request *request, planned *p)
{
    *p = (planned){.start = cpu_seconds()};
    nigh_context_set_progress(ctx, notice, p);
    p->wall = -nigh_clock();
    p->status = nigh_plan_make(ctx, problem, request, &p->outcome);
    p->wall += nigh_clock();
    nigh_context_set_progress(ctx, NULL, NULL);
    double end = cpu_seconds();
    p->seconds = end - p->start;
    if (p->walk == 0) p->walk = end;
    if (p->timing == 0) p->timing = end;
}

/* One problem with all that is learnt of it. */
typedef struct trial {
    nigh_problem *problem;
    nigh_request request;
    char label[128];
    planned chosen, brute;
    bench_inputs fresh, fit; /* for truth and timing; for fitting again */
    double *errors;
    double regret, share, search_share;
    const char *best;
    bool tie, judged, certified;
    bool proofs; /* of the certified set: what brute force costs is not asked, and minutes of certificates are spared */
} trial;

static nigh_status trial_problem(nigh_context *ctx, int number, trial *t)
{
    static const char *const statistics[] = {"mean", "p95", "worst"};
    t->request = nigh_request_default();
    if (number < FUNCTIONS) {
        const struct function_case *c = &function_cases[number];
        t->request.error = c->error, t->request.statistic = c->statistic, t->request.uses = c->uses;
        snprintf(t->label, sizeof t->label, "%s on %g..%g %s %s %s %g x%g", c->text, c->low, c->high, nigh_dtype_name(c->type), c->measure,
                 statistics[c->statistic], c->error, c->uses);
        double low = c->type == NIGH_F32 ? (double)(float)c->low : c->low, high = c->type == NIGH_F32 ? (double)(float)c->high : c->high;
        return nigh_function_problem_new(ctx, &(nigh_function){c->text, low, high, c->type, c->measure}, &t->problem);
    }
    t->proofs = number >= PROBLEMS;
    if (t->proofs) {
        const struct certified_case *c = &certified_cases[(number - PROBLEMS) / 3];
        t->request.error = c->error[(number - PROBLEMS) % 3], t->request.statistic = NIGH_WORST, t->request.uses = 1e9;
        snprintf(t->label, sizeof t->label, "certified: %s on %g..%g %s %s %g", c->text, c->low, c->high, nigh_dtype_name(c->type), c->measure, t->request.error);
        double low = c->type == NIGH_F32 ? (double)(float)c->low : c->low, high = c->type == NIGH_F32 ? (double)(float)c->high : c->high;
        return nigh_function_problem_new(ctx, &(nigh_function){c->text, low, high, c->type, c->measure}, &t->problem);
    }
    const struct map_case *c = &map_cases[number - FUNCTIONS];
    t->request.error = c->error, t->request.statistic = c->statistic, t->request.uses = c->uses;
    snprintf(t->label, sizeof t->label, "%s %s %s %g x%g", c->name, c->measure, statistics[c->statistic], c->error, c->uses);
    for (const bench_map *m = bench_simulations; m->name; m++)
        if (strcmp(m->name, c->name) == 0) return bench_map_problem(ctx, m, 1, c->measure, &t->problem);
    for (const bench_map *m = bench_cheap_maps; m->name; m++)
        if (strcmp(m->name, c->name) == 0) return bench_map_problem(ctx, m, 1, c->measure, &t->problem);
    return nigh_fail(ctx, NIGH_INTERNAL, "no map %s", c->name);
}

/* Does the true figure meet E? For the worst error the certificate speaks. */
static nigh_status meets(nigh_context *ctx, trial *t, const nigh_plan *plan, bool *good)
{
    nigh_status status = bench_errors(ctx, t->problem, plan, t->fresh.n, t->fresh.in, t->fresh.out, t->errors);
    if (status) return status;
    bench_truth truth = bench_truth_of(t->fresh.n, t->errors, t->request.error);
    *good = bench_truth_decides(&truth, t->request.statistic) <= t->request.error && truth.outliers <= t->request.outliers;
    if (!*good || t->request.statistic != NIGH_WORST) return NIGH_OK;
    nigh_certificate certificate = {0};
    status = nigh_context_services(ctx)->certify(ctx, plan, t->problem, &certificate);
    if (status == NIGH_UNSUPPORTED) return *good = false, NIGH_OK;
    *good = !status && certificate.worst <= t->request.error;
    return status;
}

static double exact_calls(const trial *t, const nigh_method *method)
{
    return method->flags & NIGH_METHOD_NEEDS_DATA ? t->brute.outcome->exact_seconds * (double)t->fit.n : 0;
}

/* Times and certifies all that passed; this time counts for brute force. */
static nigh_status time_passed(nigh_context *ctx, trial *t)
{
    double start = cpu_seconds();
    nigh_status status = NIGH_OK;
    for (int i = 0; i < t->brute.outcome->count && !status; i++) {
        nigh_candidate *c = &t->brute.outcome->candidates[i];
        if (!c->plan) continue;
        bench_work work;
        status = bench_work_new(ctx, t->problem, c->plan, &t->fresh, &work);
        if (!status) status = bench_work_seconds(ctx, &work, &c->apply_seconds);
        bench_work_free(ctx, &work);
        c->cost = c->fit_seconds + t->request.uses * c->apply_seconds;
        if (!status && t->request.statistic == NIGH_WORST && !t->proofs) {
            nigh_certificate certificate;
            status = nigh_context_services(ctx)->certify(ctx, c->plan, t->problem, &certificate);
            if (status == NIGH_UNSUPPORTED) status = NIGH_OK;
        }
    }
    t->brute.seconds += cpu_seconds() - start;
    t->brute.walk += cpu_seconds() - start, t->brute.timing += cpu_seconds() - start;
    return status;
}

static nigh_status contenders(nigh_context *ctx, trial *t, int *index, int *count)
{
    const nigh_outcome *all = t->brute.outcome;
    bool *tried = nigh_alloc_zero(ctx, (size_t)all->count + 1, sizeof *tried);
    nigh_status status = tried ? NIGH_OK : NIGH_MEMORY;
    for (*count = 0; !status && *count < CONTENDERS;) {
        int best = -1;
        for (int i = 0; i < all->count; i++)
            if (all->candidates[i].plan && !tried[i] && (best < 0 || all->candidates[i].cost < all->candidates[best].cost)) best = i;
        if (best < 0) break;
        bool good;
        tried[best] = true;
        status = meets(ctx, t, all->candidates[best].plan, &good);
        if (!status && good) index[(*count)++] = best;
    }
    nigh_free(ctx, tried);
    return status;
}

/* Fits of both in turn; six, or as many as fit into two seconds. */
static nigh_status fits(nigh_context *ctx, const trial *t, const nigh_candidate *const pair[2], double seconds[2][FITS], int *count)
{
    nigh_samples samples = {.n = t->fit.n, .in = t->fit.in, .out = t->fit.out};
    double start = nigh_clock_cpu();
    nigh_status status = NIGH_OK;
    for (*count = 0; *count < FITS && !status && (*count < 2 || nigh_clock_cpu() - start < 2); (*count)++)
        for (int k = 0; k < 2 && !status; k++) {
            nigh_plan *plan;
            status = bench_fit(ctx, t->problem, pair[k]->method, &pair[k]->settings, &samples, &plan, &seconds[k][*count]);
            seconds[k][*count] += exact_calls(t, pair[k]->method);
            nigh_plan_free(ctx, plan);
        }
    return status;
}

/* Chosen beside one contender: the median ratio of costs and its 95% interval. */
static nigh_status compare(nigh_context *ctx, trial *t, const nigh_candidate *a, const nigh_candidate *b, double ratio[3], bool *busy)
{
    const nigh_candidate *pair[2] = {a, b};
    double seconds[2][FITS], costs[256];
    int count;
    bench_work work[2] = {{0}, {0}};
    nigh_timing timing = {0};
    nigh_status status = fits(ctx, t, pair, seconds, &count);
    for (int k = 0; k < 2 && !status; k++) status = bench_work_new(ctx, t->problem, pair[k]->plan, &t->fresh, &work[k]);
    for (int tries = 0; tries < 3 && !status && (tries == 0 || timing.busy); tries++) { /* a busy machine says nothing */
        nigh_free(ctx, timing.ratios);
        timing.ratios = NULL;
        status = nigh_time_pair(ctx, &(nigh_timed){bench_work_run, &work[0], 1, false}, &(nigh_timed){bench_work_run, &work[1], 1, false}, 2, &timing);
    }
    for (int i = 0; i < timing.pairs && !status; i++)
        costs[i] = (seconds[0][i % count] + t->request.uses * timing.b_seconds * timing.ratios[i]) /
                   (seconds[1][i % count] + t->request.uses * timing.b_seconds);
    if (!status) {
        int n = timing.pairs, rank = (int)floor(0.5 * n - 0.98 * sqrt(n)); /* of the interval of a median, from 0 */
        rank = rank < 0 ? 0 : rank;
        qsort(costs, (size_t)n, sizeof *costs, bench_by_value);
        ratio[0] = costs[n / 2], ratio[1] = costs[rank], ratio[2] = costs[n - 1 - rank];
    }
    *busy = timing.busy;
    nigh_free(ctx, timing.ratios);
    for (int k = 0; k < 2; k++) bench_work_free(ctx, &work[k]);
    return status;
}

static void print_candidates(const nigh_outcome *outcome)
{
    static const char *const states[] = {"waiting", "unsupported", "skipped", "failed", "missed", "passed", "proved", "refused", "chosen"};
    for (int i = 0; i < outcome->count; i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        if (c->state == NIGH_CANDIDATE_UNSUPPORTED) continue;
        printf("      %-9s %-56.56s expected %.2g..%.2g was %.3g, fit %.2g s, apply %.3g ns%s%s%s\n", states[c->state], c->label, c->estimate.error.low,
               c->estimate.error.high, c->decides, c->fit_seconds, 1e9 * c->apply_seconds, c->timed ? " timed" : "", c->why ? ": " : "", c->why ? c->why : "");
    }
}

static nigh_status judge(nigh_context *ctx, trial *t, bool verbose)
{
    int index[CONTENDERS], count;
    nigh_status status = time_passed(ctx, t);
    if (!status) status = contenders(ctx, t, index, &count);
    if (status) return status;
    const nigh_candidate *chosen = t->chosen.outcome->chosen < 0 ? NULL : &t->chosen.outcome->candidates[t->chosen.outcome->chosen];
    t->share = t->chosen.seconds / t->brute.seconds;
    if (verbose) print_candidates(t->chosen.outcome);
    if (verbose)
        for (int k = 0; k < 2; k++) {
            const planned *p = k ? &t->brute : &t->chosen;
            printf("    %s: %.2f s until the walk, %.2f s walk, %.2f s paired timing and the rest\n", k ? "brute force" : "planner", p->walk - p->start,
                   p->timing - p->walk, p->seconds - (p->timing - p->start));
        }
    t->search_share = (t->chosen.walk - t->chosen.start) / (t->brute.walk - t->brute.start);
    t->judged = count > 0 || chosen;
    t->regret = chosen || !count ? 1 : INFINITY; /* E was met by some setting and the planner found none */
    t->best = count ? t->brute.outcome->candidates[index[0]].label : "none";
    for (int i = 0; chosen && i < count && !status; i++) {
        const nigh_candidate *b = &t->brute.outcome->candidates[index[i]];
        double ratio[3] = {1, 1, 1};
        bool busy = false;
        if (strcmp(chosen->label, b->label) == 0) continue;
        status = compare(ctx, t, chosen, b, ratio, &busy);
        bool tie = ratio[1] <= 1 && ratio[2] >= 1;
        if (verbose) printf("    beside %s: %.3f (%.3f to %.3f)%s%s\n", b->label, ratio[0], ratio[1], ratio[2], tie ? " tie" : "", busy ? " machine busy" : "");
        if (tie || ratio[0] <= t->regret) continue;
        t->regret = ratio[0], t->best = b->label;
    }
    if (!status)
        printf("%-58s regret %.3f  time %4.1f%% (search %4.1f%%) of %.2f s | chosen %s | best %s\n", t->label, t->regret, 100 * t->share, 100 * t->search_share,
               t->brute.seconds, chosen ? chosen->label : "none", t->best);
    return status;
}

static nigh_status run_trial(nigh_context *ctx, const bench_args *args, int number, trial *t)
{
    char folder[64];
    bench_folder_new(folder);
    nigh_context_set_seed(ctx, args->seed + (uint64_t)number);
    nigh_status status = trial_problem(ctx, number, t);
    if (status) goto done;
    t->request.state = folder;
    make(ctx, t->problem, &t->request, &t->chosen);
    nigh_request brute = t->request;
    brute.brute = true, brute.error *= 1.05;
    make(ctx, t->problem, &brute, &t->brute);
    if (!t->chosen.outcome || !t->brute.outcome) {
        status = t->chosen.outcome ? t->brute.status : t->chosen.status;
        goto done;
    }
    t->errors = nigh_alloc(ctx, TRUTH * sizeof *t->errors);
    status = t->errors ? bench_inputs_new(ctx, t->problem, args->seed + 500, TRUTH, number < FUNCTIONS, &t->fresh) : NIGH_MEMORY;
    if (!status && t->brute.outcome->n_fit)
        status = bench_inputs_new(ctx, t->problem, args->seed + 600, t->brute.outcome->n_fit, false, &t->fit);
    const nigh_receipt *receipt = t->chosen.outcome->receipt;
    t->certified = t->chosen.status == NIGH_OK && receipt && receipt->certificate.how && receipt->certificate.worst <= t->request.error;
    if (!status) status = judge(ctx, t, args->verbose);
done:
    if (status) printf("FAILED %s: %s: %s\n", t->label, nigh_status_text(status), nigh_message(ctx));
    fflush(stdout);
    bench_inputs_free(ctx, &t->fresh);
    bench_inputs_free(ctx, &t->fit);
    nigh_free(ctx, t->errors);
    nigh_outcome_free(ctx, t->chosen.outcome);
    nigh_outcome_free(ctx, t->brute.outcome);
    nigh_problem_free(ctx, t->problem);
    bench_folder_remove(folder);
    return status;
}

static double median(int n, double *x)
{
    qsort(x, (size_t)n, sizeof *x, bench_by_value);
    return n ? n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]) : NAN;
}

int main(int argc, char **argv)
{
    bench_args args;
    int done = bench_start(argc, argv, "regret: the planner against brute force", &args);
    if (done >= 0) return done;
    bool proofs = args.only && strncmp(args.only, "certified", 9) == 0;
    int problems = proofs ? ALL : PROBLEMS, count = args.count && args.count < problems ? (int)args.count : args.quick ? 8 : problems, judged = 0, failed = 0;
    int certified = 0;
    double longest = 0;
    double regrets[MOST_PROBLEMS], shares[MOST_PROBLEMS], decide = 0, brute = 0, search = 0, brute_search = 0, start = nigh_clock();
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    for (int i = 0; i < count; i++) {
        int number = count == problems ? i : (int)((int64_t)i * problems / count); /* a few of all kinds */
        trial t = {0}, probe = {0};
        if (args.only && !trial_problem(ctx, number, &probe)) {
            nigh_problem_free(ctx, probe.problem);
            if (!strstr(probe.label, args.only)) continue;
        }
        bench_progress(i, count, "problems");
        if (run_trial(ctx, &args, number, &t)) {
            failed++;
        } else if (t.judged) {
            regrets[judged] = t.regret, shares[judged++] = t.share;
            certified += t.certified;
            longest = fmax(longest, t.chosen.wall);
            decide += t.chosen.seconds, brute += t.brute.seconds;
            search += t.chosen.walk - t.chosen.start, brute_search += t.brute.walk - t.brute.start;
        }
    }
    nigh_context_free(ctx);
    double middle = median(judged, regrets), middle_share = median(judged, shares);
    printf("%d problems judged, %d failed; deciding %.1f s, brute force %.1f s of CPU; median share %.1f%%; search alone %.1f%%; %.0f s\n", judged, failed,
           decide, brute, 100 * middle_share, 100 * search / brute_search, nigh_clock() - start);
    bench_note("problems judged", judged);
    bench_note("share of time, search alone", search / brute_search);
    if (proofs) {
        bench_bar(3, "plans certified and met", certified, true, judged + failed);
        bench_bar(3, "longest plan, seconds", longest, false, 120);
    }
    bench_bar(4, "median regret", middle, false, 1.1);
    bench_bar(4, "worst regret", judged ? regrets[judged - 1] : INFINITY, false, 1.5);
    if (!proofs) bench_bar(4, "deciding time of brute force's", decide / brute, false, 0.25);
    return bench_end(&args) || failed > 0;
}
