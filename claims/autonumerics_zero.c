/*
 * Claim of "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions": evolution from the empty program finds
 * straight-line programs that beat minimax polynomials and rationals of the same number of operations by orders of magnitude.
 *
 *   structures  two known forms of 2^x, from random constants to their minimax
 *   2^x         the search, after 60 s and when its bars hold (at most 15 min on two cores), against the best classical form
 *   transfer    the same settings for log2(1+x)/x and cos, against minimax polynomials
 *
 * Every error is measured again at 100003 points that no fit has seen.
 */
#include "autonumerics_zero/bars.h"
#include "autonumerics_zero/f32.h"

#include <math.h>
#include <string.h>

enum { MONOTONE_FROM = 1, SHORT = 60, LONG = 900, TRANSFER = 300, QUICK_GENERATIONS = 24 };

/* few-nodes: programs are fitted near two points of the interval only. half: to its left half. */
static const char *const saboteurs[] = {"few-nodes", "half", NULL};

/* ---- structures ----------------------------------------------------------------------------------------------------- */

/* (q + A + b x) / (q + A - b x) with q = x x. */
static const function_code s22 = {.constants = 2, .steps = 6,
    .step = {{CODE_MUL, 0, 0, 0}, {CODE_ADD, 3, 1, 0}, {CODE_MUL, 0, 2, 0}, {CODE_ADD, 4, 5, 0}, {CODE_SUB, 4, 5, 0}, {CODE_DIV, 6, 7, 0}}};
/* s = q + A + B/(q + D), ((s + b x) / (s - b x))^2. */
static const function_code s44 = {.constants = 4, .steps = 10,
    .step = {{CODE_MUL, 0, 0, 0}, {CODE_ADD, 5, 1, 0}, {CODE_DIV, 2, 6, 0}, {CODE_ADD, 5, 3, 0}, {CODE_ADD, 8, 7, 0},
             {CODE_MUL, 4, 0, 0}, {CODE_ADD, 9, 10, 0}, {CODE_SUB, 9, 10, 0}, {CODE_DIV, 11, 12, 0}, {CODE_MUL, 13, 13, 0}}};

static remez_problem training(const claim_run *run, zero_curve *curve)
{
    curve->fake = claim_sabotaged(run, "few-nodes");
    remez_problem problem = zero_problem(curve);
    if (claim_sabotaged(run, "half")) problem.high = (problem.low + problem.high) / 2;
    return problem;
}

static nigh_status structure(claim_run *run, const char *name, const function_code *code, int starts, double threshold)
{
    zero_curve curve = {.function = ZERO_EXP2};
    remez_problem problem = training(run, &curve);
    evolve_program program;
    nigh_status status = evolve_fit(run->ctx, &problem, code, NULL, starts, claim_seed(run), &program);
    if (status && status != NIGH_UNMET) return status;
    double error = status ? INFINITY : zero_hidden_error(&program, ZERO_EXP2, claim_seed(run));
    claim_bar(run, name, error, CLAIM_AT_MOST, threshold, "largest relative error at 100003 hidden points");
    return NIGH_OK;
}

static nigh_status structures(claim_run *run)
{
    nigh_status status = structure(run, "(x^2+A+bx)/(x^2+A-bx) from random constants", &s22, 50, 1.1 * 1.39e-5);
    if (!status) status = claim_progress(run, "structures", 1, 2);
    if (!status) status = structure(run, "its successor of 10 operations from random constants", &s44, run->quick ? 1500 : 4000, 1.2 * 4.4e-14);
    return status;
}

/* ---- searches ------------------------------------------------------------------------------------------------------------ */

/* digits[ops]: the best of at most so many operations, at hidden points. */
static void measure(const claim_run *run, const evolve *e, zero_function function, int most, double *digits)
{
    digits[0] = 0;
    for (int ops = 1; ops <= most; ops++) {
        const evolve_program *p = evolve_frontier(e, ops);
        double own = p ? -log10(zero_hidden_error(p, function, claim_seed(run))) : 0;
        digits[ops] = own > digits[ops - 1] ? own : digits[ops - 1]; /* NaN: as if there were none */
    }
}

