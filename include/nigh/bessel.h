#ifndef NIGH_BESSEL_H
#define NIGH_BESSEL_H
#include "nigh/core.h"
#ifdef __cplusplus
extern "C" {
#endif
NIGH_API double nigh_log_bessel_i(double v, double x);
NIGH_API double nigh_log_bessel_k(double v, double x);
NIGH_API double nigh_log_bessel_i_scaled(double v, double x);
NIGH_API double nigh_log_bessel_k_scaled(double v, double x);
NIGH_API double nigh_bessel_i_scaled(double v, double x);
NIGH_API double nigh_bessel_k_scaled(double v, double x);
NIGH_API double nigh_bessel_ratio_i(double v, double x);
NIGH_API double nigh_bessel_ratio_k(double v, double x);
NIGH_API double nigh_log_bessel_i_derivative(double v, double x);
NIGH_API double nigh_log_bessel_k_derivative(double v, double x);
typedef enum nigh_bessel {
    NIGH_LOG_BESSEL_I, NIGH_LOG_BESSEL_K, NIGH_LOG_BESSEL_I_SCALED, NIGH_LOG_BESSEL_K_SCALED, NIGH_BESSEL_RATIO_I, NIGH_BESSEL_RATIO_K,
    NIGH_LOG_BESSEL_I_DERIVATIVE, NIGH_LOG_BESSEL_K_DERIVATIVE, NIGH_BESSEL_I_SCALED, NIGH_BESSEL_K_SCALED, NIGH_BESSEL_FUNCTIONS
} nigh_bessel;
#define NIGH_BESSEL_FAST_ERROR 1e-8
NIGH_API void nigh_bessel_f64(nigh_bessel what, double error, int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_bessel_f32(nigh_bessel what, int64_t n, const float *v, const float *x, float *y);
NIGH_API void nigh_log_bessel_i_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_log_bessel_k_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_bessel_ratio_i_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_bessel_ratio_k_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_log_bessel_i_f32(int64_t n, const float *v, const float *x, float *y);
NIGH_API void nigh_log_bessel_k_f32(int64_t n, const float *v, const float *x, float *y);
#ifdef __cplusplus
}
#endif
#endif
