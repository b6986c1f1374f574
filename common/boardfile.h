/* boardfile.h - the file that describes one board (docs/BOARDFILE.md), read for cohortd and cohort-board alike.
 *
 * Reading it opens nothing that it names: keys may be out of the reader's reach, and cohortd holds none. */
#pragma once
#include "common/cacheclass.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct jx_errors;

enum board_kind { BOARD_PHYSICAL, BOARD_QEMU, BOARD_EMULATED, BOARD_HOST, BOARD_BUILDER };
enum board_boot { BOARD_BOOT_NONE, BOARD_BOOT_COMMAND };
enum board_console {
	BOARD_CONSOLE_NONE,
	BOARD_CONSOLE_UNIX,
	BOARD_CONSOLE_TCP,
	BOARD_CONSOLE_COMMAND
};
enum board_power { POWER_ON, POWER_OFF, POWER_CYCLE, POWER_STATUS, POWER_COUNT };

/* A command: argv ends with NULL. argv[0] that holds a slash is absolute; the command is to be run in
 * board_file.dir, so that the owner's other relative paths work too. NULL when there is none. */
typedef char **board_argv; /* strings owned by the board_file */

struct board_file {
	json_t *doc; /* owned: the document as written */
	char *dir;   /* owned: absolute directory that relative paths are relative to */

	/* Borrowed from doc; never NULL unless said. */
	const char *name, *description, *notes;
	const char *arch;     /* "armel" or "x86-64" */
	const char *root;     /* on the board; absolute */
	const char *disabled; /* NULL: enabled */
	const char *device;   /* a block device on the board that tests may read, or NULL */
	json_t *tags;         /* array of valid names */
	json_t *trees; /* of a builder: git repositories on it, name to absolute path; else NULL */
	enum board_kind kind;
	enum cache_class cache;
	int64_t memory_mib;
	int64_t make_jobs; /* of a builder: compilers at a time; 0: as many as it has processors */
	int64_t bench_ms;  /* least time of one sample of a benchmark; 0: the program decides */

	struct {
		const char *host, *user; /* borrowed */
		int64_t port;
		char *key;            /* owned, absolute path */
		const char *host_key; /* borrowed, or NULL: see host_key_file */
		char *host_key_file;  /* owned, absolute path, or NULL */
	} ssh;
	struct {
		enum board_boot method;
		board_argv command;
		int64_t time_limit_s;
	} boot;
	struct {
		board_argv command[POWER_COUNT];
		bool off_at_quit;
	} power;
	struct {
		enum board_console type;
		char *path;        /* owned: unix socket */
		char *host, *port; /* owned: tcp */
		board_argv command;
	} console;
};

/* Read the file at path. Returns a board that the caller frees, or NULL with *err that names path and
 * every wrong field. */
struct board_file *board_file_load(const char *path, struct err *err);

/* The same from a document (a new reference is taken) whose relative paths are relative to dir.
 * Returns NULL with complaints in *errors. */
struct board_file *board_file_parse(json_t *doc, const char *dir, struct jx_errors *errors);

void board_file_free(struct board_file *board);

/* Where the builder has the repository of that name, or NULL. */
const char *board_file_tree(const struct board_file *board, const char *name);

const char *board_kind_name(enum board_kind kind);
const char *board_power_name(enum board_power verb);

/* A pinned key as the board file or an sshd's .pub file writes it: "TYPE BASE64 [comment]". */
struct host_key {
	char type[32];           /* "ssh-ed25519" or "ecdsa-sha2-nistp256" … */
	unsigned char blob[256]; /* the decoded key */
	size_t len;
	char fingerprint[7 + 44]; /* "SHA256:" and unpadded base64, as ssh-keygen -l prints */
};

/* Parse such a line. 0, or -1 with *err (ERR_INVALID). */
int host_key_parse(const char *line, struct host_key *key, struct err *err);

/* Fill fingerprint of len (at most 256) bytes of a key's blob. */
void host_key_fingerprint(const void *blob, size_t len, char out[7 + 44]);
