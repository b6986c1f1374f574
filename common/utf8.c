#include "common/utf8.h"

#include <string.h>

/* By first byte: the length, and the range of the second byte (RFC 3629, section 4). */
static size_t shape(unsigned char first, unsigned char *low, unsigned char *high)
{
	*low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0x01 && first <= 0x7f)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t utf8_length(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low, high;
	size_t want = shape(p[0], &low, &high);

	if (want == 0 || want > len)
		return 0;
	if (want > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < want; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return want;
}

size_t utf8_clean(const char *text, size_t len, char *out, size_t room, size_t *used)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t in = 0, have = 0;

	while (in < len) {
		size_t n = utf8_length(text + in, len - in);
		const char *from = n ? text + in : replacement;
		size_t put = n ? n : 3;

		if (have + put + 1 > room)
			break;
		(void)memcpy(out + have, from, put);
		have += put;
		in += n ? n : 1;
	}
	out[have] = '\0';
	*used = in;
	return have;
}
