/* sdcard.h - an SDHC memory card in SD mode: its commands, its registers, and a disk behind them. It does
 * what a controller asks at once; there is no CRC on these wires. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct disk;
struct sdcard; /* opaque: sdcard_new(), sdcard_free() */
struct snap;

#define SDCARD_UNIT 524288u /* its size is a multiple of this */

/* disk is borrowed, and of whole SDCARD_UNITs. */
struct sdcard *sdcard_new(struct disk *disk);
void sdcard_free(struct sdcard *card);
void sdcard_reset(struct sdcard *card); /* its power was off */

/* A command. Returns how many words of response there are: 0, 1 (48 bits) or 4 (136 bits, the top ones first). */
unsigned sdcard_command(struct sdcard *card, unsigned index, uint32_t argument,
                        uint32_t response[4]);

/* Whether it has data to send or waits for some; 4 bytes of it. Bytes that it does not wait for are lost. */
bool sdcard_sends(const struct sdcard *card);
bool sdcard_takes(const struct sdcard *card);
uint32_t sdcard_read(struct sdcard *card);
void sdcard_write(struct sdcard *card, uint32_t value);

void sdcard_snap(struct sdcard *card, struct snap *snap); /* save or load; not the disk */
