/* See chart.h. */
#include "plan/chart.h"

#include <float.h>

#include "plan/receipt.h"

enum { POINTS_MAX = 2000, TEXT_ROOM = 200 };

static nigh_status add_point(nigh_context *ctx, json_t *list, const nigh_chart_point *point)
{
    json_t *object = json_object();
    if (json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    nigh_status s = nigh_json_set_words(ctx, object, "series", point->series);
    if (!s) s = nigh_json_set_words(ctx, object, "label", point->label);
    if (!s) s = nj_set_real(ctx, object, "x", point->x);
    return s ? s : nj_set_real(ctx, object, "y", point->y);
}

nigh_status nigh_chart_set(nigh_context *ctx, json_t *parent, const nigh_chart *chart)
{
    if (!chart) return nj_set(ctx, parent, "chart", json_null());
    json_t *object = NULL, *list = json_array();
    nigh_status s = nigh_json_set_object(ctx, parent, "chart", &object);
    if (s) {
        json_decref(list);
        return s;
    }
    s = nj_set(ctx, object, "points", list);
    if (!s) s = nigh_json_set_words(ctx, object, "title", chart->title);
    if (!s) s = nigh_json_set_words(ctx, object, "x", chart->x);
    if (!s) s = nigh_json_set_words(ctx, object, "y", chart->y);
    for (int i = 0; !s && i < chart->count; i++) s = add_point(ctx, list, &chart->points[i]);
    return s;
}

static nigh_status get_words(const nj *object, const char *key, nigh_arena *arena, const char **text)
{
    char *words = NULL;
    nigh_status s = nigh_json_get_words(object, key, TEXT_ROOM, arena, &words);
    *text = words;
    return s;
}

static nigh_status get_point(const nj *list, size_t i, nigh_arena *arena, nigh_chart_point *point)
{
    nj object = {0};
    nigh_status s = nj_at(list, i, JSON_OBJECT, &object);
    if (!s) s = get_words(&object, "series", arena, &point->series);
    if (!s) s = get_words(&object, "label", arena, &point->label);
    if (!s) s = nj_get_real(&object, "x", -DBL_MAX, DBL_MAX, &point->x);
    return s ? s : nj_get_real(&object, "y", DBL_MIN, DBL_MAX, &point->y);
}

nigh_status nigh_chart_get(const nj *parent, nigh_arena *arena, const nigh_chart **chart)
{
    nj object = {0}, list = {0};
    size_t count = 0;
    *chart = NULL;
    if (!nj_has(parent, "chart") || json_is_null(json_object_get(parent->json, "chart"))) return NIGH_OK;
    nigh_status s = nj_get_object(parent, "chart", &object);
    if (!s) s = nj_get_array(&object, "points", &list, &count);
    if (!s && count > POINTS_MAX)
        s = nj_fail(&object, NIGH_FORMAT, "points", "has %zu elements; at most %d are allowed", count, POINTS_MAX);
    if (s) return s;
    nigh_chart *made = nigh_arena_alloc_zero(arena, 1, sizeof *made);
    nigh_chart_point *points = nigh_arena_alloc_zero(arena, count + 1, sizeof *points);
    if (!made || !points) return NIGH_MEMORY;
    s = get_words(&object, "title", arena, &made->title);
    if (!s) s = get_words(&object, "x", arena, &made->x);
    if (!s) s = get_words(&object, "y", arena, &made->y);
    for (size_t i = 0; !s && i < count; i++) s = get_point(&list, i, arena, &points[i]);
    made->count = (int)count;
    made->points = points;
    if (!s) *chart = made;
    return s;
}
