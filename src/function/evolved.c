/* See evolved.h. Rounding follows rounding.c: one constant after the other, the rest fitted again; then a search with the kernel itself. */
#include "function/evolved.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "function/compile.h"

int evolved_extra_ops(const function_domain *domain)
{
    return (domain->square ? 1 : 0) + (domain->factor ? 1 : 0);
}

/* ---- rounding -------------------------------------------------------------------------------------------- */

static int uses_of(const function_code *code, int operand)
{
    int uses = 0;
    for (int i = 0; i < code->steps; i++) {
        const function_code_step *s = &code->step[i];
        uses += (s->a == operand) + (s->b == operand) + (s->op >= CODE_FMA && s->c == operand);
    }
    return uses;
}

/* x - (-c) is x + c: a constant that only one step uses takes the sign of that step. */
static void settle_signs(function_code *code)
{
    for (int i = 0; i < code->steps; i++) {
        function_code_step *s = &code->step[i];
        int at = s->op == CODE_SUB ? s->b : s->op == CODE_FMS ? s->c : s->op != CODE_FNMA ? 0 : s->a >= 1 && s->a <= code->constants ? s->a : s->b;
        if (at < 1 || at > code->constants || uses_of(code, at) != 1) continue;
        code->constant[at - 1] = -code->constant[at - 1];
        s->op = s->op == CODE_SUB ? CODE_ADD : CODE_FMA;
    }
}

/* A program in v = t^2 gets that square as its first step. Products go into the sums that use them. */
static function_code code_in_t(const function_domain *domain, const function_code *program)
{
    function_code code = *program;
    if (domain->square) {
        int base = 1 + code.constants;
        code.step[0] = (function_code_step){CODE_MUL, 0, 0, 0};
        for (int i = 0; i < program->steps; i++) {
            const function_code_step *from = &program->step[i];
            uint8_t operand[3] = {from->a, from->b, from->c};
            for (int k = 0; k < (from->op >= CODE_FMA ? 3 : 2); k++) {
                if (operand[k] == 0) operand[k] = (uint8_t)base;
                else if (operand[k] >= base) operand[k]++;
            }
            code.step[i + 1] = (function_code_step){from->op, operand[0], operand[1], operand[2]};
        }
        code.steps = program->steps + 1;
    }
    function_code_fuse(&code);
    settle_signs(&code);
    return code;
}

static double judge(const function_domain *domain, const function_code *program, const function_probe *probe, function_core *core)
{
    *core->code = code_in_t(domain, program);
    core->upper = core->code->constants;
    core->lower = core->code->steps;
    return function_probe_error(probe, core);
}

/* Constants to the nearest numbers of the type, as a block or one at a time with the later ones fitted again. */
static function_code round_plain(nigh_dtype type, const evolve_program *program)
{
    function_code code = program->code;
    for (int i = 0; i < code.constants; i++) code.constant[i] = function_round(type, program->constant[i]);
    return code;
}

static nigh_status round_in_turn(nigh_context *ctx, const evolved_choice *choice, const evolve_program *program, function_code *out)
{
    remez_problem problem = function_remez_problem(choice->domain);
    evolve_program now = *program;
    bool held[EVOLVE_MOST_CONSTANTS] = {false};
    for (int i = 0; i < now.code.constants; i++) {
        function_code code = now.code;
        for (int k = 0; k < code.constants; k++) code.constant[k] = k < i ? code.constant[k] : (double)now.constant[k];
        code.constant[i] = function_round(choice->domain->type, now.constant[i]);
        held[i] = true;
        evolve_program next;
        nigh_status status = nigh_poll(ctx);
        if (status == NIGH_OK && i + 1 < code.constants) status = evolve_fit(ctx, &problem, &code, held, 0, choice->seed, &next);
        else next.error = INFINITY;
        if (status != NIGH_OK && status != NIGH_UNMET) return status;
        if (status == NIGH_OK && next.error <= 4 * now.error) {
            now = next;
        } else { /* the others stay as they are */
            now.code = code;
        }
        now.code.constant[i] = code.constant[i];
        now.constant[i] = code.constant[i];
    }
    *out = round_plain(choice->domain->type, &now);
    return NIGH_OK;
}

