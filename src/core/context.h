/* The inside of nigh_context, for src/core only. */
#ifndef NIGH_CORE_CONTEXT_H
#define NIGH_CORE_CONTEXT_H
#include "nigh/core.h"

#include <stdatomic.h>

struct nigh_context {
    nigh_allocator allocator;
    size_t held, peak;
    uint64_t seed;
    int threads;
    atomic_int cancelled;
    struct nigh_context *above; /* of a job: whose cancellation counts too; NULL */
    nigh_log_fn *log;
    void *log_user;
    nigh_progress_fn *progress;
    void *progress_user;
    /* Filled by src/plan: methods from outside and the services in force. Kept here so that a context is one block. */
    const void *registered[64];
    int registered_count;
    void (*services[8])(void);
    bool services_set;
    double calls, call_seconds; /* exact computations of the fit under way, and the time they took */
    char message[2048];
};
#endif
