/* The planner of subsets: what it promises is so, its choice follows its rule, bad requests are named. */
#include "nigh/reduce.h"
#include "core/json.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { N = 1500, D = 3 };
static double x[N * D], y[N], label[N], weight[N];

static void draw(void)
{
    nigh_rng rng = nigh_rng_new(11, 0);
    for (int i = 0; i < N; i++) {
        double margin = 0.3;
        for (int j = 0; j < D; j++) margin += (x[i * D + j] = nigh_rng_normal(&rng) * (i % 50 ? 1 : 6)) * (j + 1) * 0.4;
        y[i] = margin + nigh_rng_normal(&rng);
        label[i] = nigh_rng_f64(&rng) < 1 / (1 + exp(-margin));
        weight[i] = 0.5 + nigh_rng_f64(&rng);
    }
}

/* The model of the written subset, fitted from nothing, beside what the receipt says of it. */
static void check_subset(nigh_context *ctx, const nigh_rows *rows, const nigh_loss *loss, const nigh_reduction *o, const nigh_reduce_candidate *c)
{
    nigh_rows part;
    void *block;
    double model[64], cost;
    assert_true(c->subset.count >= 1 && c->subset.count <= N / 2);
    for (int64_t i = 0; i < c->subset.count; i++) {
        assert_true(c->subset.weight[i] >= 0 && c->subset.index[i] >= 0 && c->subset.index[i] < N);
        assert_true(!i || c->subset.index[i] > c->subset.index[i - 1]);
    }
    assert_ok(ctx, nigh_subset_take(ctx, rows, &c->subset, &part, &block));
    assert_ok(ctx, nigh_loss_train(ctx, loss, &part, NULL, model, NULL));
    assert_ok(ctx, nigh_loss_cost(ctx, loss, rows, model, &cost));
    double error = nigh_loss_error(loss, cost, o->best_cost - (isfinite(o->gap) ? o->gap : 0), o->weight);
    assert_near(error, c->error, 1e-9, 1e-6);
    assert_true(c->error <= o->asked);
    nigh_free(ctx, block);
}

static void promises(void **state)
{
    (void)state;
    static const char *const losses[] = {"logistic", "hinge", "squares", "huber:delta=1", "lp:p=1", "lp:p=3", "k-means:k=3", "mixture:k=2", "residual:log(1+r*r)"};
    nigh_context *ctx = test_context_new();
    for (size_t l = 0; l < sizeof losses / sizeof *losses; l++) {
        nigh_loss *loss;
        nigh_reduction *o;
        assert_ok(ctx, nigh_loss_parse(ctx, losses[l], &loss));
        nigh_rows rows = {N, D, x, nigh_loss_has_classes(loss) ? label : nigh_loss_uses_y(loss) ? y : NULL, l % 2 ? weight : NULL};
        nigh_reduce_request request = nigh_reduce_request_default();
        request.error = 0.15, request.seed = 3;
        assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o));
        assert_true(o->chosen > 0 && o->candidates[o->chosen].state == NIGH_REDUCE_CHOSEN);
        int64_t least = INT64_MAX;
        for (int i = 1; i < o->count; i++) {
            const nigh_reduce_candidate *c = &o->candidates[i];
            if (c->state == NIGH_REDUCE_UNSUPPORTED) assert_non_null(c->why);
            if (c->state < NIGH_REDUCE_MET || c->model_only) continue;
            check_subset(ctx, &rows, loss, o, c);
            if (c->subset.count < least) least = c->subset.count;
        }
        assert_int_equal(o->candidates[o->chosen].subset.count, least);
        assert_true(o->candidates[o->chosen].subset.count < N / 4);
        assert_true(o->tries > 0 && isfinite(o->distortion));
        nigh_reduction_free(o);
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

/* One fit is cheapest on all rows: whatever chooses a subset has to know the best first. */
static void by_uses(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_loss *loss;
    nigh_reduction *o;
    nigh_rows rows = {N, D, x, label, NULL};
    nigh_reduce_request request = nigh_reduce_request_default();
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic", &loss));
    request.error = 0.1, request.uses = 1;
    assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o));
    assert_int_equal(o->chosen, 0);
    for (int i = 1; i < o->count; i++)
        if (o->candidates[i].state == NIGH_REDUCE_MET) assert_true(o->candidates[i].cost > o->candidates[0].cost);
    nigh_reduction_free(o);
    request.uses = 1e7;
    assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o));
    assert_true(o->chosen > 0 && o->break_even <= 1e7);
    nigh_reduction_free(o);
    nigh_loss_free(loss);
    test_context_free(ctx);
}

