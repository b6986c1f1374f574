#include "dmdev.h"

#include "ctx.h"
#include "ledger.h"
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES   4096U
#define REMOVE_ATTEMPTS 200U
#define REMOVE_PAUSE_NS 10000000L

/* A request and room for what follows it. */
union message {
	struct dm_ioctl head;
	char bytes[MESSAGE_BYTES];
};

static int open_control(void)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	dev_t device;

	if (fd >= 0)
		return fd;
	if (node_misc("device-mapper", &device) < 0)
		return -1;
	return node_open(S_IFCHR, device, O_RDWR);
}

static void message_init(union message *message, const char *name)
{
	memset(message, 0, sizeof(*message));
	message->head.version[0] = 4;
	message->head.data_size = sizeof(*message);
	message->head.data_start = sizeof(message->head);
	(void)snprintf(message->head.name, sizeof(message->head.name), "%s", name);
}

static int load_table(int control, const char *name, const char *target, const char *parameters,
                      uint64_t sectors)
{
	union message message;
	struct dm_target_spec spec = {.length = sectors};
	char *after = message.bytes + sizeof(message.head) + sizeof(spec);
	size_t room = sizeof(message) - sizeof(message.head) - sizeof(spec);

	message_init(&message, name);
	message.head.target_count = 1;
	(void)snprintf(spec.target_type, sizeof(spec.target_type), "%s", target);
	memcpy(message.bytes + sizeof(message.head), &spec, sizeof(spec));
	if ((size_t)snprintf(after, room, "%s", parameters) >= room) {
		errno = E2BIG;
		return -1;
	}
	return ioctl(control, DM_TABLE_LOAD, &message);
}

static int create(int control, const char *name, const char *target, const char *parameters,
                  uint64_t sectors, dev_t *device)
{
	union message message;

	message_init(&message, name);
	if (ioctl(control, DM_DEV_CREATE, &message) < 0)
		return -1;
	*device = (dev_t)message.head.dev;
	if (load_table(control, name, target, parameters, sectors) < 0) {
		int error = errno;

		(void)dm_remove(name);
		errno = error;
		return -1;
	}
	message_init(&message, name);
	return ioctl(control, DM_DEV_SUSPEND, &message); /* no flag: resume */
}

int dm_create(struct ctx *ctx, const char *name, const char *target, const char *parameters,
              uint64_t sectors, dev_t *device)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_MAP);
	int control;
	int result;
	int error;

	if (entry == NULL) {
		errno = ENOSPC;
		return -1;
	}
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	control = open_control();
	result = control < 0 ? -1 : create(control, name, target, parameters, sectors, device);
	error = errno;
	if (control >= 0)
		(void)close(control);
	if (result < 0)
		entry->kind = LEDGER_FREE;
	errno = error;
	return result;
}

int dm_remove(const char *name)
{
	struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};
	int control = open_control();
	int result = -1;

	if (control < 0)
		return errno == ENODEV ? 0 : -1;
	for (unsigned int i = 0; i < REMOVE_ATTEMPTS && result < 0; i++) {
		union message message;

		message_init(&message, name);
		result = ioctl(control, DM_DEV_REMOVE, &message);
		if (result < 0 && errno == ENXIO)
			result = 0; /* no such map */
		else if (result < 0 && errno == EBUSY)
			(void)nanosleep(&pause, NULL);
		else if (result < 0)
			break;
	}
	(void)close(control);
	return result;
}

/* Copy the name of the list entry at offset, checked against the size of the message.
 * Returns the offset of the next entry, or 0 at the end. */
static size_t list_entry(const union message *message, size_t offset, char name[DM_NAME_LEN])
{
	size_t fixed = offsetof(struct dm_name_list, name);
	struct dm_name_list entry;
	size_t length = 0;

	if (offset + sizeof(entry) > sizeof(*message))
		return 0;
	memcpy(&entry, message->bytes + offset, fixed);
	while (length + 1 < DM_NAME_LEN && offset + fixed + length < sizeof(*message) &&
	       message->bytes[offset + fixed + length] != '\0') {
		name[length] = message->bytes[offset + fixed + length];
		length++;
	}
	name[length] = '\0';
	return entry.next == 0 ? 0 : offset + entry.next;
}

unsigned int dm_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	union message message;
	int control = open_control();
	unsigned int removed = 0;
	int result;

	if (control < 0)
		return 0;
	message_init(&message, "");
	result = ioctl(control, DM_LIST_DEVICES, &message);
	(void)close(control);
	if (result < 0)
		return 0;
	for (size_t offset = message.head.data_start; offset != 0;) {
		char name[DM_NAME_LEN] = "";

		offset = list_entry(&message, offset, name);
		if (name[0] != '\0' && wanted(name, context) && dm_remove(name) == 0)
			removed++;
	}
	return removed;
}
