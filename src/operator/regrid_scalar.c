/* The loops of regrid.inc with this CPU level's flags. */
#define LANES_SCALAR
#define LEVEL regrid_scalar
#include "operator/regrid.inc"
