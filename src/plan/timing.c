/*
 * Paired timing: two works in the order ABBA, the next pair BAAB and so on, so that a drift of the machine's speed meets both and so
 * does what hits the first batch of a pair (cold caches) or a batch at a fixed distance from the last sleep (a scheduler's slice); the
 * ratio of each pair, their median and its 95% interval by order statistics. Declared in nigh/plan.h.
 */
#include "nigh/plan.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { FIRST_PAIRS = 15, MOST_PAIRS = 120, LEAST_PAIRS = 5, MOST_REPEATS = 3 };
static const double BATCH_SECONDS = 1e-3, WIDE = 0.05, LATE = 1.1, SPOILT = 0.2;

typedef struct reading {
    double wall, cpu;
    long switches; /* involuntary */
} reading;

static reading read_clocks(bool child)
{
    struct rusage usage;
    getrusage(child ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                 1e-6 * ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec);
    if (!child) cpu = nigh_clock_cpu();
    return (reading){nigh_clock(), cpu, usage.ru_nivcsw};
}

/* Seconds of one batch; *disturbed when something else ran on our core. */
static nigh_status time_batch(nigh_context *ctx, const nigh_timed *work, int64_t samples, double *seconds, bool *disturbed)
{
    reading before = read_clocks(work->child);
    nigh_status status = work->run(ctx, work->user, samples);
    reading after = read_clocks(work->child);
    int threads = work->threads > 1 ? work->threads : 1;
    *seconds = after.wall - before.wall;
    /* A child waits for its pipes and its start: wall above CPU says nothing there. */
    if (!work->child && *seconds > LATE * (after.cpu - before.cpu) / threads) *disturbed = true;
    if (after.switches > before.switches && !work->child) *disturbed = true;
    return status;
}

/* Samples of a batch of at least a millisecond; also warms up. */
static nigh_status find_batch(nigh_context *ctx, const nigh_timed *work, int64_t *samples)
{
    bool disturbed;
    double seconds;
    for (*samples = 1;;) {
        nigh_status status = time_batch(ctx, work, *samples, &seconds, &disturbed);
        if (!status) status = nigh_poll(ctx);
        if (status || seconds >= BATCH_SECONDS || *samples > INT64_MAX / 16) return status;
        double more = BATCH_SECONDS / fmax(seconds, 1e-9) * 1.2;
        *samples = (int64_t)ceil((double)*samples * fmin(fmax(more, 1.5), 8));
    }
}

/* first: which of the two begins and ends. */
static nigh_status time_one_pair(nigh_context *ctx, const nigh_timed *const works[2], int first, const int64_t samples[2],
                                 double seconds[2], bool *disturbed)
{
    seconds[0] = seconds[1] = 0;
    for (int i = 0; i < 4; i++) {
        double took;
        int which = i == 0 || i == 3 ? first : 1 - first;
        nigh_status status = time_batch(ctx, works[which], samples[which], &took, disturbed);
        if (status) return status;
        seconds[which] += took / (2 * (double)samples[which]);
    }
    return nigh_poll(ctx);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rank r (from 1) with P(Binomial(n, 1/2) < r) <= 2.5%: [r-th smallest, r-th largest] holds the median at 95%. */
static int interval_rank(int n)
{
    double term = pow(0.5, n), below = term;
    int r = 0;
    while (below <= 0.025) {
        r++;
        term *= (double)(n - r + 1) / r;
        below += term;
    }
    return r < 1 ? 1 : r;
}

static double median(const double *sorted, int n) { return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]); }

static void summarise(int pairs, const double *a, const double *b, double *scratch, nigh_timing *out)
{
    for (int i = 0; i < pairs; i++) scratch[i] = a[i] / b[i];
    qsort(scratch, (size_t)pairs, sizeof *scratch, by_value);
    int rank = interval_rank(pairs);
    out->ratio = median(scratch, pairs);
    out->low = scratch[rank - 1], out->high = scratch[pairs - rank];
    for (int i = 0; i < pairs; i++) scratch[i] = a[i];
    qsort(scratch, (size_t)pairs, sizeof *scratch, by_value);
    out->a_seconds = median(scratch, pairs);
    for (int i = 0; i < pairs; i++) scratch[i] = b[i];
    qsort(scratch, (size_t)pairs, sizeof *scratch, by_value);
    out->b_seconds = median(scratch, pairs);
    out->pairs = pairs;
    out->busy = out->high > (1 + WIDE) * out->ratio || out->low < (1 - WIDE) * out->ratio;
}

nigh_status nigh_time_pair(nigh_context *ctx, const nigh_timed *a, const nigh_timed *b, double most_seconds, nigh_timing *out)
{
    int64_t samples[2];
    *out = (nigh_timing){.threads = a->threads > b->threads ? a->threads : b->threads};
    double *memory = nigh_alloc(ctx, 4 * MOST_PAIRS * sizeof *memory);
    if (!memory) return NIGH_MEMORY;
    double *of_a = memory, *of_b = memory + MOST_PAIRS, *scratch = memory + 2 * MOST_PAIRS, start = nigh_clock();
    nigh_status status = find_batch(ctx, a, &samples[0]);
    if (!status) status = find_batch(ctx, b, &samples[1]);
    const nigh_timed *const works[2] = {a, b};
    int pairs = 0, target = FIRST_PAIRS, repeats = 0, spoilt = 0; /* spoilt: disturbed to the last repeat, but counted */
    while (!status && pairs < target) {
        double seconds[2];
        bool disturbed = false;
        status = time_one_pair(ctx, works, pairs % 2, samples, seconds, &disturbed);
        if (status) break;
        bool late = most_seconds > 0 && nigh_clock() - start > most_seconds;
        if (disturbed && repeats < MOST_REPEATS && !late) {
            repeats++, out->repeated++;
            continue;
        }
        repeats = 0;
        spoilt += disturbed;
        of_a[pairs] = seconds[0], of_b[pairs] = seconds[1], pairs++;
        nigh_progress(ctx, "timing", pairs, target);
        if (late && pairs >= LEAST_PAIRS) target = pairs;
        if (pairs < target) continue;
        summarise(pairs, of_a, of_b, scratch, out);
        out->busy = out->busy || spoilt > SPOILT * pairs; /* a narrow interval of disturbed pairs says nothing */
        if (out->busy && !late && 2 * target <= MOST_PAIRS) target *= 2;
    }
    if (!status) {
        for (int i = 0; i < pairs; i++) memory[i] = of_a[i] / of_b[i];
        out->ratios = memory;
        return NIGH_OK;
    }
    nigh_free(ctx, memory);
    return status;
}
