#include "dev_pl181.h"

#include "common/xalloc.h"
#include "sdcard.h"
#include "snap.h"

#include <stdbool.h>
#include <stdlib.h>

#define POWER    0x00u
#define CLOCK    0x04u
#define ARGUMENT 0x08u
#define COMMAND  0x0cu
#define RESPCMD  0x10u
#define RESPONSE 0x14u /* and three behind it */
#define TIMER    0x24u
#define LENGTH   0x28u
#define DATACTRL 0x2cu
#define DATACNT  0x30u
#define STATUS   0x34u
#define CLEAR    0x38u
#define MASK0    0x3cu
#define MASK1    0x40u
#define FIFOCNT  0x48u
#define FIFO     0x80u
#define FIFO_END 0xc0u

#define CMD_INDEX    0x03fu
#define CMD_RESPONSE 0x040u
#define CMD_LONG     0x080u
#define CMD_ENABLE   0x400u
#define DATA_ENABLE  0x01u
#define DATA_IN      0x02u /* from the card */

#define ST_CMD_TIMEOUT  0x000004u
#define ST_DATA_TIMEOUT 0x000008u
#define ST_CMD_RESPONSE 0x000040u
#define ST_CMD_SENT     0x000080u
#define ST_DATA_END     0x000100u
#define ST_BLOCK_END    0x000400u
#define ST_KEPT         0x0007ffu /* until cleared; the rest follows the FIFO */
#define ST_TX_ACTIVE    0x001000u
#define ST_RX_ACTIVE    0x002000u
#define ST_TX_HALF      0x004000u
#define ST_RX_HALF      0x008000u
#define ST_RX_FULL      0x020000u
#define ST_TX_EMPTY     0x040000u
#define ST_RX_EMPTY     0x080000u
#define ST_RX_AVAILABLE 0x200000u

#define WORDS 16u /* of the FIFO */
#define HALF  8u

struct pl181 {
	struct sdcard *card; /* borrowed */
	struct irq irq[2];
	uint32_t power, clock, argument, command, timer, length, datactrl;
	uint32_t respcmd, response[4];
	uint32_t left; /* bytes that the card has still to send or to get */
	uint32_t kept; /* of the status */
	uint32_t mask[2];
	uint32_t fifo[WORDS]; /* of data from the card; what goes to it does not wait */
	uint32_t first, held;
};

