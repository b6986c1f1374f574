/* tests.h - every test there is, in the order in which they run: tests/NAME.c defines `const struct test test_NAME`. */
#pragma once
#include "test.h"

/* clang-format off */
#define EACH_TEST(ROW) \
	/* Direct I/O and scatterlists */ \
	ROW(dio_read_anon) \
	ROW(dio_read_mapped) \
	ROW(dio_read_primed) \
	ROW(dio_write) \
	ROW(dio_sweep) \
	ROW(dio_blockdev) \
	ROW(afalg_cipher) \
	ROW(afalg_hash) \
	/* Files, page cache, buffered I/O */ \
	ROW(write_mmap) \
	ROW(mmap_write_read) \
	ROW(subline_write_mmap) \
	ROW(sendfile_mmap) \
	ROW(loop_write_mmap) \
	/* Two user mappings */ \
	ROW(shared_alias) \
	ROW(mmap_colour_policy) \
	ROW(shm_pingpong) \
	ROW(mremap_colour) \
	ROW(futex_alias) \
	/* Address spaces, copy on write, reclaim */ \
	ROW(fork_cow) \
	ROW(munmap_reuse_va) \
	ROW(dontneed_late_evict) \
	ROW(switch_same_va) \
	ROW(ksm_merge) \
	ROW(compact_migrate) \
	ROW(zram_swap) \
	ROW(zram_swap_stale_k) \
	ROW(uffd_copy) \
	ROW(cow_private_over_shared) \
	ROW(private_fixed_colour) \
	/* Instructions */ \
	ROW(jit_cacheflush) \
	ROW(jit_dual_map) \
	ROW(mmap_exec_after_write) \
	ROW(exec_after_write) \
	ROW(ptrace_poke_text) \
	ROW(uprobe_xol) \
	ROW(procmem_self_text) \
	ROW(bpf_jit) \
	ROW(signal_trampoline) \
	/* Other processes, rings shared with the kernel */ \
	ROW(exec_args) \
	ROW(aio_ring) \
	ROW(packet_ring) \
	ROW(perf_ring) \
	ROW(uring_ring) \
	ROW(uring_fixed) \
	/* Again, with pages of high memory */ \
	ROW(highmem_dio_read_anon) \
	ROW(highmem_dio_read_mapped) \
	ROW(highmem_dio_read_primed) \
	ROW(highmem_dio_write) \
	ROW(highmem_pipe_splice) \
	ROW(highmem_write_mmap) \
	ROW(highmem_fork_cow) \
	ROW(highmem_zram_swap) \
	ROW(procmem_rw) \
	ROW(process_vm) \
	ROW(pipe_splice) \
	ROW(tcp_zerocopy) \
	ROW(fuse_dev_copy) \
	/* What the machine is */ \
	ROW(jit_control)
/* clang-format on */

#define DECLARE_TEST(name) extern const struct test test_##name;
EACH_TEST(DECLARE_TEST)
#undef DECLARE_TEST
