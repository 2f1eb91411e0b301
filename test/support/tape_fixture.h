/* A context, a tape and (once made) an executor of one test. */
#ifndef NIGH_TEST_TAPE_FIXTURE_H
#define NIGH_TEST_TAPE_FIXTURE_H
#include "nigh/grad.h"

typedef struct fixture {
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
} fixture;

void begin(fixture *f, int threads); /* run is NULL */
void end(fixture *f);
#endif
