#include "server/daemon/series/mail.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/daemon/series/mail_text.h"

#include <ctype.h>
#include <gmime/gmime.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- Texts ---- */

/* Control characters out of a line of text that is UTF-8; spaces stand for them. The text is taken over. */
static char *one_line(char *text)
{
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	return text;
}

static char *clean_utf8(const char *text, size_t len)
{
	size_t room = len * 3 + 1, used;
	char *out = xcalloc(room, 1);
	size_t have = utf8_clean(text, len, out, room, &used);

	return xrealloc(out, have + 1);
}

static char *line_text(const char *text)
{
	return one_line(clean_utf8(text ? text : "", text ? strlen(text) : 0));
}

static bool is_utf8(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

/* What iconv is to convert from, NULL: nothing. Mailers that say nothing, or US-ASCII, send UTF-8 or Latin 1 nevertheless; git
 * guesses the same way. */
static const char *charset_of(const char *text, size_t len, const char *said)
{
	const char *known = said ? g_mime_charset_iconv_name(said) : NULL;
	bool plain = !said || strcasecmp(said, "us-ascii") == 0 || strcasecmp(said, "ascii") == 0;

	if (plain)
		return is_utf8(text, len) ? NULL : "iso-8859-1";
	return known && strcasecmp(known, "utf-8") != 0 ? known : NULL;
}

char *mail_utf8(const char *text, size_t len, const char *charset)
{
	const char *from = charset_of(text, len, charset);
	iconv_t none = (iconv_t)-1; /* NOLINT(performance-no-int-to-ptr): iconv(3)'s own */
	iconv_t cd = from ? g_mime_iconv_open("UTF-8", from) : none;
	char *other = NULL, *out, *to;

	if (cd != none) {
		other = g_mime_iconv_strndup(cd, text, len);
		(void)g_mime_iconv_close(cd);
	}
	out = to = clean_utf8(other ? other : text, other ? strlen(other) : len);
	g_free(other);
	for (const char *at = out; *at; at++)
		if ((unsigned char)*at >= ' ' ? *at != 0x7f : *at == '\n' || *at == '\t')
			*to++ = *at;
	*to = '\0';
	return out;
}

char *mail_decode(const char *value)
{
	char *decoded = g_mime_utils_header_decode_text(NULL, value);
	char *out = line_text(decoded);

	g_free(decoded);
	return out;
}

/* The name, the len bytes in front of <address>, as git reads it: quotes around it go, quotes in an encoded word are part of the name. */
static char *display_name(const char *text, size_t len)
{
	SCOPED_STR name = NULL;
	size_t to = 0;

	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
		name = xstrndup(text, len);
		return mail_decode(name);
	}
	name = xcalloc(len, 1);
	for (size_t i = 1; i + 1 < len; i++) {
		i += text[i] == '\\' && i + 2 < len;
		name[to++] = text[i];
	}
	return mail_decode(name);
}

/* What git would cut out or read as another address is none. */
static bool address_good(const char *at)
{
	const char *sign = strchr(at, '@');

	return sign && sign != at && !strpbrk(at, "<> \t\r\n\"(),");
}

/* "address" or "address (Name)": rare enough to be GMime's. */
static bool address_alone(const char *text, char **name, char **address)
{
	InternetAddressList *list = internet_address_list_parse(NULL, text);
	InternetAddress *first = list && internet_address_list_length(list) == 1
	                                 ? internet_address_list_get_address(list, 0)
	                                 : NULL;
	const char *at =
		first && INTERNET_ADDRESS_IS_MAILBOX(first)
			? internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first))
			: NULL;
	bool good = at && address_good(at);

	if (good) {
		*name = line_text(internet_address_get_name(first));
		*address = line_text(at);
	}
	if (list)
		g_object_unref(list);
	return good;
}

bool mail_address(const char *text, char **name, char **address)
{
	const char *open = strrchr(text, '<'), *close = open ? strchr(open, '>') : NULL;
	SCOPED_STR at = close ? xstrndup(open + 1, (size_t)(close - open - 1)) : NULL;

	if (!open)
		return address_alone(text, name, address);
	if (!at || !address_good(at))
		return false;
	*name = display_name(text, (size_t)(open - text));
	*address = line_text(at);
	return true;
}

/* ---- Headers ---- */

static int from_read(GMimeMessage *message, struct mail *mail, struct err *err)
{
	GMimeHeaderList *headers = g_mime_object_get_header_list(GMIME_OBJECT(message));
	GMimeHeader *from = g_mime_header_list_get_header(headers, "From");
	SCOPED_STR value = NULL;

	if (!from)
		return err_set(err, ERR_INVALID, "has no From: it is no mail");
	/* As it came: a comma in an encoded name must not become one between addresses. */
	value = one_line(xstrdup(g_mime_header_get_raw_value(from)));
	if (!mail_address(value, &mail->name, &mail->address))
		return err_set(err, ERR_INVALID, "From has no address");
	return 0;
}

