/* Teams: every item is taken once, phases do not overlap, also with more members than cores. */
#include "support.h"

#include "core/team.h"

#include <string.h>

enum { PHASES = 300, ITEMS = 37 };

typedef struct work {
    int taken[PHASES][ITEMS];
    int done[PHASES]; /* items finished in a phase */
    int early;        /* items begun before all of the phase before were done */
    int members;
} work;

static void phases(void *user, team *t, int member)
{
    work *w = user;
    if (member == 0) w->members = team_members(t);
    team_share *share = team_barrier(t);
    for (int p = 0; p < PHASES; p++) {
        for (int64_t first; (first = team_take(share, 2, ITEMS)) >= 0;)
            for (int64_t i = first; i < first + 2 && i < ITEMS; i++) {
                if (p && __atomic_load_n(&w->done[p - 1], __ATOMIC_SEQ_CST) != ITEMS) __atomic_add_fetch(&w->early, 1, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(&w->taken[p][i], 1, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(&w->done[p], 1, __ATOMIC_SEQ_CST);
            }
        share = team_barrier(t);
    }
}

static void items_are_taken_once_and_phases_in_order(void **state)
{
    (void)state;
    static work w;
    for (int threads = 1; threads <= 5; threads++) {
        memset(&w, 0, sizeof w);
        team_run(threads, phases, &w);
        assert_true(w.members >= 1 && w.members <= threads);
        assert_int_equal(w.early, 0);
        for (int p = 0; p < PHASES; p++)
            for (int i = 0; i < ITEMS; i++) assert_int_equal(w.taken[p][i], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(items_are_taken_once_and_phases_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
