/* init_devices.c - PID 1 of the initramfs that tests the emulator's disks. Its arguments, in order:
 * raw:DEV    the device's first MiB must hold pattern 1, read past the page cache; pattern 2 is written to its
 *            second MiB so, and must be what the page cache then says
 * hot:DEV    the same MiB, a page at a time through the page cache, each read into a page that the kernel itself has
 *            just written to and freed: its dirty lines must not outlive the transfer
 * fs:DEV     DEV is mounted; its file "given" must hold pattern 3, and "made" is written with pattern 4 and read
 *            again past the page cache
 * ready      prints a line and goes on: a place for a snapshot
 * busy       changes memory and counts for a while
 * echo:PORT  waits for a TCP connection there, and sends back what comes on it until its end
 * type       prints a line, waits for one that is typed, and prints that
 * wait       for ever
 * Each prints "init: NAME: ok" or how many words are wrong; then the board reboots. Built for ARM, statically. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB   (1024 * 1024)
#define WORDS (MIB / 4)

static uint32_t word(uint32_t pattern, uint32_t index)
{
	uint32_t value = (index + 1) * 2654435761u ^ pattern * 0x9e3779b9u;

	return value ^ value >> 15;
}

static void fill(uint32_t *words, uint32_t pattern)
{
	for (uint32_t n = 0; n < WORDS; n++)
		words[n] = word(pattern, n);
}

static void report(const char *what, const char *step, const uint32_t *words, uint32_t pattern)
{
	unsigned bad = 0;

	for (uint32_t n = 0; n < WORDS; n++)
		bad += words[n] != word(pattern, n);
	if (bad)
		printf("init: %s: %s: %u words of %u are wrong\n", what, step, bad, WORDS);
	else
		printf("init: %s: %s: ok\n", what, step);
}

static void move(const char *what, const char *step, int fd, uint32_t *words, off_t at, int out)
{
	size_t done = 0;

	while (done < MIB) {
		ssize_t n = out ? pwrite(fd, (char *)words + done, MIB - done, at + (off_t)done)
		                : pread(fd, (char *)words + done, MIB - done, at + (off_t)done);

		if (n <= 0) {
			printf("init: %s: %s: %s\n", what, step, n ? strerror(errno) : "short");
			return;
		}
		done += (size_t)n;
	}
}

static int open_it(const char *what, const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		printf("init: %s: %s: %s\n", what, path, strerror(errno));
	return fd;
}

static void raw(const char *what, const char *device, uint32_t *words)
{
	int fd = open_it(what, device, O_RDWR | O_DIRECT);

	if (fd < 0)
		return;
	fill(words, 9); /* dirty lines under the bytes that come */
	move(what, "read", fd, words, 0, 0);
	report(what, "read", words, 1);
	fill(words, 2);
	move(what, "write", fd, words, MIB, 1);
	close(fd);
	fd = open_it(what, device, O_RDONLY);
	fill(words, 9);
	move(what, "read again", fd, words, MIB, 0);
	report(what, "read again", words, 2);
	close(fd);
}

/* Leave a freed page whose lines are dirty under the kernel's address of it. Only a read makes lines in a cache
 * that does not allocate on writes, and the pipe uses its page again. */
static void free_dirty_page(void)
{
	static char page[4096];
	int ends[2];

	memset(page, 0x5a, sizeof(page));
	if (pipe(ends) < 0 || write(ends[1], page, sizeof(page)) != sizeof(page) ||
	    read(ends[0], page, sizeof(page)) != sizeof(page) ||
	    write(ends[1], page, sizeof(page)) != sizeof(page))
		printf("init: pipe: %s\n", strerror(errno));
	close(ends[0]);
	close(ends[1]);
}

static void hot(const char *what, const char *device, uint32_t *words)
{
	int fd = open_it(what, device, O_RDONLY);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (off_t at = 0; at < MIB; at += 4096) {
		free_dirty_page();
		if (pread(fd, (char *)words + at, 4096, at) != 4096)
			printf("init: %s: %s\n", what, strerror(errno));
	}
	report(what, "read", words, 1);
	close(fd);
}

static void fs(const char *what, const char *device, uint32_t *words)
{
	int fd;

	mkdir("/mnt", 0755);
	if (mount(device, "/mnt", "ext2", 0, NULL) < 0) {
		printf("init: %s: mount: %s\n", what, strerror(errno));
		return;
	}
	fd = open_it(what, "/mnt/given", O_RDONLY);
	move(what, "given", fd, words, 0, 0);
	report(what, "given", words, 3);
	close(fd);
	fd = open_it(what, "/mnt/made", O_RDWR | O_CREAT);
	fill(words, 4);
	move(what, "made", fd, words, 0, 1);
	fsync(fd);
	close(fd);
	fd = open_it(what, "/mnt/made", O_RDONLY | O_DIRECT);
	fill(words, 9);
	move(what, "made", fd, words, 0, 0);
	report(what, "made", words, 4);
	close(fd);
	umount("/mnt");
}

static void busy(uint32_t *words)
{
	uint32_t sum = 0;

	for (unsigned round = 0; round < 8; round++) {
		fill(words, round);
		for (uint32_t n = 0; n < WORDS; n++)
			sum = sum * 31 + words[n];
		printf("init: round %u: %08x\n", round, sum);
	}
}

static void type(void)
{
	char line[128] = "";

	printf("init: type\n");
	if (!fgets(line, sizeof(line), stdin))
		printf("init: type: nothing came\n");
	printf("init: typed %s", line);
}

static void echo(const char *what, unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	static char bytes[8192];
	int fd = socket(AF_INET, SOCK_STREAM, 0), client;
	ssize_t n;

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		printf("init: %s: %s\n", what, strerror(errno));
	printf("init: %s: listens\n", what);
	client = accept(fd, NULL, NULL);
	while ((n = read(client, bytes, sizeof(bytes))) > 0) {
		for (ssize_t done = 0; done < n;) {
			ssize_t part = write(client, bytes + done, (size_t)(n - done));

			if (part <= 0)
				break;
			done += part;
		}
	}
	printf("init: %s: ended\n", what);
	close(client);
	close(fd);
}

int main(int argc, char **argv)
{
	uint32_t *words = NULL;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (posix_memalign((void **)&words, 4096, MIB))
		words = NULL;
	for (int n = 1; words && n < argc; n++) {
		if (strncmp(argv[n], "raw:", 4) == 0)
			raw(argv[n], argv[n] + 4, words);
		else if (strncmp(argv[n], "hot:", 4) == 0)
			hot(argv[n], argv[n] + 4, words);
		else if (strncmp(argv[n], "fs:", 3) == 0)
			fs(argv[n], argv[n] + 3, words);
		else if (strncmp(argv[n], "echo:", 5) == 0)
			echo(argv[n], (unsigned)strtoul(argv[n] + 5, NULL, 10));
		else if (strcmp(argv[n], "type") == 0)
			type();
		else if (strcmp(argv[n], "busy") == 0)
			busy(words);
		else
			printf("init: %s\n", argv[n]);
		while (strcmp(argv[n], "wait") == 0)
			pause();
	}
	sync();
	reboot(RB_AUTOBOOT);
	return 0;
}