/* Digits as the search itself states them, to see when it may stop. */
static void stated(const evolve *e, int most, double *digits)
{
    digits[0] = 0;
    for (int ops = 1; ops <= most; ops++) {
        const evolve_program *p = evolve_frontier(e, ops);
        digits[ops] = p ? p->digits : digits[ops - 1];
    }
}

static void note_digits(claim_run *run, const char *what, const double *digits, int most)
{
    char text[256];
    int at = snprintf(text, sizeof text, "%s, digits at 1 to %d operations:", what, most);
    for (int ops = 1; ops <= most; ops++) at += snprintf(text + at, sizeof text - (size_t)at, " %.2f", digits[ops]);
    claim_note(run, "%s", text);
}

static double best_classical(const zero_baselines *b, int ops) { return fmax(b->polynomial[ops], fmax(b->squared[ops], b->rational[ops])); }

/* How many of 6, 8 and 10 operations win by a digit. */
static int wins(const zero_baselines *b, const double *digits)
{
    int count = 0;
    for (int ops = 6; ops <= 10; ops += 2) count += digits[ops] - best_classical(b, ops) >= 1;
    return count;
}

typedef bool enough_fn(const zero_baselines *b, const double *digits);

static bool exp2_enough(const zero_baselines *b, const double *digits) { return wins(b, digits) >= 2 && digits[10] >= 11.02; }

static int better_counts(const zero_baselines *b, const double *digits, bool *worse)
{
    int better = 0;
    *worse = false;
    for (int ops = 1; ops <= ZERO_OPS; ops++) {
        better += digits[ops] > b->polynomial[ops] + 0.01;
        *worse |= digits[ops] < b->polynomial[ops] - 0.01; /* the same structure, polished to a percent */
    }
    return better;
}

static bool transfer_enough(const zero_baselines *b, const double *digits)
{
    bool worse;
    return better_counts(b, digits, &worse) >= 3 && !worse;
}

/* Goes on until `seconds` after `began`, or until it is enough. */
static nigh_status search(claim_run *run, evolve *e, const char *what, double began, double seconds, enough_fn *enough, const zero_baselines *b)
{
    double digits[ZERO_OPS + 1];
    nigh_status status = NIGH_OK;
    while (!status && nigh_clock() - began < seconds) {
        stated(e, ZERO_OPS, digits);
        if (enough && enough(b, digits)) break;
        status = evolve_advance(e, 8);
        if (!status) status = claim_progress(run, what, nigh_clock() - began, seconds);
    }
    return status;
}

static nigh_status start(claim_run *run, zero_function function, int most, zero_curve *curve, evolve **e)
{
    evolve_options options = evolve_options_default();
    options.most_ops = most;
    options.seed = claim_seed(run);
    *curve = (zero_curve){.function = function};
    remez_problem problem = training(run, curve);
    return evolve_new(run->ctx, &problem, &options, e);
}

static void short_bars(claim_run *run, const double *digits)
{
    bool monotone = true;
    for (int ops = MONOTONE_FROM + 1; ops <= ZERO_OPS; ops++) monotone &= digits[ops] >= digits[ops - 1];
    claim_bar(run, "2^x after 60 s: digits at 8 operations", digits[8], CLAIM_AT_LEAST, 6, NULL);
    claim_bar(run, "2^x after 60 s: digits grow with operations", monotone && digits[ZERO_OPS] > digits[5], CLAIM_AT_LEAST, 1, "1: yes");
}

