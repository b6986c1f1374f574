# cohort_library(NAME SOURCES...)  a static library with the house flags
# cohort_program(NAME LIBRARY)     a thin main.c over LIBRARY
# cohort_unit_test(NAME LIBS...)   tests/unit/NAME.c, one cmocka executable, label unit
function(cohort_library name)
	add_library(${name} STATIC ${ARGN})
	target_link_libraries(${name} PUBLIC cohort_flags)
endfunction()

function(cohort_program name)
	add_executable(${name} main.c)
	target_link_libraries(${name} PRIVATE ${ARGN})
endfunction()

function(cohort_unit_test name)
	string(REPLACE "/" "_" target ${name})
	add_executable(${target} ${CMAKE_SOURCE_DIR}/tests/unit/${name}.c)
	target_link_libraries(${target} PRIVATE ${ARGN} cmocka)
	add_test(NAME unit/${name} COMMAND ${target})
	set_tests_properties(unit/${name} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
