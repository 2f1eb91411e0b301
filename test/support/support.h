/* What tests share: cmocka, a context per test, an allocator that fails on demand. */
#ifndef NIGH_TEST_SUPPORT_H
#define NIGH_TEST_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "nigh/core.h"

/* A context for one test; the test fails when blocks are left at test_context_free. */
nigh_context *test_context_new(void);
void test_context_free(nigh_context *ctx);

/* A context whose allocation number `fail_at` (from 1; 0: none) and every later one fails. */
typedef struct test_allocator {
    long count, fail_at, live;
} test_allocator;
nigh_context *test_context_failing(test_allocator *allocator);

/* Asserts NIGH_OK and shows the message otherwise. */
#define assert_ok(ctx, call)                                                                                           \
    do {                                                                                                               \
        nigh_status status_ = (call);                                                                                  \
        if (status_ != NIGH_OK) fail_msg("%s: %s: %s", #call, nigh_status_text(status_), nigh_message(ctx));           \
    } while (0)

/* Asserts this status and that the message contains `part`. */
#define assert_fails(ctx, call, status, part)                                                                          \
    do {                                                                                                               \
        nigh_status status_ = (call);                                                                                  \
        if (status_ != (status)) fail_msg("%s gave %s, not %s", #call, nigh_status_text(status_), nigh_status_text(status)); \
        if (!strstr(nigh_message(ctx), part)) fail_msg("message '%s' lacks '%s'", nigh_message(ctx), part);             \
    } while (0)

/* |a - b| <= absolute + relative |b| */
#define assert_near(a, b, absolute, relative)                                                                          \
    do {                                                                                                               \
        double a_ = (a), b_ = (b);                                                                                     \
        if (!(fabs(a_ - b_) <= (absolute) + (relative) * fabs(b_)))                                                    \
            fail_msg("%s = %.17g, not %.17g", #a, a_, b_);                                                             \
    } while (0)

/* A fresh folder below the build's temporary folder; removed by test_folder_remove. */
char *test_folder_new(void); /* malloc'ed path */
void test_folder_remove(char *path);
#endif
