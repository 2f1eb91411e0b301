/*
 * A team: the threads of one job that passes many short phases (a pass of a language model has some 150 of 2 to 50 us).
 * All members run the same function; between phases they meet at a barrier of a fraction of a microsecond, which spins a
 * while and then sleeps, so that a busy machine is slow and not stuck. Work inside a phase is shared out by a counter.
 * Results must not depend on who took what: every element is written by one member, in an order fixed by the element.
 */
#ifndef NIGH_CORE_TEAM_H
#define NIGH_CORE_TEAM_H
#include "nigh/core.h"

/* A counter of work items; one for each phase. */
typedef struct team_share {
    _Alignas(64) int64_t next;
} team_share;

/* Takes `grain` items of `count`: the first of them, or -1 when none are left. Atomic. */
static inline int64_t team_take(team_share *share, int64_t grain, int64_t count)
{
    int64_t first = __atomic_fetch_add(&share->next, grain, __ATOMIC_RELAXED);
    return first < count ? first : -1;
}

typedef struct team team;
typedef void team_fn(void *user, team *t, int member); /* member 0 .. team_members - 1 */

/* Runs fn on `threads` members (at least 1; fewer when the system gives fewer) and returns when all are done. Cannot fail; allocates nothing. One
 * member: fn is called on the caller's thread without a parallel region. */
void team_run(int threads, team_fn *fn, void *user);
int team_members(const team *t);

/* All members call it. Returns the fresh counter of the phase that begins. What was written before it is seen by all after it. */
team_share *team_barrier(team *t);
#endif
