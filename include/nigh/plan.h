/*
 * nigh/plan.h: problem, method, plan, receipt, and the planner that brings them together.
 *
 *   problem  a computation to be approximated: its exact reference, where its inputs come from, its error measure
 *   method   one known way to approximate problems of one kind: a static descriptor with typed options
 *   plan     a method fitted to a problem with chosen settings: immutable; applied, saved, loaded, exported as C
 *   receipt  what was measured or certified: the error with its bound, time and memory beside the exact
 *            computation and beside the best classical shortcut that is allowed the same error
 *
 * The usual course:
 *
 *   nigh_problem *problem;  nigh_function_problem_new(ctx, &(nigh_function){...}, &problem);
 *   nigh_request request = nigh_request_default();   request.error = 1e-6;
 *   nigh_outcome *outcome;  nigh_plan_make(ctx, problem, &request, &outcome);
 *   nigh_plan_apply(outcome->plan, n, in, out, workspace, bytes);
 *
 * Sizes are in samples; a sample is one input and its output, of the shapes that the problem states. All arrays are
 * dense, C order, sample after sample. Times are seconds, memory bytes.
 */
#ifndef NIGH_PLAN_H
#define NIGH_PLAN_H

#include "nigh/core.h"
#include "nigh/grid.h"
#include "nigh/random.h"
#include "nigh/stats.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NIGH_METHOD_ABI 1

typedef struct nigh_problem nigh_problem;
typedef struct nigh_method nigh_method;
typedef struct nigh_plan nigh_plan;
typedef struct nigh_planfile nigh_planfile;

/* ---- error measures ----------------------------------------------------------------------------------- */

/*
 * How far one answer is from the exact one: a number >= 0 per sample, the same for every method of a problem.
 *   absolute      max over the outputs of |a - x|                                     unit of the output
 *   relative      max over the outputs of |a - x| / |x|; 0 where both are equal       1
 *   ulp           max over the outputs of |a - x| / ulp(x), ulp of the output's type  ulp
 *   relative-l2   |a - x|_2 / |x|_2 over the outputs; 0 where both are equal          1
 *   rms           root of the mean over the outputs of (a - x)^2                      unit of the output
 * An answer that is not finite where the exact one is has error INFINITY; equal infinities and NaN beside NaN
 * have error 0.
 */
typedef struct nigh_measure {
    const char *name, *unit, *summary;
    double (*error)(int64_t outputs, const double *exact, const double *answer, nigh_dtype output_type);
} nigh_measure;

/* All measures, ended by a name of NULL; and one by name (NULL when unknown). */
NIGH_API const nigh_measure *nigh_measures(void);
NIGH_API const nigh_measure *nigh_measure_find(const char *name);

/* ---- problems ----------------------------------------------------------------------------------------- */

/* Of the errors of all inputs: which figure is held to E. */
typedef enum nigh_statistic { NIGH_MEAN, NIGH_P95, NIGH_WORST } nigh_statistic;

typedef struct nigh_problem_ops {
    /* n fresh inputs from the distribution of the problem. NULL when only `rows` samples exist. */
    nigh_status (*draw)(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in);

    /* Exact outputs of n inputs. NULL for a file of pairs. */
    nigh_status (*exact)(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out);

    /* The same without any cache, one sample after another, for timing. NULL: `exact` itself. */
    nigh_status (*exact_timed)(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out);

    /* Rows `index` of a file of pairs: inputs and outputs. NULL for problems that are drawn. */
    nigh_status (*rows)(nigh_context *ctx, const nigh_problem *problem, int64_t n, const int64_t *index, void *in, void *out);

    /* The computation itself at a coarser resolution, level 0 (coarsest) .. levels - 1 (finest but the exact one). */
    nigh_status (*coarse)(nigh_context *ctx, const nigh_problem *problem, int level, int64_t n, const void *in, void *out);
    const char *(*level_name)(const nigh_problem *problem, int level); /* "n=64" */

    /* Errors of n answers beside exact outputs. NULL: problem->measure sample by sample. */
    nigh_status (*errors)(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, const void *exact,
                          const void *answer, double *error);

    /*
     * For fields, whose computation has a discretisation error of its own. `refined`: answers of the same inputs computed on a grid twice as fine and brought back to
     * this one. `elsewhere`: n fresh inputs and their exact answers on a grid of `size` points in each dimension; the same rng gives the same fields on any grid.
     * NULL: the problem has no grid.
     */
    nigh_status (*refined)(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out);
    nigh_status (*elsewhere)(nigh_context *ctx, const nigh_problem *problem, const int64_t *size, nigh_rng *rng, int64_t n, void *in, void *out);

    /* NIGH_UNMET with the reason when no answer in the output's type can have this error. NULL: nothing is known. */
    nigh_status (*reachable)(nigh_context *ctx, const nigh_problem *problem, nigh_statistic statistic, double error);

    void (*free)(nigh_context *ctx, nigh_problem *problem);
} nigh_problem_ops;

