/* listen.h - a place where clients are waited for. */
#pragma once

struct err;

/* where is tcp:PORT, a port of 127.0.0.1; or unix:PATH or PATH, a socket that is made (one that is there is
 * replaced, nothing else is). Returns a descriptor that does not block and that the caller closes, or -1
 * with *err naming the place. */
int listen_at(const char *where, struct err *err);
