#include "afalg.h"

#include <errno.h>
#include <linux/if_alg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Bind a new socket to the first name that the kernel has. Returns it, or -1 with errno. */
static int bind_first(const char *type, const char *const names[], const char **name)
{
	int error = ENOENT;

	for (; *names != NULL; names++) {
		struct sockaddr_alg address = {.salg_family = AF_ALG};
		int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -1;
		(void)snprintf((char *)address.salg_type, sizeof(address.salg_type), "%s", type);
		(void)snprintf((char *)address.salg_name, sizeof(address.salg_name), "%s", *names);
		*name = *names;
		if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		error = errno;
		(void)close(fd);
		if (error != ENOENT && error != EINVAL)
			break;
	}
	errno = error;
	return -1;
}

/* One entry of /proc/crypto, as far as it has been read. */
struct algorithm {
	char name[64], driver[64];
};

/* The value behind the colon of a line of /proc/crypto. */
static const char *value_of(char *line)
{
	char *value = strchr(line, ':');

	line[strcspn(line, "\n")] = '\0';
	return value == NULL ? "" : value + 1 + strspn(value + 1, " ");
}

/* Who answers to name: the driver itself, or of those with that name the one of highest priority. */
static void find_driver(const char *name, char driver[64])
{
	FILE *list = fopen("/proc/crypto", "re");
	struct algorithm entry = {0};
	char line[160];
	long best = -1;

	driver[0] = '\0';
	while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
		const char *value = value_of(line);

		if (strncmp(line, "name ", 5) == 0)
			(void)snprintf(entry.name, sizeof(entry.name), "%.63s", value);
		else if (strncmp(line, "driver ", 7) == 0)
			(void)snprintf(entry.driver, sizeof(entry.driver), "%.63s", value);
		else if (strncmp(line, "priority ", 9) == 0 && strtol(value, NULL, 10) > best &&
		         (strcmp(entry.name, name) == 0 || strcmp(entry.driver, name) == 0)) {
			best = strtol(value, NULL, 10);
			memcpy(driver, entry.driver, sizeof(entry.driver));
		}
	}
	if (list != NULL)
		(void)fclose(list);
}

static int cannot(struct ctx *ctx, const char *type, const char *name)
{
	int error = errno;

	if (error == EAFNOSUPPORT || error == ENOENT)
		return ctx_skip(ctx, REASON_NOCONFIG, "AF_ALG: no %s %s", type, name);
	errno = error;
	return ctx_cannot(ctx, "AF_ALG");
}

int afalg_open(struct ctx *ctx, struct afalg *alg, const char *type, const char *const names[],
               const void *key, unsigned int key_bytes)
{
	const char *name = names[0];

	alg->type = bind_first(type, names, &name);
	if (alg->type < 0)
		return cannot(ctx, type, name);
	if (key != NULL && setsockopt(alg->type, SOL_ALG, ALG_SET_KEY, key, key_bytes) < 0)
		return ctx_error(ctx, "AF_ALG: the key for %s", name);
	alg->fd = accept4(alg->type, NULL, NULL, SOCK_CLOEXEC);
	if (alg->fd < 0)
		return ctx_cannot(ctx, "AF_ALG: accept");
	find_driver(name, alg->driver);
	return 0;
}

void afalg_close(struct afalg *alg)
{
	(void)close(alg->fd);
	(void)close(alg->type);
}

int afalg_put(const struct afalg *alg, bool encrypt, const uint8_t iv[AFALG_IV_BYTES], void *data,
              size_t bytes)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(uint32_t)) +
		          CMSG_SPACE(sizeof(struct af_alg_iv) + AFALG_IV_BYTES)];
	} control = {0};
	struct iovec vector = {.iov_base = data, .iov_len = bytes};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	uint32_t operation = encrypt ? ALG_OP_ENCRYPT : ALG_OP_DECRYPT;
	uint32_t iv_bytes = AFALG_IV_BYTES;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t done;

	header->cmsg_level = SOL_ALG;
	header->cmsg_type = ALG_SET_OP;
	header->cmsg_len = CMSG_LEN(sizeof(operation));
	memcpy(CMSG_DATA(header), &operation, sizeof(operation));
	header = CMSG_NXTHDR(&message, header);
	header->cmsg_level = SOL_ALG;
	header->cmsg_type = ALG_SET_IV;
	header->cmsg_len = CMSG_LEN(sizeof(struct af_alg_iv) + AFALG_IV_BYTES);
	memcpy(CMSG_DATA(header), &iv_bytes, sizeof(iv_bytes));
	memcpy(CMSG_DATA(header) + sizeof(iv_bytes), iv, AFALG_IV_BYTES);
	done = sendmsg(alg->fd, &message, 0);
	if (done >= 0 && (size_t)done != bytes)
		errno = EIO;
	return done >= 0 && (size_t)done == bytes ? 0 : -1;
}
