/* packet-ring: frames that the kernel puts into a ring of pages that it shares with the reader.
 *
 * Both sides write the status word of a frame: the kernel when it is filled, the reader when it is done with it. The
 * pages belong to no file, so flush_dcache_page() cleans the kernel's alias only, and a line that the reader has looked
 * at stays in its cache: it sees neither the new status nor the new bytes, and the kernel does not see the slot given
 * back. Nobody promised otherwise: a gap, on VIVT and aliasing VIPT. Datagrams are sent to ourselves over lo; each
 * fills its slot before sendto(2) returns. */
#include "loopback.h"
#include "number.h"
#include "tests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VARIANT_SEEN, VARIANT_CONTENT, VARIANT_GIVEN_BACK, VARIANTS };

#define FRAME_BYTES 2048U
#define FRAMES      (BLOCKS * PAGE_BYTES / FRAME_BYTES)
#define BLOCKS      7U
#define RINGS_MAX   8U
#define PAYLOAD     256U /* bytes of a datagram: words of its number */
#define LOOK_BYTES  512U /* of a frame: its headers and the payload */
#define LOST        0U
#define HEADERS     28U /* of IP and UDP before the payload; there is none of the link's */
#define LIMIT_MS    2000

struct ring {
	int packet;   /* the socket with the ring */
	int from, to; /* datagrams go from one to the other */
	struct sockaddr_in address;
	uint8_t *frames;
	unsigned int next; /* the slot that the kernel fills next */
};

static int cannot(struct ctx *ctx, const char *what)
{
	if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT)
		return ctx_skip(ctx, REASON_NOCONFIG, "%s", what);
	return ctx_cannot(ctx, what);
}

/* Two sockets on lo, so that the datagrams are received and no error comes back. */
static int open_sockets(struct ctx *ctx, struct ring *ring)
{
	struct sockaddr_in *address = &ring->address;
	socklen_t length = sizeof(*address);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
	                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ring->from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ring->to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ring->from < 0 || ring->to < 0 ||
	    bind(ring->to, (const struct sockaddr *)address, length) < 0 ||
	    getsockname(ring->to, (struct sockaddr *)address, &length) < 0)
		return cannot(ctx, "a datagram socket");
	return 0;
}

