# Libraries behind nigh, as one interface target: nigh_deps. Debian names stand in scripts/packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
add_library(nigh_deps INTERFACE)
target_link_libraries(nigh_deps INTERFACE Threads::Threads m ${CMAKE_DL_LIBS})

pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
find_path(LAPACKE_INCLUDE lapacke.h REQUIRED)
include(OpenBlas) # -> target nigh_openblas
target_link_libraries(nigh_deps INTERFACE PkgConfig::JANSSON PkgConfig::ZLIB ${LAPACKE_LIBRARY} nigh_openblas)
target_include_directories(nigh_deps INTERFACE ${LAPACKE_INCLUDE})

pkg_check_modules(SECCOMP IMPORTED_TARGET libseccomp)
if(SECCOMP_FOUND)
  target_link_libraries(nigh_deps INTERFACE PkgConfig::SECCOMP)
  target_compile_definitions(nigh_deps INTERFACE NIGH_HAVE_SECCOMP=1)
else()
  message(STATUS "libseccomp is missing: user programs run without a system-call filter (limits stay)")
endif()

if(NIGH_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS C)
  target_link_libraries(nigh_deps INTERFACE OpenMP::OpenMP_C)
endif()

# Proofs of error bounds (balls of real numbers); without it certificates of expressions and of f64 say that they are missing.
find_path(ARB_INCLUDE arb.h)
find_library(ARB_LIBRARY NAMES flint-arb arb)
find_library(FLINT_LIBRARY flint)
find_path(FLINT_INCLUDE flint/flint.h)
find_library(GMP_LIBRARY gmp) # the headers' inline functions call it
if(ARB_INCLUDE AND ARB_LIBRARY AND FLINT_LIBRARY AND FLINT_INCLUDE AND GMP_LIBRARY)
  target_include_directories(nigh_deps SYSTEM INTERFACE ${ARB_INCLUDE} ${FLINT_INCLUDE})
  target_link_libraries(nigh_deps INTERFACE ${ARB_LIBRARY} ${FLINT_LIBRARY} ${GMP_LIBRARY})
  target_compile_definitions(nigh_deps INTERFACE NIGH_HAVE_ARB=1)
else()
  message(STATUS "libflint-arb is missing: errors in f64 and of expressions are measured, not proved")
endif()
