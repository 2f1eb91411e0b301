/* See host.h. */
#define HOST_NAME(name) name##_scalar
#include "plan/host_spin.inc"
