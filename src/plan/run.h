/*
 * One run of the planner, seen by its parts only:
 *   clocklog.c   every number that a clock gave, kept under a key: journal, resume, replay
 *   host.c       calibration of the host, wisdom
 *   sets.c       fit, screen and test set
 *   calls.c      exact computations that fits make themselves
 *   lines.c      methods x settings, ordered by expected cost
 *   screen.c     fits and screens one candidate
 *   search.c     which candidates to try
 *   trials.c     trainings against one another, halved again and again
 *   budget.c     how much of its training each gets when there is a time limit
 *   finalists.c  timing of those that may be chosen, their envelope over the number of uses
 *   walk.c       chain, test walk
 *   ledger.c     how often test rows were read
 *   grids.c      the exact computation's own discretisation error, the plan's error on other grids
 *   pictures.c   fields to look at, their spectrum
 *   finish.c     timing of the chosen, envelope, words, receipt, record
 */
#ifndef NIGH_PLAN_RUN_H
#define NIGH_PLAN_RUN_H
#include "nigh/plan.h"

#include <jansson.h>

typedef struct clocklog clocklog;

typedef struct sample_set {
    int64_t n;
    char *in, *out; /* exact outputs; one block each in the run's arena */
} sample_set;

/* Candidates that differ only along one refining option (or a single candidate). */
typedef struct plan_line {
    const nigh_method *method;
    nigh_settings base;
    int refine;            /* index of that option, -1: none */
    int count;             /* of grid points */
    double *grid;
    nigh_estimate *estimate; /* of every grid point */
    double *counted;       /* seconds per sample by counted work */
    int *candidate;        /* index in the outcome, -1: not tried */
    int expected;          /* grid point at which the formula expects E to be met; -1: unknown */
    double expected_cost;
    bool open;             /* supported and not skipped */
} plan_line;

typedef struct plan_run {
    nigh_context *ctx;
    const nigh_problem *problem; /* &known */
    nigh_problem known;          /* the caller's, with exact_seconds filled in once measured */
    const nigh_request *request;
    const nigh_services *services;
    nigh_outcome *outcome;
    nigh_arena *arena; /* the outcome's */
    clocklog *clock;
    double uses;
    int64_t in_count, out_count;
    size_t in_bytes, out_bytes; /* of one sample */
    sample_set fit, screen, test;
    plan_line *lines;
    int line_count, candidate_room;
    double flops_rate, bytes_rate; /* of the host, per second, one core */
    double draw_seconds;  /* of one input, where that is not nothing */
    double started;
    int64_t walk;         /* names the test walk: drawn inputs come from a stream of their own; of a file, its number */
    int64_t reads;        /* of the test rows of a file; 0: drawn */
    double level;         /* at which each link of this walk is tested */
    json_t *record;       /* decisions, for the plan file */
    int *chain, chain_count;
    int shown;            /* the candidate that the receipt speaks of; -1: none */
    struct {              /* a training that goes on where its trial ended; fit NULL: none */
        int index;
        void *fit;
        nigh_progress_point point;
        double seconds;
    } begun;
} plan_run;

/* ---- clocklog.c ---- */

/* Opens the journal (or takes the log of the plan to be replayed). */
nigh_status clocklog_open(plan_run *run);
void clocklog_close(clocklog *log, bool keep); /* keep: leave the journal on disk */

/* A value logged before under `key` is put into *value (a new reference) and true returned. */
bool clocklog_get(clocklog *log, const char *key, json_t **value);
nigh_status clocklog_put(clocklog *log, const char *key, json_t *value); /* steals value */
bool clocklog_get_real(clocklog *log, const char *key, double *value);
nigh_status clocklog_put_real(clocklog *log, const char *key, double value);

/* True when nothing new may be measured: replay, or a request without clock. */
bool clocklog_frozen(const plan_run *run);

/* The whole log, for the record (borrowed). */
json_t *clocklog_all(clocklog *log);

/* ---- host.c ---- */
nigh_status host_calibrate(plan_run *run);
double host_seconds(const plan_run *run, const nigh_work *work);

/* How much slower than counted this method was found to be on this machine; 1 when it was never timed. */
double wisdom_factor(const plan_run *run, const nigh_method *method);
void wisdom_learn(plan_run *run, const nigh_method *method, double counted, double measured);

/* ---- calls.c ---- */
void calls_begin(plan_run *run);
void calls_end(const plan_run *run, double *calls, double *seconds);

/* ---- sets.c ---- */
nigh_status sets_make(plan_run *run);
/* Seconds that may go into exact computations, and those that so many take when all threads run child programs. */
double sets_time(const plan_run *run);
double sets_seconds(const plan_run *run, double calls);
nigh_status sets_draw_test(plan_run *run); /* the test set of walk run->walk */
nigh_status set_errors(plan_run *run, const nigh_plan *plan, const sample_set *set, double *errors);
/* Errors of n answers beside exact ones, in the problem's measure. */
nigh_status answer_errors(plan_run *run, int64_t n, const char *in, const char *exact, const char *answer, double *errors);

