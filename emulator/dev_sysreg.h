/* dev_sysreg.h - the board's system registers: identification, lock, reset, a 24 MHz counter.
 * Other registers keep what is written. The board has no power switch: Linux halts instead. */
#pragma once
#include "bus.h"
#include "clock.h"

#include <stdbool.h>
#include <stdint.h>

#define SYSREG_SIZE 0x200u

struct snap;
struct sysreg;

struct sysreg *sysreg_new(const struct clock *clock);
void sysreg_free(struct sysreg *sysreg);
struct bus_device sysreg_device(struct sysreg *sysreg, uint32_t base);

/* The card detect switch of the first memory card slot. */
void sysreg_insert_card(struct sysreg *sysreg);

/* Whether the guest has asked for a reset. */
bool sysreg_reset_asked(const struct sysreg *sysreg);

void sysreg_snap(struct sysreg *sysreg, struct snap *snap); /* save or load */
