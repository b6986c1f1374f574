/* test_ext2.c - the file system that we make is one that e2fsck finds nothing wrong with. */
#include "jobs/coherence/ext2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_clean(void **state)
{
	int fd = memfd_create("ext2", 0); /* inherited by e2fsck */
	char path[40];
	int status;
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ext2_make(fd), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	pid = fork();
	if (pid == 0) {
		(void)execl("/sbin/e2fsck", "e2fsck", "-fn", path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest cases[] = {cmocka_unit_test(test_clean)};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
