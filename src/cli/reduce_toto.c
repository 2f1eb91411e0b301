/* nigh reduce toto: which rows of a pool of 13 matches to buy for a wanted number of strikes at a wanted safety. */
#include "cli/reduce.h"

#include "core/json.h"
#include "nigh/io.h"
#include "nigh/row_stream.h"
#include "nigh/toto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char usage[] =
    "usage: nigh reduce toto ODDS.csv --strikes H --safety S [options]\n\n"
    "Which rows of a pool of up to 13 matches to buy so that with chance S one of them has H or more right: greedy covers, the most probable rows,\n"
    "covering codes and the quick recipe (random rows of a system) beside each other, each with the exact chance of its very rows, by\n"
    "enumeration of all 3^13 outcomes. A match a line, decimal odds of home win, draw, away win.\n\n"
    "  --odds H,D,A        columns of the odds (default: the first whose names have home, draw, away in them; else the first three)\n"
    "  --coupon K          matches 13(K-1)+1 .. 13K of the file (default 1)      --margin power|proportional   odds to chances (power)\n"
    "  --most N            rows that may be bought (100,000)                      -o ROWS.csv   the rows: 0 home win, 1 draw, 2 away win\n"
    "  --price P --turnover N --share A,B,C,D     price of a row, rows the others buy, shares of all stakes for 13, 12, 11, 10 right\n"
    "  --crowd X           the others tip with chances in proportion to p^X (1: as the odds say; above 1: they follow favourites)\n"
    "  --seed, --json\n\n"
    "Pools pay out about half of what is staked: on average every plan loses, unless the crowd tips badly and you do not. The receipt says how\n"
    "likely it is that nothing comes back. Exit: 0 done, 1 no set of rows meets the safety, 2 bad usage or input, 130 interrupted.\n";

typedef struct words {
    const char *path, *odds, *margin, *share, *out;
    int64_t coupon;
    double crowd;
    nigh_toto_request request;
    nigh_toto_rules rules;
    int64_t strikes;
} words;

/* ---- the pool -------------------------------------------------------------------------------------------------- */

static const char *const outcomes[3] = {"home", "draw", "away"};

static char *default_columns(nigh_context *ctx, const char *path, nigh_status *status)
{
    nigh_row_stream *stream;
    char *list = NULL;
    *status = nigh_row_stream_open(ctx, path, &(nigh_row_options){.features = "1"}, &stream);
    if (*status) return NULL;
    nigh_row_about about = nigh_row_stream_about(stream);
    int64_t found[3] = {1, 2, 3};
    for (int o = 0; o < 3 && about.names; o++)
        for (int64_t c = about.columns - 1; c >= 0; c--) {
            bool named = strncasecmp(about.names[c], outcomes[o], 4) == 0 && strcasecmp(about.names[c] + 4, "team") != 0;
            if (named) found[o] = c + 1;
        }
    if (about.columns < 3) *status = nigh_fail(ctx, NIGH_FORMAT, "'%s' has %lld columns; the odds of home win, draw and away win are needed", path, (long long)about.columns);
    else if (!(list = nigh_format(ctx, "%lld,%lld,%lld", (long long)found[0], (long long)found[1], (long long)found[2]))) *status = NIGH_MEMORY;
    nigh_row_stream_free(stream);
    return list;
}

/* Matches whose odds are missing or no odds are left out, with a word. */
static nigh_status take_match(nigh_context *ctx, const words *w, const double *odds, int64_t row, nigh_toto_pool *pool)
{
    nigh_toto_margin margin = w->margin && strcmp(w->margin, "proportional") == 0 ? NIGH_TOTO_PROPORTIONAL : NIGH_TOTO_POWER;
    nigh_status status = nigh_toto_chances(ctx, margin, odds, pool->p[pool->matches]);
    if (status == NIGH_INVALID) nigh_log(ctx, NIGH_LOG_WARNING, "match %lld is left out: %s", (long long)row, nigh_message(ctx));
    else if (!status) pool->matches++;
    return status == NIGH_INVALID ? NIGH_OK : status;
}

static nigh_status read_pool(nigh_context *ctx, const words *w, nigh_toto_pool *pool)
{
    nigh_status status = NIGH_OK;
    char *found = w->odds ? NULL : default_columns(ctx, w->path, &status);
    nigh_row_stream *stream = NULL;
    nigh_row_block block = {0};
    if (!status) status = nigh_row_stream_open(ctx, w->path, &(nigh_row_options){.features = w->odds ? w->odds : found, .missing = NIGH_ROWS_MISSING_NAN}, &stream);
    if (!status && nigh_row_stream_about(stream).d != 3)
        status = nigh_fail(ctx, NIGH_INVALID, "--odds names %lld columns; three are needed: home win, draw, away win", (long long)nigh_row_stream_about(stream).d);
    int64_t first = NIGH_TOTO_MATCHES * (w->coupon - 1), seen = 0;
    pool->matches = 0;
    while (!status && seen < first + NIGH_TOTO_MATCHES && !(status = nigh_row_stream_next(stream, &block)) && block.count)
        for (int64_t i = 0; i < block.count && !status; i++, seen++)
            if (seen >= first && seen < first + NIGH_TOTO_MATCHES) status = take_match(ctx, w, block.x + 3 * i, seen + 1, pool);
    nigh_row_stream_free(stream);
    nigh_free(ctx, found);
    if (!status && seen <= first) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld matches; coupon %lld begins at match %lld", w->path, (long long)seen, (long long)w->coupon, (long long)first + 1);
    if (!status && !pool->matches) status = nigh_fail(ctx, NIGH_INVALID, "'%s': no match of coupon %lld has odds", w->path, (long long)w->coupon);
    return status;
}