/* Made by a family (nigh_function_problem_new ...); read-only afterwards. Callers outside nigh may fill one, too. */
struct nigh_problem {
    size_t size; /* sizeof(nigh_problem) */
    const char *kind;     /* which methods may apply: "function", "map" (vectors to vectors) ... */
    const char *name;     /* as the user wrote it */
    const char *origin;   /* JSON text that says how to make it again, kept in plan files; NULL: unknown */
    const char *identity; /* hex SHA-256 of all that defines it; the ledger and the wisdom go by it */
    nigh_shape in, out;   /* of one sample */
    const nigh_measure *measure;
    int64_t rows;         /* 0: inputs are drawn without end; else the number of samples that exist */
    int levels;           /* coarser resolutions, 0: none */
    nigh_grid grid;       /* of inputs and outputs that are fields */
    bool child;           /* the exact computation runs child programs: their time counts, not this process's */
    double exact_seconds; /* of one sample, when known beforehand (a file of pairs): else 0 */
    const double *low, *high; /* box of the inputs, one number per input element; NULL: unknown */
    const nigh_problem_ops *ops;
    void *self;
};

NIGH_API void nigh_problem_free(nigh_context *ctx, nigh_problem *problem); /* NULL is fine */

/* ---- options and settings ----------------------------------------------------------------------------- */

typedef enum nigh_option_type { NIGH_OPTION_INT, NIGH_OPTION_REAL, NIGH_OPTION_CHOICE } nigh_option_type;

/* How an option moves error and cost; lets the planner search by bisection instead of trying every value. */
typedef enum nigh_option_order {
    NIGH_ORDER_NONE,   /* any value may be best */
    NIGH_ORDER_REFINES /* along the grid the error does not grow (but for noise) and the cost does */
} nigh_option_order;

/*
 * One option of a method. Command-line flags, checks, `nigh explain` and plan files come from this table. The grid is
 * what the planner tries and what a claim of "best of all" ranges over: "4,8,16" or "1:20" (integers) or
 * "1e-8*10:1e2" (from, times, to), for a CHOICE its names or indices; NULL: only the default.
 */
typedef struct nigh_option {
    const char *name;
    nigh_option_type type;
    double low, high;    /* allowed, both included; CHOICE: 0 .. number of choices - 1, filled from `choices` */
    double value;        /* the default; CHOICE: an index */
    const char *choices; /* CHOICE: "none,native" */
    const char *grid;
    nigh_option_order order;
    const char *unit;
    const char *help;
} nigh_option;

#define NIGH_MAX_OPTIONS 12

/* The values of a method's options in the table's order. */
typedef struct nigh_settings {
    double value[NIGH_MAX_OPTIONS];
} nigh_settings;

NIGH_API nigh_settings nigh_settings_default(const nigh_method *method);

/* "degree=5,reduction=native" over *settings. Unknown option: the nearest name is suggested. */
NIGH_API nigh_status nigh_settings_parse(nigh_context *ctx, const nigh_method *method, const char *text, nigh_settings *settings);
NIGH_API nigh_status nigh_settings_check(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings);

/* "degree=5 reduction=native" added to text. */
NIGH_API nigh_status nigh_settings_print(const nigh_method *method, const nigh_settings *settings, nigh_buffer *text);

/* Value of the option `name`; the name must exist. */
NIGH_API double nigh_setting(const nigh_method *method, const nigh_settings *settings, const char *name);

/* The grid of one option as numbers, allocated (nigh_free). */
NIGH_API nigh_status nigh_option_grid(nigh_context *ctx, const nigh_option *option, double **values, int *count);

/* ---- methods ------------------------------------------------------------------------------------------ */

typedef struct nigh_range {
    double low, high;
} nigh_range;

