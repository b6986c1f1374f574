/* bench-packet-ring: frames into an AF_PACKET ring whose blocks are one page, or sixteen.
 * For each frame the kernel flushes the page of the data and that of the status word; kernels from 6.6 on flush the whole block
 * with it. The user never waits for a status (on VIVT it would wait for ever, see packet-ring): it gives all
 * frames back after each half of the ring. */
#include "bench.h"
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_4K, BLOCK_64K, VARIANTS };

#define RING_BYTES  (256U * 1024U)
#define FRAME_BYTES 2048U
#define FRAMES      (RING_BYTES / FRAME_BYTES)

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* 4.20 */
#endif

static int ring_socket, udp;
static uint8_t *ring;
static struct sockaddr_in to;

static void give_back(void)
{
	for (unsigned int i = 0; i < FRAMES; i++) {
		volatile uint32_t *status = (volatile void *)(ring + (size_t)i * FRAME_BYTES);

		if (*status != TP_STATUS_KERNEL)
			*status = TP_STATUS_KERNEL;
	}
	machine_switch(); /* on VIVT this writes the words to memory */
}

static int frames(struct ctx *ctx, unsigned int count)
{
	static const char payload[64];

	for (unsigned int i = 0; i < count; i++) {
		if (sendto(udp, payload, sizeof(payload), 0, (struct sockaddr *)&to, sizeof(to)) <
		    0)
			return ctx_error(ctx, "sending to lo");
		if (i % (FRAMES / 2U) == FRAMES / 2U - 1U)
			give_back();
	}
	give_back();
	return 0;
}

/* Receive and forget: with nobody at the port, the kernel would send errors, too. */
static int open_udp(struct ctx *ctx)
{
	socklen_t length = sizeof(to);

	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0)
		return ctx_cannot(ctx, "a UDP socket");
	to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(udp, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockname(udp, (struct sockaddr *)&to, &length) < 0)
		return ctx_error(ctx, "binding a UDP socket");
	return 0;
}

static int bind_ring(unsigned int block)
{
	struct tpacket_req request = {
		.tp_block_size = block,
		.tp_block_nr = RING_BYTES / block,
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = FRAMES,
	};
	struct sockaddr_ll lo = {.sll_family = AF_PACKET,
	                         .sll_protocol = htons(ETH_P_IP),
	                         .sll_ifindex = (int)if_nametoindex("lo")};
	int version = TPACKET_V2;
	int one = 1;

	if (setsockopt(ring_socket, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(ring_socket, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		return -1;
	(void)setsockopt(ring_socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return bind(ring_socket, (struct sockaddr *)&lo, sizeof(lo));
}

static int open_ring(struct ctx *ctx, unsigned int block)
{
	ring_socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring_socket < 0 && errno == EAFNOSUPPORT)
		return ctx_skip(ctx, REASON_NOCONFIG, "no packet sockets");
	if (ring_socket < 0 || bind_ring(block) < 0)
		return ctx_cannot(ctx, "a packet ring");
	ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring_socket, 0);
	return ring == MAP_FAILED ? ctx_error(ctx, "mapping a packet ring") : 0;
}

static void note_drops(struct ctx *ctx, unsigned int block)
{
	struct tpacket_stats stats = {0};
	socklen_t length = sizeof(stats);

	if (getsockopt(ring_socket, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
		ctx_note(ctx, "block %u: %u of %u frames dropped", block, stats.tp_drops,
		         stats.tp_packets);
}

static int run(struct ctx *ctx)
{
	static const unsigned int blocks[VARIANTS] = {[BLOCK_4K] = 4096, [BLOCK_64K] = 65536};
	enum reason reason;
	int up = loopback_up(ctx, &reason);

	if (up != 0)
		return up < 0 ? -1 : ctx_skip(ctx, reason, "no loopback interface");
	if (open_udp(ctx) < 0)
		return -1;
	for (unsigned int i = 0; i < VARIANTS; i++) {
		struct bench bench = {"frame", 1, i == BLOCK_4K ? -1 : BLOCK_4K, frames};

		if (open_ring(ctx, blocks[i]) < 0 || bench_variant(ctx, i, &bench) < 0)
			return -1;
		note_drops(ctx, blocks[i]);
		(void)munmap(ring, RING_BYTES);
		(void)close(ring_socket);
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[BLOCK_4K] = BENCH_CELL("block=4096"),
	[BLOCK_64K] = BENCH_CELL("block=65536"),
};

const struct test test_bench_packet_ring = {
	.name = "bench-packet-ring",
	.description = "frames into an AF_PACKET ring with small and large blocks",
	.api = "flush_dcache_page in __packet_set_status and tpacket_rcv",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_PACKET | NEED_INET,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