/* p^x, scaled to sum 1 in each match. */
static nigh_toto_pool crowd_of(const nigh_toto_pool *pool, double x)
{
    nigh_toto_pool crowd = *pool;
    for (int i = 0; i < pool->matches; i++) {
        double sum = 0;
        for (int o = 0; o < 3; o++) sum += crowd.p[i][o] = pow(pool->p[i][o], x);
        for (int o = 0; o < 3; o++) crowd.p[i][o] /= sum;
    }
    return crowd;
}

static nigh_status read_share(nigh_context *ctx, const char *text, double share[NIGH_TOTO_CLASSES])
{
    const char *p = text;
    for (int j = 0; j < NIGH_TOTO_CLASSES; j++) {
        char *end;
        share[j] = strtod(p, &end);
        if (end == p || *end != (j + 1 < NIGH_TOTO_CLASSES ? ',' : 0)) return nigh_fail(ctx, NIGH_INVALID, "--share is '%s'; four numbers with commas between are needed", text);
        p = end + 1;
    }
    return NIGH_OK;
}

/* ---- what is shown ---------------------------------------------------------------------------------------------- */

static nigh_status print_plan(const words *w, const nigh_toto_pool *pool, const nigh_toto_plan *plan, const nigh_toto_money *money, nigh_buffer *text)
{
    nigh_status s = nigh_buffer_print(text, "%d matches; at least %lld right with chance %g wanted\n\n%-8s %9s %10s %10s  %s\n", pool->matches, (long long)w->strikes, w->request.safety, "way",
                                      "rows", "promised", "exact", "");
    for (int i = 0; i < plan->count && !s; i++) {
        const nigh_toto_way *way = &plan->way[i];
        if (!way->row) continue;
        s = nigh_buffer_print(text, "%-8s %9lld %10.4f %10.4f  %s%s\n", way->name, (long long)way->count, way->promised, way->exact, way->what,
                              i == plan->chosen ? "  CHOSEN" : way->met ? "" : "  (not enough)");
    }
    if (s || plan->best < 0) return s;
    const nigh_toto_way *best = &plan->way[plan->best];
    s = nigh_buffer_print(text, "\nrows        %lld by %s: %s\nchance      %.6f of %lld or more right, exact for these rows\n", (long long)best->count, best->name, best->what, best->exact,
                          (long long)w->strikes);
    if (!s && plan->chosen < 0) s = nigh_buffer_print(text, "            below the safety wanted: this is the best for %lld rows\n", (long long)(w->request.most ? w->request.most : 100000));
    if (!s && money)
        s = nigh_buffer_print(text, "cost        %.2f; on average %.2f of it comes back: %+.1f%%\nruin        nothing comes back with chance %.4f in one round, %.3g in 10, %.3g in 34;\n"
                              "            behind with chance %.3f after one round, %.3f after 10, %.3f after 34\n            This is a game of chance. No plan here is a promise of profit.\n",
                              money->cost, money->cost + money->expected, 100 * money->roi, money->nothing, money->nothing_10, money->nothing_34, money->loss, money->loss_10, money->loss_34);
    return s ? s : nigh_buffer_print(text, "decided     in %.1f s\n", plan->seconds);
}

static nigh_status json_plan(nigh_context *ctx, const nigh_toto_plan *plan, const nigh_toto_money *money, nigh_buffer *text)
{
    json_t *root = json_object(), *list = json_array();
    nigh_status s = root ? nj_set(ctx, root, "ways", list) : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    for (int i = 0; i < plan->count && !s; i++) {
        json_t *way = json_object();
        if (!way || json_array_append_new(list, way)) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
        if (!s) s = nj_set_text(ctx, way, "name", plan->way[i].name);
        if (!s) s = nj_set_text(ctx, way, "what", plan->way[i].what);
        if (!s) s = nj_set_int(ctx, way, "rows", plan->way[i].count);
        if (!s) s = nj_set_real(ctx, way, "promised", plan->way[i].promised);
        if (!s) s = nj_set_real(ctx, way, "exact", plan->way[i].exact);
        if (!s) s = nj_set_bool(ctx, way, "met", plan->way[i].met);
    }
    if (!s) s = nj_set_int(ctx, root, "chosen", plan->chosen);
    const struct {
        const char *key;
        double value;
    } figures[] = {{"cost", money ? money->cost : 0}, {"expected", money ? money->expected : 0}, {"roi", money ? money->roi : 0}, {"nothing", money ? money->nothing : 0},
                   {"loss", money ? money->loss : 0}, {"loss_10", money ? money->loss_10 : 0}, {"loss_34", money ? money->loss_34 : 0}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures && money && !s; i++) s = nj_set_real(ctx, root, figures[i].key, figures[i].value);
    if (!s) s = nj_dump(ctx, root, 0, text);
    if (!s) s = nigh_buffer_add(text, "\n", 1);
    json_decref(root);
    return s;
}

