/* init.c - PID 1 of the emulator's test initramfs: what the kernel's command line has behind "--" is run as
 * /coherence's arguments, its status is printed, and the board reboots. Built for ARM, statically. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct mount_row {
	const char *type, *where;
};

static const struct mount_row mounts[] = {
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"devtmpfs", "/dev"},
	{"tmpfs", "/tmp"},
};

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		(void)mkdir(mounts[i].where, 0755);
		/* The kernel may have mounted /dev already. */
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL) < 0 &&
		    errno != EBUSY)
			printf("init: %s: %s\n", mounts[i].where, strerror(errno));
	}
}

static void run(char **argv)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execv("/coherence", argv);
		printf("init: /coherence: %s\n", strerror(errno));
		_exit(127);
	}
	while (wait(&status) != pid)
		;
	if (WIFEXITED(status))
		printf("init: status %d\n", WEXITSTATUS(status));
	else
		printf("init: signal %d\n", WTERMSIG(status));
}

int main(int argc, char **argv)
{
	mount_all();
	/* Informational messages would break the lines that the tests print. */
	(void)klogctl(8, NULL, 5);
	if (argc > 1)
		run(argv);
	(void)fflush(stdout);
	sync();
	(void)reboot(RB_AUTOBOOT);
	return 1;
}
