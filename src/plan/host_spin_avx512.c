/* See host.h. */
#define HOST_NAME(name) name##_avx512
#include "plan/host_spin.inc"
