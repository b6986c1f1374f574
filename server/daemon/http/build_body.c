#include "server/daemon/http/build_body.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <string.h>

static const struct jx_field build_fields[] = {
	{"name", JX_STRING, true, 1, 64, offsetof(struct build_new, name)},
	{"release", JX_STRING, false, 1, 128, offsetof(struct build_new, release)},
	{"build_id", JX_STRING, false, 1, 128, offsetof(struct build_new, build_id)},
	{"arch", JX_STRING, false, 1, 64, offsetof(struct build_new, arch)},
	{"description", JX_STRING, false, 0, 4096, offsetof(struct build_new, description)},
	{"cmdline", JX_STRING, false, 0, 2048, offsetof(struct build_new, cmdline)},
	{"config_sha256", JX_STRING, false, 1, 64, offsetof(struct build_new, config_sha256)},
	{"compiler", JX_STRING, false, 1, 256, offsetof(struct build_new, compiler)},
	{"series", JX_STRING, false, 1, 256, offsetof(struct build_new, series)},
	{"revision", JX_STRING, false, 1, 256, offsetof(struct build_new, revision)},
	{"files", JX_OBJECT, false, 0, 4, offsetof(struct build_new, files)},
};

static void files_validate(json_t *files, struct jx_errors *errors)
{
	const char *role;
	json_t *sha256;

	json_object_foreach(files, role, sha256)
	{
		SCOPED_STR pointer = xasprintf("/files/%.64s", role);

		if (strcmp(role, "kernel") != 0 && strcmp(role, "dtb") != 0 &&
		    strcmp(role, "initramfs") != 0 && strcmp(role, "modules") != 0)
			jx_complain(errors, pointer,
			            "must be one of: kernel dtb initramfs modules");
		else if (!json_is_string(sha256) || !sha256_valid(json_string_value(sha256)))
			jx_complain(errors, pointer,
			            "must be a SHA-256 of 64 lower-case hex digits");
	}
}

/* These become arguments and environment of boot commands. */
static void plain_validate(const char *text, const char *pointer, struct jx_errors *errors)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			jx_complain(errors, pointer, "must not hold control characters");
			return;
		}
}

static bool hex_valid(const char *text)
{
	size_t len = strlen(text);

	return len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

static void build_validate(const struct build_new *b, struct jx_errors *errors)
{
	if (b->name && !jx_name_valid(b->name))
		jx_complain(errors, "/name", "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	if (!jx_name_valid(b->arch))
		jx_complain(errors, "/arch", "must be a name, as arm");
	if (b->build_id && !hex_valid(b->build_id))
		jx_complain(errors, "/build_id", "must be lower-case hex digits");
	if (b->config_sha256 && !sha256_valid(b->config_sha256))
		jx_complain(errors, "/config_sha256",
		            "must be a SHA-256 of 64 lower-case hex digits");
	plain_validate(b->cmdline, "/cmdline", errors);
	plain_validate(b->release, "/release", errors);
	files_validate(b->files, errors);
}

void build_body_read(json_t *doc, struct build_new *build, struct jx_errors *errors)
{
	*build = (struct build_new){.arch = "arm", .description = "", .cmdline = ""};
	(void)jx_read(doc, build_fields, sizeof(build_fields) / sizeof(build_fields[0]), build, "",
	              errors);
	build_validate(build, errors);
}
