/* Certificates of map plans for expressions: what certify.c and certify_plan.c share. */
#ifndef NIGH_REGRESS_CERTIFY_H
#define NIGH_REGRESS_CERTIFY_H
#include "core/taylor.h"
#include "regress/model.h"

enum { CERTIFY_MOST_OUTPUTS = 64 };

typedef enum certify_measure { CERTIFY_ABSOLUTE, CERTIFY_RELATIVE, CERTIFY_RMS, CERTIFY_RELATIVE_L2, CERTIFY_MEASURES } certify_measure;

/* The parts of an expression problem (expression.c); false for other problems. */
typedef struct expression_parts {
    int d, m;
    nigh_expr *const *part;
    const double *low, *high;
} expression_parts;
bool expression_take(const nigh_problem *problem, expression_parts *parts);

/* nigh_plan_ops.certify of map plans: the absolute, relative, rms or relative-l2 error over the problem's whole box. */
nigh_status map_certify(nigh_context *ctx, const nigh_plan *plan, const nigh_problem *problem, nigh_certificate *out);

/* Expansions of a plan's answers, taken as real arithmetic on its numbers: answer [m][count] from variables [d][count]. */
typedef struct certify_room {
    span *z, *one, *term, *c, *work;
} certify_room;
nigh_status certify_room_new(nigh_arena *arena, const taylor *t, const map_model *model, certify_room *room);
void certify_answer(const taylor *t, const map_model *model, const certify_room *room, const span *variables, span *answer);

/* What computing the answers in f64 can differ from that, [m], for inputs in a box. */
nigh_status certify_rounding(nigh_arena *arena, const map_model *model, const double *low, const double *high, double *rounding);
#endif
