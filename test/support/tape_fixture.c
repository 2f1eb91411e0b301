/* Declared in tape_fixture.h. */
#include "tape_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

void begin(fixture *f, int threads)
{
    assert_int_equal(nigh_context_new(&f->ctx), NIGH_OK);
    assert_int_equal(nigh_context_set_threads(f->ctx, threads), NIGH_OK);
    assert_int_equal(nigh_tape_new(f->ctx, &f->t), NIGH_OK);
    f->run = NULL;
}

void end(fixture *f)
{
    nigh_executor_free(f->run);
    nigh_tape_free(f->t);
    nigh_context_free(f->ctx);
}
