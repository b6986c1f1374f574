#include "agent/facts.h"

#include "agent/kmsg.h"
#include "common/cacheclass.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/utf8.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define NOTE_GNU_BUILD_ID 3
#define FILE_MAX          65536
#define TEXT_MAX          4096 /* of one fact: all of them must fit into a line of the journal */

#if defined(__arm__)
#define ARCH "armel"
#elif defined(__x86_64__)
#define ARCH "x86_64"
#else
#define ARCH "other"
#endif

/* The sizes of a note come from the kernel under test: every step is checked against what is left. */
bool facts_build_id(const void *notes, size_t len, char out[129])
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = notes;
	uint32_t head[3];

	while (len >= sizeof(head)) {
		size_t name, desc;

		(void)memcpy(head, p, sizeof(head));
		p += sizeof(head);
		len -= sizeof(head);
		if (head[0] > FILE_MAX || head[1] > FILE_MAX)
			return false;
		name = ((size_t)head[0] + 3) & ~(size_t)3;
		desc = ((size_t)head[1] + 3) & ~(size_t)3;
		if (name > len || head[1] > len - name)
			return false;
		if (head[2] == NOTE_GNU_BUILD_ID && head[0] == 4 && memcmp(p, "GNU", 4) == 0 &&
		    head[1] > 0 && head[1] <= 64) {
			for (size_t i = 0; i < head[1]; i++) {
				out[2 * i] = digits[p[name + i] >> 4];
				out[2 * i + 1] = digits[p[name + i] & 15];
			}
			out[2 * (size_t)head[1]] = '\0';
			return true;
		}
		if (desc > len - name)
			return false;
		p += name + desc;
		len -= name + desc;
	}
	return false;
}

/* A text from a file, its last newline cut off, as JSON; null when there is none. */
static json_t *clean_string(const char *text, size_t len)
{
	SCOPED_STR out = NULL;
	size_t used;

	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > TEXT_MAX)
		len = TEXT_MAX;
	out = malloc(3 * len + 1);
	if (!out)
		return json_null();
	(void)utf8_clean(text, len, out, 3 * len + 1, &used);
	return json_string(out);
}

static json_t *of_file(const char *path)
{
	size_t len = 0;
	SCOPED_STR text = fs_read_file(path, FILE_MAX, &len, NULL);

	return text ? clean_string(text, len) : json_null();
}

static json_t *cpu_field(const char *cpuinfo, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = cpuinfo; line; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0)
			continue;
		value = line + len + strspn(line + len, " \t");
		if (*value++ != ':')
			continue;
		value += strspn(value, " ");
		return clean_string(value, strcspn(value, "\n"));
	}
	return json_null();
}

json_t *facts_cpu(const char *cpuinfo)
{
	static const struct {
		const char *fact, *name;
	} rows[] = {
		{"implementer", "CPU implementer"},   {"part", "CPU part"},
		{"variant", "CPU variant"},           {"revision", "CPU revision"},
		{"architecture", "CPU architecture"}, {"hardware", "Hardware"},
	};
	json_t *cpu = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		(void)json_object_set_new(cpu, rows[i].fact, cpu_field(cpuinfo, rows[i].name));
	return cpu;
}

static json_t *read_cpu(void)
{
	size_t len = 0;
	SCOPED_STR text = fs_read_file("/proc/cpuinfo", 1 << 20, &len, NULL);

	return facts_cpu(text ? text : "");
}

static json_t *read_build_id(void)
{
	size_t len = 0;
	SCOPED_STR notes = fs_read_file("/sys/kernel/notes", FILE_MAX, &len, NULL);
	char hex[129];

	return notes && facts_build_id(notes, len, hex) ? json_string(hex) : json_null();
}

void facts_boot_id(char out[64])
{
	size_t len = 0;
	SCOPED_STR text = fs_read_file("/proc/sys/kernel/random/boot_id", 63, &len, NULL);

	(void)snprintf(out, 64, "%.*s", (int)(text ? strcspn(text, "\n") : 0), text ? text : "");
}

void facts_release(char out[65])
{
	struct utsname name;

	(void)uname(&name);
	(void)snprintf(out, 65, "%s", name.release);
}

static void add_cache(json_t *facts)
{
	SCOPED_STR line = kmsg_cache_line();
	enum cache_class class = line ? cache_class_of_boot_line(line, NULL) : CACHE_UNKNOWN;

	(void)json_object_set_new(facts, "cache_line",
	                          line ? clean_string(line, strlen(line)) : json_null());
	(void)json_object_set_new(facts, "cache", json_string(cache_class_name(class)));
}

json_t *facts_read(void)
{
	json_t *facts = json_object();
	struct utsname name;
	struct sysinfo info;
	char boot_id[64];

	(void)uname(&name);
	(void)sysinfo(&info);
	facts_boot_id(boot_id);
	(void)json_object_set_new(facts, "release",
	                          clean_string(name.release, strlen(name.release)));
	(void)json_object_set_new(facts, "version",
	                          clean_string(name.version, strlen(name.version)));
	(void)json_object_set_new(facts, "machine",
	                          clean_string(name.machine, strlen(name.machine)));
	(void)json_object_set_new(facts, "build_id", read_build_id());
	(void)json_object_set_new(facts, "boot_id", *boot_id ? json_string(boot_id) : json_null());
	(void)json_object_set_new(facts, "cmdline", of_file("/proc/cmdline"));
	add_cache(facts);
	(void)json_object_set_new(facts, "cpu", read_cpu());
	(void)json_object_set_new(facts, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	(void)json_object_set_new(
		facts, "memory_kib",
		json_integer((json_int_t)((uint64_t)info.totalram * info.mem_unit / 1024)));
	(void)json_object_set_new(facts, "page_size", json_integer(sysconf(_SC_PAGESIZE)));
	(void)json_object_set_new(facts, "uptime_us", json_integer(time_boot_us()));
	(void)json_object_set_new(facts, "agent", json_string(COHORT_VERSION));
	(void)json_object_set_new(facts, "arch", json_string(ARCH));
	return facts;
}
