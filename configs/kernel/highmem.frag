# Flavour highmem: the kernel can have memory outside its linear mapping. A small board has some only when the
# kernel's part of the address space is made small by hand: `vmalloc=944M` leaves 64 MiB of linear mapping, so that
# the upper half of a 128 MiB board is high memory. An aliasing VIPT kernel refuses it and drops that memory.
CONFIG_HIGHMEM=y
