/* Charts of methods (nigh_chart) as JSON and back. */
#ifndef NIGH_PLAN_CHART_H
#define NIGH_PLAN_CHART_H
#include "core/json.h"
#include "nigh/plan.h"

/* parent["chart"] = {"title", "x", "y", "points": [{"series", "label", "x", "y"}]}; null for NULL. */
nigh_status nigh_chart_set(nigh_context *ctx, json_t *parent, const nigh_chart *chart);

/* *chart in the arena; NULL when parent has none. NIGH_FORMAT: anything but finite numbers, y <= 0, too many points, texts that are too long. */
nigh_status nigh_chart_get(const nj *parent, nigh_arena *arena, const nigh_chart **chart);
#endif