/* Counted work, turned into seconds by the calibration of the host. */
typedef struct nigh_work {
    double flops;   /* floating-point operations that vectorise */
    double bytes;   /* moved to or from memory */
    double seconds; /* what is known as time (child programs) */
} nigh_work;

/* What a method expects of itself. Unknown: error 0 .. INFINITY. */
typedef struct nigh_estimate {
    nigh_range error;    /* in the problem's measure, mean or worst as asked */
    nigh_work fit;       /* once */
    nigh_work apply;     /* per sample, in batches */
    double bytes;        /* of the plan */
    double exact_calls;  /* exact computations that the fit will make itself (nigh_fit_exact), about */
    const char *source;  /* "formula", "wisdom", "none" */
} nigh_estimate;

/* The fit set. Belongs to the planner and outlives the fit. For problems of kind "function" n may be 0. */
typedef struct nigh_samples {
    int64_t n;
    const void *in, *out;
    int64_t units; /* for methods that train: make at most so many units of work, with schedules of that length; 0: as many as the settings ask for */
} nigh_samples;

/* One point of the learning curve. */
typedef struct nigh_progress_point {
    int64_t units;   /* of work done so far */
    int64_t total;   /* units at which the fit is complete */
    double loss;     /* on the fit set, in the method's own measure; NAN when it has none */
    bool done;
} nigh_progress_point;

enum {
    NIGH_METHOD_SHORTCUT = 1, /* classical: takes part as the rival that may use the error, too */
    NIGH_METHOD_TRAINED = 2,  /* tried only when its estimated apply time beats the best shortcut's */
    NIGH_METHOD_NEEDS_DATA = 4, /* start() must be given samples */
    NIGH_METHOD_ASKED = 8      /* its fits take minutes, or its plans lack something that users expect: it takes part only when request->methods
                                  names it (else the table says so), and is then tried whatever it is expected to cost beside the others */
};

struct nigh_method {
    size_t size;  /* sizeof(nigh_method) */
    unsigned abi; /* NIGH_METHOD_ABI */
    const char *name;    /* the paper's slug, or the field's name of a classical method */
    const char *problem; /* the kind of problem it is for */
    const char *summary; /* one line */
    const char *source;  /* paper or textbook, by title */
    const char *when;    /* when to prefer it, one or two sentences */
    unsigned flags;
    const nigh_option *options; /* ended by a name of NULL; NULL: none */
    const void *family; /* what code shared by several methods needs to know of this one; NULL: nothing. The calls below are
                           handed their own descriptor, so that methods can share them. */

    /* NIGH_OK, or NIGH_UNSUPPORTED with the reason as message, shown to the user. NULL: always. */
    nigh_status (*supports)(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings);

    /* Cheap (microseconds to a few milliseconds); no fitting. n_fit: samples that the fit will get. */
    nigh_status (*estimate)(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit,
                            nigh_estimate *out);

    nigh_status (*start)(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                         const nigh_settings *settings, void **fit);

    /* `units` more units of work; deterministic in units however they are cut; polls the cancel flag. */
    nigh_status (*advance)(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point);

    /* Fit to plan. The fit remains and may be advanced further; abandon it when done. */
    nigh_status (*finish)(nigh_context *ctx, void *fit, nigh_plan **plan);

    /* State of the fit as bytes, and back. NULL for one-shot methods: they start again. */
    nigh_status (*checkpoint)(nigh_context *ctx, void *fit, nigh_buffer *bytes);
    nigh_status (*restore)(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                           const nigh_settings *settings, const void *bytes, size_t size, void **fit);

    void (*abandon)(nigh_context *ctx, void *fit); /* NULL fit is fine */

    /* A plan from its file: every array's name, type, shape and finiteness is checked by the getters used. */
    nigh_status (*load)(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan);
};

/* Adds a method from outside to this context; it must outlive it. NIGH_INVALID: wrong size or abi, name taken. */
NIGH_API nigh_status nigh_register(nigh_context *ctx, const nigh_method *method);

/*
 * For methods that choose inputs of their own instead of taking the fit set: exact outputs of n inputs, inside start or advance. These
 * computations are counted at the price of any other (receipt, cost, envelope), also those that a cache answers. Whatever calls
 * problem->ops->exact otherwise is not. NIGH_UNSUPPORTED: a file of pairs; NIGH_FAILED: an answer that is not finite; the
 * failures of the computation itself.
 */
