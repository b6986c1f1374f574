#include "common/err.h"
#include "console.h"
#include "options.h"
#include "options_list.h"

#include <stdlib.h>
#include <string.h>

/* PORT:BOARD, two ports. */
static int parse_forward(const char *text, struct options *options, struct err *err)
{
	struct options_forward *forward = &options->forward[options->forwards];
	unsigned long host, guest = 0;
	char *end;

	if (options->forwards == OPTIONS_FORWARDS)
		return err_set(err, ERR_INVALID, "--forward: at most %u of them", OPTIONS_FORWARDS);
	host = strtoul(text, &end, 10);
	if (end != text && *end == ':') {
		text = end + 1;
		guest = strtoul(text, &end, 10);
	}
	if (end == text || *end || host - 1 >= UINT16_MAX || guest - 1 >= UINT16_MAX)
		return err_set(err, ERR_INVALID, "--forward: two ports are needed, as in 2222:22");
	forward->host = (uint16_t)host;
	forward->guest = (uint16_t)guest;
	options->forwards++;
	return 0;
}

/* smc91c111 or virtio. */
static int parse_nic(const char *text, struct options *options, struct err *err)
{
	if (strcmp(text, "virtio") != 0 && strcmp(text, "smc91c111") != 0)
		return err_set(err, ERR_INVALID, "--nic %s: smc91c111 or virtio is needed", text);
	options->nic = text[0] == 'v' ? BOARD_VIRTIO_NET : BOARD_SMC91C111;
	options->nic_given = true;
	return 0;
}

/* FILE, FILE,ro or FILE,private; a comma elsewhere is part of the name. */
static int parse_disk(const char *name, const char *text, struct options_disk *disk,
                      struct err *err)
{
	const char *comma = strrchr(text, ',');
	size_t len = strlen(text);

	disk->mode = DISK_WRITE;
	if (comma && strcmp(comma, ",ro") == 0)
		disk->mode = DISK_READ_ONLY;
	else if (comma && strcmp(comma, ",private") == 0)
		disk->mode = DISK_PRIVATE;
	if (disk->mode != DISK_WRITE)
		len = (size_t)(comma - text);
	if (len == 0 || len >= sizeof(disk->path))
		return err_set(err, ERR_INVALID, "--%s: a file name of 1 to %zu bytes is needed",
		               name, sizeof(disk->path) - 1);
	memcpy(disk->path, text, len);
	disk->path[len] = '\0';
	return 0;
}

static int parse_drive(const char *text, struct options *options, struct err *err)
{
	if (options->drives == BOARD_DRIVES)
		return err_set(err, ERR_INVALID, "--drive: at most %u of them", BOARD_DRIVES);
	return parse_disk("drive", text, &options->drive[options->drives++], err);
}

/* A number of instructions, or else a text. */
static int parse_snapshot_at(const char *text, struct options *options, struct err *err)
{
	if (text[0] >= '0' && text[0] <= '9')
		return options_number("snapshot-at", text, 1, UINT64_MAX, &options->snapshot_at,
		                      err);
	if (!text[0] || strlen(text) >= CONSOLE_WATCH)
		return err_set(err, ERR_INVALID, "--snapshot-at: a text of 1 to %u bytes is needed",
		               CONSOLE_WATCH - 1);
	options->snapshot_text = text;
	return 0;
}

static int parse_exit_on(const char *text, struct options *options, struct err *err)
{
	const char *all = text;

	options->exit_on_reset = false;
	options->exit_on_halt = false;
	while (*text) {
		size_t len = strcspn(text, ",");

		if (len == 6 && strncmp(text, "reboot", len) == 0)
			options->exit_on_reset = true;
		else if (len == 8 && strncmp(text, "snapshot", len) == 0)
			options->exit_on_snapshot = true;
		else if (len == 9 && strncmp(text, "power-off", len) == 0)
			options->exit_on_halt = true;
		else
			return err_set(
				err, ERR_INVALID,
				"--exit-on %s: some of reboot, power-off and snapshot are needed",
				all);
		text += len + (text[len] == ',');
	}
	return 0;
}

int options_outside(struct options *options, int opt, const char *arg, struct err *err)
{
	switch (opt) {
	case OPT_FORWARD:
		return parse_forward(arg, options, err);
	case OPT_NIC:
		return parse_nic(arg, options, err);
	case OPT_DRIVE:
		return parse_drive(arg, options, err);
	case OPT_SDCARD:
		return parse_disk("sdcard", arg, &options->sdcard, err);
	case OPT_MAX_SECONDS:
		return options_number("max-seconds", arg, 1, UINT32_MAX, &options->max_seconds,
		                      err);
	case OPT_SNAPSHOT_AT:
		return parse_snapshot_at(arg, options, err);
	default:
		return parse_exit_on(arg, options, err);
	}
}
