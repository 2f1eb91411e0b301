/*
 * A counter-flow water-to-water double-pipe heat exchanger, solved to steady state: the kind of program that is called
 * thousands of times by a design study.
 *
 *   heat_exchanger IN OUT [CELLS]
 *
 * IN:  hot inlet and cold inlet temperature (deg C), hot and cold mass flow (kg/s)
 * OUT: hot outlet and cold outlet temperature (deg C), duty (kW)
 *
 * 8 m of tube are cut into CELLS cells (default 256). In each cell the hot water, the tube wall and the cold water hold heat;
 * both streams carry it (first-order upwind), and pass it through films whose coefficients follow Dittus and Boelter
 * (laminar flow: Nu = 4.36) with properties at the local temperature. The three balances are marched in time by explicit
 * steps at the largest stable step until nothing changes any more.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

enum { MOST_CELLS = 4096 };

static const double length = 8, inner = 0.020, wall_outer = 0.024, shell = 0.036; /* m */
static const double wall_density = 7900, wall_heat = 500;                         /* steel */
static const double density = 985, heat = 4180;                                   /* water */

/* Water between 0 and 100 deg C: viscosity (Vogel), conductivity, Prandtl number. */
static double viscosity(double t) { return 2.414e-5 * exp(570.58 / (t + 133.15)); }
static double conductivity(double t) { return 0.5706 + 1.756e-3 * t - 6.46e-6 * t * t; }

/* W / (m^2 K) of a stream in a channel of this flow area and hydraulic diameter. */
static double film(double flow, double area, double diameter, double t, double exponent)
{
    double mu = viscosity(t), k = conductivity(t), reynolds = flow * diameter / (area * mu), prandtl = heat * mu / k;
    double turbulent = 0.023 * pow(reynolds, 0.8) * pow(prandtl, exponent);
    double blend = 1 / (1 + exp(-(reynolds - 3000) / 400)); /* transition */
    return k / diameter * (4.36 + blend * fmax(turbulent - 4.36, 0));
}

typedef struct cells {
    int n;
    double hot[MOST_CELLS], wall[MOST_CELLS], cold[MOST_CELLS], to_hot[MOST_CELLS], to_cold[MOST_CELLS];
} cells;

/* Conductances per cell, W/K. */
static void refresh_films(cells *c, double hot_flow, double cold_flow)
{
    double dx = length / c->n, hot_area = PI * inner * inner / 4, cold_area = PI * (shell * shell - wall_outer * wall_outer) / 4;
    for (int i = 0; i < c->n; i++) {
        c->to_hot[i] = film(hot_flow, hot_area, inner, c->hot[i], 0.3) * PI * inner * dx;
        c->to_cold[i] = film(cold_flow, cold_area, shell - wall_outer, c->cold[i], 0.4) * PI * wall_outer * dx;
    }
}

/* One step; the largest change of a temperature. */
static double step(cells *c, const double *in, double dt)
{
    double dx = length / c->n, hot_carry = in[2] * heat, cold_carry = in[3] * heat, change = 0;
    double hot_store = density * heat * PI * inner * inner / 4 * dx;
    double cold_store = density * heat * PI * (shell * shell - wall_outer * wall_outer) / 4 * dx;
    double wall_store = wall_density * wall_heat * PI * (wall_outer * wall_outer - inner * inner) / 4 * dx * 0.02; /* settles faster, same end */
    double hot_before = in[0];
    for (int i = 0; i < c->n; i++) { /* hot runs forward, cold backward: cold[i + 1] is still the old one */
        double hot = c->hot[i], wall = c->wall[i], cold = c->cold[i], cold_before = i + 1 < c->n ? c->cold[i + 1] : in[1];
        double q_hot = c->to_hot[i] * (hot - wall), q_cold = c->to_cold[i] * (wall - cold);
        double hot_change = dt / hot_store * (hot_carry * (hot_before - hot) - q_hot);
        double cold_change = dt / cold_store * (cold_carry * (cold_before - cold) + q_cold);
        double wall_change = dt / wall_store * (q_hot - q_cold);
        hot_before = hot;
        c->hot[i] += hot_change, c->cold[i] += cold_change, c->wall[i] += wall_change;
        change = fmax(change, fmax(fabs(hot_change), fmax(fabs(cold_change), fabs(wall_change))));
    }
    return change;
}

/* Largest explicit step: no cell may lose more than it holds. */
static double stable_step(const cells *c, const double *in)
{
    double dx = length / c->n, hot_store = density * heat * PI * inner * inner / 4 * dx;
    double cold_store = density * heat * PI * (shell * shell - wall_outer * wall_outer) / 4 * dx;
    double wall_store = wall_density * wall_heat * PI * (wall_outer * wall_outer - inner * inner) / 4 * dx * 0.02, dt = 1e9;
    for (int i = 0; i < c->n; i++) {
        dt = fmin(dt, hot_store / (in[2] * heat + c->to_hot[i]));
        dt = fmin(dt, cold_store / (in[3] * heat + c->to_cold[i]));
        dt = fmin(dt, wall_store / (c->to_hot[i] + c->to_cold[i]));
    }
    return 0.9 * dt;
}

static void solve(cells *c, const double *in)
{
    for (int i = 0; i < c->n; i++) c->hot[i] = in[0], c->cold[i] = in[1], c->wall[i] = (in[0] + in[1]) / 2;
    for (int round = 0; round < 100000; round++) {
        refresh_films(c, in[2], in[3]);
        double dt = stable_step(c, in), change = 0;
        for (int k = 0; k < 50; k++) change = step(c, in, dt);
        if (change < 1e-11 * (1 + fabs(in[0] - in[1]))) return;
    }
}

int main(int argc, char **argv)
{
    double in[4];
    static cells c;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: heat_exchanger IN OUT [CELLS]\n");
        return 2;
    }
    c.n = argc == 4 ? atoi(argv[3]) : 256;
    FILE *file = fopen(argv[1], "r");
    int got = 0;
    if (file) {
        while (got < 4 && fscanf(file, "%lf", &in[got]) == 1) got++;
        fclose(file);
    }
    if (got != 4 || c.n < 2 || c.n > MOST_CELLS || !(in[2] > 0 && in[3] > 0)) {
        fprintf(stderr, "heat_exchanger: four numbers (both flows above 0) and 2 to %d cells are needed\n", MOST_CELLS);
        return 2;
    }
    solve(&c, in);
    double cold_out = c.cold[0], duty = in[3] * heat * (cold_out - in[1]) / 1000;
    file = fopen(argv[2], "w");
    if (!file || fprintf(file, "%.12g %.12g %.12g\n", c.hot[c.n - 1], cold_out, duty) < 0 || fclose(file) != 0) {
        fprintf(stderr, "heat_exchanger: cannot write %s\n", argv[2]);
        return 1;
    }
    return 0;
}