NIGH_API nigh_status nigh_fit_exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out);

/* Method number i over all families and registered ones (NULL beyond the last), and one by kind and name. */
NIGH_API const nigh_method *nigh_method_at(nigh_context *ctx, int i);
NIGH_API nigh_status nigh_method_find(nigh_context *ctx, const char *kind, const char *name, const nigh_method **method);

/* ---- plans -------------------------------------------------------------------------------------------- */

/* A certificate: no input of the stated set has a larger error. */
typedef struct nigh_certificate {
    double worst;       /* the proved bound, in the problem's measure */
    bool exact;         /* attained: `at` shows an input with this error */
    double at;          /* for one-variable problems */
    double inputs;      /* how many inputs were covered; INFINITY for a continuum */
    const char *how;    /* static text: "every f32 of the interval" */
} nigh_certificate;

/*
 * What a method shows beside its plan: points of named series in one picture, such as everything that a search found beside classical
 * forms. Kept in the outcome and drawn by the report with y in logs; of each series, points are joined in the order given.
 */
typedef struct nigh_chart_point {
    const char *series, *label; /* label NULL: none */
    double x, y;                /* finite; y > 0 */
} nigh_chart_point;

typedef struct nigh_chart {
    const char *title, *x, *y;  /* words: of the picture and its axes */
    int count;
    const nigh_chart_point *points;
} nigh_chart;

typedef struct nigh_plan_ops {
    /* Scratch bytes for one call of apply with up to `block` samples. NULL: none. */
    size_t (*workspace)(const nigh_plan *plan, int64_t block);

    /* n <= nigh_plan_block samples. No allocation, no shared state: many threads may run it on one plan. */
    void (*apply)(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace);

    /* Inputs that lie outside in the method's own sense (PCA residual); box ranges are checked already. NULL: none. */
    bool (*outside)(const nigh_plan *plan, int64_t n, const void *in, void *workspace);

    /* Proves a bound of the worst error. NULL: cannot. NIGH_UNSUPPORTED when it cannot for this problem. */
    nigh_status (*certify)(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out);

    nigh_status (*save)(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file);

    /* The body of a C99 file: static data and  void NAME(long n, const T *in, T *out). NULL: not exportable. */
    nigh_status (*export_c)(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text);

    /* For plans that mean the same on any grid: answers of n fields on a grid of `size` points in each dimension. NULL: they hold for their own grid only. */
    nigh_status (*apply_elsewhere)(nigh_context *ctx, const nigh_plan *plan, const int64_t *size, int64_t n, const void *in, void *out);

    void (*free)(nigh_context *ctx, nigh_plan *plan);
    bool child; /* apply runs child programs (a coarser run of the user's own): timed by the wall clock */
} nigh_plan_ops;

/* Filled by a method's finish and load; read-only afterwards. `arena` holds all that hangs on it. */
struct nigh_plan {
    const nigh_method *method;
    nigh_settings settings;
    nigh_shape in, out;
    double *low, *high; /* box of the inputs that the plan was made for; NULL: any finite input */
    nigh_work work;     /* per sample */
    double bytes;       /* of the state */
    const nigh_plan_ops *ops;
    void *state;
    nigh_arena *arena;
    char *note;         /* what the method has to tell about this fit, one or two sentences; NULL: nothing. Stands in the receipt's
                           words and beside candidates that missed the error; not kept in plan files but there. */
    char *record;       /* JSON text: the receipt, decisions, seeds; "" when it was never planned */
    const nigh_chart *chart; /* in the arena; NULL: none. Not in the plan's file but in its record */
};

/* For methods: a plan with its own arena, without a box; low, high, work, bytes and state are the method's to fill. Freed by nigh_plan_free. */
NIGH_API nigh_status nigh_plan_new(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings,
                                   const nigh_shape *in, const nigh_shape *out, const nigh_plan_ops *ops, nigh_plan **plan);
NIGH_API void nigh_plan_free(nigh_context *ctx, nigh_plan *plan); /* NULL is fine */

/* Samples that apply handles at once inside (cache-sized). */
NIGH_API int64_t nigh_plan_block(const nigh_plan *plan);

/* Scratch bytes that nigh_plan_apply needs, whatever n. */
NIGH_API size_t nigh_plan_workspace(const nigh_plan *plan);

