#include "env.h"

#include "emit.h"
#include "jsonw.h"
#include "pages.h"
#include "platform.h"
#include "probe.h"
#include "sha256.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void put_uname(struct jsonw *json)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	jsonw_open_object(json, "uname");
	jsonw_string(json, "sysname", name.sysname);
	jsonw_string(json, "release", name.release);
	jsonw_string(json, "version", name.version);
	jsonw_string(json, "machine", name.machine);
	jsonw_close_object(json);
}

/* The first line of a file, limited; null when it cannot be read. */
static void put_file(struct jsonw *json, const char *key, const char *path)
{
	char text[2048];
	FILE *file = fopen(path, "re");
	size_t length = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	jsonw_string(json, key, file != NULL ? text : NULL);
	if (file != NULL)
		(void)fclose(file);
}

static void put_config_hash(struct jsonw *json)
{
	static uint8_t bytes[4096];
	struct sha256 hash;
	uint8_t digest[SHA256_BYTES];
	int fd = open("/proc/config.gz", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0) {
		jsonw_null(json, "config_gz_sha256");
		return;
	}
	sha256_init(&hash);
	while ((length = read(fd, bytes, sizeof(bytes))) > 0)
		sha256_update(&hash, bytes, (size_t)length);
	(void)close(fd);
	sha256_final(&hash, digest);
	jsonw_hex(json, "config_gz_sha256", digest, sizeof(digest));
}

static void put_cpuinfo(struct jsonw *json)
{
	static const struct {
		const char *key, *field;
	} fields[] = {
		{"implementer", "CPU implementer"}, {"architecture", "CPU architecture"},
		{"variant", "CPU variant"},         {"part", "CPU part"},
		{"revision", "CPU revision"},       {"model", "model name"},
		{"hardware", "Hardware"},
	};
	char value[128];

	jsonw_open_object(json, "cpuinfo");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		platform_cpuinfo(fields[i].field, value, sizeof(value));
		jsonw_string(json, fields[i].key, value[0] != '\0' ? value : NULL);
	}
	jsonw_close_object(json);
}

/* A size that the timing did not settle is the word "unknown", never a guess. */
static void put_measured(struct jsonw *json, const char *key, unsigned int value)
{
	if (value == 0)
		jsonw_string(json, key, "unknown");
	else
		jsonw_unsigned(json, key, value);
}

static void put_cache(struct jsonw *json)
{
	struct cache_probe probe;

	probe_cache(&probe);
	jsonw_open_object(json, "dcache_by_timing");
	put_measured(json, "bytes", probe.bytes);
	put_measured(json, "line", probe.line);
	put_measured(json, "ways", probe.ways);
	jsonw_string(json, "allocation", probe.allocation);
	jsonw_open_array(json, "picoseconds_per_load");
	for (unsigned int i = 0; i < PROBE_SIZES; i++) {
		jsonw_open_object(json, NULL);
		jsonw_unsigned(json, "kib", 1U << (i + PROBE_FIRST_LOG2));
		jsonw_unsigned(json, "ps", probe.load_ps[i]);
		jsonw_close_object(json);
	}
	jsonw_close_array(json);
	jsonw_close_object(json);
}

static const char *dcache_class(const struct platform *platform)
{
	for (unsigned int i = 0; i < CLASS_COUNT; i++) {
		if (platform->class_bits == 1U << i)
			return class_name(i);
	}
	return "unknown";
}

/* Where the kernel's addresses begin, from where ours end: a stack is near the top. */
static const char *page_offset_guess(uint64_t stack)
{
	if (stack > UINT32_MAX)
		return NULL;
	return stack >= 0x80000000U   ? "0xc0000000"
	       : stack >= 0x40000000U ? "0x80000000"
	                              : "0x40000000";
}

static void put_page_offset(struct jsonw *json)
{
	int here = 0;
	const char *guess = page_offset_guess((uintptr_t)&here);

	if (guess)
		jsonw_string(json, "page_offset_guess", guess);
	else
		jsonw_null(json, "page_offset_guess");
}

void env_emit(FILE *out)
{
	static char text[LINE_MAX_BYTES];
	struct platform platform;
	struct jsonw json;

	platform_read(&platform);
	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_string(&json, "type", "env");
	jsonw_string(&json, "suite", "coherence");
	jsonw_string(&json, "version", COHORT_VERSION);
	put_uname(&json);
	put_file(&json, "cmdline", "/proc/cmdline");
	put_config_hash(&json);
	jsonw_string(&json, "cpu_line", platform.cpu_line[0] != '\0' ? platform.cpu_line : NULL);
	jsonw_string(&json, "dcache_class", dcache_class(&platform));
	put_cpuinfo(&json);
	jsonw_signed(&json, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	put_page_offset(&json);
	jsonw_string(&json, "colour_probe", probe_colour());
	put_cache(&json);
	jsonw_bool(&json, "frame_numbers_visible", page_frame(text) != 0);
	jsonw_bool(&json, "root", geteuid() == 0);
	jsonw_close_object(&json);
	if (jsonw_finish(&json) < 0)
		abort();
	(void)fprintf(out, "%s\n", text);
	(void)fflush(out);
}
