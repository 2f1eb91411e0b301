# What `make install` puts where: command, library, headers, pkg-config and CMake packages, man page, bash completion.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/nigh)

# The manual pages come from the command itself, so that they cannot differ from --help.
if(TARGET nigh_command)
  foreach(pair "man|nigh.1" "completion|nigh.bash")
    string(REGEX MATCH "^[a-z]+" kind ${pair})
    string(REGEX REPLACE "^.*\\|" "" file ${pair})
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/${file} DEPENDS nigh_command VERBATIM
      COMMAND sh -c "\"$1\" help \"--$2\" > \"$3.part\" && mv \"$3.part\" \"$3\"" sh $<TARGET_FILE:nigh_command> ${kind} ${CMAKE_BINARY_DIR}/${file})
    list(APPEND manual ${CMAKE_BINARY_DIR}/${file})
  endforeach()
  add_custom_target(nigh_manual ALL DEPENDS ${manual})
  install(TARGETS nigh_command RUNTIME)
  install(FILES ${CMAKE_BINARY_DIR}/nigh.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${CMAKE_BINARY_DIR}/nigh.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME nigh)
endif()

install(TARGETS nigh EXPORT nighTargets LIBRARY NAMELINK_COMPONENT development)
install(DIRECTORY include/nigh DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT nighTargets NAMESPACE nigh:: DESTINATION ${package_folder})
configure_package_config_file(cmake/nighConfig.cmake.in ${CMAKE_BINARY_DIR}/nighConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/nighConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/nighConfig.cmake ${CMAKE_BINARY_DIR}/nighConfigVersion.cmake DESTINATION ${package_folder})
configure_file(cmake/nigh.pc.in ${CMAKE_BINARY_DIR}/nigh.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/nigh.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
