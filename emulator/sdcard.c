#include "sdcard.h"

#include "common/xalloc.h"
#include "disk.h"
#include "host.h"
#include "snap.h"

#include <stdlib.h>
#include <string.h>

#define RCA         0x4567u
#define OCR         0xc0ff8000u /* powered up, block addresses, all voltages */
#define OCR_WINDOW  0x00ff8000u
#define REGISTER    64u /* bytes of the longest register that is read as data */
#define SWITCH_SETS 6u  /* groups of functions; each has its default one only */

/* Card status. */
#define OUT_OF_RANGE 0x80000000u
#define WP_VIOLATION 0x04000000u
#define ILLEGAL      0x00400000u
#define FAILED       0x00080000u
#define READY        0x00000100u
#define APP_COMMAND  0x00000020u

enum state { IDLE, IDENTIFY, NAMED, STANDBY, TRANSFER, SENDING, RECEIVING };

enum data { NOTHING, FROM_REGISTER, FROM_DISK, TO_DISK };

struct sdcard {
	struct disk *disk; /* borrowed */
	uint32_t state;    /* enum state */
	uint32_t data;     /* enum data */
	uint32_t errors;   /* since the last status */
	uint32_t multiple; /* blocks until a stop */
	uint32_t app;      /* the next command is an application's */
	uint32_t at, len;  /* bytes of the buffer that are done, and all of them */
	uint64_t sector;   /* the next one */
	uint8_t buffer[DISK_SECTOR];
};

static const uint8_t cid[16] = {0x1d, 'C', 'O', 'E', 'M', 'U', 'S',  'D',
                                0x10, 0,   0,   0,   1,   1,   0x6a, 1};
static const uint8_t scr[8] = {0x02, 0x05}; /* version 2.00; 1 and 4 wires */

struct sdcard *sdcard_new(struct disk *disk)
{
	struct sdcard *card = xcalloc(1, sizeof(*card));

	card->disk = disk;
	return card;
}

void sdcard_free(struct sdcard *card)
{
	free(card);
}

void sdcard_reset(struct sdcard *card)
{
	struct disk *disk = card->disk;

	memset(card, 0, sizeof(*card));
	card->disk = disk;
}

/* The current status; it forgets its errors by telling them. */
static uint32_t take_status(struct sdcard *card)
{
	uint32_t status = card->errors | card->state << 9 | READY;

	card->errors = 0;
	return card->app ? status | APP_COMMAND : status;
}

static unsigned answer_status(struct sdcard *card, uint32_t response[4])
{
	response[0] = take_status(card);
	return 1;
}

static unsigned answer_long(const uint8_t bytes[16], uint32_t response[4])
{
	for (unsigned n = 0; n < 4; n++)
		response[n] = __builtin_bswap32(host_read(bytes + 4 * n, 4));
	return 4;
}

/* Not known here, or not in this state: it says nothing, and remembers. */
static unsigned refuse(struct sdcard *card)
{
	card->errors |= ILLEGAL;
	return 0;
}

static unsigned answer_csd(const struct sdcard *card, uint32_t response[4])
{
	const uint32_t units = (uint32_t)(disk_bytes(card->disk) / SDCARD_UNIT) - 1;
	uint8_t csd[16] = {0x40, 0x0e, 0,    0x32, 0x51, 0x59, 0, 0,
	                   0,    0,    0x7f, 0x80, 0x0a, 0x40, 0, 1};

	csd[7] = units >> 16 & 0x3f;
	csd[8] = (uint8_t)(units >> 8);
	csd[9] = (uint8_t)units;
	if (disk_read_only(card->disk))
		csd[14] = 0x10;
	return answer_long(csd, response);
}

static unsigned send_register(struct sdcard *card, const uint8_t *bytes, uint32_t len,
                              uint32_t response[4])
{
	(void)answer_status(card, response);
	memcpy(card->buffer, bytes, len);
	card->data = FROM_REGISTER;
	card->state = SENDING;
	card->at = 0;
	card->len = len;
	return 1;
}

static unsigned send_switch(struct sdcard *card, uint32_t response[4])
{
	uint8_t status[REGISTER] = {0, 1}; /* milliamperes */

	for (unsigned n = 0; n < SWITCH_SETS; n++)
		status[3 + 2 * n] = 1;
	return send_register(card, status, sizeof(status), response);
}

static bool load_sector(struct sdcard *card)
{
	if (!disk_read(card->disk, card->sector * DISK_SECTOR, card->buffer, DISK_SECTOR)) {
		card->errors |= OUT_OF_RANGE;
		card->data = NOTHING;
		return false;
	}
	card->sector++;
	card->at = 0;
	card->len = DISK_SECTOR;
	return true;
}

static unsigned start_blocks(struct sdcard *card, enum data data, bool multiple, uint32_t sector,
                             uint32_t response[4])
{
	if (card->state != TRANSFER)
		return refuse(card);
	if (sector >= disk_bytes(card->disk) / DISK_SECTOR)
		card->errors |= OUT_OF_RANGE;
	else if (data == TO_DISK && disk_read_only(card->disk))
		card->errors |= WP_VIOLATION;
	if (card->errors & (OUT_OF_RANGE | WP_VIOLATION))
		return answer_status(card, response);
	(void)answer_status(card, response);
	card->data = data;
	card->multiple = multiple;
	card->sector = sector;
	card->at = 0;
	card->len = DISK_SECTOR;
	card->state = data == TO_DISK ? RECEIVING : SENDING;
	if (data == FROM_DISK)
		(void)load_sector(card);
	return 1;
}

