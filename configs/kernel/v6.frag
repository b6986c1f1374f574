# ARMv6: ARM1136 and ARM1176, whose 16 KiB ways or larger make VIPT caches alias. One CPU: the
# aliasing code of arch/arm/mm/flush.c is then not mixed with cross-CPU maintenance.
CONFIG_ARCH_MULTI_V5=n
CONFIG_ARCH_MULTI_V6=y
CONFIG_ARCH_REALVIEW=y
CONFIG_MACH_REALVIEW_EB=y
CONFIG_REALVIEW_EB_ARM1136=y
CONFIG_REALVIEW_EB_ARM1176=y
CONFIG_SMP=n
