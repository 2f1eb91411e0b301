/*
 * Times of attention over the paged cache (src/lm/cache.h) in the shapes of language models: ns for each pair (row, position seen) of one layer, all its heads,
 * and bytes of keys and values read a second. `attend_time [THREADS [LENGTH]]`; THREADS 2 unless given. A pass stores and attends in all layers.
 */
#include "lm/cache.h"
#include "nigh/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct bench_shape {
    const char *name;
    int layers, heads, kv_heads, head_size, window, local; /* all but every local-th layer look back `window` */
} bench_shape;

static const bench_shape shapes[] = {{"SmolLM2-135M", 30, 9, 3, 64, 0, 0}, {"Gemma-3-270M", 18, 4, 1, 256, 512, 6}};
static const char *const types[] = {"f16", "f32", "q8"};
enum { NOISE = 1 << 16, REPEATS = 7 };

static float noise[NOISE + 8192];

typedef struct bench_pass {
    cache_pages *pages;
    const bench_shape *shape;
    int64_t rows;
    float *query, *out;
    char *scratch;
    size_t scratch_bytes;
    double store, attend; /* seconds of the first member */
} bench_pass;

/* Of one member alone, time of its processor: others who use the machine change it least. */
static double now(int members)
{
    struct timespec t;
    if (members > 1) return nigh_clock();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void member_pass(void *user, team *t, int member)
{
    bench_pass *b = user;
    int64_t width = (int64_t)b->shape->heads * b->shape->head_size;
    team_share *share = team_barrier(t);
    double store = 0, attend = 0;
    for (int layer = 0; layer < b->shape->layers; layer++) {
        double start = now(team_members(t));
        for (int64_t r; (r = team_take(share, 8, b->rows)) >= 0;)
            for (int h = 0; h < b->shape->kv_heads; h++) {
                cache_numbers from = {.key = noise + layer + h, .value = noise + 999 + layer + h, .ld = 64};
                cache_store(b->pages, layer, r, b->rows - r < 8 ? b->rows - r : 8, h, &from);
            }
        share = team_barrier(t);
        double middle = now(team_members(t));
        cache_query call = {b->query, NULL, width, 0.125f, 0, b->out, width};
        cache_attend(b->pages, layer, &call, t, member, share, b->scratch + (size_t)member * b->scratch_bytes);
        share = team_barrier(t);
        store += middle - start;
        attend += now(team_members(t)) - middle;
    }
    if (member == 0) b->store = store, b->attend = attend;
}

static void run(bench_pass *b, int threads, int number, int64_t count, bool drafts)
{
    nigh_lm_row rows[512];
    const int64_t *positions;
    bool streams;
    for (int64_t i = 0; i < count; i++) rows[i] = (nigh_lm_row){1, number, (int32_t)i - 1, false};
    if (cache_begin(b->pages, rows, count, drafts, &positions, &streams)) exit(3);
    b->rows = count;
    team_run(threads, member_pass, b);
    cache_end(b->pages, true);
}

/* `rows` behind `length` positions, as drafts: nothing grows; rows 512: a prompt of `length`. */
static void measure(nigh_context *ctx, const bench_shape *s, nigh_kv_type type, int threads, int64_t length, int64_t rows)
{
    int64_t window[64] = {0};
    for (int l = 0; s->local && l < s->layers; l++) window[l] = (l + 1) % s->local ? s->window : 0;
    cache_shape shape = {s->layers, s->heads, s->kv_heads, s->head_size, window, type, 0};
    bench_pass b = {.shape = s};
    if (cache_pages_new(ctx, &shape, &b.pages)) exit(3);
    int64_t width = (int64_t)s->heads * s->head_size;
    b.scratch_bytes = cache_attend_bytes(b.pages, 512);
    b.scratch = aligned_alloc(64, (size_t)threads * b.scratch_bytes);
    b.query = malloc((size_t)(512 * width) * sizeof(float));
    b.out = malloc((size_t)(512 * width) * sizeof(float));
    for (int64_t i = 0; i < 512 * width; i++) b.query[i] = noise[i * 7 % NOISE];
    double store = 1e9, attend = 1e9, bytes = 0, pairs = 0;
    bool prompt = rows == 512;
    int number = -1;
    if (pages_sequence(b.pages, &number)) exit(3);
    for (int repeat = 0; repeat < (prompt ? 3 : 1); repeat++) {
        double sum_store = 0, sum_attend = 0;
        if (pages_cut(b.pages, number, 0) || (!prompt && pages_extend(b.pages, number, length))) exit(3);
        for (int64_t at = 0; prompt && at < length; at += 512) {
            run(&b, threads, number, length - at < 512 ? length - at : 512, false);
            sum_store += b.store, sum_attend += b.attend;
        }
        if (prompt) store = sum_store < store ? sum_store : store, attend = sum_attend < attend ? sum_attend : attend;
    }
    for (int repeat = 0; !prompt && repeat < 5 * REPEATS; repeat++) {
        run(&b, threads, number, rows, true);
        store = b.store < store ? b.store : store, attend = b.attend < attend ? b.attend : attend;
    }
    for (int l = 0; l < s->layers; l++)
        for (int64_t r = 0; r < (prompt ? length : rows); r++) {
            int64_t seen = prompt ? r + 1 : length + r + 1;
            pairs += (double)(window[l] && seen > window[l] ? window[l] : seen);
        }
    double item = type == NIGH_KV_F32 ? 4 : type == NIGH_KV_F16 ? 2 : 1 + 2. / s->head_size;
    bytes = pairs / (double)(prompt ? length : rows) * 2 * s->kv_heads * s->head_size * item;
    printf("%-13s %-3s %5lld %4lld rows: attend %9.3f ms, %7.3f ns/(row, position, layer), %6.2f GMAC/s, %6.1f GB/s; store %7.3f ms\n", s->name, types[type], (long long)length,
           (long long)rows, 1e3 * attend, 1e9 * attend / pairs, 1e-9 * pairs * 2 * (double)width / attend, prompt ? 0 : 1e-9 * bytes / attend, 1e3 * store);
    fflush(stdout);
    cache_pages_free(b.pages);
    free(b.scratch);
    free(b.query);
    free(b.out);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    int64_t most = argc > 2 ? atoll(argv[2]) : 8192;
    static const int64_t lengths[] = {512, 2048, 8192}, rows[] = {1, 8, 32};
    nigh_context *ctx;
    nigh_rng rng = nigh_rng_new(1, 1);
    if (threads < 1 || nigh_context_new(&ctx)) return 3;
    for (int64_t i = 0; i < NOISE + 8192; i++) noise[i] = (float)nigh_rng_normal(&rng);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int type = NIGH_KV_F16; type <= NIGH_KV_Q8; type += 2) {
            for (int i = 0; i < 3; i++)
                for (int k = 0; k < 3; k++)
                    if (lengths[i] <= most) measure(ctx, &shapes[s], (nigh_kv_type)type, threads, lengths[i] - 1, rows[k]);
            for (int i = 0; i < 2; i++)
                if (lengths[i] <= most) measure(ctx, &shapes[s], (nigh_kv_type)type, threads, lengths[i], 512);
        }
    nigh_context_free(ctx);
    return 0;
}
