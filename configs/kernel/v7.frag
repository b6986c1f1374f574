# ARMv7: Cortex-A, data caches that do not alias, on QEMU's machine `virt`. It stands behind common.frag and says
# anew what that says of processor and board: of two fragments of a flavour the later one counts. One CPU, as in
# v6.frag. setup/kernel does not build it: its v7 is Debian's own kernel.
CONFIG_ARCH_MULTI_V5=n
CONFIG_ARCH_MULTI_V6=n
CONFIG_ARCH_MULTI_V7=y
CONFIG_ARCH_VERSATILE=n
CONFIG_ARCH_VIRT=y
CONFIG_SMP=n
CONFIG_NEON=y
CONFIG_PCI_VERSATILE=n
CONFIG_PCI_HOST_GENERIC=y
