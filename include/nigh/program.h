/*
 * nigh/program.h: a user's own program as a problem (kind "map"): vectors of numbers in, vectors of numbers out.
 *
 * The program is started once for every input, in a private folder, with limits, without a shell (nigh/process.h). Places
 * in its command stand for what it gets and gives:
 *   {in} {out}          text files of numbers, blanks or line ends between
 *   {in.npy} {out.npy}  npy files, f64, the input of the shape that one of `inputs` has
 *   {in.csv} {out.csv}  csv, one row
 *   {1} {2} ...         the numbers themselves, 17 digits
 *   {KNOB}              the value of the resolution option
 * Without an output place the numbers on standard output are the answer. Answers are kept in the user's cache by content
 * (command, contents of the files that the command names, input), so that no run is made twice; a program that depends on
 * anything else (time, other files) must be planned with cache = false.
 */
#ifndef NIGH_PROGRAM_H
#define NIGH_PROGRAM_H
#include "nigh/plan.h"
#include "nigh/process.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_program_problem {
    const char *command;
    const nigh_array *inputs;   /* [N, ...]: inputs to choose from, as rows of a file; NULL: drawn from the box. Fields [N, H, W] stay fields, and so
                                   do answers of as many numbers. */
    int64_t dims;               /* of the box */
    const double *low, *high;   /* uniform in [low, high] along each dimension */
    const char *knob;           /* "n=16:256": place {n} is 256 for the exact computation, coarser runs halve it down to 16; NULL */
    const char *measure;        /* NULL: relative-l2 */
    nigh_limits limits;         /* of one run; zero: the defaults of nigh/process.h */
    bool no_cache;
} nigh_program_problem;

/*
 * Runs the program once to learn how many numbers it gives. NIGH_INVALID: no place for the inputs, an unknown place, a bad
 * knob, an empty box; NIGH_FAILED: the program could not be started, failed, or gave no or not finite numbers. Copies all
 * that it needs. Freed with nigh_problem_free.
 */
NIGH_API nigh_status nigh_program_problem_new(nigh_context *ctx, const nigh_program_problem *spec, nigh_problem **out);

#ifdef __cplusplus
}
#endif
#endif
