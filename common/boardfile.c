#include "common/boardfile.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FILE_CAP  65536
#define ARGV_MAX  64
#define TREES_MAX 64

/* What a test program may use, and what compilers and a linker do. */
#define MEMORY_MIB         64
#define MEMORY_BUILDER_MIB 4096

static const char *const kind_names[] = {
	[BOARD_PHYSICAL] = "physical", [BOARD_QEMU] = "qemu",       [BOARD_EMULATED] = "emulated",
	[BOARD_HOST] = "host",         [BOARD_BUILDER] = "builder", NULL,
};
static const char *const boot_names[] = {
	[BOARD_BOOT_NONE] = "none",
	[BOARD_BOOT_COMMAND] = "command",
	NULL,
};
static const char *const power_names[] = {
	[POWER_ON] = "on",
	[POWER_OFF] = "off",
	[POWER_CYCLE] = "cycle",
	[POWER_STATUS] = "status",
	NULL,
};
static const char *const arch_names[] = {"armel", "x86-64", NULL};

const char *board_kind_name(enum board_kind kind)
{
	return kind_names[kind];
}

const char *board_file_tree(const struct board_file *board, const char *name)
{
	return json_string_value(json_object_get(board->trees, name));
}

const char *board_power_name(enum board_power verb)
{
	return power_names[verb];
}

/* Words of the document that become enumerations. */
struct raw {
	const char *kind, *cache;
};

/* The index of word in the list, or -1 with a complaint that tells the choices. NULL: there is a complaint already. */
static int choose(const char *word, const char *const list[], const char *pointer,
                  struct jx_errors *errors)
{
	char choices[128] = "";

	if (!word)
		return -1;
	for (int i = 0; list[i]; i++) {
		size_t used = strlen(choices);

		if (strcmp(list[i], word) == 0)
			return i;
		(void)snprintf(choices + used, sizeof(choices) - used, " %s", list[i]);
	}
	jx_complain(errors, pointer, "must be one of:%s", choices);
	return -1;
}

static char *path_resolve(const struct board_file *b, const char *path)
{
	return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", b->dir, path);
}

/* A string that will be an argument or a path of a system call. */
static bool plain_text(const char *text, const char *pointer, struct jx_errors *errors)
{
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p >= 0x20 && *p != 0x7f)
			continue;
		jx_complain(errors, pointer, "must not hold control characters");
		return false;
	}
	return true;
}

static board_argv argv_read(const struct board_file *b, json_t *array, const char *pointer,
                            struct jx_errors *errors)
{
	size_t count = json_array_size(array);
	board_argv argv;

	if (!array)
		return NULL;
	if (!jx_strings(array, 4096, pointer, errors))
		return NULL;
	argv = xcalloc(count + 1, sizeof(*argv));
	for (size_t i = 0; i < count; i++) {
		const char *word = json_string_value(json_array_get(array, i));

		argv[i] = i == 0 && strchr(word, '/') ? path_resolve(b, word) : xstrdup(word);
	}
	return argv;
}

static void argv_free(board_argv argv)
{
	for (board_argv p = argv; p && *p; p++)
		free(*p);
	free(argv);
}

#define FIELDS(list) list, sizeof(list) / sizeof(*(list))

static void ssh_read(struct board_file *b, json_t *object, struct jx_errors *errors)
{
	struct raw_ssh {
		const char *host, *user, *key, *host_key, *host_key_file;
		int64_t port;
	} raw = {.user = "root", .port = 22};
	static const struct jx_field fields[] = {
		{"host", JX_STRING, true, 1, 253, offsetof(struct raw_ssh, host)},
		{"port", JX_INT, false, 1, 65535, offsetof(struct raw_ssh, port)},
		{"user", JX_STRING, false, 1, 64, offsetof(struct raw_ssh, user)},
		{"key", JX_STRING, true, 1, 4000, offsetof(struct raw_ssh, key)},
		{"host_key", JX_STRING, false, 1, 1000, offsetof(struct raw_ssh, host_key)},
		{"host_key_file", JX_STRING, false, 1, 4000,
	         offsetof(struct raw_ssh, host_key_file)},
	};
	struct host_key parsed;
	struct err err;

	if (!jx_read(object, FIELDS(fields), &raw, "/ssh", errors))
		return;
	if (!raw.host_key == !raw.host_key_file)
		jx_complain(errors, "/ssh", "needs host_key or host_key_file, and not both");
	if (raw.host_key && host_key_parse(raw.host_key, &parsed, &err) < 0)
		jx_complain(errors, "/ssh/host_key", "%s", err.text);
	(void)plain_text(raw.host, "/ssh/host", errors);
	(void)plain_text(raw.user, "/ssh/user", errors);
	b->ssh.host = raw.host;
	b->ssh.user = raw.user;
	b->ssh.port = raw.port;
	b->ssh.key = path_resolve(b, raw.key);
	b->ssh.host_key = raw.host_key;
	if (raw.host_key_file)
		b->ssh.host_key_file = path_resolve(b, raw.host_key_file);
}

