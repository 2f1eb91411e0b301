/* See host.h. */
#define HOST_NAME(name) name##_avx2
#include "plan/host_spin.inc"