/*
 * out[n] from in[n]. Any number of threads may apply one plan, each with its own workspace (64-byte aligned). Never
 * allocates. NIGH_OUTSIDE: all outputs are written, but an input was not in the range the plan was made for, so that
 * its receipt does not speak for it. NIGH_INVALID: workspace too small (nothing written).
 */
NIGH_API nigh_status nigh_plan_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace, size_t bytes);

/* Writes or reads a plan file (safetensors with JSON metadata). Reading runs nothing and trusts nothing. */
NIGH_API nigh_status nigh_plan_save(nigh_context *ctx, const nigh_plan *plan, const char *path);
NIGH_API nigh_status nigh_plan_load(nigh_context *ctx, const char *path, nigh_plan **plan);

/* The same from and to memory; name stands in messages. What is formatted is added to `bytes`. */
NIGH_API nigh_status nigh_plan_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_plan **plan);
NIGH_API nigh_status nigh_plan_format(nigh_context *ctx, const nigh_plan *plan, nigh_buffer *bytes);

/* One dependency-free C99 file with the receipt as the comment on top. */
NIGH_API nigh_status nigh_plan_export(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text);

/* For a method's save and load. put copies. get checks dtype, dimensions (-1: any, given back) and finiteness. */
NIGH_API nigh_status nigh_planfile_put(nigh_planfile *file, const char *name, const nigh_shape *shape, const void *data);
NIGH_API nigh_status nigh_planfile_get(nigh_planfile *file, const char *name, nigh_dtype dtype, int ndim, int64_t *dim, const void **data);
NIGH_API nigh_status nigh_planfile_put_text(nigh_planfile *file, const char *key, const char *text);
NIGH_API nigh_status nigh_planfile_get_text(nigh_planfile *file, const char *key, const char **text);
/* What load needs of the plan's frame: shapes and settings as stored, checked against the method's table. */
NIGH_API const nigh_settings *nigh_planfile_settings(const nigh_planfile *file);
NIGH_API const nigh_shape *nigh_planfile_in(const nigh_planfile *file);
NIGH_API const nigh_shape *nigh_planfile_out(const nigh_planfile *file);

/* ---- receipts ----------------------------------------------------------------------------------------- */

typedef enum nigh_label { NIGH_MEASURED, NIGH_CERTIFIED, NIGH_ASYMPTOTIC, NIGH_STATED, NIGH_ABSENT } nigh_label;

typedef struct nigh_timing {
    double a_seconds, b_seconds;  /* medians, per sample */
    double ratio, low, high;      /* a over b: median of pairs and its 95% interval */
    int pairs, repeated;          /* counted pairs; pairs thrown away because something else ran */
    int threads;
    bool busy;                    /* the interval stayed wider than +-5% */
    double *ratios;               /* of the pairs, for the plot: `pairs` numbers, owned by whoever holds the struct */
} nigh_timing;

typedef struct nigh_receipt {
    char *problem, *identity, *kind, *method, *settings, *measure, *unit, *source;
    double error;               /* E */
    nigh_statistic statistic;
    double confidence;
    bool met;
    nigh_label label;           /* of the figure that decides */
    char *words;                /* the choice and the reason, one or two sentences */

    int64_t tests;              /* fresh inputs the figures stand on */
    char *tests_from;           /* "drawn anew (walk 1)", "test rows of the file, read 3 times" */
    int64_t reads;              /* how often test rows were read; 0 for drawn inputs */
    double level;               /* 1 - confidence that this walk was tested at */
    double clip;                /* 5 E */
    nigh_figure mean, outliers, p95;
    double worst, worst_share;  /* largest error seen; at most this share of inputs is worse */
    nigh_certificate certificate; /* how == NULL: none */
    nigh_refinement refinement;
    int grids;                  /* 0: the plan holds for its own grid only, or the problem has no other */
    nigh_grid_error grid[NIGH_GRIDS]; /* from the coarsest on */

    double fit_seconds, exact_calls;
    double exact_seconds, plan_seconds; /* per sample */
    nigh_timing beside_exact, beside_shortcut; /* speed-up: other / plan; pairs == 0: not timed */
    char *shortcut;             /* name and settings of the best classical shortcut at the same error; NULL: none met it */
    bool is_shortcut;           /* the plan itself is that shortcut */
    double plan_bytes, exact_bytes;

    char *nigh, *cpu, *cpu_level, *libraries, *host;
    int threads;
    uint64_t seed;
    bool as_stated;             /* read from a file and not rechecked */
    nigh_arena *arena;          /* holds all text of the receipt */
} nigh_receipt;

