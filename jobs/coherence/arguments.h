/* arguments.h - many long strings for a new program, which can make them itself and so can tell a wrong one. */
#pragma once

/* What the strings are made of, and how the program that gets them was started. */
enum start {
	START_DIRECT,
	START_LONG_NAME, /* its own name is one of the strings, longer than two pages */
	START_SCRIPT,    /* by the kernel as the interpreter of a script */
};

#define ARGUMENTS_EACH  48U /* strings in the arguments, and as many in the environment */
#define ARGUMENTS_FIXED 6U  /* arguments before the first string, and the NULL at the end */

/* The name of the command of `coherence` that checks what it gets; not for people. */
#define ARGUMENTS_COMMAND "exec-args-check"

/* Fill argv and envp with some 96 KiB of strings of this generation for `coherence`, or for a script whose
 * interpreter it is. The strings are valid until the next call. */
void arguments_make(enum start start, unsigned int generation,
                    char *argv[ARGUMENTS_EACH + ARGUMENTS_FIXED], char *envp[ARGUMENTS_EACH + 1U]);

/* The command: how many of its arguments and environment strings are not what they should be, at most 200; 255 when
 * not even that can be said. */
int command_exec_args(int argc, char **argv);
