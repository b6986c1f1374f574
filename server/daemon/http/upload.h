/* upload.h - files that come in parts: STATE/files/incoming/SHA256.part grows, is verified, and becomes
 * STATE/files/ab/abcdef... A part that was cut stays, and the client goes on behind it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct upload; /* opaque; belongs to one request */

/* The file's path once it is whole; the caller frees it. */
char *upload_path(const char *state_dir, const char *sha256);

/* Begin to write at offset. Waits while another request writes the same file (ERR_TIMEOUT after a while). offset 0 with
 * fresh begins anew; otherwise offset must be what is there: ERR_CONFLICT, and *received says what is. NULL with *err. */
struct upload *upload_begin(const char *state_dir, const char *sha256, int64_t offset, bool fresh,
                            int64_t *received, struct err *err);

/* Append. On a full disk (ERR_NOSPACE) what was there is dropped too. */
int upload_write(struct upload *upload, const void *data, size_t len, struct err *err);

/* Forget what came: the bytes that follow are the first. */
int upload_restart(struct upload *upload, struct err *err);

int64_t upload_received(const struct upload *upload);

/* All is there: verify the hash (ERR_INVALID: the part is dropped), bring it to disk under its name. */
int upload_finish(struct upload *upload, struct err *err);

/* The file turned out to be there: forget the part. */
void upload_drop(struct upload *upload);

/* Give the lock back; what came stays for the next part. upload may be NULL. */
void upload_end(struct upload *upload);

/* Bytes of a file that are there while it is not whole. */
int64_t upload_size(const char *state_dir, const char *sha256);

/* Make the directories. */
int upload_open(const char *state_dir, struct err *err);

/* Drop parts that nobody touched for a day before now. */
void upload_purge(const char *state_dir, int64_t now_us);
