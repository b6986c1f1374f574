# Flavour dbg: what finds a kernel's own mistakes (a lock held, a sleep in an atomic section, a page of the wrong
# sort). It changes timing and flushes more, so no result about caches comes from it. DEBUG_HIGHMEM needs HIGHMEM;
# without `vmalloc=` (highmem.frag) there is no high memory.
CONFIG_HIGHMEM=y
CONFIG_DEBUG_HIGHMEM=y
CONFIG_DEBUG_VM=y
CONFIG_DEBUG_VM_PGFLAGS=y
CONFIG_DEBUG_ATOMIC_SLEEP=y
CONFIG_PROVE_LOCKING=y
CONFIG_DEBUG_LIST=y
