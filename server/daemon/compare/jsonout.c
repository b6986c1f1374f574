#include "server/daemon/compare/jsonout.h"

#include "common/xalloc.h"

#include <math.h>
#include <stdio.h>

static void reserve(struct jsonout *out, size_t more)
{
	if (out->room - out->len >= more)
		return;
	out->room = (out->len + more) * 2 + 4096;
	out->text = xrealloc(out->text, out->room);
}

char *jsonout_end(struct jsonout *out)
{
	reserve(out, 1);
	out->text[out->len] = '\0';
	return out->text;
}

void jsonout_bytes(struct jsonout *out, const char *bytes, size_t len)
{
	reserve(out, len);
	(void)memcpy(out->text + out->len, bytes, len);
	out->len += len;
}

void jsonout_int(struct jsonout *out, int64_t value)
{
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (value < 0)
		digits[--at] = '-';
	jsonout_bytes(out, digits + at, sizeof(digits) - at);
}

static void escape(struct jsonout *out, unsigned char c)
{
	char code[8];
	int len = c == '"' || c == '\\' ? snprintf(code, sizeof(code), "\\%c", c)
	                                : snprintf(code, sizeof(code), "\\u%04x", c);

	jsonout_bytes(out, code, (size_t)len);
}

void jsonout_text(struct jsonout *out, const char *text)
{
	const char *plain = text;

	if (!text) {
		jsonout_raw(out, "null");
		return;
	}
	jsonout_raw(out, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		jsonout_bytes(out, plain, (size_t)(text - plain));
		escape(out, c);
		plain = text + 1;
	}
	jsonout_bytes(out, plain, (size_t)(text - plain));
	jsonout_raw(out, "\"");
}

void jsonout_part(struct jsonout *out, double value)
{
	long millionths = lround(value * 1e6);
	char digits[9] = "0.";
	size_t len = 8;

	if (millionths <= 0 || millionths >= 1000000) {
		jsonout_raw(out, millionths <= 0 ? "0" : "1");
		return;
	}
	for (size_t i = 8; i-- > 2; millionths /= 10)
		digits[i] = (char)('0' + millionths % 10);
	while (digits[len - 1] == '0')
		len--;
	jsonout_bytes(out, digits, len);
}

void jsonout_number(struct jsonout *out, double value)
{
	char digits[32];
	int len;

	if (value >= 1 && value <= 1) {
		jsonout_raw(out, "1"); /* most of them */
	} else if (isfinite(value)) {
		len = snprintf(digits, sizeof(digits), "%.6g", value);
		jsonout_bytes(out, digits, (size_t)len);
	} else {
		jsonout_raw(out, "null");
	}
}
