# ARMv7: caches that do not alias, on QEMU's machine `virt` with a Cortex-A15: virtio at fixed addresses, no PCI, no
# device tree of its own (QEMU makes it). One CPU, as with v5 and v6.
CONFIG_ARCH_MULTI_V6=n
CONFIG_ARCH_MULTI_V7=y
CONFIG_ARCH_VIRT=y
CONFIG_SMP=n
CONFIG_ARM_PATCH_PHYS_VIRT=y
