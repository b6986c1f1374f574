# Flavour highmem: the kernel can have memory outside its linear mapping. A small board has some only when the
# kernel's part of the address space is made small by hand: `vmalloc=900M` leaves 108 MiB of linear mapping, so that
# 20 MiB of a 128 MiB board are high memory (with 944M it says nothing and hangs). An aliasing VIPT kernel refuses it and drops that memory.
CONFIG_HIGHMEM=y
