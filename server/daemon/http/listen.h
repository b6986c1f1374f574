/* listen.h - from "HOST:PORT" to a listening socket. */
#pragma once
#include <stdbool.h>

struct err;

struct listener {
	int fd;        /* owned by the caller after listen_open() */
	int port;      /* the real one */
	bool loopback; /* nobody else can reach it */
	char host[64]; /* numeric, IPv6 in brackets */
};

/* Find out what text ("127.0.0.1:0", "[::1]:80", "localhost:8080") means, without a socket: fd is -1. 0, or -1 with *err
 * (ERR_INVALID). Names other than localhost are refused: what they mean may change. */
int listen_parse(const char *text, struct listener *l, struct err *err);

/* The same, and listen there. 0, or -1 with *err. */
int listen_open(const char *text, struct listener *l, struct err *err);