static unsigned stop(struct sdcard *card, uint32_t response[4])
{
	(void)answer_status(card, response);
	card->data = NOTHING;
	if (card->state == SENDING || card->state == RECEIVING)
		card->state = TRANSFER;
	return 1;
}

static unsigned application_command(struct sdcard *card, unsigned index, uint32_t argument,
                                    uint32_t response[4])
{
	static const uint8_t nothing[REGISTER];

	switch (index) {
	case 6:  /* bus width */
	case 23: /* blocks to erase before a write */
	case 42: /* pull-up of the card detect wire */
		return answer_status(card, response);
	case 13: /* status of the card as data */
		return send_register(card, nothing, REGISTER, response);
	case 41:
		response[0] = OCR;
		if (argument & OCR_WINDOW)
			card->state = IDENTIFY;
		return 1;
	case 51:
		return send_register(card, scr, sizeof(scr), response);
	default:
		return refuse(card);
	}
}

static unsigned select_card(struct sdcard *card, uint32_t argument, uint32_t response[4])
{
	if (argument >> 16 != RCA) {
		card->state = STANDBY;
		return 0;
	}
	(void)answer_status(card, response);
	card->state = TRANSFER;
	return 1;
}

static unsigned publish_address(struct sdcard *card, uint32_t response[4])
{
	uint32_t status;

	if (card->state != NAMED && card->state != STANDBY)
		return refuse(card);
	status = take_status(card);
	card->state = STANDBY;
	response[0] =
		RCA << 16 | (status >> 8 & 0xc000) | (status >> 6 & 0x2000) | (status & 0x1fff);
	return 1;
}

static unsigned plain_command(struct sdcard *card, unsigned index, uint32_t argument,
                              uint32_t response[4])
{
	switch (index) {
	case 0:
		sdcard_reset(card);
		return 0;
	case 2:
		if (card->state != IDENTIFY)
			return refuse(card);
		card->state = NAMED;
		return answer_long(cid, response);
	case 3:
		return publish_address(card, response);
	case 6:
		return card->state == TRANSFER ? send_switch(card, response) : refuse(card);
	case 7:
		return select_card(card, argument, response);
	case 8: /* the voltage that is asked for is fine */
		response[0] = argument & 0xfff;
		return 1;
	case 9:
		return answer_csd(card, response);
	case 10:
		return answer_long(cid, response);
	case 12:
		return stop(card, response);
	case 13:
	case 16: /* block length: 512, whatever is asked for */
		return answer_status(card, response);
	case 17:
	case 18:
		return start_blocks(card, FROM_DISK, index == 18, argument, response);
	case 24:
	case 25:
		return start_blocks(card, TO_DISK, index == 25, argument, response);
	case 55:
		card->app = 1;
		return answer_status(card, response);
	default:
		return refuse(card);
	}
}

unsigned sdcard_command(struct sdcard *card, unsigned index, uint32_t argument,
                        uint32_t response[4])
{
	bool app = card->app;

	card->app = 0;
	memset(response, 0, 4 * sizeof(*response));
	return app ? application_command(card, index, argument, response)
	           : plain_command(card, index, argument, response);
}

bool sdcard_sends(const struct sdcard *card)
{
	return card->data == FROM_REGISTER || card->data == FROM_DISK;
}

bool sdcard_takes(const struct sdcard *card)
{
	return card->data == TO_DISK;
}

/* The last of single data was moved. */
static void end_data(struct sdcard *card)
{
	card->data = NOTHING;
	card->state = TRANSFER;
}

uint32_t sdcard_read(struct sdcard *card)
{
	uint32_t value;

	if (!sdcard_sends(card))
		return 0;
	value = host_read(card->buffer + card->at, 4);
	card->at += 4;
	if (card->at < card->len)
		return value;
	if (card->data == FROM_REGISTER || !card->multiple)
		end_data(card);
	else
		(void)load_sector(card);
	return value;
}

void sdcard_write(struct sdcard *card, uint32_t value)
{
	if (!sdcard_takes(card))
		return;
	host_write(card->buffer + card->at, 4, value);
	card->at += 4;
	if (card->at < card->len)
		return;
	card->at = 0;
	if (!disk_write(card->disk, card->sector * DISK_SECTOR, card->buffer, DISK_SECTOR)) {
		card->errors |=
			card->sector < disk_bytes(card->disk) / DISK_SECTOR ? FAILED : OUT_OF_RANGE;
		card->data = NOTHING;
		return;
	}
	card->sector++;
	if (!card->multiple)
		end_data(card);
}

void sdcard_snap(struct sdcard *card, struct snap *snap)
{
	snap_part(snap, "memory card");
	SNAP(snap, card->state);
	SNAP(snap, card->data);
	SNAP(snap, card->errors);
	SNAP(snap, card->multiple);
	SNAP(snap, card->app);
	SNAP(snap, card->at);
	SNAP(snap, card->len);
	SNAP(snap, card->sector);
	SNAP(snap, card->buffer);
	snap_need(snap, card->len <= DISK_SECTOR && card->at <= card->len && card->len % 4 == 0 &&
	                        card->at % 4 == 0 &&
	                        (card->data == NOTHING || card->at < card->len));
}
