/* Threads that meet between short phases. Declared in core/team.h. */
#include "core/team.h"

#include <sched.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Two counters take turns: the last to arrive clears the one that the phase begins with, which nobody has used since the barrier before. */
struct team {
    team_share share[2];
    _Alignas(64) int arrived;
    _Alignas(64) unsigned phase;
    int members;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

team_share *team_barrier(team *t)
{
    enum { SPINS = 4000 };
    unsigned phase = __atomic_load_n(&t->phase, __ATOMIC_RELAXED);
    team_share *fresh = &t->share[(phase + 1) & 1];
    if (__atomic_add_fetch(&t->arrived, 1, __ATOMIC_ACQ_REL) == t->members) {
        __atomic_store_n(&fresh->next, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&t->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&t->phase, phase + 1, __ATOMIC_RELEASE);
        return fresh;
    }
    for (int spin = 0; __atomic_load_n(&t->phase, __ATOMIC_ACQUIRE) == phase; spin++) {
        relax();
        if (spin > SPINS) sched_yield(); /* the other thread may want this core */
    }
    return fresh;
}

int team_members(const team *t) { return t->members; }

void team_run(int threads, team_fn *fn, void *user)
{
    team t = {.members = 1};
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        {
#pragma omp single
            t.members = omp_get_num_threads();
            fn(user, &t, omp_get_thread_num());
        }
        return;
    }
#endif
    fn(user, &t, 0);
}