static void same_seed(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_loss *loss;
    nigh_reduction *a, *b;
    nigh_rows rows = {N, D, x, label, weight};
    nigh_reduce_request request = nigh_reduce_request_default();
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic:lambda=2", &loss));
    request.error = 0.1, request.seed = 5;
    assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &a));
    assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &b));
    const nigh_subset *p = &a->candidates[a->chosen].subset, *q = &b->candidates[b->chosen].subset;
    assert_int_equal(p->count, q->count);
    assert_memory_equal(p->index, q->index, (size_t)p->count * sizeof *p->index);
    assert_memory_equal(p->weight, q->weight, (size_t)p->count * sizeof *p->weight);
    nigh_reduction_free(a);
    nigh_reduction_free(b);
    nigh_loss_free(loss);
    test_context_free(ctx);
}

static void texts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_loss *loss;
    nigh_reduction *o;
    nigh_rows rows = {N, D, x, label, NULL};
    nigh_buffer text = {.ctx = ctx}, json = {.ctx = ctx}, html = {.ctx = ctx};
    nigh_reduce_request request = nigh_reduce_request_default();
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic", &loss));
    request.error = 0.1, request.methods = "uniform,leverage,lightweight";
    assert_ok(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o));
    assert_int_equal(o->count, 4);
    assert_ok(ctx, nigh_reduction_print(ctx, o, true, &text));
    assert_non_null(strstr(text.data, "for k-means and mixtures"));
    assert_non_null(strstr(text.data, "CHOSEN"));
    assert_ok(ctx, nigh_reduction_json(ctx, o, &json));
    nj root, list;
    size_t count;
    double asked;
    assert_ok(ctx, nj_parse(ctx, "json", json.data, json.size, &root));
    assert_ok(ctx, nj_get_real(&root, "asked", 0, 1, &asked));
    assert_ok(ctx, nj_get_array(&root, "candidates", &list, &count));
    assert_true(asked == 0.1 && count == 4);
    nj_free(&root);
    assert_ok(ctx, nigh_reduction_html(ctx, "a <b> & c", o, &rows, &html));
    assert_non_null(strstr(html.data, "a &lt;b&gt; &amp; c"));
    assert_non_null(strstr(html.data, "Points kept over points given"));
    assert_null(strstr(html.data, "<script"));
    nigh_buffer_free(&text);
    nigh_buffer_free(&json);
    nigh_buffer_free(&html);
    nigh_reduction_free(o);
    nigh_loss_free(loss);
    test_context_free(ctx);
}

static void bad_requests(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_loss *loss;
    nigh_reduction *o = NULL;
    nigh_rows rows = {N, D, x, label, NULL};
    nigh_reduce_request request = nigh_reduce_request_default();
    assert_ok(ctx, nigh_loss_parse(ctx, "logistic", &loss));
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_INVALID, "error allowed is 0");
    request.error = 0.1, request.methods = "levrage";
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_INVALID, "did you mean 'leverage'");
    request.methods = NULL, request.draws = 0;
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_INVALID, "0 draws");
    request.draws = 8;
    double kept = x[7 * D + 1];
    x[7 * D + 1] = NAN;
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_INVALID, "row 7");
    x[7 * D + 1] = kept;
    assert_null(o);
    request.error = 1e-13, request.methods = "uniform";
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_UNMET, "all rows remain");
    assert_true(o && o->chosen == -1 && o->candidates[1].state == NIGH_REDUCE_MISSED);
    nigh_reduction_free(o);
    o = NULL;
    nigh_context_cancel(ctx);
    assert_fails(ctx, nigh_reduce_rows(ctx, &rows, loss, &request, &o), NIGH_INTERRUPTED, "");
    assert_null(o);
    nigh_context_uncancel(ctx);
    nigh_loss_free(loss);
    test_context_free(ctx);
}

/* Every allocation fails once in its turn (in steps): the call fails, nothing is left. */
static void no_memory(void **state)
{
    (void)state;
    nigh_rows rows = {120, D, x, label, NULL};
    for (long at = 1, failed = 1; failed; at += 1 + at / 8) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_loss *loss = NULL;
        nigh_reduction *o = NULL;
        nigh_reduce_request request = nigh_reduce_request_default();
        request.error = 0.3, request.methods = "uniform,gradient-norms,leverage", request.draws = 2;
        nigh_status status = nigh_loss_parse(ctx, "logistic", &loss);
        if (!status) status = nigh_reduce_rows(ctx, &rows, loss, &request, &o);
        failed = allocator.count >= at;
        assert_true(status == NIGH_OK || status == NIGH_MEMORY || (status == NIGH_UNMET && o));
        nigh_reduction_free(o);
        nigh_loss_free(loss);
        test_context_free(ctx);
    }
}

int main(void)
{
    draw();
    const struct CMUnitTest tests[] = {cmocka_unit_test(promises), cmocka_unit_test(by_uses), cmocka_unit_test(same_seed), cmocka_unit_test(texts), cmocka_unit_test(bad_requests),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
