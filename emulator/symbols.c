#include "symbols.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/xalloc.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (64u << 20)
#define FAR      0x100000u /* no function is as long as that */

struct symbol {
	uint32_t address;
	const char *name; /* in one of the texts */
};

struct symbols {
	struct symbol *rows;
	size_t count, room;
	bool sorted;
	char **texts; /* the files; names point into them */
	size_t files;
};

struct symbols *symbols_new(void)
{
	return xcalloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t n = 0; n < symbols->files; n++)
		free(symbols->texts[n]);
	free(symbols->texts);
	free(symbols->rows);
	free(symbols);
}

static void add(struct symbols *symbols, uint32_t address, const char *name)
{
	if (symbols->count == symbols->room) {
		symbols->room = symbols->room ? 2 * symbols->room : 1024;
		symbols->rows = xrealloc(symbols->rows, symbols->room * sizeof(*symbols->rows));
	}
	symbols->rows[symbols->count++] = (struct symbol){address, name};
	symbols->sorted = false;
}

/* "c0008000 T stext", perhaps with a module behind a tab. Names go into JSON: nothing but letters,
 * digits and the few signs that symbols have. Mapping symbols ($a, $d) are not functions. */
static bool parse_line(struct symbols *symbols, char *line)
{
	char *end;
	unsigned long long address = strtoull(line, &end, 16);
	char *name = end + 3;

	if (end == line || address > UINT32_MAX || end[0] != ' ' ||
	    !isgraph((unsigned char)end[1]) || end[2] != ' ' || !*name)
		return false;
	name[strcspn(name, "\t ")] = '\0';
	if (!strchr("tTwW", end[1]) || name[0] == '$')
		return true;
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("_.$@", *at))
			return false;
	}
	add(symbols, (uint32_t)address, name);
	return true;
}

int symbols_read(struct symbols *symbols, const char *path, struct err *err)
{
	size_t len;
	char *text = fs_read_file(path, FILE_MAX, &len, err);
	char *rest = text;
	size_t before = symbols->count;
	unsigned number = 0;

	if (!text)
		return -1;
	symbols->texts = xrealloc(symbols->texts, (symbols->files + 1) * sizeof(*symbols->texts));
	symbols->texts[symbols->files++] = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		number++;
		/* nm writes undefined symbols with blanks for their address. */
		if (*line && *line != ' ' && !parse_line(symbols, line))
			return err_set(err, ERR_INVALID, "%s: line %u is no address, type and name",
			               path, number);
	}
	if (symbols->count == before)
		return err_set(err, ERR_INVALID, "%s: no functions in it", path);
	return 0;
}

static int by_address(const void *left, const void *right)
{
	uint32_t a = ((const struct symbol *)left)->address;
	uint32_t b = ((const struct symbol *)right)->address;

	return (a > b) - (a < b);
}

const char *symbols_find(struct symbols *symbols, uint32_t address, uint32_t *offset)
{
	size_t low = 0, high = symbols->count;

	if (!symbols->sorted && symbols->count)
		qsort(symbols->rows, symbols->count, sizeof(*symbols->rows), by_address);
	symbols->sorted = true;
	while (low < high) { /* rows before low start at or before the address */
		size_t middle = low + (high - low) / 2;

		if (symbols->rows[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - symbols->rows[low - 1].address >= FAR)
		return NULL;
	*offset = address - symbols->rows[low - 1].address;
	return symbols->rows[low - 1].name;
}
