/* From the words of a command to a problem; shared by plan, sample and receipt --recheck. */
#ifndef NIGH_CLI_PROBLEM_H
#define NIGH_CLI_PROBLEM_H
#include "cli/cli.h"
#include "nigh/plan.h"

typedef struct problem_words {
    const char *text;    /* name, expression or file; NULL with --exact */
    const char *on;      /* "-1:1" */
    const char *type;    /* "f32", "f64" */
    const char *measure;
    const char *exact;   /* the command of a program */
    const char *inputs;  /* file of inputs for it */
    const char *box;     /* "0:1,2:5" */
    const char *knob;
    const char *outputs; /* columns of a csv */
    const char *columns; /* input columns of a csv; NULL: all that are no outputs */
    const char *with;    /* settings of an equation */
    const char *lies;    /* where the points of fields in a file lie */
    int64_t grid;        /* points of an equation's grid in each dimension; 0: its default */
    double run_seconds, run_memory; /* limits of one run; 0: default */
    double exact_seconds; /* of one row of a file, as the user knows it */
    bool network, no_cache;
} problem_words;

/* The flags that fill *words, for tables of commands (PROBLEM_FLAGS rows). */
#define PROBLEM_FLAGS(w)                                                                                                           \
    {"on", 0, CLI_TEXT, &(w).on, "A:B", "interval of a function", 0, 0},                                                           \
    {"type", 0, CLI_TEXT, &(w).type, "f32|f64", "number type of a function (default f32)", 0, 0},                                  \
    {"measure", 0, CLI_TEXT, &(w).measure, "NAME", "error measure: absolute, relative, ulp, relative-l2, rms", 0, 0},              \
    {"exact", 0, CLI_TEXT, &(w).exact, "COMMAND", "the exact computation is this program", 0, 0},                                  \
    {"inputs", 0, CLI_TEXT, &(w).inputs, "FILE", "inputs for the program, one a row (npy, csv, npz:NAME)", 0, 0},                  \
    {"box", 0, CLI_TEXT, &(w).box, "A:B,C:D", "or inputs drawn uniformly from this box", 0, 0},                                    \
    {"knob", 0, CLI_TEXT, &(w).knob, "NAME=LOW:HIGH", "resolution of the program: exact at HIGH, coarser runs compete", 0, 0},     \
    {"outputs", 0, CLI_TEXT, &(w).outputs, "COLUMNS", "columns of a csv that are outputs (names or numbers)", 0, 0},               \
    {"columns", 0, CLI_TEXT, &(w).columns, "COLUMNS", "columns of a csv that are inputs (default: all others)", 0, 0},             \
    {"grid", 0, CLI_INT, &(w).grid, "N", "points of an equation's grid in each dimension", 1, 1 << 20},                              \
    {"with", 0, CLI_TEXT, &(w).with, "NAME=VALUE,...", "settings of an equation (`nigh list equations`)", 0, 0},                    \
    {"points", 0, CLI_TEXT, &(w).lies, "cell|node|periodic", "where the points of fields in a file lie (default: what the file says)", 0, 0}, \
    {"exact-seconds", 0, CLI_REAL, &(w).exact_seconds, "S", "what one exact computation behind a file costs", 0, 1e9},             \
    {"run-seconds", 0, CLI_REAL, &(w).run_seconds, "S", "limit of one run of the program (default 60)", 0.01, 1e7},                \
    {"run-memory", 0, CLI_REAL, &(w).run_memory, "MB", "memory limit of one run", 1, 1e9},                                         \
    {"network", 0, CLI_SWITCH, &(w).network, NULL, "leave the network open to the program", 0, 0},                                 \
    {"no-cache", 0, CLI_SWITCH, &(w).no_cache, NULL, "do not keep or use answers of earlier runs of the program", 0, 0}

/* "-1:1" or "0:1,2:5": pairs of numbers; *low is allocated, *high lies behind it. flag: for messages. */
nigh_status problem_box(nigh_context *ctx, const char *flag, const char *text, double **low, double **high, int64_t *dims);

nigh_status problem_from_words(nigh_context *ctx, const problem_words *words, nigh_problem **problem);

/* The problem that a plan's record describes. A program is made only with allow_exec; else NIGH_UNSUPPORTED shows it. */
nigh_status problem_from_record(nigh_context *ctx, const nigh_plan *plan, bool allow_exec, nigh_problem **problem);
#endif
