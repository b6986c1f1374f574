/* net.h - the network of a board, inside this program (libslirp): 10.0.2.0/24, the board is
 * 10.0.2.15. Nothing leaves it; TCP ports of 127.0.0.1 may lead into it. It runs on the wall's time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct net; /* opaque */
struct pollfd;

#define NET_FRAME 1514u /* longest frame, without its checksum */

struct net *net_new(void);
void net_free(struct net *net);

/* Let 127.0.0.1:host_port lead to guest_port of the board. 0, or -1 with *err naming the port. */
int net_forward(struct net *net, uint16_t host_port, uint16_t guest_port, struct err *err);

/* A frame from the board. */
void net_send(struct net *net, const uint8_t *frame, size_t len);

/* Whether the board has sent an ARP packet, which says what its address is, since this was asked last. */
bool net_announced(struct net *net);

/* Copy the next frame for the board, NET_FRAME bytes at most, and return its length; 0: none. */
size_t net_next(struct net *net, uint8_t *frame);

/* Move what can move, waiting up to timeout_ms for something: on the network or on one of
 * the extra descriptors, whose revents are set. While linked is false nobody answers from the board:
 * the network stands still, and who connects to a forwarded port waits. */
void net_poll(struct net *net, bool linked, struct pollfd *extra, unsigned extras,
              unsigned timeout_ms);
