/* The line search of More and Thuente, "Line search algorithms with guaranteed sufficient decrease" (sections 2 to 4). */
#include <math.h>

#include "grad/minimise.h"

typedef struct point {
    double t, f, slope;
} point;

/* Minimiser of the cubic that meets values and slopes of a and b; `limit`: roots below 0 are taken as 0. */
static double cubic(const point *a, const point *b, bool limit)
{
    double theta = 3 * (a->f - b->f) / (b->t - a->t) + a->slope + b->slope;
    double scale = fmax(fabs(theta), fmax(fabs(a->slope), fabs(b->slope)));
    double inside = (theta / scale) * (theta / scale) - (a->slope / scale) * (b->slope / scale);
    double root = scale * sqrt(limit ? fmax(inside, 0) : inside);
    if (b->t < a->t) root = -root;
    double r = ((root - a->slope) + theta) / (((root - a->slope) + root) + b->slope);
    return a->t + r * (b->t - a->t);
}

static double secant(const point *a, const point *b) { return b->t + b->slope / (b->slope - a->slope) * (a->t - b->t); }

/* The next trial after `now`, best and other being the ends of the interval (section 4); they are updated, and *bracketed. */
static double advance(point *best, point *other, const point *now, bool *bracketed, double least, double most)
{
    double next;
    bool turned = (now->slope < 0) != (best->slope < 0) && now->slope != 0;
    if (now->f > best->f) {
        double c = cubic(best, now, false);
        double q = best->t + best->slope / ((best->f - now->f) / (now->t - best->t) + best->slope) / 2 * (now->t - best->t);
        next = fabs(c - best->t) < fabs(q - best->t) ? c : c + (q - c) / 2;
        *bracketed = true;
    } else if (turned) {
        double c = cubic(now, best, false), s = secant(best, now);
        next = fabs(c - now->t) > fabs(s - now->t) ? c : s;
        *bracketed = true;
    } else if (fabs(now->slope) < fabs(best->slope)) {
        double c = cubic(now, best, true), s = secant(best, now);
        bool beyond = isfinite(c) && (now->t > best->t ? c > now->t : c < now->t);
        if (!beyond) c = now->t > best->t ? most : least;
        if (*bracketed) {
            next = fabs(c - now->t) < fabs(s - now->t) ? c : s;
            double limit = now->t + 0.66 * (other->t - now->t);
            next = now->t > best->t ? fmin(limit, next) : fmax(limit, next);
        } else {
            next = fabs(c - now->t) > fabs(s - now->t) ? c : s;
            next = fmin(fmax(next, least), most);
        }
    } else if (*bracketed)
        next = cubic(now, other, false);
    else
        next = now->t > best->t ? most : least;

    if (now->f > best->f) *other = *now;
    else {
        if (turned) *other = *best;
        *best = *now;
    }
    return next;
}

/* Values that are not finite: the step is cut until they are. */
static nigh_status look(const minimise_search *search, point *now, double within, int *left)
{
    for (;;) {
        nigh_status status = search->line(search->user, now->t, &now->f, &now->slope);
        (*left)--;
        if (status || (isfinite(now->f) && isfinite(now->slope)) || *left <= 0) return status;
        now->t = within + (now->t - within) / 10;
    }
}

nigh_status minimise_search_run(const minimise_search *search, double *t, bool *wolfe)
{
    const double test = search->decrease * search->slope;
    point best = {0, search->f, search->slope}, other = best, now = {fmin(*t, search->most), 0, 0}, lowest = {0, search->f, search->slope};
    double most = search->most, width = most, width_before = 2 * width, low = 0, high = fmin(5 * now.t, most);
    bool bracketed = false, first = true;
    int left = search->evaluations;
    *wolfe = false;
    while (left > 0) {
        double asked = now.t;
        nigh_status status = look(search, &now, best.t, &left);
        if (status) return status;
        if (!isfinite(now.f) || !isfinite(now.slope)) break;
        if (now.t < asked) most = fmin(most, now.t + (asked - now.t) / 2), high = fmin(high, most); /* beyond is not allowed */
        double line = search->f + now.t * test;
        if (now.f <= line && now.f < lowest.f) lowest = now;
        if (now.f <= line && fabs(now.slope) <= -search->curvature * search->slope) {
            *t = now.t, *wolfe = true;
            return NIGH_OK;
        }
        if (now.t >= most && now.f <= line && now.slope <= test) break;
        if (bracketed && (now.t <= low || now.t >= high || high - low <= 1e-15 * high)) break;
        if (first && now.f <= line && now.slope >= 0) first = false;
        double next;
        if (first && now.f <= best.f && now.f > line) { /* of f less the line of sufficient decrease */
            point b = {best.t, best.f - best.t * test, best.slope - test}, o = {other.t, other.f - other.t * test, other.slope - test};
            point n = {now.t, now.f - now.t * test, now.slope - test};
            next = advance(&b, &o, &n, &bracketed, low, high);
            best = (point){b.t, b.f + b.t * test, b.slope + test}, other = (point){o.t, o.f + o.t * test, o.slope + test};
        } else
            next = advance(&best, &other, &now, &bracketed, low, high);
        if (bracketed) {
            if (fabs(other.t - best.t) >= 0.66 * width_before) next = best.t + (other.t - best.t) / 2;
            width_before = width, width = fabs(other.t - best.t);
            low = fmin(best.t, other.t), high = fmax(best.t, other.t);
        } else {
            low = fmin(next + 1.1 * (next - best.t), most), high = fmin(next + 4 * (next - best.t), most);
        }
        if (!isfinite(next)) next = best.t + (other.t - best.t) / 2;
        next = fmin(fmax(next, 0), most);
        if (bracketed && (next <= low || next >= high)) next = best.t + (other.t - best.t) / 2;
        if (next == now.t) break;
        now.t = next;
    }
    *t = lowest.t;
    if (lowest.t > 0 && lowest.t != now.t) {
        double f, slope;
        return search->line(search->user, lowest.t, &f, &slope);
    }
    return NIGH_OK;
}