NIGH_API void nigh_receipt_free(nigh_receipt *receipt); /* NULL is fine */
NIGH_API nigh_status nigh_receipt_print(nigh_context *ctx, const nigh_receipt *receipt, nigh_buffer *text); /* for people */
NIGH_API nigh_status nigh_receipt_json(nigh_context *ctx, const nigh_receipt *receipt, nigh_buffer *text);  /* docs/receipt.schema.json */
NIGH_API nigh_status nigh_receipt_parse(nigh_context *ctx, const char *json, nigh_receipt **receipt);        /* as_stated */

/* The receipt that a plan carries; NIGH_UNSUPPORTED when it has none. */
NIGH_API nigh_status nigh_plan_receipt(nigh_context *ctx, const nigh_plan *plan, nigh_receipt **receipt);

/* Measures a loaded plan again on new inputs of the problem (error and time). */
NIGH_API nigh_status nigh_receipt_recheck(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_receipt **receipt);

/* ---- timing ------------------------------------------------------------------------------------------- */

/* Does the work of `samples` samples. */
typedef nigh_status nigh_timed_fn(nigh_context *ctx, void *user, int64_t samples);

typedef struct nigh_timed {
    nigh_timed_fn *run;
    void *user;
    int threads;       /* that run uses; a pair is repeated when wall > 1.1 x cpu / threads */
    bool child;        /* the work is done by child processes (their CPU time counts) */
} nigh_timed;

/*
 * a beside b, in the orders ABBA and BAAB in turn, batches of >= 1 ms, 15 pairs at first, doubled up to 120 while the 95% interval of
 * the median ratio is wider than +-5%. `seconds` caps the whole (0: none); at least 5 pairs are made.
 * out->ratios is allocated (nigh_free).
 */
NIGH_API nigh_status nigh_time_pair(nigh_context *ctx, const nigh_timed *a, const nigh_timed *b, double seconds, nigh_timing *out);

/* ---- the planner -------------------------------------------------------------------------------------- */

struct nigh_outcome;

typedef struct nigh_request {
    size_t size;
    double error;              /* E > 0, in the problem's measure */
    nigh_statistic statistic;
    double confidence;         /* 0.5 < c < 1; 0.95 */
    double outliers;           /* allowed upper bound of the share of inputs with an error above 5E; 1: none */
    double uses;               /* how often the plan will be applied; 0: not said (10^6, with the envelope) */
    double seconds;            /* for fitting and measuring; 0: no limit */
    int64_t fit, screen, test; /* samples of the three sets; 0: nigh chooses */
    const char *methods;       /* only these, comma between; NULL: all */
    const char *settings;      /* options fixed for all methods that have them: "degree=5"; NULL: none */
    const char *journal;       /* file that keeps finished steps, so that a killed run resumes (a long fit at hand: JOURNAL.fit); NULL: none */
    bool keep_journal;         /* leave both there when done: for callers that save the plan first and remove them then */
    const char *state;         /* folder of ledger and wisdom; NULL: XDG; "": none (ledger then starts anew) */
    bool no_clock;             /* choose by counted cost, time nothing: same bits on every run */
    bool brute;                /* try every setting of every declared grid (for regret) */
    const nigh_plan *replay;   /* repeat the decisions recorded in this plan, without timing */
    void (*watch)(void *user, const struct nigh_outcome *so_far); /* after every step; NULL: none */
    void *watch_user;
} nigh_request;

NIGH_API nigh_request nigh_request_default(void);

typedef enum nigh_candidate_state {
    NIGH_CANDIDATE_WAITING, NIGH_CANDIDATE_UNSUPPORTED, NIGH_CANDIDATE_SKIPPED, NIGH_CANDIDATE_FAILED,
    NIGH_CANDIDATE_MISSED,  /* screened, error too large */
    NIGH_CANDIDATE_PASSED,  /* screened, may join the chain */
    NIGH_CANDIDATE_PROVED,  /* passed its link of the test walk */
    NIGH_CANDIDATE_REFUSED, /* failed its link of the test walk */
    NIGH_CANDIDATE_CHOSEN
} nigh_candidate_state;

