/* See pictures_json.h. */
#include "plan/pictures_json.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include "io/number.h"
#include "plan/figures.h"
#include "plan/receipt.h"

enum { DIGITS = 9, MOST_DRAWN = 4096, MOST_WAVES = 1024, MOST_SIZE = 1 << 24, TEXT_ROOM = 40 };

/* ---- writing ---- */

static nigh_status set_numbers(nigh_context *ctx, json_t *object, const char *key, int64_t n, const double *x)
{
    nigh_buffer text = {.ctx = ctx};
    char number[FIGURE_ROOM];
    nigh_status s = NIGH_OK;
    for (int64_t i = 0; !s && i < n; i++) {
        const char *word = isfinite(x[i]) ? nigh_figure_number(x[i], DIGITS, number) : "nan";
        if (i) s = nigh_buffer_add(&text, " ", 1);
        if (!s) s = nigh_buffer_add(&text, word, strlen(word));
    }
    if (!s) s = nj_set_text(ctx, object, key, text.size ? text.data : "");
    nigh_buffer_free(&text);
    return s;
}

static nigh_status set_pair(nigh_context *ctx, json_t *object, const char *key, const int64_t pair[2])
{
    return nj_set(ctx, object, key, json_pack("[I,I]", (json_int_t)pair[0], (json_int_t)pair[1]));
}

static nigh_status add_picture(nigh_context *ctx, json_t *list, const nigh_pictures *p, const nigh_picture *picture)
{
    json_t *object = json_object();
    int64_t n = p->drawn[0] * p->drawn[1];
    if (json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    nigh_status s = nigh_json_set_words(ctx, object, "what", picture->what);
    if (!s) s = nj_set_real(ctx, object, "error", picture->error);
    if (!s) s = set_numbers(ctx, object, "input", n, picture->input);
    if (!s) s = set_numbers(ctx, object, "truth", n, picture->truth);
    return s ? s : set_numbers(ctx, object, "answer", n, picture->answer);
}

static nigh_status set_spectrum(nigh_context *ctx, json_t *parent, const nigh_pictures *p)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "spectrum", &object);
    if (!s) s = nj_set_int(ctx, object, "inputs", p->inputs);
    if (!s) s = nj_set_int(ctx, object, "waves", p->waves);
    if (!s) s = set_numbers(ctx, object, "k", p->waves, p->k);
    if (!s) s = set_numbers(ctx, object, "truth", p->waves, p->truth);
    if (!s) s = set_numbers(ctx, object, "answer", p->waves, p->answer);
    return s ? s : set_numbers(ctx, object, "error", p->waves, p->error);
}

nigh_status nigh_pictures_set(nigh_context *ctx, json_t *parent, const nigh_pictures *p)
{
    if (!p) return nj_set(ctx, parent, "fields", json_null());
    json_t *object = NULL, *list = json_array();
    nigh_status s = nigh_json_set_object(ctx, parent, "fields", &object);
    if (s) {
        json_decref(list);
        return s;
    }
    s = nj_set(ctx, object, "examples", list);
    if (!s) s = nj_set_int(ctx, object, "dims", p->dims);
    if (!s) s = nj_set_text(ctx, object, "grid", nigh_grid_name(p->grid));
    if (!s) s = set_pair(ctx, object, "size", p->size);
    if (!s) s = set_pair(ctx, object, "drawn", p->drawn);
    if (!s) s = nj_set_int(ctx, object, "channels_in", p->in);
    if (!s) s = nj_set_int(ctx, object, "channels_out", p->out);
    if (!s) s = nj_set_bool(ctx, object, "screen", p->screen);
    for (int i = 0; !s && i < p->count; i++) s = add_picture(ctx, list, p, &p->picture[i]);
    return s ? s : set_spectrum(ctx, object, p);
}

/* ---- reading ---- */

static nigh_status parse_numbers(const nj *object, const char *key, const char *text, int64_t n, double *x)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return nigh_fail(object->ctx, NIGH_MEMORY, "out of memory for a locale");
    const char *end = text + strlen(text);
    int64_t count = 0;
    bool right = true, overflow = false;
    for (; right && text < end && count < n; count++) {
        const char *next = strncmp(text, "nan", 3) ? nigh_io_number_read(text, end, c, &x[count], &overflow) : (x[count] = NAN, text + 3);
        right = next && !overflow && !isinf(x[count]) && (next == end || *next == ' ');
        text = !right || next == end ? next : next + 1;
    }
    freelocale(c);
    if (right && count == n && text == end) return NIGH_OK;
    return nj_fail(object, NIGH_FORMAT, key, "is no text of %lld numbers with a space between", (long long)n);
}

static nigh_status get_numbers(const nj *object, const char *key, int64_t n, nigh_arena *arena, double **x)
{
    const char *text = NULL;
    nigh_status s = nj_get_text(object, key, &text);
    if (s) return s;
    *x = nigh_arena_alloc_zero(arena, (size_t)n + 1, sizeof **x);
    return *x ? parse_numbers(object, key, text, n, *x) : NIGH_MEMORY;
}

