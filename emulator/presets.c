#include "presets.h"

#include "common/err.h"
#include "machine.h"

#include <string.h>

struct preset {
	const char *name;
	enum cpu_model cpu;
	uint32_t d_kib, d_ways, i_kib, i_ways;
	enum cache_replacement replacement;
	bool write_allocate;
	const char *parts; /* and where from */
};

/* Where from: boot logs of such boards, device trees, the core's manual, the kernel; "memory": nobody looked it up. That
 * all but the "-wa" ones allocate on read misses only is from the cores' manuals. ARM's cores choose a way at random unless
 * SCTLR.RR is set, which Linux leaves alone; the ARMv6 ones take an invalid way first. */
static const struct preset presets[] = {
	{"arm926-8k", CPU_ARM926, 8, 4, 8, 4, REPLACE_RANDOM, false, "AT91SAM9260 (log)"},
	{"arm926-16k", CPU_ARM926, 16, 4, 16, 4, REPLACE_RANDOM, false,
         "Versatile PB, AST2400, Nomadik, i.MX27 (device trees)"},
	{"arm926-32k", CPU_ARM926, 32, 4, 32, 4, REPLACE_RANDOM, false,
         "AT91SAM9G20, 9G25, 9X5 (log)"},
	{"arm926-davinci", CPU_ARM926, 8, 4, 16, 4, REPLACE_RANDOM, false,
         "DaVinci DM644x, DA850 (log)"},
	{"arm926-imx28", CPU_ARM926, 32, 4, 16, 4, REPLACE_RANDOM, false, "i.MX28 (memory)"},
	{"arm920", CPU_ARM926, 16, 64, 16, 64, REPLACE_RANDOM, false,
         "AT91RM9200, S3C2440 (manual, log)"},
	{"feroceon", CPU_ARM926, 16, 4, 16, 4, REPLACE_RANDOM, false,
         "Kirkwood as U-Boot leaves it, no L2 (log; replacement: memory)"},
	{"feroceon-wa", CPU_ARM926, 16, 4, 16, 4, REPLACE_RANDOM, true,
         "the same with its write-allocate bit set"},
	{"feroceon-32k-1w", CPU_ARM926, 32, 1, 32, 1, REPLACE_RANDOM, false, "some Orion5x (log)"},
	{"xscale", CPU_ARM926, 32, 32, 32, 32, REPLACE_ROUND_ROBIN, false,
         "IXP4xx, PXA, no mini-cache (log; replacement: memory)"},
	{"xscale-wa", CPU_ARM926, 32, 32, 32, 32, REPLACE_ROUND_ROBIN, true,
         "IOP32x, cachepolicy=writealloc (kernel; replacement: memory)"},
	{"arm1136-32k", CPU_ARM1136, 32, 4, 32, 4, REPLACE_RANDOM, false,
         "OMAP2420: two colours (log)"},
	{"arm1176-16k", CPU_ARM1176, 16, 4, 16, 4, REPLACE_RANDOM, false,
         "Raspberry Pi 1, Zero: no aliases (log)"},
	{"arm1176-32k", CPU_ARM1176, 32, 4, 32, 4, REPLACE_RANDOM, false,
         "GK7102, FH8856V200: two colours (log; size: memory)"},
	{"arm1176-64k", CPU_ARM1176, 64, 4, 64, 4, REPLACE_RANDOM, false,
         "the largest of that core: four colours (manual)"},
};
#define PRESETS (sizeof(presets) / sizeof(presets[0]))

int presets_apply(const char *name, struct machine_config *config, struct err *err)
{
	for (size_t n = 0; n < PRESETS; n++) {
		const struct preset *row = &presets[n];

		if (strcmp(row->name, name) != 0)
			continue;
		config->cpu = row->cpu;
		config->d.bytes = row->d_kib << 10;
		config->d.ways = row->d_ways;
		config->i.bytes = row->i_kib << 10;
		config->i.ways = row->i_ways;
		config->d.replacement = config->i.replacement = row->replacement;
		config->d.write_allocate = row->write_allocate;
		return 0;
	}
	return err_set(err, ERR_INVALID, "--preset %s: no such part; --preset list shows all",
	               name);
}

void presets_print(FILE *file)
{
	for (size_t n = 0; n < PRESETS; n++) {
		const struct preset *row = &presets[n];

		(void)fprintf(file, "%-16s %-8s D %2u KiB %2u ways, I %2u KiB %2u ways, %s%s; %s\n",
		              row->name, cpu_model_name(row->cpu), row->d_kib, row->d_ways,
		              row->i_kib, row->i_ways,
		              row->replacement == REPLACE_RANDOM ? "random" : "round-robin",
		              row->write_allocate ? ", write-allocate" : "", row->parts);
	}
}
