/* init.c - PID 1 of an initramfs that has the coherence suite and nothing else. The kernel's command line has its argument
 * behind "--": "run …" runs /coherence so and prints its status, "ask" does for a line that is typed, "echo" answers to one;
 * all reboot. "halt" powers off. Built for ARM, statically. */
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

/* What comes in on the console goes out again, up to the end of a line. */
static void echo(void)
{
	char line[128];

	printf("init: ready\n");
	(void)fflush(stdout);
	if (fgets(line, sizeof(line), stdin))
		printf("init: got %s\n", line);
}

#define WORDS 128

/* The line is that of "run …". */
static void ask(void)
{
	static char name[] = "coherence";
	char line[4096], *argv[WORDS + 1] = {name};
	size_t count = 1;

	printf("init: ready\n");
	(void)fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return;
	for (char *word = strtok(line, " \n"); word && count < WORDS; word = strtok(NULL, " \n"))
		argv[count++] = word;
	argv[count] = NULL;
	if (count > 1)
		run(argv);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	mount_all();
	/* Informational messages would break the lines that the tests print. */
	(void)klogctl(8, NULL, 5);
	if (strcmp(what, "echo") == 0)
		echo();
	else if (strcmp(what, "ask") == 0)
		ask();
	else if (strcmp(what, "run") == 0)
		run(argv);
	(void)fflush(stdout);
	sync();
	(void)reboot(strcmp(what, "halt") == 0 ? RB_POWER_OFF : RB_AUTOBOOT);
	return 1;
}
