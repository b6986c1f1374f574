/* commands.h - the subcommands of coherence; each returns the exit code. */
#pragma once

/* As kselftest has them. */
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_BROKEN = 2, EXIT_SKIP = 4, EXIT_USAGE = 64 };

int command_list(int argc, char **argv);
int command_run(int argc, char **argv);
int command_env(int argc, char **argv);
int command_selftest(int argc, char **argv);
int command_cleanup(int argc, char **argv);

/* Run the subcommand that argv names. */
int coherence_main(int argc, char **argv);