bool mail_date(const char *text, char **date, int64_t *us)
{
	GDateTime *when = text ? g_mime_utils_header_decode_date(text) : NULL;
	/* Years that git would not take say nothing of a patch. */
	bool good = when && g_date_time_to_unix(when) > 0 && g_date_time_get_year(when) < 2100;
	char *written = good ? g_mime_utils_header_format_date(when) : NULL;

	if (good) {
		*date = line_text(written);
		*us = g_date_time_to_unix(when) * INT64_C(1000000);
	}
	g_free(written);
	if (when)
		g_date_time_unref(when);
	return good;
}

static void headers_read(GMimeMessage *message, struct mail *mail)
{
	GMimeObject *object = GMIME_OBJECT(message);
	const char *id = g_mime_message_get_message_id(message);

	mail->subject = line_text(g_mime_message_get_subject(message));
	mail->answers = g_mime_object_get_header(object, "In-Reply-To") ||
	                g_mime_object_get_header(object, "References");
	if (id && *id && !strpbrk(id, "<> \t\r\n"))
		mail->message_id = line_text(id);
	(void)mail_date(g_mime_object_get_header(object, "Date"), &mail->date, &mail->date_us);
}

/* ---- Parts ---- */

struct parts {
	GByteArray *bytes;
	struct mail *mail;
};

/* A text, or a file that calls itself a patch; not the HTML beside it. */
static bool is_text(GMimePart *part)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	size_t len = name ? strlen(name) : 0;

	if (!type || g_mime_content_type_is_type(type, "text", "*"))
		return !type || !g_mime_content_type_is_type(type, "text", "html");
	return len > 6 &&
	       (strcmp(name + len - 6, ".patch") == 0 || strcmp(name + len - 5, ".diff") == 0);
}

static void part_add(GMimeObject *parent, GMimeObject *object, gpointer arg)
{
	struct parts *p = arg;
	GMimeStream *stream;
	GMimeDataWrapper *content;
	struct mail_text part = {0};

	(void)parent;
	if (!GMIME_IS_PART(object) || !is_text(GMIME_PART(object)))
		return;
	content = g_mime_part_get_content(GMIME_PART(object));
	if (!content)
		return;
	stream = g_mime_stream_mem_new();
	(void)g_mime_data_wrapper_write_to_stream(content, stream);
	part.bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream))->data;
	part.len = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream))->len;
	part.format = g_mime_object_get_content_type_parameter(object, "format");
	part.delsp = g_mime_object_get_content_type_parameter(object, "delsp");
	mail_text_lines(&part, p->bytes);
	if (!p->mail->charset && g_mime_object_get_content_type_parameter(object, "charset"))
		p->mail->charset =
			xstrdup(g_mime_object_get_content_type_parameter(object, "charset"));
	g_object_unref(stream);
}

static void text_read(GMimeMessage *message, bool quoted, struct mail *mail)
{
	struct parts p = {.bytes = g_byte_array_new(), .mail = mail};
	GMimeObject *top = g_mime_message_get_mime_part(message);

	/* What a mail carries as a mail of its own is not its text: message/rfc822 is not walked into. */
	if (top && GMIME_IS_MULTIPART(top))
		g_mime_multipart_foreach(GMIME_MULTIPART(top), part_add, &p);
	else if (top)
		part_add(NULL, top, &p);
	if (quoted)
		mail_text_unquote(p.bytes);
	g_byte_array_append(p.bytes, (const guint8 *)"", 1);
	mail->len = p.bytes->len - 1;
	mail->text = xcalloc(p.bytes->len, 1);
	memcpy(mail->text, p.bytes->data, p.bytes->len);
	g_byte_array_unref(p.bytes);
}

static int message_read(GMimeMessage *message, bool quoted, struct mail *mail, struct err *err)
{
	if (from_read(message, mail, err) < 0)
		return -1;
	headers_read(message, mail);
	text_read(message, quoted, mail);
	return 0;
}

int mail_read(const char *text, size_t len, bool quoted, struct mail *mail, struct err *err)
{
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeMessage *message;
	int rc = -1;

	*mail = (struct mail){0};
	if (len > MAIL_MAX)
		return err_set(err, ERR_TOOBIG, "has more than %zu MiB", MAIL_MAX >> 20);
	(void)pthread_once(&once, g_mime_init);
	stream = g_mime_stream_mem_new_with_buffer(text, len);
	parser = g_mime_parser_new_with_stream(stream);
	message = g_mime_parser_construct_message(parser, NULL);
	if (message)
		rc = message_read(message, quoted, mail, err);
	else
		(void)err_set(err, ERR_INVALID, "is no mail: it has no headers");
	if (message)
		g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	if (rc < 0)
		mail_release(mail);
	return rc;
}

void mail_release(struct mail *mail)
{
	free(mail->name);
	free(mail->address);
	free(mail->subject);
	free(mail->message_id);
	free(mail->date);
	free(mail->text);
	free(mail->charset);
	*mail = (struct mail){0};
}