static void boot_read(struct board_file *b, json_t *object, struct jx_errors *errors)
{
	struct raw_boot {
		const char *method;
		json_t *command;
		int64_t limit;
	} raw = {.limit = 180};
	static const struct jx_field fields[] = {
		{"method", JX_STRING, true, 1, 32, offsetof(struct raw_boot, method)},
		{"command", JX_ARRAY, false, 1, ARGV_MAX, offsetof(struct raw_boot, command)},
		{"time_limit_s", JX_INT, false, 1, 3600, offsetof(struct raw_boot, limit)},
	};
	int method;

	(void)jx_read(object, FIELDS(fields), &raw, "/boot", errors);
	method = choose(raw.method, boot_names, "/boot/method", errors);
	if (method == BOARD_BOOT_COMMAND && !json_object_get(object, "command"))
		jx_complain(errors, "/boot/command", "is required for the method command");
	if (method == BOARD_BOOT_NONE && raw.command)
		jx_complain(errors, "/boot/command", "does not go with the method none");
	b->boot.method = method < 0 ? BOARD_BOOT_NONE : (enum board_boot)method;
	b->boot.command = argv_read(b, raw.command, "/boot/command", errors);
	b->boot.time_limit_s = raw.limit;
}

static void power_read(struct board_file *b, json_t *object, struct jx_errors *errors)
{
	struct raw_power {
		json_t *verb[POWER_COUNT];
		bool off_at_quit;
	} raw = {0};
	static const struct jx_field fields[] = {
		{"on", JX_ARRAY, false, 1, ARGV_MAX, offsetof(struct raw_power, verb[POWER_ON])},
		{"off", JX_ARRAY, false, 1, ARGV_MAX, offsetof(struct raw_power, verb[POWER_OFF])},
		{"cycle", JX_ARRAY, false, 1, ARGV_MAX,
	         offsetof(struct raw_power, verb[POWER_CYCLE])},
		{"status", JX_ARRAY, false, 1, ARGV_MAX,
	         offsetof(struct raw_power, verb[POWER_STATUS])},
		{"off_at_quit", JX_BOOL, false, 0, 0, offsetof(struct raw_power, off_at_quit)},
	};

	if (!jx_read(object, FIELDS(fields), &raw, "/power", errors))
		return;
	for (unsigned i = 0; i < POWER_COUNT; i++) {
		SCOPED_STR at = xasprintf("/power/%s", power_names[i]);

		b->power.command[i] = argv_read(b, raw.verb[i], at, errors);
	}
	b->power.off_at_quit = raw.off_at_quit;
	if (raw.off_at_quit && !raw.verb[POWER_OFF])
		jx_complain(errors, "/power/off_at_quit", "needs the command off");
}

/* "host:port", "[2001:db8::1]:port". */
static void console_tcp(struct board_file *b, const char *text, struct jx_errors *errors)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	char *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		len = 0;
	}
	if (len == 0 || port < 1 || port > 65535 || !end || *end) {
		jx_complain(errors, "/console/tcp", "must be HOST:PORT or [ADDRESS]:PORT");
		return;
	}
	b->console.host = xstrndup(host, len);
	b->console.port = xasprintf("%ld", port);
}

static void console_read(struct board_file *b, json_t *object, struct jx_errors *errors)
{
	struct raw_console {
		const char *path, *tcp;
		json_t *command;
	} raw = {0};
	static const struct jx_field fields[] = {
		/* sun_path has 108 bytes with its NUL; the directory comes on top */
		{"unix", JX_STRING, false, 1, 4000, offsetof(struct raw_console, path)},
		{"tcp", JX_STRING, false, 1, 300, offsetof(struct raw_console, tcp)},
		{"command", JX_ARRAY, false, 1, ARGV_MAX, offsetof(struct raw_console, command)},
	};

	if (!jx_read(object, FIELDS(fields), &raw, "/console", errors))
		return;
	if ((raw.path != NULL) + (raw.tcp != NULL) + (raw.command != NULL) > 1)
		jx_complain(errors, "/console", "has more than one of unix, tcp, command");
	if (raw.path) {
		b->console.type = BOARD_CONSOLE_UNIX;
		b->console.path = path_resolve(b, raw.path);
		if (strlen(b->console.path) > 107)
			jx_complain(errors, "/console/unix",
			            "is longer than 107 bytes: no socket can have that path");
	} else if (raw.tcp) {
		b->console.type = BOARD_CONSOLE_TCP;
		console_tcp(b, raw.tcp, errors);
	} else if (raw.command) {
		b->console.type = BOARD_CONSOLE_COMMAND;
		b->console.command = argv_read(b, raw.command, "/console/command", errors);
	}
}