nigh_status evolved_round(nigh_context *ctx, const evolved_choice *choice, const evolve_program *program, const function_probe *probe,
                          evolved_core *out)
{
    const function_domain *domain = choice->domain;
    double ideal = domain->measure == FUNCTION_ULP ? 0 : (double)program->error; /* ulp: it has roundings in it */
    *out = (evolved_core){.core = {.form = FUNCTION_CODE}, .ops = program->ops + evolved_extra_ops(domain)};
    function_domain_core(domain, &out->core);
    out->core.square = false; /* a step of the code */
    out->core.code = nigh_alloc(ctx, sizeof *out->core.code);
    if (!out->core.code) return NIGH_MEMORY;
    function_code plain = round_plain(domain->type, program), turned;
    double error = judge(domain, &plain, probe, &out->core);
    nigh_status status = NIGH_OK;
    if (error > 1.02 * ideal) {
        status = round_in_turn(ctx, choice, program, &turned);
        if (status == NIGH_OK && judge(domain, &turned, probe, &out->core) >= error) judge(domain, &plain, probe, &out->core);
        if (status == NIGH_OK) status = function_round_search(ctx, probe, 1.02 * ideal, &out->core);
    }
    if (status == NIGH_OK) out->error = function_probe_error(probe, &out->core);
    if (status != NIGH_OK) {
        nigh_free(ctx, out->core.code);
        out->core.code = NULL;
    }
    return status;
}

/* ---- the most accurate ----------------------------------------------------------------------------------- */

static nigh_status probe_of(nigh_context *ctx, const function_domain *domain, function_probe *probe)
{
    return function_probe_new(ctx, domain, domain->type == NIGH_F32 ? 4096 : 768, .5, probe);
}

/* From many operations to few: below a certain error it is the roundings of the type that decide, and the cheaper program wins. */
static nigh_status choose_accurate(nigh_context *ctx, const evolved_choice *choice, const function_probe *probe, evolved_core *best)
{
    static const double TIE = 1.02;
    nigh_status status = NIGH_OK;
    *best = (evolved_core){.error = INFINITY};
    for (int ops = choice->most_ops - evolved_extra_ops(choice->domain); ops >= 1 && status == NIGH_OK; ops--) {
        const evolve_program *program = evolve_frontier(choice->archive, ops);
        evolved_core next;
        if (!program) continue;
        if (program->error > 2 * TIE * best->error) break; /* 2: a bound of its roundings may be in it */
        status = evolved_round(ctx, choice, program, probe, &next);
        if (status != NIGH_OK) break;
        bool better = next.error <= TIE * best->error;
        nigh_free(ctx, better ? best->core.code : next.core.code);
        if (better) *best = next;
    }
    if (status == NIGH_OK && !best->core.code)
        status = nigh_fail(ctx, NIGH_FAILED, "%lld generations found no program; more are needed", (long long)evolve_generations(choice->archive));
    else if (status == NIGH_OK && !(best->error < INFINITY))
        status = nigh_fail(ctx, NIGH_FAILED, "no program is finite in %s", nigh_dtype_name(choice->domain->type));
    return status;
}

/* ---- the fastest below 1 ULP ----------------------------------------------------------------------------- */

static void apply_f32(const void *user, int64_t n, const float *in, float *out)
{
    function_core_apply(user, n, in, out);
}

/* Programs whose core has less than 1 ULP at the probe inputs. */
static nigh_status promising(nigh_context *ctx, const evolved_choice *choice, const function_probe *probe, evolved_core *kept, int *count, double *least)
{
    nigh_status status = NIGH_OK;
    *least = INFINITY;
    for (int ops = 1; ops <= choice->most_ops - evolved_extra_ops(choice->domain) && status == NIGH_OK; ops++) {
        const evolve_program *program = evolve_best(choice->archive, ops);
        evolved_core *next = &kept[*count];
        if (!program || program->error >= 2) continue; /* with a bound of its roundings, seldom reached */
        status = evolved_round(ctx, choice, program, probe, next);
        if (status != NIGH_OK) break;
        *least = fmin(*least, next->error);
        if (next->error < 1) (*count)++;
        else nigh_free(ctx, next->core.code);
    }
    return status;
}

