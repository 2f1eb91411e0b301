/* The inside of receipts: what the planner, the exporter and the report share. Public part: nigh/plan.h. */
#ifndef NIGH_PLAN_RECEIPT_H
#define NIGH_PLAN_RECEIPT_H

#include "core/json.h"
#include "nigh/plan.h"

/*
 * An empty receipt. It lies in its own arena (receipt->arena), and so must all that it points to: texts, ratios, the
 * names inside figures when they are not static. Label NIGH_ABSENT, statistic mean, clip and worst share unknown.
 */
nigh_status nigh_receipt_new(nigh_context *ctx, nigh_receipt **receipt);

/* "measured" ..., "mean" ...; and back (-1: unknown name). */
const char *nigh_label_name(nigh_label label);
int nigh_label_find(const char *name);
const char *nigh_statistic_name(nigh_statistic statistic);
int nigh_statistic_find(const char *name);

/*
 * What may be shown of a receipt. On test rows that were read before (reads > 0) figures keep two digits, bounds are
 * rounded outwards (but never from below E to above it): more would tell about the rows than the ledger pays for.
 * A shallow copy: it shares texts and arena with *receipt and is never freed. Doing it twice changes nothing.
 */
nigh_receipt nigh_receipt_shown(const nigh_receipt *receipt);

/* Uses from which on fit + uses x plan costs less than uses x exact; INFINITY: never; NAN: not known. */
double nigh_receipt_break_even(double fit_seconds, double exact_seconds, double plan_seconds);

/*
 * The figure that is compared with E, and what it is (which may be NULL): the bound of the mean or of p95, the proved or
 * else the seen worst error. A proved worst error also stands in for a mean or p95 that was not measured or missed E.
 * NAN: neither measured nor proved.
 */
double nigh_receipt_decides(const nigh_receipt *receipt, nigh_statistic *which);

/* "64" or "32x64". */
void nigh_grid_text(const nigh_grid_error *grid, char out[64]);

/* The facts of a receipt in order, as words without control characters: a key ("" continues the one before), a value. */
typedef nigh_status nigh_receipt_row_fn(void *user, const char *key, const char *value);
nigh_status nigh_receipt_rows(nigh_context *ctx, const nigh_receipt *receipt, nigh_receipt_row_fn *add, void *user);

/* A receipt as a JSON object to be freed by json_decref, and from one (with its own as_stated). docs/receipt.schema.json */
nigh_status nigh_receipt_to_json(nigh_context *ctx, const nigh_receipt *receipt, json_t **object);
nigh_status nigh_receipt_from_json(const nj *object, nigh_receipt **receipt);

/* "waiting" ... by nigh_candidate_state, ended by NULL. */
extern const char *const nigh_candidate_state_names[];

/* Sets a text, null for NULL; bytes that are not UTF-8 become '?'. */
nigh_status nigh_json_set_words(nigh_context *ctx, json_t *object, const char *key, const char *text);

/* A fresh object as a member of its parent, which owns it: for filling. */
nigh_status nigh_json_set_object(nigh_context *ctx, json_t *parent, const char *key, json_t **object);

/* A text member of at most `room` bytes, copied into the arena; NULL for null. */
nigh_status nigh_json_get_words(const nj *object, const char *key, size_t room, nigh_arena *arena, char **text);

#endif