static void check_names(struct board_file *b, const struct raw *raw, struct jx_errors *errors)
{
	int kind = choose(raw->kind, kind_names, "/kind", errors);
	json_t *tag;
	size_t i;

	if (b->name && !jx_name_valid(b->name))
		jx_complain(errors, "/name", "must be letters, digits and ._+- (at most 64)");
	json_array_foreach(b->tags, i, tag)
	{
		SCOPED_STR at = xasprintf("/tags/%zu", i);

		if (!json_is_string(tag) || !jx_name_valid(json_string_value(tag)))
			jx_complain(errors, at, "must be letters, digits and ._+- (at most 64)");
	}
	b->kind = kind < 0 ? BOARD_HOST : (enum board_kind)kind;
	b->cache = raw->cache ? cache_class_parse(raw->cache) : CACHE_UNKNOWN;
	if (raw->cache && b->cache == CACHE_UNKNOWN)
		jx_complain(errors, "/cache",
		            "must be one of: vivt vipt-aliasing vipt-nonaliasing pipt none");
	(void)choose(b->arch, arch_names, "/arch", errors);
	/* The agent's commands are put together for a remote shell: nothing there may need quoting. */
	if (b->root[0] != '/' ||
	    strspn(b->root, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                    "0123456789._+-/") != strlen(b->root))
		jx_complain(errors, "/root",
		            "must be an absolute path of letters, digits and ._+-/");
	if (b->device && b->device[0] != '/')
		jx_complain(errors, "/device", "must be an absolute path");
}

/* A builder runs no kernel of ours, so it has no class and nothing boots it; nobody else builds. */
static void check_builder(struct board_file *b, struct jx_errors *errors)
{
	const char *name;
	json_t *path;

	if (b->kind != BOARD_BUILDER) {
		if (b->trees)
			jx_complain(errors, "/trees", "goes with the kind builder only");
		if (b->make_jobs)
			jx_complain(errors, "/make_jobs", "goes with the kind builder only");
		return;
	}
	if (b->cache != CACHE_NONE && b->cache != CACHE_UNKNOWN)
		jx_complain(errors, "/cache", "must be none for a builder");
	if (b->boot.method != BOARD_BOOT_NONE)
		jx_complain(errors, "/boot/method", "must be none for a builder");
	if (!b->trees)
		jx_complain(errors, "/trees", "is required for a builder");
	json_object_foreach(b->trees, name, path)
	{
		SCOPED_STR at = xasprintf("/trees/%s", name);

		if (!jx_name_valid(name))
			jx_complain(errors, at,
			            "name must be letters, digits and ._+- (at most 64)");
		if (!json_is_string(path) || json_string_value(path)[0] != '/' ||
		    json_string_length(path) > 1000)
			jx_complain(errors, at, "must be an absolute path");
		else
			(void)plain_text(json_string_value(path), at, errors);
	}
}

static void board_read(struct board_file *b, struct jx_errors *errors)
{
	struct top {
		const char *name, *description, *notes, *arch, *root, *disabled, *kind, *cache;
		const char *device;
		json_t *tags, *ssh, *boot, *power, *console, *trees;
		int64_t memory, make_jobs, bench_ms;
	} top = {.description = "", .notes = "", .root = "/var/lib/cohort"};
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct top, name)},
		{"kind", JX_STRING, true, 1, 32, offsetof(struct top, kind)},
		{"cache", JX_STRING, true, 1, 32, offsetof(struct top, cache)},
		{"arch", JX_STRING, true, 1, 32, offsetof(struct top, arch)},
		{"tags", JX_ARRAY, false, 0, 32, offsetof(struct top, tags)},
		{"description", JX_STRING, false, 0, 1000, offsetof(struct top, description)},
		{"notes", JX_STRING, false, 0, 4000, offsetof(struct top, notes)},
		{"ssh", JX_OBJECT, true, 0, 0, offsetof(struct top, ssh)},
		{"root", JX_STRING, false, 1, 200, offsetof(struct top, root)},
		{"memory_mib", JX_INT, false, 16, 65536, offsetof(struct top, memory)},
		{"device", JX_STRING, false, 1, 200, offsetof(struct top, device)},
		{"trees", JX_OBJECT, false, 1, TREES_MAX, offsetof(struct top, trees)},
		{"make_jobs", JX_INT, false, 1, 1024, offsetof(struct top, make_jobs)},
		{"bench_ms", JX_INT, false, 1, 60000, offsetof(struct top, bench_ms)},
		{"boot", JX_OBJECT, true, 0, 0, offsetof(struct top, boot)},
		{"power", JX_OBJECT, false, 0, 0, offsetof(struct top, power)},
		{"console", JX_OBJECT, false, 0, 0, offsetof(struct top, console)},
		{"disabled", JX_STRING, false, 1, 1000, offsetof(struct top, disabled)},
	};
	struct raw raw;

	/* Members whose field is wrong or absent keep their preset: all other fields are still checked. */
	(void)jx_read(b->doc, FIELDS(fields), &top, "", errors);
	raw = (struct raw){.kind = top.kind, .cache = top.cache};
	b->name = top.name;
	b->description = top.description;
	b->notes = top.notes;
	b->arch = top.arch;
	b->root = top.root;
	b->disabled = top.disabled;
	b->device = top.device;
	b->tags = top.tags;
	b->trees = top.trees;
	b->make_jobs = top.make_jobs;
	b->bench_ms = top.bench_ms;
	check_names(b, &raw, errors);
	b->memory_mib = top.memory                 ? top.memory
	                : b->kind == BOARD_BUILDER ? MEMORY_BUILDER_MIB
	                                           : MEMORY_MIB;
	if (top.ssh)
		ssh_read(b, top.ssh, errors);
	if (top.boot)
		boot_read(b, top.boot, errors);
	if (top.power)
		power_read(b, top.power, errors);
	if (top.console)
		console_read(b, top.console, errors);
	check_builder(b, errors);
}

