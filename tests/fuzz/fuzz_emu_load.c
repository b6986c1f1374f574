/* The emulator's loader: the first byte says which of kernel, device tree, initramfs and snapshot the rest is; the
 * others are good ones. It is loaded, and then what the core starts with is right, or it is refused with a text. */
#include "common/err.h"
#include "common/xalloc.h"
#include "emulator/board.h"
#include "emulator/bus.h"
#include "emulator/console.h"
#include "emulator/cpu.h"
#include "emulator/load.h"
#include "emulator/machine.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum what { KERNEL, TREE, INITRAMFS, SNAPSHOT, KINDS };

struct file {
	int fd;
	char path[40];
};

static void make_file(struct file *file, const void *bytes, size_t len)
{
	file->fd = memfd_create("file", MFD_CLOEXEC);
	(void)snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	if (file->fd < 0 || write(file->fd, bytes, len) != (ssize_t)len)
		abort();
}

static void make_good(struct file files[KINDS])
{
	static const uint8_t kernel[256];
	uint8_t tree[2048];

	if (fdt_create_empty_tree(tree, sizeof(tree)) != 0 ||
	    fdt_add_subnode(tree, 0, "memory") < 0 || fdt_pack(tree) != 0)
		abort();
	make_file(&files[KERNEL], kernel, sizeof(kernel));
	make_file(&files[TREE], tree, fdt_totalsize(tree));
	make_file(&files[INITRAMFS], kernel, sizeof(kernel));
	make_file(&files[SNAPSHOT], kernel, sizeof(kernel));
}

static void check_loaded(struct bus *bus, const struct cpu *cpu)
{
	const void *tree = bus_ram(bus, cpu->r[2], sizeof(struct fdt_header));

	if (!tree || !bus_ram(bus, cpu->pc, 4) || !bus_ram(bus, cpu->r[2], fdt_totalsize(tree)) ||
	    fdt_check_full(tree, fdt_totalsize(tree)) != 0 || fdt_path_offset(tree, "/chosen") < 0)
		abort();
}

static int load(const struct load_request *request, struct err *err)
{
	struct bus *bus = bus_new(1u << 20, err);
	struct cpu cpu = {.pc = 0};
	int status = load_linux(bus, &cpu, request, err);

	if (status == 0)
		check_loaded(bus, &cpu);
	bus_free(bus);
	return status;
}

static int restore(const char *path, const struct board_links *links, struct err *err)
{
	const struct cache_config cache = {.bytes = 4096, .ways = 4, .seed = 1};
	const struct machine_config config = {
		.ram_bytes = 1u << 20, .caches = true, .d = cache, .i = cache, .mips = 100};
	struct machine *machine = machine_new(&config, links, err);
	int status;

	if (!machine)
		abort();
	status = machine_restore(machine, path, err);
	machine_free(machine);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct board_links links = {.console = console_new(-1, STDOUT_FILENO),
	                            .nic = BOARD_VIRTIO_NET};
	enum what what = size ? (enum what)(data[0] % KINDS) : KERNEL;
	struct file files[KINDS];
	struct load_request request = {.append = "console", .seed = size, .links = &links};
	struct err err = {0};
	int status;

	make_good(files);
	(void)close(files[what].fd);
	make_file(&files[what], data + (size > 0), size ? size - 1 : 0);
	request.kernel = files[KERNEL].path;
	request.dtb = files[TREE].path;
	request.initrd = files[INITRAMFS].path;
	status = what == SNAPSHOT ? restore(files[SNAPSHOT].path, &links, &err)
	                          : load(&request, &err);
	if (status < 0 && !err.text[0])
		abort();
	console_free(links.console);
	for (unsigned n = 0; n < KINDS; n++)
		(void)close(files[n].fd);
	return 0;
}
