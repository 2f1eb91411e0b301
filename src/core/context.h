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
    nigh_log_fn *log;
    void *log_user;
    nigh_progress_fn *progress;
    void *progress_user;
    char message[2048];
};
#endif