struct board_file *board_file_parse(json_t *doc, const char *dir, struct jx_errors *errors)
{
	struct board_file *b = xcalloc(1, sizeof(*b));
	char *real = realpath(dir, NULL);

	b->doc = json_incref(doc);
	b->dir = real ? real : xstrdup(dir);
	board_read(b, errors);
	if (jx_ok(errors))
		return b;
	board_file_free(b);
	return NULL;
}

struct board_file *board_file_load(const char *path, struct err *err)
{
	SCOPED_JSON doc = jx_load(path, FILE_CAP, err);
	const char *slash = strrchr(path, '/');
	SCOPED_STR dir = slash == path ? xstrdup("/")
	                 : slash       ? xstrndup(path, (size_t)(slash - path))
	                               : xstrdup(".");
	struct jx_errors errors = {0};
	struct board_file *b;

	if (!doc)
		return NULL;
	b = board_file_parse(doc, dir, &errors);
	if (!b) {
		(void)jx_errors_to_err(&errors, err);
		(void)err_context(err, "%s", path);
	}
	jx_errors_release(&errors);
	return b;
}

void board_file_free(struct board_file *b)
{
	if (!b)
		return;
	free(b->ssh.key);
	free(b->ssh.host_key_file);
	argv_free(b->boot.command);
	for (unsigned i = 0; i < POWER_COUNT; i++)
		argv_free(b->power.command[i]);
	free(b->console.path);
	free(b->console.host);
	free(b->console.port);
	argv_free(b->console.command);
	free(b->dir);
	json_decref(b->doc);
	free(b);
}

void host_key_fingerprint(const void *blob, size_t len, char out[7 + 44])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(hash, blob, len);
	(void)snprintf(out, 7 + 44, "SHA256:");
	(void)sodium_bin2base64(out + 7, 44, hash, sizeof(hash),
	                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* The blob starts with its own type as a counted string: a line that was cut or mixed up shows here. */
static bool blob_is_of_type(const struct host_key *key)
{
	size_t len = strlen(key->type);

	return key->len > len + 4 && key->blob[0] == 0 && key->blob[1] == 0 && key->blob[2] == 0 &&
	       key->blob[3] == len && memcmp(key->blob + 4, key->type, len) == 0;
}

int host_key_parse(const char *line, struct host_key *key, struct err *err)
{
	static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256",
	                                    "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
	size_t len = strcspn(line, " \t\r\n");
	size_t i = 0, text;

	*key = (struct host_key){0};
	while (i < 4 && (strlen(types[i]) != len || memcmp(types[i], line, len) != 0))
		i++;
	if (i == 4)
		return err_set(err, ERR_INVALID,
		               "a host key starts with ssh-ed25519 (or ecdsa-sha2-nistp…), as in "
		               "/etc/ssh/ssh_host_ed25519_key.pub");
	(void)snprintf(key->type, sizeof(key->type), "%s", types[i]);
	line += len;
	line += strspn(line, " \t");
	text = strcspn(line, " \t\r\n");
	if (sodium_base642bin(key->blob, sizeof(key->blob), line, text, NULL, &key->len, NULL,
	                      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    !blob_is_of_type(key))
		return err_set(err, ERR_INVALID, "host key: no valid base64 of a %s key",
		               key->type);
	host_key_fingerprint(key->blob, key->len, key->fingerprint);
	return 0;
}
