#include "program.h"

#include "child.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD_ADDRESS  0x200000U
#define PIECE_BYTES   (PROGRAM_PAGES * PAGE_BYTES / PROGRAM_PIECES)
#define PIECE_WORDS   (PIECE_BYTES / 4U)
#define PROGRAM_CPU_S 10U

int program_reopen(int fd, int flags)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* Tell the parent why when there is nothing to run; the pipe closes by itself when there is. */
static _Noreturn void child_exec(const char *path, char *const *argv, char *const *envp, int report)
{
	struct rlimit limit = {.rlim_cur = PROGRAM_CPU_S, .rlim_max = PROGRAM_CPU_S + 1};
	int error;

	(void)setrlimit(RLIMIT_CPU, &limit);
	(void)execve(path, argv, envp);
	error = errno;
	if (write(report, &error, sizeof(error)) != (ssize_t)sizeof(error))
		child_exit(1);
	child_exit(0);
}

/* Wait for the end of pid; error is why it could not execute, or 0. */
static int finish(struct ctx *ctx, pid_t pid, int error, uint32_t *status)
{
	int result = 0;

	while (waitpid(pid, &result, 0) < 0) {
		if (errno != EINTR)
			return ctx_error(ctx, "waiting for a program");
	}
	errno = error;
	/* Headers that are not those of a program any more are wrong bytes as well. */
	if (error != 0 && error != ENOEXEC)
		return ctx_cannot(ctx, "executing a test program");
	errno = 0;
	/* It may loop because its code is wrong, or be a program on a machine that stood still: its bytes were not seen. */
	if (WIFSIGNALED(result) && WTERMSIG(result) == SIGXCPU)
		return ctx_error(ctx, "a program met its limit of %u s of processor time",
		                 PROGRAM_CPU_S);
	*status = error == 0 && WIFEXITED(result) ? (uint32_t)WEXITSTATUS(result) : PROGRAM_CRASHED;
	return 0;
}

int program_run(struct ctx *ctx, const char *path, char *const *argv, char *const *envp,
                uint32_t *status)
{
	int report[2];
	int error = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	pid = child_fork();
	if (pid == 0)
		child_exec(path, argv, envp, report[1]);
	(void)close(report[1]);
	if (pid > 0 && read(report[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
		error = 0;
	(void)close(report[0]);
	return pid < 0 ? ctx_error(ctx, "fork") : finish(ctx, pid, error, status);
}

/* start: clear the sum; add: add a byte to it; leave: exit with it. */
#if defined(__arm__)
#define MACHINE       EM_ARM
#define MACHINE_FLAGS 0x05000000U                                /* EABI 5 */
static const uint32_t code_start = 0xe3a00000U;                  /* mov r0, #0 */
static const uint32_t code_add = 0xe2800000U;                    /* add r0, r0, #byte */
static const uint32_t code_nop = 0xe1a00000U;                    /* mov r0, r0 */
static const uint32_t code_leave[] = {0xe3a07001U, 0xef000000U}; /* mov r7, #1; svc 0 */
#define BYTE_SHIFT 0
#elif defined(__aarch64__)
#define MACHINE       EM_AARCH64
#define MACHINE_FLAGS 0U
static const uint32_t code_start = 0x52800000U;                  /* mov w0, #0 */
static const uint32_t code_add = 0x11000000U;                    /* add w0, w0, #byte */
static const uint32_t code_nop = 0xd503201fU;                    /* nop */
static const uint32_t code_leave[] = {0x52800ba8U, 0xd4000001U}; /* mov w8, #93; svc 0 */
#define BYTE_SHIFT    10
#elif defined(__x86_64__)
#define MACHINE       EM_X86_64
#define MACHINE_FLAGS 0U
static const uint32_t code_start = 0x9090ff31U;                  /* xor edi, edi; nop; nop */
static const uint32_t code_add = 0x9000c783U;                    /* add edi, byte; nop */
static const uint32_t code_nop = 0x90909090U;                    /* nop, four times */
static const uint32_t code_leave[] = {0x00003cb8U, 0x90050f00U}; /* mov eax, 60; syscall; nop */
#define BYTE_SHIFT    16
#else
// cppcheck-suppress preprocessorErrorDirective
#error "program.c: no instruction encodings for this architecture"
#endif

static void put_headers(uint8_t *page)
{
	ElfW(Ehdr) header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
	                    sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = MACHINE,
		.e_version = EV_CURRENT,
		.e_entry = LOAD_ADDRESS + PAGE_BYTES,
		.e_phoff = sizeof(header),
		.e_flags = MACHINE_FLAGS,
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(ElfW(Phdr)),
		.e_phnum = 1,
	};
	ElfW(Phdr) load = {
		.p_type = PT_LOAD,
		.p_vaddr = LOAD_ADDRESS,
		.p_paddr = LOAD_ADDRESS,
		.p_filesz = PROGRAM_BYTES,
		.p_memsz = PROGRAM_BYTES,
		.p_flags = PF_R | PF_X,
		.p_align = PAGE_BYTES,
	};

	memset(page, 0, PAGE_BYTES);
	memcpy(page, &header, sizeof(header));
	memcpy(page + sizeof(header), &load, sizeof(load));
}

void program_image(uint8_t image[PROGRAM_BYTES], uint8_t byte)
{
	uint32_t words[PIECE_WORDS];

	put_headers(image);
	for (unsigned int piece = 0; piece < PROGRAM_PIECES; piece++) {
		for (unsigned int i = 0; i < PIECE_WORDS; i++)
			words[i] = code_nop;
		if (piece == 0)
			words[0] = code_start;
		words[1] = code_add | (uint32_t)byte << BYTE_SHIFT;
		if (piece + 1 == PROGRAM_PIECES)
			memcpy(words + PIECE_WORDS - 2, code_leave, sizeof(code_leave));
		memcpy(image + PAGE_BYTES + (size_t)piece * PIECE_BYTES, words, sizeof(words));
	}
}

uint32_t program_status(uint8_t byte)
{
	return byte * PROGRAM_PIECES % 256U;
}
