# Tests around the code: the command as users type it, installation, what each method needs, claims.
file(GLOB cli_cases CONFIGURE_DEPENDS cli/cases/*.sh)
find_program(BASH_PROGRAM bash REQUIRED)
find_program(PYTHON_PROGRAM python3 REQUIRED)

if(TARGET nigh_command)
  foreach(cases IN LISTS cli_cases)
    get_filename_component(name ${cases} NAME_WE)
    add_test(NAME cli/${name} COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/run.sh $<TARGET_FILE:nigh_command> ${cases})
    set_tests_properties(cli/${name} PROPERTIES TIMEOUT 600)
  endforeach()
  add_test(NAME cli/kill COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/kill.sh $<TARGET_FILE:nigh_command> 8)
  set_tests_properties(cli/kill PROPERTIES TIMEOUT 600)
endif()

# A sanitizer's library cannot be loaded into programs that are built without it.
if(TARGET nigh_command AND NOT NIGH_SANITIZE AND NOT NIGH_FUZZ)
  add_test(NAME install/consumer COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/consumer.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
endif()

add_test(NAME house/methods COMMAND ${PYTHON_PROGRAM} ${CMAKE_SOURCE_DIR}/scripts/check-methods)
add_test(NAME house/words COMMAND ${PYTHON_PROGRAM} ${CMAKE_SOURCE_DIR}/scripts/check-words)

# Quick claims hold; and done wrong on purpose they fall short (exit code 1, not a crash).
file(GLOB claims CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/claims/*.c)
list(FILTER claims EXCLUDE REGEX "/(list|common[a-z_]*)\\.c$")
if(TARGET nigh_command AND NIGH_CLAIMS)
  foreach(claim IN LISTS claims)
    get_filename_component(slug ${claim} NAME_WE)
    string(REPLACE "_" "-" slug ${slug})
    add_test(NAME claims/${slug} COMMAND nigh_command claims --quick ${slug})
    add_test(NAME claims/${slug}/sabotage COMMAND sh -c "\"$0\" claims --quick --sabotage \"$1\"; [ $? = 1 ]" $<TARGET_FILE:nigh_command> ${slug})
    set_tests_properties(claims/${slug} claims/${slug}/sabotage PROPERTIES TIMEOUT 120)
  endforeach()
endif()
