#include "server/board/follow.h"

#include "common/jx.h"
#include "server/board/agentline.h"

#include <stdio.h>
#include <string.h>

void follow_init(struct follow *f, struct remote *remote, lines_fn *line, void *arg)
{
	*f = (struct follow){.remote = remote, .line = line, .arg = arg};
	lines_init(&f->lines, AGENT_LINE_MAX);
}

void follow_release(struct follow *f)
{
	lines_release(&f->lines);
}

static int follow_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct follow *f = arg;

	f->off = end;
	return f->line(f->arg, text, len, end);
}

/* The first line of `run` is its answer. Returns how many bytes of data belong to it. */
static size_t follow_greet(struct follow *f, const char *data, size_t len)
{
	const char *nl = memchr(data, '\n', len);
	size_t part = nl ? (size_t)(nl - data) : len;
	size_t room = sizeof(f->answer) - 1 - f->answered;
	size_t keep = part < room ? part : room;

	(void)memcpy(f->answer + f->answered, data, keep);
	f->answered += keep;
	f->answer[f->answered] = '\0';
	if (!nl)
		return len;
	f->greeting = false;
	return part + 1;
}

static void follow_out(void *arg, const char *data, size_t len)
{
	struct follow *f = arg;

	f->total += len;
	if (f->greeting) {
		size_t part = follow_greet(f, data, len);

		data += part;
		len -= part;
	}
	(void)lines_feed(&f->lines, f->got, data, len, follow_line, f);
	f->got += len;
}

static void follow_done(void *arg, int status, const char *complaint, const struct err *err)
{
	struct follow *f = arg;

	f->op = NULL;
	f->ended = true;
	f->status = status;
	f->err = err ? *err : (struct err){0};
	(void)snprintf(f->complaint, sizeof(f->complaint), "%s", complaint);
	f->complaint[strcspn(f->complaint, "\n")] = '\0';
}

static void follow_begin(struct follow *f, const struct remote_exec *exec)
{
	lines_release(&f->lines);
	lines_init(&f->lines, AGENT_LINE_MAX);
	f->got = f->off;
	f->ended = false;
	f->answered = 0;
	f->answer[0] = '\0';
	f->op = f->remote->class->exec(f->remote, exec);
}

void follow_run(struct follow *f, const char *command, const char *input, size_t len)
{
	struct remote_exec exec = {
		.command = command,
		.input = input,
		.input_len = len,
		.out = follow_out,
		.done = follow_done,
		.arg = f,
	};

	f->off = 0;
	f->greeting = true;
	follow_begin(f, &exec);
}

void follow_from(struct follow *f, const char *command)
{
	struct remote_exec exec = {
		.command = command, .out = follow_out, .done = follow_done, .arg = f};

	f->greeting = false;
	follow_begin(f, &exec);
}

void follow_drop(struct follow *f, bool session_gone)
{
	if (f->op && !session_gone)
		f->remote->class->drop(f->remote, f->op);
	f->op = NULL;
	f->ended = false;
}

void follow_reset(struct follow *f, uint64_t off)
{
	follow_drop(f, false);
	f->off = off;
}