static nigh_status get_pair(const nj *object, const char *key, int64_t high, int64_t pair[2])
{
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(object, key, &list, &count);
    if (!s && count != 2) s = nj_fail(object, NIGH_FORMAT, key, "has %zu numbers; 2 are needed", count);
    for (size_t k = 0; !s && k < 2; k++) s = nj_at_int(&list, k, 1, high, &pair[k]);
    return s;
}

static nigh_status get_picture(const nj *list, size_t i, nigh_arena *arena, const nigh_pictures *p, nigh_picture *picture)
{
    nj object = {0};
    char *what = NULL;
    int64_t n = p->drawn[0] * p->drawn[1];
    nigh_status s = nj_at(list, i, JSON_OBJECT, &object);
    if (!s) s = nigh_json_get_words(&object, "what", TEXT_ROOM, arena, &what);
    if (!s) s = nj_get_real(&object, "error", -INFINITY, INFINITY, &picture->error);
    if (!s) s = get_numbers(&object, "input", n, arena, &picture->input);
    if (!s) s = get_numbers(&object, "truth", n, arena, &picture->truth);
    if (!s) s = get_numbers(&object, "answer", n, arena, &picture->answer);
    picture->what = what ? what : "";
    return s;
}

static nigh_status get_spectrum(const nj *parent, nigh_arena *arena, nigh_pictures *p)
{
    nj object = {0};
    nigh_status s = nj_get_object(parent, "spectrum", &object);
    if (!s) s = nj_get_int(&object, "inputs", 0, INT64_MAX, &p->inputs);
    if (!s) s = nj_get_int(&object, "waves", 0, MOST_WAVES, &p->waves);
    if (!s) s = get_numbers(&object, "k", p->waves, arena, &p->k);
    if (!s) s = get_numbers(&object, "truth", p->waves, arena, &p->truth);
    if (!s) s = get_numbers(&object, "answer", p->waves, arena, &p->answer);
    return s ? s : get_numbers(&object, "error", p->waves, arena, &p->error);
}

static nigh_status get_frame(const nj *object, nigh_pictures *p)
{
    int64_t dims = 0;
    const char *grid = NULL;
    nigh_status s = nj_get_int(object, "dims", 1, 2, &dims);
    if (!s) s = nj_get_text(object, "grid", &grid);
    if (!s && !nigh_grid_find(grid, &p->grid)) s = nj_fail(object, NIGH_FORMAT, "grid", "is '%.20s'; cell, node, periodic or unknown is allowed", grid);
    if (!s) s = get_pair(object, "size", MOST_SIZE, p->size);
    if (!s) s = get_pair(object, "drawn", MOST_DRAWN, p->drawn);
    if (!s) s = nj_get_int(object, "channels_in", 1, MOST_SIZE, &p->in);
    if (!s) s = nj_get_int(object, "channels_out", 1, MOST_SIZE, &p->out);
    if (!s) s = nj_get_bool(object, "screen", &p->screen);
    if (!s && p->drawn[0] * p->drawn[1] > MOST_DRAWN)
        s = nj_fail(object, NIGH_FORMAT, "drawn", "is %lld x %lld; at most %d numbers are allowed", (long long)p->drawn[0], (long long)p->drawn[1], MOST_DRAWN);
    if (!s && (p->drawn[0] > p->size[0] || p->drawn[1] > p->size[1])) s = nj_fail(object, NIGH_FORMAT, "drawn", "is larger than size");
    if (!s && dims == 1 && p->size[1] != 1) s = nj_fail(object, NIGH_FORMAT, "size", "has a second dimension of %lld, where dims is 1", (long long)p->size[1]);
    p->dims = (int)dims;
    return s;
}

nigh_status nigh_pictures_get(const nj *parent, nigh_arena *arena, const nigh_pictures **pictures)
{
    nj object = {0}, list = {0};
    size_t count = 0;
    *pictures = NULL;
    if (!nj_has(parent, "fields") || json_is_null(json_object_get(parent->json, "fields"))) return NIGH_OK;
    nigh_pictures *p = nigh_arena_alloc_zero(arena, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    nigh_status s = nj_get_object(parent, "fields", &object);
    if (!s) s = get_frame(&object, p);
    if (!s) s = nj_get_array(&object, "examples", &list, &count);
    if (!s && count > 2) s = nj_fail(&object, NIGH_FORMAT, "examples", "has %zu elements; at most 2 are allowed", count);
    for (size_t i = 0; !s && i < count; i++) s = get_picture(&list, i, arena, p, &p->picture[i]);
    if (!s) s = get_spectrum(&object, arena, p);
    p->count = (int)count;
    if (!s) *pictures = p;
    return s;
}
