#include "server/board/boot.h"

#include <stdlib.h>

const struct boot_method *boot_method_of(enum board_boot id)
{
	static const struct boot_method *const methods[] = {&boot_none, &boot_command, NULL};

	for (const struct boot_method *const *m = methods; *m; m++)
		if ((*m)->id == id)
			return *m;
	abort();
}
