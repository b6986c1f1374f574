# Cross build for boards: ARMv5TE soft float, as Debian's armel, which runs on each core of the
# farm from ARM926 to Cortex-A15. COHORT_SYSROOT holds Debian's static armel libraries.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv5te)
set(CMAKE_C_COMPILER arm-linux-gnueabi-gcc)
set(CMAKE_C_FLAGS_INIT "-march=armv5te -marm")
set(COHORT_SYSROOT "$ENV{COHORT_SYSROOT}" CACHE PATH "unpacked armel packages: setup/sysroot --print")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES COHORT_SYSROOT)