typedef struct nigh_candidate {
    const nigh_method *method;
    nigh_settings settings;
    char *label;              /* "minimax degree=5 reduction=native" */
    nigh_candidate_state state;
    char *why;                /* unsupported, skipped, failed: the reason in words; missed: the method's note on its fit; a training that was cut short; else NULL */
    int64_t units;            /* of a training that the time limit cut short; 0: as many as its settings ask for */
    double trained;           /* what share of its training that is */
    nigh_estimate estimate;
    double fit_seconds;       /* with the exact computations made for it */
    double exact_calls;       /* exact computations made for its fit: the fit set's and its own */
    double screen_mean, screen_error_se, screen_p95, screen_worst; /* of min(e, 5E); p95 and worst unclipped */
    double decides;           /* the screened figure that is compared with E */
    double apply_seconds;     /* per sample: counted, or measured when timed */
    bool timed;
    double cost;              /* fit_seconds + uses x apply_seconds */
    int link;                 /* position in the chain, -1: not in it */
    nigh_plan *plan;          /* of finalists; NULL otherwise */
} nigh_candidate;

/* From `uses` on (up to the next row) this candidate is the cheapest that passed. */
typedef struct nigh_envelope_row {
    double uses;
    int candidate;            /* -1: the exact computation itself */
} nigh_envelope_row;

typedef struct nigh_outcome {
    int count;
    nigh_candidate *candidates;
    int rows;
    nigh_envelope_row *envelope;
    int chosen;               /* -1: none met the error */
    nigh_plan *plan;          /* the chosen one, owned by the outcome; NULL: none */
    nigh_receipt *receipt;
    double exact_seconds;     /* per sample; 0: not known */
    double deciding_seconds;  /* wall time of the planning */
    int64_t n_fit, n_screen, n_test;
    double *curve_x, *curve_error; /* one-variable problems: error of the chosen plan along the input, for the plot */
    int64_t curve_count;
    double *histogram;        /* errors of the test walk, sorted; n_test numbers */
    const nigh_chart *chart;  /* of the plan that the receipt speaks of, or of another candidate's; NULL: none */
    const nigh_pictures *pictures; /* NULL: samples are no fields */
    nigh_arena *arena;
} nigh_outcome;

/*
 * Tries the methods registered for problem->kind and chooses the cheapest that meets request->error, by the rules of
 * docs/receipts.md. NIGH_UNMET with a complete outcome (and a receipt of the best) when none meets it, without one when no answer in
 * the type of the outputs could; NIGH_INTERRUPTED keeps the journal. *outcome is NULL on other failures.
 */
NIGH_API nigh_status nigh_plan_make(nigh_context *ctx, const nigh_problem *problem, const nigh_request *request, nigh_outcome **outcome);
NIGH_API void nigh_outcome_free(nigh_context *ctx, nigh_outcome *outcome); /* NULL is fine */

/* The outcome as JSON (what `nigh plan --json` prints and `nigh report` reads). */
NIGH_API nigh_status nigh_outcome_json(nigh_context *ctx, const nigh_problem *problem, const nigh_outcome *outcome, nigh_buffer *text);

/* One self-contained HTML page (inline SVG, no network) from one or more outcomes as JSON. */
NIGH_API nigh_status nigh_report_html(nigh_context *ctx, int count, const char *const *outcomes, nigh_buffer *html);

/* ---- services ----------------------------------------------------------------------------------------- */

/*
 * What plan needs of families above it. Each has a plain default here; a family that does better replaces it at start.
 */
typedef struct nigh_services {
    /* Next grid index to try between a known miss `low` and a known pass `high` (tuner); errors seen so far beside it. */
    int (*tune)(int low, int high, const double *errors, double target);

    /* Expected final loss from a learning curve of `count` points (stopper). */
    double (*extrapolate)(int count, const double *units, const double *loss, double total_units);

    /* Level of the k-th read (k >= 1) of test rows with n rows (holdout). */
    double (*holdout_level)(int64_t k, double level, int64_t n);

    /* Picks m of n fit samples (shrinker): index[m], increasing. */
    nigh_status (*shrink)(nigh_context *ctx, const nigh_problem *problem, const nigh_samples *samples, int64_t m, int64_t *index);

    /* A proof of the worst error (certifier); the default asks the plan. */
    nigh_status (*certify)(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out);
} nigh_services;

/* What is in force in this context; may be changed before planning. */
NIGH_API nigh_services *nigh_context_services(nigh_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