static const uint8_t ids[] = {0x81, 0x11, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static bool receives(const struct pl181 *mmc)
{
	return (mmc->datactrl & DATA_ENABLE) && (mmc->datactrl & DATA_IN);
}

static bool sends(const struct pl181 *mmc)
{
	return (mmc->datactrl & DATA_ENABLE) && !(mmc->datactrl & DATA_IN);
}

static uint32_t status(const struct pl181 *mmc)
{
	uint32_t now = mmc->kept | ST_TX_EMPTY | ST_TX_HALF;

	if (mmc->held == 0)
		now |= ST_RX_EMPTY;
	else
		now |= ST_RX_AVAILABLE;
	if (mmc->held >= HALF)
		now |= ST_RX_HALF;
	if (mmc->held == WORDS)
		now |= ST_RX_FULL;
	if (receives(mmc) && (mmc->left || mmc->held))
		now |= ST_RX_ACTIVE;
	if (sends(mmc) && mmc->left)
		now |= ST_TX_ACTIVE;
	else
		now &= ~(ST_TX_EMPTY | ST_TX_HALF); /* they ask for data that nobody wants */
	return now;
}

static void update(struct pl181 *mmc)
{
	uint32_t now = status(mmc);

	for (unsigned n = 0; n < 2; n++)
		irq_set(&mmc->irq[n], now & mmc->mask[n]);
}

static void moved(struct pl181 *mmc)
{
	mmc->left -= mmc->left < 4 ? mmc->left : 4;
	if (mmc->left == 0)
		mmc->kept |= ST_DATA_END | ST_BLOCK_END;
}

/* What the card sends goes into the FIFO while there is room. */
static void fill_fifo(struct pl181 *mmc)
{
	while (receives(mmc) && mmc->left && mmc->held < WORDS && sdcard_sends(mmc->card)) {
		mmc->fifo[(mmc->first + mmc->held++) % WORDS] = sdcard_read(mmc->card);
		moved(mmc);
	}
}

static uint32_t take_word(struct pl181 *mmc)
{
	uint32_t value = mmc->fifo[mmc->first];

	if (mmc->held == 0)
		return 0;
	mmc->first = (mmc->first + 1) % WORDS;
	mmc->held--;
	fill_fifo(mmc);
	update(mmc);
	return value;
}

static void put_word(struct pl181 *mmc, uint32_t value)
{
	if (!sends(mmc) || mmc->left == 0)
		return;
	if (!sdcard_takes(mmc->card)) {
		mmc->kept |= ST_DATA_TIMEOUT;
		return;
	}
	sdcard_write(mmc->card, value);
	moved(mmc);
}

static void run_command(struct pl181 *mmc)
{
	unsigned index = mmc->command & CMD_INDEX;
	unsigned words = sdcard_command(mmc->card, index, mmc->argument, mmc->response);

	mmc->respcmd = words == 1 ? index : 0x3f;
	if (!(mmc->command & CMD_RESPONSE))
		mmc->kept |= ST_CMD_SENT;
	else if (words == (mmc->command & CMD_LONG ? 4 : 1))
		mmc->kept |= ST_CMD_RESPONSE;
	else
		mmc->kept |= ST_CMD_TIMEOUT;
	mmc->command &= ~CMD_ENABLE;
	fill_fifo(mmc);
	/* The data that was to come behind this command will not. */
	if (receives(mmc) && mmc->left && !sdcard_sends(mmc->card))
		mmc->kept |= ST_DATA_TIMEOUT;
}

static void set_datactrl(struct pl181 *mmc, uint32_t value)
{
	mmc->datactrl = value & 0xff;
	if (!(value & DATA_ENABLE))
		return;
	mmc->left = mmc->length;
	mmc->first = mmc->held = 0;
	fill_fifo(mmc);
}

static uint32_t read(void *device, uint32_t offset, unsigned bytes)
{
	struct pl181 *mmc = device;

	(void)bytes;
	if (offset >= 0xfe0)
		return ids[(offset - 0xfe0) / 4];
	if (offset >= FIFO && offset < FIFO_END)
		return take_word(mmc);
	if (offset >= RESPONSE && offset < RESPONSE + 16)
		return mmc->response[(offset - RESPONSE) / 4];
	switch (offset) {
	case POWER:
		return mmc->power;
	case CLOCK:
		return mmc->clock;
	case ARGUMENT:
		return mmc->argument;
	case COMMAND:
		return mmc->command;
	case RESPCMD:
		return mmc->respcmd;
	case TIMER:
		return mmc->timer;
	case LENGTH:
		return mmc->length;
	case DATACTRL:
		return mmc->datactrl;
	case DATACNT:
		return mmc->left;
	case STATUS:
		return status(mmc);
	case MASK0:
		return mmc->mask[0];
	case MASK1:
		return mmc->mask[1];
	case FIFOCNT: /* words that did not come into the FIFO yet */
		return (mmc->left + 3) / 4;
	default:
		return 0;
	}
}

static void write(void *device, uint32_t offset, unsigned bytes, uint32_t value)
{
	struct pl181 *mmc = device;

	(void)bytes;
	if (offset >= FIFO && offset < FIFO_END)
		put_word(mmc, value);
	switch (offset) {
	case POWER:
		if ((value & 3) == 0)
			sdcard_reset(mmc->card);
		mmc->power = value & 0xff;
		break;
	case CLOCK:
		mmc->clock = value & 0x1fff;
		break;
	case ARGUMENT:
		mmc->argument = value;
		break;
	case COMMAND:
		mmc->command = value & 0x7ff;
		if (value & CMD_ENABLE)
			run_command(mmc);
		break;
	case TIMER:
		mmc->timer = value;
		break;
	case LENGTH:
		mmc->length = value & 0xffff;
		break;
	case DATACTRL:
		set_datactrl(mmc, value);
		break;
	case CLEAR:
		mmc->kept &= ~(value & ST_KEPT);
		break;
	case MASK0:
	case MASK1:
		mmc->mask[offset == MASK1] = value & 0x3fffff;
		break;
	default:
		break;
	}
	update(mmc);
}

struct pl181 *pl181_new(struct sdcard *card, const struct irq irq[2])
{
	struct pl181 *mmc = xcalloc(1, sizeof(*mmc));

	mmc->card = card;
	mmc->irq[0] = irq[0];
	mmc->irq[1] = irq[1];
	return mmc;
}

void pl181_free(struct pl181 *mmc)
{
	free(mmc);
}

struct bus_device pl181_device(struct pl181 *mmc, uint32_t base)
{
	return (struct bus_device){"pl181", base, PL181_SIZE, read, write, mmc};
}

void pl181_snap(struct pl181 *mmc, struct snap *snap)
{
	snap_part(snap, "pl181");
	SNAP(snap, mmc->power);
	SNAP(snap, mmc->clock);
	SNAP(snap, mmc->argument);
	SNAP(snap, mmc->command);
	SNAP(snap, mmc->timer);
	SNAP(snap, mmc->length);
	SNAP(snap, mmc->datactrl);
	SNAP(snap, mmc->respcmd);
	SNAP(snap, mmc->response);
	SNAP(snap, mmc->left);
	SNAP(snap, mmc->kept);
	SNAP(snap, mmc->mask);
	SNAP(snap, mmc->fifo);
	SNAP(snap, mmc->first);
	SNAP(snap, mmc->held);
	snap_need(snap, mmc->first < WORDS && mmc->held <= WORDS);
}