static nigh_status find_exp2(claim_run *run)
{
    evolve *e = NULL;
    zero_curve curve;
    zero_baselines b;
    double digits[ZERO_OPS + 1], began = nigh_clock();
    nigh_status status = zero_baselines_make(run, ZERO_EXP2, &b);
    if (!status) status = start(run, ZERO_EXP2, ZERO_OPS, &curve, &e);
    if (!status) status = search(run, e, "2^x, 60 s", began = nigh_clock(), SHORT, NULL, &b);
    if (status) goto done;
    measure(run, e, ZERO_EXP2, ZERO_OPS, digits);
    note_digits(run, "2^x after 60 s", digits, ZERO_OPS);
    short_bars(run, digits);
    if ((status = search(run, e, "2^x", began, run->sabotage ? SHORT : LONG, exp2_enough, &b))) goto done;
    double took = nigh_clock() - began;
    measure(run, e, ZERO_EXP2, ZERO_OPS, digits);
    note_digits(run, "2^x at the end", digits, ZERO_OPS);
    note_digits(run, "best polynomial", b.polynomial, ZERO_OPS);
    note_digits(run, "polynomial with squarings", b.squared, ZERO_OPS);
    note_digits(run, "best rational", b.rational, ZERO_OPS);
    note_digits(run, "rational with squarings (no bar)", b.rational_squared, ZERO_OPS);
    claim_note(run, "2^x: %.0f s, %lld generations, %lld candidates", took, (long long)evolve_generations(e), (long long)evolve_candidates(e));
    for (int ops = 6; ops <= 10; ops += 2)
        claim_note(run, "2^x, %d operations: %.2f digits more than the best classical form", ops, digits[ops] - best_classical(&b, ops));
    claim_bar(run, "2^x: wins by a digit among 6, 8 and 10 operations", wins(&b, digits), CLAIM_AT_LEAST, 2, NULL);
    claim_bar(run, "2^x: digits at 10 operations", digits[10], CLAIM_AT_LEAST, 11, NULL);
done:
    evolve_free(e);
    return status;
}

static nigh_status transfer(claim_run *run, zero_function function, const char *name)
{
    evolve *e = NULL;
    zero_curve curve;
    zero_baselines b;
    bool worse;
    char text[128];
    double digits[ZERO_OPS + 1];
    nigh_status status = zero_baselines_make(run, function, &b);
    if (!status) status = start(run, function, ZERO_OPS, &curve, &e);
    if (!status) status = search(run, e, name, nigh_clock(), run->sabotage ? SHORT : TRANSFER, transfer_enough, &b);
    if (status) goto done;
    measure(run, e, function, ZERO_OPS, digits);
    note_digits(run, name, digits, ZERO_OPS);
    note_digits(run, "best polynomial", b.polynomial, ZERO_OPS);
    int better = better_counts(&b, digits, &worse);
    snprintf(text, sizeof text, "%s: numbers of operations that beat the minimax polynomial", name);
    claim_bar(run, text, better, CLAIM_AT_LEAST, 3, NULL);
    snprintf(text, sizeof text, "%s: worse than the minimax polynomial somewhere", name);
    claim_bar(run, text, worse, CLAIM_AT_MOST, 0, "0: no");
done:
    evolve_free(e);
    return status;
}

/* A short search in a fixed number of generations. */
static nigh_status find_quickly(claim_run *run)
{
    enum { MOST = 6 };
    evolve *e = NULL;
    zero_curve curve;
    double digits[ZERO_OPS + 1];
    nigh_status status = start(run, ZERO_EXP2, MOST, &curve, &e);
    if (!status) status = evolve_advance(e, QUICK_GENERATIONS);
    if (status) goto done;
    measure(run, e, ZERO_EXP2, MOST, digits);
    note_digits(run, "2^x, a short search", digits, MOST);
    claim_bar(run, "2^x, a short search: digits at 6 operations", digits[6], CLAIM_AT_LEAST, 4, NULL);
done:
    evolve_free(e);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = structures(run);
    if (!status) status = claim_autonumerics_f32(run);
    if (run->quick) return status ? status : find_quickly(run);
    if (!status) status = find_exp2(run);
    if (!status) status = transfer(run, ZERO_LOG2, "log2(1+x)/x");
    if (!status) status = transfer(run, ZERO_COS, "cos");
    return status;
}

const nigh_claim claim_autonumerics_zero = {
    .slug = "autonumerics-zero",
    .title = "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions",
    .run = run_claim,
    .saboteurs = saboteurs,
};
