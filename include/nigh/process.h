/*
 * nigh/process.h: programs of the user's, run for real and kept within limits.
 *
 * What holds a program (Linux)
 *   - A keeper process stands between nigh and the program. Where the system allows it, the keeper is process 1 of a PID
 *     namespace of its own: when the program ends, is stopped or nigh dies (kill -9 included), the kernel ends every
 *     process it ever started, also those that called setsid. nigh_run.isolated says that this was so.
 *   - Where namespaces are refused, the keeper adopts orphans (subreaper), and at the end kills the program's process group
 *     and then whatever descendants it still finds in /proc, until none is left. When nigh is killed with -9 the keeper is
 *     told by the kernel and does the same; only a program that kills the keeper itself, or is stopped in the kernel,
 *     could get round that.
 *   - Resource limits (CPU seconds, private memory, size of files written, no core files), a cleared environment, no file
 *     descriptor but 0, 1 and 2, default signals, a new session, a higher OOM score, no new privileges by set-user-id.
 *   - With libseccomp at build time, a system-call filter: tracing other processes, mounting, kernel modules, bpf, keys,
 *     io_uring, new namespaces, setting clocks and the like fail with EPERM; without `network`, sockets other than Unix
 *     ones fail with EACCES. Programs for another architecture than nigh's (32-bit ones) cannot run under the filter.
 *     Without libseccomp the network is taken away by a network namespace, where that is allowed.
 * This keeps accidents in: runaway loops, fork bombs, floods of output, memory hogs. It is no prison for hostile code:
 * the program has the user's own rights to files.
 *
 * Children are made with no exit signal: a host program's SIGCHLD handler and wait(-1) never see them.
 */
#ifndef NIGH_PROCESS_H
#define NIGH_PROCESS_H

#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero in a field asks for its default. */
typedef struct nigh_limits {
    double seconds;       /* wall clock, then SIGTERM to the group, 0.2 s later SIGKILL to all; default 60           */
    double cpu_seconds;   /* of each process (rounded up to whole seconds); default: none but the wall clock         */
    int64_t memory_bytes; /* of each process: private writable memory (RLIMIT_DATA, so that programs which only
                             reserve address space run) and, sampled, resident memory; default: that of the machine  */
    int64_t file_bytes;   /* of each file written; default 1 GiB                                                     */
    int processes;        /* at once, sampled every 20 ms or so (a tree above it is killed); default 256             */
    int64_t output_bytes; /* kept of each of standard output and error, the rest is discarded; default 16 MiB        */
    bool network;         /* true: leave the network reachable (MPI programs need that)                              */
    bool plain;           /* true: no namespace and no system-call filter, for programs that need what they forbid   */
} nigh_limits;

typedef struct nigh_run {
    int exit_code;       /* 0 .. 255; -1 when a signal ended it                                                     */
    int signal;          /* 0, or the signal that ended it                                                          */
    bool timed_out;      /* stopped at limits.seconds                                                               */
    bool too_many;       /* stopped for more processes than allowed                                                 */
    bool too_large;      /* stopped for more resident memory than allowed                                           */
    bool output_cut;     /* more than output_bytes came                                                             */
    bool isolated;       /* had a PID namespace: nothing of it can be left                                          */
    double seconds;      /* wall, from before it was started until it ended, measured next to it                    */
    double cpu_seconds;  /* of the program and those of its children that it waited for                             */
    int64_t peak_bytes;  /* largest resident set of one of its processes; 0: unknown, which happens when it ended
                            within a sampling step and was smaller than nigh itself                                 */
    char *out, *err;     /* what it wrote, with a 0 behind that is not counted; never NULL after success            */
    size_t out_size, err_size;
} nigh_run;

/*
 * Runs argv (ending in NULL) to its end. argv[0] without a slash is searched in PATH; with one it is relative to the
 * caller's working directory, whatever `folder` is. folder: working directory of the program (NULL: the caller's).
 * environment: "NAME=value" texts ending in NULL (NULL: only PATH, HOME and LANG of the caller). input: its standard
 * input. limits: NULL is all defaults.
 *
 * NIGH_OK: it ran; *run tells how it ended (see nigh_run_check), end it with nigh_run_free. NIGH_INVALID: a limit out of
 * range, empty argv. NIGH_FAILED: there is no such program, or the system cannot execute it (the message says what was looked
 * up). NIGH_RESOURCE: no process, pipe or memory for it. NIGH_INTERRUPTED: cancelled; nothing of it is left.
 * On failure *run is untouched. Cost: some 0.5 ms, 20 ms more for each GB that nigh holds (the keeper is forked from it), and the
 * program's own.
 */
NIGH_API nigh_status nigh_process_run(nigh_context *ctx, const char *const *argv, const char *folder,
                                      const char *const *environment, const void *input, size_t input_size,
                                      const nigh_limits *limits, nigh_run *run);

/* Frees out and err. A zeroed run is fine. */
NIGH_API void nigh_run_free(nigh_context *ctx, nigh_run *run);

/*
 * NIGH_OK when the program ended by itself with exit code 0. Otherwise NIGH_FAILED (NIGH_RESOURCE when it was stopped for
 * time, memory or processes) with a message such as "'./solver' crashed: Segmentation fault (signal 11); it last said: ...".
 */
