/* Networks in tests: weights and inputs of fixed random numbers, the tape's results held against the plain rules. */
#ifndef NIGH_TEST_NETWORKS_H
#define NIGH_TEST_NETWORKS_H
#include "nigh/network.h"

/* Uniform numbers on [low, high] into an array (whole numbers when it is i32). */
void fill_uniform(nigh_array *array, double low, double high, uint64_t seed);

/* All weights of the network. */
void fill_weights(nigh_network *net, double low, double high, uint64_t seed);

/* Inputs of these shapes, made with nigh_array_new; outputs [nigh_network_outputs] by the tape. */
void run_on_tape(nigh_network *net, nigh_array *inputs, nigh_array *outputs);

/* Fails the test with `name` when the tape differs from nigh_network_evaluate_f64 by more than tolerance * (1 + |value|). */
void check_network(const char *name, nigh_network *net, nigh_array *inputs, double tolerance);
#endif