/* Only datagrams to our port, and each once: as it comes in, not as it went out. */
static int filter(const struct ring *ring)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 5, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* IP: protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 22), /* UDP: destination */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(ring->address.sin_port), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(ring->packet, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* The socket gets frames only once it is bound, with everything else in place. */
static int open_ring(struct ctx *ctx, struct ring *ring)
{
	struct tpacket_req request = {
		.tp_block_size = PAGE_BYTES,
		.tp_block_nr = BLOCKS,
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = FRAMES,
	};
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex("lo"),
	};
	int version = TPACKET_V2;

	ring->packet = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ring->packet < 0)
		return cannot(ctx, "a packet socket");
	if (filter(ring) < 0 ||
	    setsockopt(ring->packet, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0)
		return ctx_error(ctx, "preparing a packet socket");
	if (setsockopt(ring->packet, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		return cannot(ctx, "a packet socket's ring");
	ring->frames = mmap(NULL, (size_t)BLOCKS * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
	                    ring->packet, 0);
	if (ring->frames == MAP_FAILED)
		return ctx_error(ctx, "mapping a packet socket's ring");
	if (bind(ring->packet, (const struct sockaddr *)&link, sizeof(link)) < 0)
		return ctx_error(ctx, "binding a packet socket to lo");
	return 0;
}

/* On a cache with aliases by colour there is nothing to see when the user's and the kernel's colour are the same. An
 * address is of the colour of its place in the ring, so another ring has to be made; the ones before stay. */
static int open_coloured(struct ctx *ctx, struct ring *ring)
{
	int pages[2];

	if (pipe2(pages, O_CLOEXEC | O_NONBLOCK) < 0)
		return ctx_error(ctx, "pipe");
	for (unsigned int i = 0; i < RINGS_MAX; i++) {
		uint64_t frame;

		if (open_ring(ctx, ring) < 0)
			return -1;
		frame = page_frame(ring->frames);
		if (frame == 0 || (frame & COLOUR_MASK) != colour_of(ring->frames))
			return 0;
		/* A page of the kernel's, or the next ring would start at the same colour. */
		if (write(pages[1], ctx->source, PAGE_BYTES) < 0)
			return ctx_error(ctx, "writing into a pipe");
	}
	return 0;
}

static volatile struct tpacket2_hdr *slot(const struct ring *ring)
{
	return (volatile struct tpacket2_hdr *)(void *)(ring->frames +
	                                                (size_t)ring->next * FRAME_BYTES);
}

/* It has come through the kernel, and so into the ring, when it can be received. */
static int send_one(struct ctx *ctx, const struct ring *ring, uint32_t number)
{
	struct pollfd arrived = {.fd = ring->to, .events = POLLIN};
	uint32_t payload[PAYLOAD / sizeof(uint32_t)];

	for (size_t i = 0; i < PAYLOAD / sizeof(uint32_t); i++)
		payload[i] = number;
	if (sendto(ring->from, payload, sizeof(payload), 0, (const struct sockaddr *)&ring->address,
	           sizeof(ring->address)) != (ssize_t)sizeof(payload))
		return ctx_error(ctx, "sending a datagram over lo");
	errno = ETIMEDOUT;
	return poll(&arrived, 1, LIMIT_MS) == 1 ? 0 : ctx_error(ctx, "a datagram over lo");
}

/* Take the datagram from the socket that it was for, so that this one is not full. */
static int receive_one(struct ctx *ctx, const struct ring *ring)
{
	uint32_t payload[PAYLOAD / sizeof(uint32_t)];

	if (recv(ring->to, payload, sizeof(payload), MSG_DONTWAIT) != (ssize_t)sizeof(payload))
		return ctx_error(ctx, "receiving a datagram over lo");
	return 0;
}

/* The number that the slot's datagram consists of, or LOST when it is garbled. */
static uint32_t read_payload(const struct ring *ring)
{
	unsigned int start = slot(ring)->tp_net;
	const volatile uint32_t *words;
	uint32_t first;

	if (start > LOOK_BYTES - PAYLOAD - HEADERS || start % 4 != 0)
		return LOST;
	words = (const volatile uint32_t *)slot(ring) + (start + HEADERS) / sizeof(uint32_t);
	first = words[0];
	for (size_t i = 1; i < PAYLOAD / sizeof(uint32_t); i++) {
		if (words[i] != first)
			return LOST;
	}
	return first;
}

/* What will be read of the slot becomes resident and old, as after a reader has looked. */
static void look(const struct ring *ring)
{
	const volatile uint8_t *frame = (const volatile uint8_t *)slot(ring);

	for (size_t at = 0; at < LOOK_BYTES; at += HALF_BYTES)
		(void)frame[at];
}

static void check(struct ctx *ctx, struct number *number, unsigned int variant, uint32_t want,
                  uint32_t got)
{
	number->cell = variant;
	number->fault = variant == VARIANT_GIVEN_BACK ? FAULT_STALE_KERNEL : FAULT_STALE_USER;
	number->want = want;
	number->got = got;
	(void)number_check(ctx, number);
}

/* How many frames the kernel had no room for since it was last asked. */
static int drops(struct ctx *ctx, const struct ring *ring, uint32_t *count)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof(stats);

	if (getsockopt(ring->packet, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
		return ctx_error(ctx, "statistics of a packet socket");
	*count = stats.tp_drops;
	return 0;
}

/* As a reader does when it is done with the frame. One that does not see it would wait; we look with nothing cached. */
static void give_back(struct ring *ring, bool seen)
{
	if (!seen)
		machine_settle();
	(void)slot(ring)->tp_status;
	slot(ring)->tp_status = TP_STATUS_KERNEL;
	ring->next = (ring->next + 1U) % FRAMES;
}

/* One frame: was its slot free, is it seen, is it whole? */
static int trial(struct ctx *ctx, struct ring *ring, struct number *number)
{
	uint32_t want = number->iteration + 1U;
	uint32_t dropped = 0;
	uint32_t seen;
	uint32_t got;

	look(ring);
	number->va = ring->frames + (size_t)ring->next * FRAME_BYTES;
	number->before = machine_switches();
	if (send_one(ctx, ring, want) < 0)
		return -1;
	seen = slot(ring)->tp_status & TP_STATUS_USER;
	got = read_payload(ring);
	if (receive_one(ctx, ring) < 0 || drops(ctx, ring, &dropped) < 0)
		return -1;
	if (number->iteration >= FRAMES)
		check(ctx, number, VARIANT_GIVEN_BACK, 0, dropped);
	if (dropped > 0) {
		machine_settle(); /* now the kernel sees that the slot is free */
		return 0;
	}
	check(ctx, number, VARIANT_SEEN, TP_STATUS_USER, seen);
	check(ctx, number, VARIANT_CONTENT, want, got);
	give_back(ring, seen != 0);
	return 0;
}

static int run(struct ctx *ctx)
{
	struct ring ring = {0};
	struct number number = {.length = LOOK_BYTES};
	enum reason reason = REASON_NONE;
	int up = loopback_up(ctx, &reason);

	if (up != 0)
		return up < 0 ? -1 : ctx_skip(ctx, reason, "the interface lo");
	ctx->act_sleeps = true;
	if (open_sockets(ctx, &ring) < 0 || open_coloured(ctx, &ring) < 0)
		return -1;
	/* One lap at least, and a frame of the next: only then is a slot used that was given back. */
	for (; number.iteration < ctx->iterations || number.iteration <= FRAMES;
	     number.iteration++) {
		if (trial(ctx, &ring, &number) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_SEEN] = {"seen", KIND_GAP, 0, 0, 0},
	[VARIANT_CONTENT] = {"content", KIND_GAP, 0, 0, 0},
	[VARIANT_GIVEN_BACK] = {"given-back", KIND_GAP, 0, 0, 0},
};

const struct test test_packet_ring = {
	.name = "packet-ring",
	.description = "frames in a packet socket's ring are seen, whole, and the slots given back",
	.api = "flush_dcache_page in tpacket_rcv and __packet_get_status: pages of no file",
	.kind = KIND_GAP,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PACKET | NEED_INET,
	.time_limit_s = 30,
	.iterations = 56, /* four laps */
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