NIGH_API nigh_status nigh_run_check(nigh_context *ctx, const char *program, const nigh_run *run);

/*
 * Splits a command into words as a shell would quote them: blanks separate; '..' is verbatim; in ".." a backslash
 * protects " \ $ and `; outside quotes a backslash protects the next character. Nothing is expanded: $, *, |, ; and > are
 * ordinary characters. NIGH_INVALID: an open quote, a backslash at the end (with the position), no word at all.
 * *argv ends in NULL and is one block: free it with nigh_free.
 */
NIGH_API nigh_status nigh_process_split(nigh_context *ctx, const char *command, char ***argv);

/* ---- many runs -------------------------------------------------------------------------------------------- */

/* One run to be made; what it points to must stay as it is until the run was taken. */
typedef struct nigh_task {
    const char *const *argv;
    const char *folder;
    const char *const *environment;
    const void *input;
    size_t input_size;
} nigh_task;

/* Both are called on the caller's own thread. A failure ends the whole map with that status. */
typedef nigh_status nigh_process_make_fn(void *user, int64_t i, nigh_task *task); /* *task comes zeroed */
typedef nigh_status nigh_process_take_fn(void *user, int64_t i, nigh_run *run);   /* may keep out or err: set it NULL */

/*
 * Runs items 0 .. count-1, `workers` at once (0: as many as the context has threads). make(i) is called in order of i, at
 * most 4 * workers before the oldest that was not taken; take(i) strictly in order of i, whatever ends first. On any
 * failure and on cancel all running programs are killed first; runs not taken are freed.
 * Errors: those of nigh_process_run (prefixed "run I") and of make and take.
 */
NIGH_API nigh_status nigh_process_map(nigh_context *ctx, int64_t count, nigh_process_make_fn *make,
                                      nigh_process_take_fn *take, void *user, const nigh_limits *limits, int workers);

/* ---- a program as a function from files to files ------------------------------------------------------------ */

/*
 * A command with places to fill in, such as "python3 model.py {in} {out} --size {n}". A place is {NAME}, NAME of
 * letters, digits, '.', '_' and '-'; "{{" and "}}" stand for single braces.
 */
typedef struct nigh_program nigh_program;

/*
 * Splits the command and looks its program up once. Words (the first, and later ones) that name an existing file
 * relative to the caller's working directory are made absolute, since every run has a working directory of its own.
 * NIGH_INVALID: bad quoting, bad place; NIGH_FAILED: no such program.
 */
NIGH_API nigh_status nigh_program_new(nigh_context *ctx, const char *command, nigh_program **program);
NIGH_API void nigh_program_free(nigh_program *program);                       /* NULL is fine */
NIGH_API const char *nigh_program_command(const nigh_program *program);       /* as it was given */

/* The names of the places, each once, in order of appearance; NULL beyond the last. */
NIGH_API const char *nigh_program_place(const nigh_program *program, int i);
NIGH_API bool nigh_program_has(const nigh_program *program, const char *place);

/* What stands in for a place: a file that is written before (bytes, size), a file that is read after, or a text. */
typedef enum nigh_slot_kind { NIGH_SLOT_TEXT, NIGH_SLOT_INPUT, NIGH_SLOT_OUTPUT } nigh_slot_kind;
typedef struct nigh_slot {
    const char *place; /* "in.npy": the file gets that name in the private folder, so that programs see its type */
    nigh_slot_kind kind;
    const char *text;  /* NIGH_SLOT_TEXT                                                                        */
    void *bytes;       /* input: borrowed. output: set by the run, free with nigh_free; NULL before               */
    size_t size;
} nigh_slot;

/*
 * One run in a private folder (0700, below $TMPDIR or /tmp, removed whatever happens). Every place of the command needs
 * its slot; slots without a place are still written or read under their name in the working directory. If the command
 * has no output file the caller can use run->out. output_cap: most bytes read back of one file (0: 1 GiB).
 *
 * NIGH_OK: it ran with exit code 0 and all outputs are set. NIGH_FAILED or NIGH_RESOURCE: as nigh_run_check, or an output
 * file is missing; NIGH_RESOURCE also for an output above the cap or a full disk. No output is set on failure.
 * run may be NULL.
 */
NIGH_API nigh_status nigh_program_run(nigh_context *ctx, const nigh_program *program, nigh_slot *slots, int count,
                                      const nigh_limits *limits, int64_t output_cap, nigh_run *run);

/* The same for many: fill(i) sets the slots for run i (count of them, zeroed; their memory stays until take(i)). */
typedef nigh_status nigh_program_fill_fn(void *user, int64_t i, nigh_slot *slots);
typedef nigh_status nigh_program_take_fn(void *user, int64_t i, nigh_status status, nigh_slot *slots, nigh_run *run);

/*
 * Runs 0 .. runs-1 as nigh_process_map does. take(i) comes in order with the status that nigh_program_run would have
 * given (message in ctx) and ends the map by returning a failure; it may keep output bytes by setting them NULL.
 */
NIGH_API nigh_status nigh_program_map(nigh_context *ctx, const nigh_program *program, int64_t runs, int count,
                                      nigh_program_fill_fn *fill, nigh_program_take_fn *take, void *user,
                                      const nigh_limits *limits, int64_t output_cap, int workers);

#ifdef __cplusplus
}
#endif
#endif
