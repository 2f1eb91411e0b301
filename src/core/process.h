/* The inside of programs: one child from start to end, for process.c, pool.c and process_program.c. */
#ifndef NIGH_CORE_PROCESS_H
#define NIGH_CORE_PROCESS_H
#include "nigh/process.h"

#include <poll.h>
#include <sys/types.h>

/* ---- between fork and exec (process_start.c) ---- */

/* Everything the keeper and the program need, made before the fork: after it nothing allocates. */
typedef struct launch {
    const char *path; /* absolute, or relative to the caller's folder */
    char *const *argv;
    char *const *environment;
    const char *folder;
    nigh_limits limits; /* defaults filled in */
    int in, out, err, report; /* the child's ends */
    char uid_map[64], gid_map[64]; /* "" when no user namespace is made */
    bool isolated;
    const void *filter; /* struct sock_fprog, or NULL */
} launch;

typedef enum launch_step { STEP_RAN, STEP_FOLDER, STEP_LIMIT, STEP_FORK, STEP_EXEC } launch_step;

/* What the keeper writes to the report pipe: a failure to start, or how the program ended. One write, below PIPE_BUF. */
typedef struct launch_report {
    launch_step step;
    int error; /* errno of the step */
    int wait_status;
    double seconds, cpu_seconds;
    int64_t peak_bytes, keeper_bytes;
} launch_report;

/* Forks the keeper; sets isolated. -1 with errno when no process can be made. Ask it to end by SIGTERM (politely) or SIGUSR2 (at once). */
pid_t process_launch(launch *plan);

/* ---- the filter (process_filter.c) ---- */

/* A struct sock_fprog that lives for ever, or NULL when there is none. */
const void *process_filter(bool network);

/* ---- looking at trees (process_watch.c) ---- */

typedef struct tree_size {
    int processes;          /* descendants of the keeper */
    int64_t largest_bytes;  /* resident, of one of them  */
} tree_size;

/* One pass over /proc for all keepers at once. False when /proc cannot be read. */
bool process_measure(nigh_context *ctx, const pid_t *keepers, int count, tree_size *sizes);

/* ---- one child (process.c) ---- */

typedef struct stream {
    int fd; /* -1: closed */
    nigh_buffer text;
    bool cut;
} stream;

typedef enum child_phase { CHILD_RUNS, CHILD_STOPPING, CHILD_ENDED } child_phase;

typedef struct child {
    nigh_context *ctx;
    const char *name; /* argv[0], borrowed */
    char *path;
    nigh_limits limits;
    pid_t keeper;
    child_phase phase;
    int in, report;
    const char *input;
    size_t input_left;
    stream out, err;
    double start, deadline; /* of the phase */
    int64_t sampled_bytes;
    bool isolated, timed_out, too_many, too_large;
    launch_report last;
    size_t last_size;
} child;

enum { CHILD_FDS = 4, TICK_MS = 20 };

nigh_status limits_fill(nigh_context *ctx, const nigh_limits *given, nigh_limits *full);

/* Starts a task; on failure there is nothing to end. */
nigh_status child_start(nigh_context *ctx, const nigh_task *task, const nigh_limits *limits, child *out);

/* The descriptors to poll: CHILD_FDS entries, unused ones with fd -1. */
void child_want(const child *c, struct pollfd *fds);

/* Handles what poll found and the deadline; phase becomes CHILD_ENDED when keeper and streams are done. */
nigh_status child_step(child *c, const struct pollfd *fds);

/* What process_measure found for it. */
void child_judge(child *c, tree_size size);

/* After CHILD_ENDED: the result, or why the program could not be started. Frees what is left of the child. */
nigh_status child_result(child *c, nigh_run *run);

/* Kills all of it, waits for it, frees. Safe in every phase after child_start; not after child_result. */
void child_destroy(child *c);

/*
 * Finds a program as nigh_process_run says. *path is absolute or as given; free with nigh_free. `search` is the value of
 * PATH to use (NULL: that of the environment).
 */
nigh_status program_find(nigh_context *ctx, const char *name, const char *search, char **path);
#endif
