/* ssh.h - the remote of a real board: libssh2, non-blocking, one session kept warm.
 *
 * The host key is compared with the pinned one before anything is sent about us. A spare channel is always open: the next
 * command needs one round trip less, and something reads the replies to our keepalives. */
#pragma once
#include <stdint.h>

struct board_file;
struct err;
struct loop;
struct remote;

struct ssh_limits {
	int64_t tcp_us, handshake_us, auth_us; /* each step of connecting */
	int64_t keepalive_us,
		silence_us; /* ask this often; give up after this long without a byte */
};

/* 5 s, 10 s, 10 s; 2 s, 10 s. */
extern const struct ssh_limits ssh_limits_usual;

/* A remote for that board (borrowed, as is limits). Returns it for the caller to free through its class. */
struct remote *ssh_new(struct loop *loop, const struct board_file *board,
                       const struct ssh_limits *limits);