static nigh_status time_all(nigh_context *ctx, const function_domain *domain, int count, evolved_core *cores)
{
    function_compiled *compiled = NULL;
    const function_core *list[EVOLVE_MOST_OPS];
    double seconds[EVOLVE_MOST_OPS];
    for (int i = 0; i < count; i++) list[i] = &cores[i].core;
    nigh_status status = function_compile(ctx, count, list, &compiled);
    if (status == NIGH_UNSUPPORTED) {
        nigh_log(ctx, NIGH_LOG_NOTE, "%s; the interpreter's times decide", nigh_message(ctx));
        status = NIGH_OK;
    }
    if (status != NIGH_OK) return status;
    function_bench *benches = nigh_alloc(ctx, (size_t)count * sizeof *benches);
    if (!benches) status = NIGH_MEMORY;
    for (int i = 0; i < count && status == NIGH_OK; i++) function_bench_init(&benches[i], compiled, i, &cores[i].core, domain->low, domain->high);
    if (status == NIGH_OK) status = function_bench_seconds(ctx, count, benches, seconds);
    for (int i = 0; i < count && status == NIGH_OK; i++) {
        cores[i].seconds = seconds[i];
        nigh_log(ctx, NIGH_LOG_NOTE, "%d operations: %.3f ULP seen, %.4f ns a number %s", cores[i].ops, cores[i].error, 1e9 * seconds[i],
                 compiled ? "compiled" : "interpreted");
    }
    nigh_free(ctx, benches);
    function_compiled_free(compiled);
    return status;
}

/* The fastest that every float proves to be below 1 ULP; -1: none. */
static nigh_status prove_in_order(nigh_context *ctx, const evolved_choice *choice, int count, evolved_core *kept, int *fastest)
{
    bool failed[EVOLVE_MOST_OPS + 1] = {false};
    for (;;) {
        int next = -1;
        for (int i = 0; i < count; i++)
            if (!failed[i] && (next < 0 || kept[i].seconds < kept[next].seconds)) next = i;
        *fastest = next;
        if (next < 0) return NIGH_OK;
        nigh_certificate certificate;
        nigh_status status = function_exhaustive_f32(ctx, choice->domain->target, apply_f32, &kept[next].core, &certificate, NULL);
        if (status != NIGH_OK) return status;
        kept[next].error = certificate.worst;
        if (certificate.worst < 1) return NIGH_OK;
        failed[next] = true;
    }
}

static nigh_status choose_fast(nigh_context *ctx, const evolved_choice *choice, const function_probe *probe, evolved_core *best)
{
    evolved_core kept[EVOLVE_MOST_OPS + 1];
    int count = 0, fastest = -1;
    double least;
    nigh_status status = promising(ctx, choice, probe, kept, &count, &least);
    if (status == NIGH_OK && count > 0) status = time_all(ctx, choice->domain, count, kept);
    if (status == NIGH_OK) status = prove_in_order(ctx, choice, count, kept, &fastest);
    if (status == NIGH_OK && fastest < 0)
        status = nigh_fail(ctx, NIGH_FAILED, "no program of up to %d operations stays below 1 ULP; the best has %.3g", choice->most_ops, least);
    for (int i = 0; i < count; i++)
        if (status != NIGH_OK || i != fastest) nigh_free(ctx, kept[i].core.code);
    if (status == NIGH_OK) *best = kept[fastest];
    return status;
}

nigh_status evolved_choose(nigh_context *ctx, const evolved_choice *choice, evolved_core *out)
{
    function_probe probe;
    evolved_core best = {0};
    nigh_status status = probe_of(ctx, choice->domain, &probe);
    if (status != NIGH_OK) return status;
    status = choice->timed ? choose_fast(ctx, choice, &probe, &best) : choose_accurate(ctx, choice, &probe, &best);
    function_probe_free(&probe);
    if (status == NIGH_OK) *out = best;
    else if (!choice->timed) nigh_free(ctx, best.core.code);
    return status;
}
