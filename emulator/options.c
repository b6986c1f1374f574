#include "options.h"

#include "common/err.h"
#include "options_list.h"
#include "presets.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int options_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value,
                   struct err *err)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || *value < min || *value > max)
		return err_set(err, ERR_INVALID, "--%s %s: a number from %ju to %ju is needed",
		               name, text, (uintmax_t)min, (uintmax_t)max);
	return 0;
}

/* KIB or KIB,WAYS; what a cache cannot have cache_new() says. */
static int parse_cache(const char *name, const char *text, struct cache_config *cache,
                       struct err *err)
{
	unsigned long kib, ways;
	char *end;

	kib = strtoul(text, &end, 10);
	ways = cache->ways;
	if (end != text && *end == ',') {
		text = end + 1;
		ways = strtoul(text, &end, 10);
	}
	if (end == text || *end || kib == 0 || kib > 1024 || ways > CACHE_WAYS_MAX)
		return err_set(err, ERR_INVALID, "--%s: KIB or KIB,WAYS is needed, as in 16,4",
		               name);
	cache->bytes = (uint32_t)kib << 10;
	cache->ways = (uint32_t)ways;
	return 0;
}

/* The kinds of caches, or none: then the kind still says what the kernel is told. */
static int parse_mode(const char *text, struct options *options, struct err *err)
{
	static const char *const kinds[] = {
		[CACHE_VIVT] = "vivt", [CACHE_VIPT] = "vipt", [CACHE_PIPT] = "pipt"};

	options->machine.caches = strcmp(text, "off") != 0;
	if (!options->machine.caches)
		return 0;
	for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		if (strcmp(text, kinds[kind]) == 0) {
			options->machine.d.kind = (enum cache_kind)kind;
			options->machine.i.kind = (enum cache_kind)kind;
			options->kind_given = true;
			return 0;
		}
	}
	return err_set(err, ERR_INVALID, "--mode %s: vivt, vipt, pipt or off is needed", text);
}

static int parse_replacement(const char *text, struct options *options, struct err *err)
{
	enum cache_replacement kind = REPLACE_RANDOM;

	if (strcmp(text, "round-robin") == 0)
		kind = REPLACE_ROUND_ROBIN;
	else if (strcmp(text, "random") != 0)
		return err_set(err, ERR_INVALID,
		               "--replacement %s: random or round-robin is needed", text);
	options->machine.d.replacement = kind;
	options->machine.i.replacement = kind;
	return 0;
}

