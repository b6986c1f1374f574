/* request.h - what cohortd wants of one attempt: request.json of the attempt directory (docs/WIRE.md, section 5). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board_file;
struct err;

#define REQUEST_CAP        (4 * 1024 * 1024)
#define REQUEST_TESTS_MAX  20000
#define REQUEST_FILES_MAX  16
#define REQUEST_INPUTS_MAX 96
#define REQUEST_ALL_FILES  (1 + REQUEST_FILES_MAX + REQUEST_INPUTS_MAX)

/* All strings below are borrowed from the document. */
struct wire_file {
	const char *
		name; /* kernel, dtb, initramfs, modules; a suite file's or input's name; or "agent" */
	const char *path, *sha256;
	int64_t size;
};

struct planned {
	int64_t id, rep, time_limit_s;
	const char *name;
	json_t *argv;       /* strings, at least one */
	const char *output; /* "ktap", or NULL: records */
};

enum build_file { BUILD_KERNEL, BUILD_DTB, BUILD_INITRAMFS, BUILD_MODULES, BUILD_FILES };

struct request {
	json_t *doc; /* owned */
	int64_t run, attempt, fence;
	int64_t iterations; /* that a test is to make; 0: its own */
	bool builds;        /* its purpose is to make a kernel, on a builder */
	const char *board;
	const char *build_name, *release, *build_id,
		*cmdline;                    /* release, build_id: NULL is not checked */
	struct wire_file build[BUILD_FILES]; /* path NULL: the build has none */
	/* What goes onto the board: the agent first, then the suite's files, then the inputs. */
	struct wire_file files[REQUEST_ALL_FILES];
	size_t file_count;
	struct planned *tests; /* owned */
	size_t count;
	int64_t boot_s, run_s, memory_mib, output_bytes;
};

/* Read path. Returns 0, or -1 with *err that names the file and every wrong field; then nothing is to be released. */
int request_load(struct request *r, const char *path, struct err *err);

/* The same from a document, a new reference of which is taken. */
int request_parse(struct request *r, json_t *doc, struct err *err);

void request_release(struct request *r);

/* The plan's place of a test's id, or -1. */
ptrdiff_t request_find(const struct request *r, int64_t id);

/* Can this board do it? A builder builds and tests nothing, any other board the reverse; each `file:NAME` and `tree:NAME` of
 * a build's steps names something. Returns 0, or -1 with *err (ERR_INVALID). */
int request_fits(const struct request *r, const struct board_file *board, struct err *err);

/* One agent session of the attempt. */
struct request_leg {
	const struct board_file *board; /* its root, device, trees */
	int64_t leg;
	bool stop_on_oops;                           /* the leg shall end there */
	bool (*skip)(const void *arg, size_t index); /* which tests are left out */
	const void *arg;
};

/* The document for `cohort-agent run` of that leg: argv[0] of a suite file is its place below the board's root, and in a build
 * so are `file:NAME` and `tree:NAME`. The same leg gives the same document. A new reference. */
json_t *request_for_leg(const struct request *r, const struct request_leg *leg);
