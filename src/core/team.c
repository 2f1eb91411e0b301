/* Threads that meet between short phases. Declared in core/team.h. */
#include "core/team.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Two counters take turns: the last to arrive clears the one that the phase begins with, which nobody has used since the barrier before. */
struct team {
    team_share share[2];
    _Alignas(64) int arrived;
    _Alignas(64) unsigned phase;
    int asleep;
    int members;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* A thread that waits in vain keeps a core from the one that it waits for: it sleeps until the phase is another. */
static void sleep_through(team *t, unsigned phase)
{
    __atomic_add_fetch(&t->asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&t->phase, __ATOMIC_SEQ_CST) == phase) syscall(SYS_futex, &t->phase, FUTEX_WAIT_PRIVATE, phase, NULL, NULL, 0);
    __atomic_sub_fetch(&t->asleep, 1, __ATOMIC_SEQ_CST);
}

team_share *team_barrier(team *t)
{
    enum { SPINS = 2000 };
    unsigned phase = __atomic_load_n(&t->phase, __ATOMIC_RELAXED);
    team_share *fresh = &t->share[(phase + 1) & 1];
    if (__atomic_add_fetch(&t->arrived, 1, __ATOMIC_ACQ_REL) == t->members) {
        __atomic_store_n(&fresh->next, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&t->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&t->phase, phase + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&t->asleep, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &t->phase, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        return fresh;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (__atomic_load_n(&t->phase, __ATOMIC_ACQUIRE) != phase) return fresh;
        relax();
    }
    sleep_through(t, phase);
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