/* ---- lines.c ---- */
nigh_status lines_make(plan_run *run);     /* before the sets are made */
nigh_status lines_estimate(plan_run *run); /* after: sorts by expected cost */
nigh_status line_candidate(plan_run *run, plan_line *line, int point, int *index); /* adds it when new */
nigh_status line_note(plan_run *run, const plan_line *line, nigh_candidate_state state, const char *why);

/* ---- screen.c ---- */
nigh_status candidate_screen(plan_run *run, int index);
/* seconds: without the exact computations; calls: those that the fit made itself. */
nigh_status candidate_fit(plan_run *run, int index, nigh_plan **plan, double *seconds, double *calls);
/* Exact computations of the fit set, as far as this method takes it; and what so many cost. They count as part of a fit. */
double fit_set_calls(const plan_run *run, const nigh_method *method);
double calls_seconds(const plan_run *run, double calls);
nigh_status screen_failure(plan_run *run, int index, nigh_status status);
nigh_samples fit_samples(const plan_run *run, const nigh_candidate *candidate);
/* Advances a fit to a share of its units, `point` says from where on; shows the method, what is done and the loss, with a role (" (trial 2 of 6)"); checkpoints under path (NULL: none). */
nigh_status fit_advance(plan_run *run, int index, const char *role, double share, const char *path, void *fit, nigh_progress_point *point);

/* ---- search.c ---- */
nigh_status search_all(plan_run *run);

/* ---- trials.c ---- */
/* Trains these candidates against one another; the survivors are screened. */
nigh_status trials_run(plan_run *run, int count, const int *index);
/* Of what the trial that gets `share` of its units costs all in all: shares at which those alive are halved, beginning with all; 0 ends it. */
double trials_share(int round);

/* ---- budget.c ---- */
/* Under a time limit: gives each of these trainings its units, leaves out those that would get next to nothing, and says so in the table. */
nigh_status budget_share(plan_run *run, int count, const int *index);

/* ---- finalists.c ---- */
nigh_status finalists_time(plan_run *run);
nigh_status finalist_plan(plan_run *run, int index); /* fits it again when the log knew its figures */

/*
 * Those of the candidates in `states` (bits 1 << state) that cost least for some number of uses >= 1: the lower envelope
 * of fit + uses x apply, in the order of uses; where[] (may be NULL) is where each begins. Returns how many.
 */
int cost_envelope(const nigh_outcome *outcome, unsigned states, int *index, double *where);

/* ---- walk.c ---- */
nigh_status chain_walk(plan_run *run);

/* Figures of one plan on the test set, at the walk's level. */
typedef struct test_figures {
    nigh_figure mean, outliers, p95;
    double worst;
    nigh_certificate certificate;
    bool met;
} test_figures;
nigh_status test_plan(plan_run *run, const nigh_plan *plan, double *errors, test_figures *figures);

/* ---- ledger.c ---- */
/* The number of this request among all reads of the test rows of this problem (from 1); the same request keeps its own. */
nigh_status ledger_read(nigh_context *ctx, const char *state, const char *identity, const char *request_hash, int64_t *k);

/* ---- grids.c ---- */
/* receipt->refinement from a few inputs of `set`; receipt->grid of the plan that the receipt speaks of. */
nigh_status refinement_measure(plan_run *run, const sample_set *set, nigh_receipt *receipt);
nigh_status grids_measure(plan_run *run, const nigh_plan *plan, nigh_receipt *receipt);
/* Adds a warning to the words when the exact computation is itself too rough for the error asked. */
nigh_status refinement_words(nigh_receipt *receipt);

/* ---- pictures.c ---- */
/* Of the plan that the receipt speaks of. errors: its errors on the test set, in the order of the set. */
nigh_status pictures_take(plan_run *run, const nigh_plan *plan, const double *errors);

/* ---- finish.c ---- */
nigh_status run_finish(plan_run *run, const test_figures *figures);
nigh_status receipt_fill(nigh_context *ctx, const nigh_problem *problem, nigh_receipt *receipt);

/* ---- timed.c ---- */
/* Work of one plan, or of the exact computation, on inputs that go round; for nigh_time_pair. */
typedef struct timed_work {
    const nigh_problem *problem;
    const nigh_plan *plan; /* NULL: the exact computation */
    int64_t n;
    const char *in;
    char *out;
    void *workspace;
    size_t bytes;
} timed_work;
nigh_status timed_work_new(nigh_context *ctx, nigh_arena *arena, const nigh_problem *problem, const nigh_plan *plan,
                           const sample_set *inputs, timed_work *work);
nigh_status timed_work_run(nigh_context *ctx, void *user, int64_t samples);
/* Seconds per sample: median of `rounds` batches of >= 1 ms. */
nigh_status timed_work_seconds(nigh_context *ctx, timed_work *work, int rounds, double *seconds);

/* ---- small ---- */
/* Where the state folder is: request->state, or the user's; NULL in *path: none. Freed by nigh_free. */
nigh_status plan_state_folder(nigh_context *ctx, const char *state, char **path);
#endif
