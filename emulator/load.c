#include "load.h"

#include "board_tree.h"
#include "bus.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "cpu.h"
#include "host.h"

#include <libfdt.h>
#include <string.h>

#define ZIMAGE_MAGIC_AT 0x24u
#define ZIMAGE_MAGIC    0x016f2818u
#define IMAGE_AT        0x8000u
#define DTB_ROOM        4096u /* for the properties that are added */
#define PAGE            4096u

/* A file in RAM: [start, end). */
struct extent {
	uint32_t start, end;
};

static int load_file(struct bus *bus, const char *path, uint32_t at, struct extent *out,
                     struct err *err)
{
	size_t len;
	SCOPED_STR text = fs_read_file(path, bus_ram_bytes(bus), &len, err);
	uint8_t *ram;

	if (!text)
		return -1;
	ram = bus_ram(bus, at, (uint32_t)len);
	if (!ram)
		return err_set(err, ERR_TOOBIG,
		               "%s: its %zu bytes do not fit at 0x%x into %u MiB of RAM", path, len,
		               at, bus_ram_bytes(bus) >> 20);
	memcpy(ram, text, len);
	*out = (struct extent){at, at + (uint32_t)len};
	return 0;
}

/* The kernel goes to a quarter of RAM when it unpacks itself, so that it need not move out of its
 * own way first. Its entry is its first byte in both cases. */
static int load_kernel(struct bus *bus, const char *path, struct extent *out, struct err *err)
{
	size_t len;
	SCOPED_STR text = fs_read_file(path, bus_ram_bytes(bus), &len, err);
	const uint8_t *bytes = (const uint8_t *)text;
	uint32_t at = IMAGE_AT;
	uint32_t stated;

	if (!text)
		return -1;
	if (len < ZIMAGE_MAGIC_AT + 12)
		return err_set(err, ERR_INVALID, "%s: %zu bytes are no ARM kernel", path, len);
	if (host_read(bytes + ZIMAGE_MAGIC_AT, 4) == ZIMAGE_MAGIC) {
		at = bus_ram_bytes(bus) / 4;
		stated = host_read(bytes + ZIMAGE_MAGIC_AT + 8, 4) -
		         host_read(bytes + ZIMAGE_MAGIC_AT + 4, 4);
		if (stated > len)
			return err_set(err, ERR_INVALID,
			               "%s: truncated, the zImage says %u bytes and there are %zu",
			               path, stated, len);
	}
	return load_file(bus, path, at, out, err);
}

/* libfdt's answer as an error that names the file and what was being done. */
static int fdt_failed(const char *path, const char *what, int code, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: %s: %s", path, what, fdt_strerror(code));
}

static int set_memory(void *fdt, uint32_t ram_bytes)
{
	const fdt32_t reg[2] = {cpu_to_fdt32(0), cpu_to_fdt32(ram_bytes)};
	int node = fdt_path_offset(fdt, "/memory");

	return node < 0 ? node : fdt_setprop(fdt, node, "reg", reg, sizeof(reg));
}

static int chosen_node(void *fdt)
{
	int node = fdt_path_offset(fdt, "/chosen");

	return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, "chosen") : node;
}

/* 32 bytes that follow from the seed; they need not be good, only be the same each time. */
static void make_seed(uint64_t seed, uint8_t out[32])
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	for (unsigned n = 0; n < 32; n++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		out[n] = (uint8_t)(state >> 56);
	}
}

static int set_chosen(void *fdt, const struct load_request *request, const struct extent *initrd)
{
	int node = chosen_node(fdt);
	uint8_t seed[32];
	int code = node;

	make_seed(request->seed, seed);
	if (code >= 0 && request->append)
		code = fdt_setprop(fdt, node, "bootargs", request->append,
		                   (int)strlen(request->append) + 1);
	if (code >= 0 && request->initrd)
		code = fdt_setprop_u32(fdt, node, "linux,initrd-start", initrd->start);
	if (code >= 0 && request->initrd)
		code = fdt_setprop_u32(fdt, node, "linux,initrd-end", initrd->end);
	if (code >= 0 && !fdt_getprop(fdt, node, "rng-seed", NULL))
		code = fdt_setprop(fdt, node, "rng-seed", seed, sizeof(seed));
	return code;
}

static int load_dtb(struct bus *bus, const struct load_request *request,
                    const struct extent *initrd, uint32_t at, struct err *err)
{
	size_t len;
	SCOPED_STR text = fs_read_file(request->dtb, 1u << 20, &len, err);
	uint32_t room;
	uint8_t *ram;
	int code;

	if (!text)
		return -1;
	code = fdt_check_full(text, len);
	if (code)
		return fdt_failed(request->dtb, "no device tree", code, err);
	room = (uint32_t)len + DTB_ROOM + (request->append ? (uint32_t)strlen(request->append) : 0);
	ram = bus_ram(bus, at, room);
	if (!ram)
		return err_set(err, ERR_TOOBIG,
		               "%s: no room for it behind the initramfs in %u MiB of RAM",
		               request->dtb, bus_ram_bytes(bus) >> 20);
	code = fdt_open_into(text, ram, (int)room);
	if (code >= 0)
		code = set_memory(ram, bus_ram_bytes(bus));
	if (code >= 0)
		code = board_tree(request->links, ram);
	if (code >= 0)
		code = set_chosen(ram, request, initrd);
	return code >= 0 ? 0 : fdt_failed(request->dtb, "memory, devices and chosen", code, err);
}

int load_linux(struct bus *bus, struct cpu *cpu, const struct load_request *request,
               struct err *err)
{
	struct extent kernel = {0, 0};
	struct extent initrd = {bus_ram_bytes(bus) / 2, bus_ram_bytes(bus) / 2};
	uint32_t dtb_at;

	if (load_kernel(bus, request->kernel, &kernel, err) < 0)
		return -1;
	if (kernel.end > initrd.start)
		return err_set(err, ERR_TOOBIG, "%s: too large for %u MiB of RAM", request->kernel,
		               bus_ram_bytes(bus) >> 20);
	if (request->initrd && load_file(bus, request->initrd, initrd.start, &initrd, err) < 0)
		return -1;
	dtb_at = (initrd.end + PAGE - 1) & ~(PAGE - 1);
	if (load_dtb(bus, request, &initrd, dtb_at, err) < 0)
		return -1;
	cpu->r[0] = 0;
	cpu->r[1] = UINT32_MAX;
	cpu->r[2] = dtb_at;
	cpu->pc = kernel.start;
	return 0;
}