static nigh_status write_rows(nigh_context *ctx, const char *path, int matches, const nigh_toto_way *way)
{
    nigh_table table = {.rows = way->count, .columns = matches, .values = nigh_alloc(ctx, (size_t)(way->count * matches) * sizeof(double))};
    if (!table.values) return NIGH_MEMORY;
    for (int64_t i = 0; i < way->count; i++) {
        int32_t row = way->row[i];
        for (int j = 0; j < matches; j++, row /= 3) table.values[i * matches + j] = row % 3;
    }
    nigh_status status = nigh_csv_write(ctx, path, &table);
    nigh_free(ctx, table.values);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static nigh_status show(nigh_context *ctx, const words *w, const nigh_toto_pool *pool, const nigh_toto_plan *plan)
{
    nigh_buffer text = {.ctx = ctx};
    nigh_toto_pool crowd = crowd_of(pool, w->crowd);
    nigh_toto_money money;
    bool pays = plan->best >= 0 && pool->matches >= NIGH_TOTO_CLASSES;
    nigh_rng rng = nigh_rng_new(w->request.seed, 34);
    nigh_status status = pays ? nigh_toto_pay(ctx, pool, &crowd, &w->rules, plan->way[plan->best].count, plan->way[plan->best].row, &rng, &money) : NIGH_OK;
    if (!status && w->out && plan->best >= 0) status = write_rows(ctx, w->out, pool->matches, &plan->way[plan->best]);
    if (!status) status = cli_json ? json_plan(ctx, plan, pays ? &money : NULL, &text) : print_plan(w, pool, plan, pays ? &money : NULL, &text);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    nigh_buffer_free(&text);
    return status;
}

static nigh_status toto(nigh_context *ctx, words *w)
{
    nigh_toto_pool pool;
    nigh_toto_plan plan = {.chosen = -1, .best = -1};
    if (w->margin && strcmp(w->margin, "power") != 0 && strcmp(w->margin, "proportional") != 0)
        return nigh_fail(ctx, NIGH_INVALID, "--margin is '%s'; power and proportional are allowed", w->margin);
    nigh_status status = w->share ? read_share(ctx, w->share, w->rules.share) : NIGH_OK;
    if (!status) status = read_pool(ctx, w, &pool);
    w->request.strikes = (int)w->strikes, w->request.seed = nigh_context_seed(ctx);
    if (!status) status = nigh_toto_make(ctx, &pool, &w->request, &plan);
    if (!status || status == NIGH_UNMET) {
        nigh_status shown = show(ctx, w, &pool, &plan);
        if (shown) status = shown;
    }
    nigh_toto_plan_free(ctx, &plan);
    return status;
}

int reduce_toto(nigh_context *ctx, int argc, char **argv)
{
    words w = {.coupon = 1, .crowd = 1, .rules = nigh_toto_rules_default()};
    const char *paths[1] = {NULL};
    int count;
    const cli_flag flags[] = {{"strikes", 0, CLI_INT, &w.strikes, "H", "", 1, 13},
                              {"safety", 0, CLI_REAL, &w.request.safety, "S", "", 0, 1},
                              {"odds", 0, CLI_TEXT, &w.odds, "H,D,A", "", 0, 0},
                              {"coupon", 0, CLI_INT, &w.coupon, "K", "", 1, 1e9},
                              {"margin", 0, CLI_TEXT, &w.margin, "KIND", "", 0, 0},
                              {"most", 0, CLI_INT, &w.request.most, "N", "", 1, 1594323},
                              {"out", 'o', CLI_TEXT, &w.out, "ROWS", "", 0, 0},
                              {"price", 0, CLI_REAL, &w.rules.price, "P", "", 1e-9, 1e9},
                              {"turnover", 0, CLI_REAL, &w.rules.turnover, "N", "", 0, 1e15},
                              {"share", 0, CLI_TEXT, &w.share, "A,B,C,D", "", 0, 0},
                              {"crowd", 0, CLI_REAL, &w.crowd, "X", "", 0, 20},
                              {NULL, 0, 0, NULL, NULL, NULL, 0, 0}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return fputs(usage, stdout), 0;
    int code = cli_parse(ctx, "reduce", argc, argv, flags, paths, 1, &count);
    if (code >= 0) return code;
    if (!count) return cli_misuse(ctx, "which odds? nigh reduce toto ODDS.csv --strikes 11 --safety 0.9");
    if (!w.strikes || w.request.safety == 0) return cli_misuse(ctx, "how many strikes, how safe? Say --strikes 11 --safety 0.9");
    w.path = paths[0];
    cli_progress_start(ctx);
    nigh_status status = toto(ctx, &w);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
