/* Straight-line code under a proof: the roundings of its steps, and the code as a power series; see prove.h. */
#include "function/prove.h"

#if defined(NIGH_HAVE_ARB)

enum { VALUES = 1 + CODE_MOST_CONSTANTS + CODE_MOST_STEPS };

void prove_half_ulp(mag_t out, const prove_type *type, const mag_t size)
{
    if (mag_is_special(size)) {
        if (mag_is_inf(size)) mag_inf(out);
        else mag_zero(out);
        return;
    }
    if (mag_cmp_2exp_si(size, type->most) >= 0) {
        mag_inf(out);
        return;
    }
    slong e = mag_cmp_2exp_si(size, type->least) < 0 ? type->least : MAG_EXP(size); /* size < 2^e, finite and so with a small exponent */
    if (mag_cmp_2exp_si(size, e - 1) == 0) e--;
    e -= 1 + type->digits;
    mag_set_ui_2exp_si(out, 1, e > type->least ? e : type->least);
}

/* |a| eb + |b| ea + ea eb */
static void product_error(mag_t out, const arb_t a, const mag_t ea, const arb_t b, const mag_t eb)
{
    mag_t size;
    mag_init(size);
    mag_mul(out, ea, eb);
    arb_get_mag(size, a);
    mag_addmul(out, size, eb);
    arb_get_mag(size, b);
    mag_addmul(out, size, ea);
    mag_clear(size);
}

/* |a / b| with errors: (ea + |a / b| eb) / (|b| - eb) */
static void quotient_error(mag_t out, const arb_t quotient, const mag_t ea, const arb_t b, const mag_t eb)
{
    arf_t below, error;
    mag_t size;
    arf_init(below);
    arf_init(error);
    mag_init(size);
    arb_get_abs_lbound_arf(below, b, PROVE_BITS);
    arf_set_mag(error, eb);
    arf_sub(below, below, error, 30, ARF_RND_FLOOR);
    arb_get_mag(size, quotient);
    mag_set(out, ea);
    mag_addmul(out, size, eb);
    if (arf_sgn(below) > 0) {
        arf_get_mag_lower(size, below);
        mag_div(out, out, size);
    } else {
        mag_inf(out);
    }
    arf_clear(below);
    arf_clear(error);
    mag_clear(size);
}

static void step_range(arb_t out, int op, const arb_t a, const arb_t b, const arb_t c)
{
    switch (op) {
    case CODE_ADD: arb_add(out, a, b, PROVE_BITS); return;
    case CODE_SUB: arb_sub(out, a, b, PROVE_BITS); return;
    case CODE_DIV: arb_div(out, a, b, PROVE_BITS); return;
    default: arb_mul(out, a, b, PROVE_BITS);
    }
    if (op == CODE_FMA) arb_add(out, out, c, PROVE_BITS);
    if (op == CODE_FMS) arb_sub(out, out, c, PROVE_BITS);
    if (op == CODE_FNMA) arb_sub(out, c, out, PROVE_BITS);
}

void prove_roundings(prove_rounding *out, const prove_type *type, const function_code *code, const arb_t t)
{
    arb_struct range[VALUES];
    mag_struct error[VALUES];
    mag_t size;
    int count = 1 + code->constants + code->steps, base = 1 + code->constants;
    mag_init(size);
    for (int i = 0; i < count; i++) {
        arb_init(&range[i]);
        mag_init(&error[i]);
    }
    arb_set(&range[0], t);
    for (int i = 0; i < code->constants; i++) arb_set_d(&range[1 + i], code->constant[i]);
    mag_zero(out->error);
    mag_zero(out->last);
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        mag_struct *e = &error[base + i];
        step_range(&range[base + i], s->op, &range[s->a], &range[s->b], &range[s->c]);
        if (s->op == CODE_ADD || s->op == CODE_SUB) mag_add(e, &error[s->a], &error[s->b]);
        else if (s->op == CODE_DIV) quotient_error(e, &range[base + i], &error[s->a], &range[s->b], &error[s->b]);
        else product_error(e, &range[s->a], &error[s->a], &range[s->b], &error[s->b]);
        if (s->op >= CODE_FMA) mag_add(e, e, &error[s->c]);
        mag_set(out->error, e);
        arb_get_mag(size, &range[base + i]);
        mag_add(size, size, e);
        prove_half_ulp(out->last, type, size);
        mag_add(e, e, out->last);
    }
    arb_set(out->range, &range[count - 1]);
    for (int i = 0; i < count; i++) {
        arb_clear(&range[i]);
        mag_clear(&error[i]);
    }
    mag_clear(size);
}

void prove_series(arb_ptr out, const function_code *code, const arb_t t, slong length)
{
    arb_poly_struct value[VALUES];
    arb_t number;
    int count = 1 + code->constants + code->steps, base = 1 + code->constants;
    arb_init(number);
    for (int i = 0; i < count; i++) arb_poly_init(&value[i]);
    arb_poly_set_coeff_arb(&value[0], 0, t);
    if (length > 1) arb_poly_set_coeff_si(&value[0], 1, 1);
    for (int i = 0; i < code->constants; i++) {
        arb_set_d(number, code->constant[i]);
        arb_poly_set_arb(&value[1 + i], number);
    }
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        arb_poly_struct *r = &value[base + i], *a = &value[s->a], *b = &value[s->b], *c = &value[s->c];
        if (s->op == CODE_ADD) arb_poly_add(r, a, b, PROVE_BITS);
        else if (s->op == CODE_SUB) arb_poly_sub(r, a, b, PROVE_BITS);
        else if (s->op == CODE_DIV) arb_poly_div_series(r, a, b, length, PROVE_BITS);
        else arb_poly_mullow(r, a, b, length, PROVE_BITS);
        if (s->op == CODE_FMA) arb_poly_add(r, r, c, PROVE_BITS);
        if (s->op == CODE_FMS) arb_poly_sub(r, r, c, PROVE_BITS);
        if (s->op == CODE_FNMA) arb_poly_sub(r, c, r, PROVE_BITS);
    }
    for (slong k = 0; k < length; k++) arb_poly_get_coeff_arb(&out[k], &value[count - 1], k);
    for (int i = 0; i < count; i++) arb_poly_clear(&value[i]);
    arb_clear(number);
}
#else
typedef int function_prove_code_is_empty;
#endif