static const struct option longopts[] = {
	{"kernel", required_argument, NULL, OPT_KERNEL},
	{"dtb", required_argument, NULL, OPT_DTB},
	{"initrd", required_argument, NULL, OPT_INITRD},
	{"append", required_argument, NULL, OPT_APPEND},
	{"ram", required_argument, NULL, OPT_RAM},
	{"cpu", required_argument, NULL, OPT_CPU},
	{"preset", required_argument, NULL, OPT_PRESET},
	{"mode", required_argument, NULL, OPT_MODE},
	{"dcache", required_argument, NULL, OPT_DCACHE},
	{"icache", required_argument, NULL, OPT_ICACHE},
	{"replacement", required_argument, NULL, OPT_REPLACEMENT},
	{"invalid-first", no_argument, NULL, OPT_INVALID_FIRST},
	{"write-allocate", no_argument, NULL, OPT_WRITE_ALLOCATE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"mips", required_argument, NULL, OPT_MIPS},
	{"max-instructions", required_argument, NULL, OPT_MAX},
	{"max-seconds", required_argument, NULL, OPT_MAX_SECONDS},
	{"exit-on", required_argument, NULL, OPT_EXIT_ON},
	{"forward", required_argument, NULL, OPT_FORWARD},
	{"nic", required_argument, NULL, OPT_NIC},
	{"drive", required_argument, NULL, OPT_DRIVE},
	{"sdcard", required_argument, NULL, OPT_SDCARD},
	{"console", required_argument, NULL, OPT_CONSOLE},
	{"console-log", required_argument, NULL, OPT_CONSOLE_LOG},
	{"monitor", required_argument, NULL, OPT_MONITOR},
	{"snapshot", required_argument, NULL, OPT_SNAPSHOT},
	{"snapshot-at", required_argument, NULL, OPT_SNAPSHOT_AT},
	{"restore", required_argument, NULL, OPT_RESTORE},
	{"record", required_argument, NULL, OPT_RECORD},
	{"replay", required_argument, NULL, OPT_REPLAY},
	{"daemonize", no_argument, NULL, OPT_DAEMONIZE},
	{"pidfile", required_argument, NULL, OPT_PIDFILE},
	{"trace-stale", required_argument, NULL, OPT_TRACE_STALE},
	{"trace-limit", required_argument, NULL, OPT_TRACE_LIMIT},
	{"symbols", required_argument, NULL, OPT_SYMBOLS},
	{"stats", no_argument, NULL, OPT_STATS},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* Options that are text, kept as it is. */
static const struct {
	int opt;
	size_t member; /* a const char * */
} texts[] = {
	{OPT_KERNEL, offsetof(struct options, load.kernel)},
	{OPT_DTB, offsetof(struct options, load.dtb)},
	{OPT_INITRD, offsetof(struct options, load.initrd)},
	{OPT_APPEND, offsetof(struct options, load.append)},
	{OPT_CONSOLE, offsetof(struct options, console)},
	{OPT_CONSOLE_LOG, offsetof(struct options, console_log)},
	{OPT_MONITOR, offsetof(struct options, monitor)},
	{OPT_SNAPSHOT, offsetof(struct options, snapshot)},
	{OPT_RECORD, offsetof(struct options, record)},
	{OPT_REPLAY, offsetof(struct options, replay)},
	{OPT_RESTORE, offsetof(struct options, restore)},
	{OPT_PIDFILE, offsetof(struct options, pidfile)},
	{OPT_TRACE_STALE, offsetof(struct options, trace_stale)},
};

/* Options that are text or a flag. False when opt is none of them. */
static bool take_plain(struct options *options, int opt, const char *arg)
{
	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
		if (texts[n].opt == opt) {
			memcpy((char *)options + texts[n].member, &arg, sizeof(arg));
			return true;
		}
	}
	switch (opt) {
	case OPT_INVALID_FIRST:
		options->machine.d.invalid_first = true;
		options->machine.i.invalid_first = true;
		return true;
	case OPT_WRITE_ALLOCATE:
		options->machine.d.write_allocate = true;
		return true;
	case OPT_DAEMONIZE:
		options->daemonize = true;
		return true;
	case OPT_STATS:
		options->stats = true;
		return true;
	case OPT_HELP:
		options->help = true;
		return true;
	case OPT_VERSION:
		options->version = true;
		return true;
	default:
		return false;
	}
}

static int add_symbols(struct options *options, const char *path, struct err *err)
{
	if (options->symbols == OPTIONS_SYMBOLS)
		return err_set(err, ERR_INVALID, "--symbols: at most %u files", OPTIONS_SYMBOLS);
	options->symbol[options->symbols++] = path;
	return 0;
}

