/* request.h - what cohortd wants of one attempt: request.json of the attempt directory (docs/WIRE.md, section 5). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define REQUEST_CAP       (4 * 1024 * 1024)
#define REQUEST_TESTS_MAX 20000
#define REQUEST_FILES_MAX 16

/* All strings below are borrowed from the document. */
struct wire_file {
	const char *name; /* kernel, dtb, initramfs, modules; or a suite file's name; or "agent" */
	const char *path, *sha256;
	int64_t size;
};

struct planned {
	int64_t id, rep, time_limit_s;
	const char *name;
	json_t *argv; /* strings, at least one */
};

enum build_file { BUILD_KERNEL, BUILD_DTB, BUILD_INITRAMFS, BUILD_MODULES, BUILD_FILES };

struct request {
	json_t *doc; /* owned */
	int64_t run, attempt, fence;
	const char *board;
	const char *build_name, *release, *build_id,
		*cmdline;                    /* release, build_id: NULL is not checked */
	struct wire_file build[BUILD_FILES]; /* path NULL: the build has none */
	/* What goes onto the board: the agent first, then the suite's files. */
	struct wire_file files[1 + REQUEST_FILES_MAX];
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

/* The document for `cohort-agent run` of one leg: the tests that skip() does not leave out, with argv[0] of a suite file
 * made into its place below root. stop_on_oops: the leg shall end there. device: the board's, or NULL. The same leg gives the same document. A new
 * reference. */
json_t *request_for_leg(const struct request *r, const char *root, const char *device, int64_t leg,
                        bool stop_on_oops, bool (*skip)(const void *arg, size_t index),
                        const void *arg);
