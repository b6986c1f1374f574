# Compiler flags of every target, as the interface library cohort_flags.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(cohort_flags INTERFACE)
target_compile_definitions(cohort_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64
	COHORT_VERSION="${PROJECT_VERSION}")
target_include_directories(cohort_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(cohort_flags INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wcast-qual
	-Wcast-align -Wwrite-strings -Wnull-dereference -Wimplicit-fallthrough -Wswitch-enum
	-Wpointer-arith)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	target_compile_options(cohort_flags INTERFACE -Wjump-misses-init -Wlogical-op
		-Wduplicated-cond -Wduplicated-branches)
endif()
if(COHORT_WERROR)
	target_compile_options(cohort_flags INTERFACE -Werror)
endif()
if(COHORT_SANITIZE)
	target_compile_options(cohort_flags INTERFACE -fsanitize=${COHORT_SANITIZE}
		-fno-omit-frame-pointer -fno-sanitize-recover=all)
	target_link_options(cohort_flags INTERFACE -fsanitize=${COHORT_SANITIZE})
else()
	target_compile_options(cohort_flags INTERFACE
		$<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3> -fstack-protector-strong)
endif()
if(COHORT_FUZZ)
	# The fuzzer sees which way an input goes in the libraries, not only in the targets.
	target_compile_options(cohort_flags INTERFACE -fsanitize=fuzzer-no-link)
	target_link_options(cohort_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(COHORT_BOARD_ONLY)
	# Each KiB goes over a slow network to a board: no symbols, nothing that is not called.
	target_compile_options(cohort_flags INTERFACE -ffunction-sections -fdata-sections)
	target_link_options(cohort_flags INTERFACE -static -Wl,--gc-sections $<$<NOT:$<CONFIG:Debug>>:-s>)
else()
	set(CMAKE_POSITION_INDEPENDENT_CODE ON)
	target_link_options(cohort_flags INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