/* Options whose argument can be wrong. */
static int take_checked(struct options *options, int opt, const char *arg, struct err *err)
{
	uint64_t n = 0;
	int status = 0;

	switch (opt) {
	case OPT_RAM:
		status = options_number("ram", arg, 1, 128, &n, err);
		options->machine.ram_bytes = (uint32_t)n << 20;
		return status;
	case OPT_CPU:
		if (!cpu_model_by_name(arg, &options->machine.cpu))
			return err_set(err, ERR_INVALID,
			               "--cpu %s: arm926, arm1136 or arm1176 is needed", arg);
		return 0;
	case OPT_PRESET:
		options->presets = strcmp(arg, "list") == 0;
		return options->presets ? 0 : presets_apply(arg, &options->machine, err);
	case OPT_MODE:
		return parse_mode(arg, options, err);
	case OPT_DCACHE:
		return parse_cache("dcache", arg, &options->machine.d, err);
	case OPT_ICACHE:
		return parse_cache("icache", arg, &options->machine.i, err);
	case OPT_REPLACEMENT:
		return parse_replacement(arg, options, err);
	case OPT_SEED:
		status = options_number("seed", arg, 0, UINT32_MAX, &n, err);
		options->machine.d.seed = n;
		options->machine.i.seed = n + (1ull << 32); /* a stream of its own */
		options->load.seed = n;
		return status;
	case OPT_MIPS:
		status = options_number("mips", arg, 1, 100000, &n, err);
		options->machine.mips = (uint32_t)n;
		return status;
	case OPT_TRACE_LIMIT:
		status = options_number("trace-limit", arg, 1, 1000000, &n, err);
		options->trace_limit = (uint32_t)n;
		return status;
	case OPT_SYMBOLS:
		return add_symbols(options, arg, err);
	case OPT_MAX:
		return options_number("max-instructions", arg, 1, UINT64_MAX,
		                      &options->machine.max_instructions, err);
	default:
		return options_outside(options, opt, arg, err);
	}
}

/* What was not said depends on the core. */
static int apply_core(struct options *options, struct err *err)
{
	static const uint32_t cache_bytes[] = {
		[CPU_ARM926] = 16u << 10, [CPU_ARM1136] = 32u << 10, [CPU_ARM1176] = 64u << 10};
	struct machine_config *machine = &options->machine;
	bool v6 = machine->cpu != CPU_ARM926;

	if (v6 && options->kind_given && machine->d.kind == CACHE_VIVT)
		return err_set(err, ERR_INVALID, "--cpu %s has no cache of --mode vivt",
		               cpu_model_name(machine->cpu));
	if (v6) /* their manuals say so; the ARM926's does not */
		machine->d.invalid_first = machine->i.invalid_first = true;
	if (v6 && !options->kind_given)
		machine->d.kind = machine->i.kind = CACHE_VIPT;
	if (!machine->d.bytes)
		machine->d.bytes = cache_bytes[machine->cpu];
	if (!machine->i.bytes)
		machine->i.bytes = cache_bytes[machine->cpu];
	return 0;
}

/* Options that need or exclude each other. */
static int check_together(const struct options *options, struct err *err)
{
	if ((!options->load.kernel || !options->load.dtb) &&
	    (!options->restore || options->load.kernel || options->load.dtb))
		return err_set(err, ERR_INVALID, "--kernel and --dtb are needed");
	if (!options->snapshot != !(options->snapshot_at || options->snapshot_text))
		return err_set(err, ERR_INVALID, "--snapshot and --snapshot-at need each other");
	if ((options->record || options->replay) &&
	    (options->forwards || options->nic_given || (options->record && options->replay)))
		return err_set(
			err, ERR_INVALID,
			"--record and --replay need a board without network, and not each other");
	if ((options->daemonize || options->console_log) && !options->console)
		return err_set(err, ERR_INVALID, "--daemonize and --console-log need --console");
	return 0;
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	const struct cache_config cache = {.ways = 4, .seed = 1};
	int opt;

	*options = (struct options){.exit_on_halt = true, .load.seed = 1, .trace_limit = 1000};
	options->machine = (struct machine_config){
		.ram_bytes = 128u << 20, .caches = true, .d = cache, .i = cache, .mips = 100};
	options->machine.i.seed += 1ull << 32;
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (opt == '?')
			return err_set(err, ERR_INVALID,
			               "%s: no such option, or it lacks its value",
			               argv[optind - 1]);
		if (!take_plain(options, opt, optarg) &&
		    take_checked(options, opt, optarg, err) < 0)
			return -1;
	}
	if (optind < argc)
		return err_set(err, ERR_INVALID, "%s: not an option", argv[optind]);
	if (options->help || options->version || options->presets)
		return 0;
	return check_together(options, err) < 0 ? -1 : apply_core(options, err);
}
