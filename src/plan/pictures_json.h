/* Fields to look at (nigh_pictures) as JSON and back; docs/receipts.md says what the members are. */
#ifndef NIGH_PLAN_PICTURES_JSON_H
#define NIGH_PLAN_PICTURES_JSON_H
#include "core/json.h"
#include "nigh/plan.h"

/* parent["fields"] = {...}; null for NULL. Numbers of a field are one text with spaces between, of nine digits: a line each would make JSON of 25,000 lines. */
nigh_status nigh_pictures_set(nigh_context *ctx, json_t *parent, const nigh_pictures *pictures);

/* *pictures in the arena; NULL when parent has none. NIGH_FORMAT: sizes out of range, other counts than they say, anything but numbers. */
nigh_status nigh_pictures_get(const nj *parent, nigh_arena *arena, const nigh_pictures **pictures);

#endif
