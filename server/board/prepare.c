#include "server/board/prepare.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/board/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define OUT_CAP    (256 * 1024)
#define SECOND     1000000
#define EXEC_LIMIT (60 * SECOND)
#define PUT_LIMIT  (30 * SECOND)
#define COMMAND_MAX                                                                                \
	16384 /* a command has to fit into one packet: a longer one goes to a shell's stdin */

enum step {
	P_IDLE,
	P_LOOK,   /* which files are there? */
	P_SEND,   /* one file */
	P_ROOM,   /* it was refused: is the disk full? */
	P_VERIFY, /* what was sent */
	P_PLACE,  /* rename, and ask for the facts */
};

void prepare_init(struct prepare *p, struct remote *remote, const char *root)
{
	*p = (struct prepare){.remote = remote, .root = root, .sweep = true};
}

void prepare_release(struct prepare *p)
{
	json_decref(p->facts);
	free(p->out);
}

void prepare_forget(struct prepare *p, bool session_gone)
{
	if (p->op && !session_gone)
		p->remote->class->drop(p->remote, p->op);
	p->op = NULL;
	p->step = P_IDLE;
	p->known_count = 0;
	p->sweep = true;
	json_decref(p->facts);
	p->facts = NULL;
}

char *prepare_agent(const struct prepare *p, const struct request *r)
{
	return xasprintf("%s/files/%s", p->root, r->files[0].sha256);
}

static bool known(const struct prepare *p, const char *sha256)
{
	for (size_t i = 0; i < p->known_count; i++)
		if (strcmp(p->known[i], sha256) == 0)
			return true;
	return false;
}

static void learn(struct prepare *p, const char *sha256)
{
	if (known(p, sha256))
		return;
	if (p->known_count == PREPARE_KNOWN)
		p->known_count = 0;
	(void)memcpy(p->known[p->known_count++], sha256, 65);
}

static bool all_known(const struct prepare *p)
{
	for (size_t i = 0; i < p->request->file_count; i++)
		if (!known(p, p->request->files[i].sha256))
			return false;
	return true;
}

static enum prepare_result failed(struct prepare *p, const char *fault)
{
	p->fault = fault;
	p->step = P_IDLE;
	return PREPARE_FAILED;
}

/* --- commands --- */

static void on_out(void *arg, const char *data, size_t len)
{
	struct prepare *p = arg;
	size_t room = OUT_CAP - p->out_len;

	len = len < room ? len : room;
	(void)memcpy(p->out + p->out_len, data, len);
	p->out_len += len;
	p->out[p->out_len] = '\0';
}

static void on_done(void *arg, int status, const char *complaint, const struct err *err)
{
	struct prepare *p = arg;

	p->op = NULL;
	p->status = status;
	p->err = err ? *err : (struct err){0};
	(void)snprintf(p->complaint, sizeof(p->complaint), "%s", complaint);
	p->complaint[strcspn(p->complaint, "\n")] = '\0';
}

static void begin(struct prepare *p, enum step step, const char *command)
{
	bool is_long = strlen(command) > COMMAND_MAX;
	struct remote_exec exec = {
		.command = is_long ? "exec sh" : command,
		.input = is_long ? command : NULL,
		.input_len = is_long ? strlen(command) : 0,
		.limit_us = EXEC_LIMIT,
		.out = on_out,
		.done = on_done,
		.arg = p,
	};

	if (!p->out)
		p->out = xcalloc(1, OUT_CAP + 1);
	p->out_len = 0;
	p->out[0] = '\0';
	p->step = step;
	p->op = p->remote->class->exec(p->remote, &exec);
}

/* Text that grows; every word put in is ours or was checked to need no quoting. */
static void add(char **text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(char **text, const char *fmt, ...)
{
	SCOPED_STR old = *text;
	SCOPED_STR more = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&more, fmt, ap) < 0)
		abort();
	va_end(ap);
	*text = xasprintf("%s%s", old ? old : "", more);
}

static void add_names(const struct prepare *p, char **text, const char *suffix, bool all)
{
	for (size_t i = 0; i < p->request->file_count; i++)
		if (all || p->sent[i])
			add(text, " %s/files/%s%s", p->root, p->request->files[i].sha256, suffix);
}

/* A leg that an attempt left behind with a fault may still run; this attempt's own are not touched. */
static void add_sweep(const struct prepare *p, char **text, const char *agent)
{
	if (!p->sweep)
		return;
	add(text,
	    "; for d in %s/runs/*; do n=${d##*/}; case $n in \\*|%" PRId64 ".%" PRId64 ".*);; *) "
	    "%s cancel --root %s --run $n; %s clean --root %s --run $n;; esac; done >/dev/null 2>&1",
	    p->root, p->request->run, p->request->attempt, agent, p->root, agent, p->root);
}

static void look(struct prepare *p)
{
	SCOPED_STR agent = prepare_agent(p, p->request);
	SCOPED_STR text = NULL;

	add(&text, "mkdir -p %s/files %s/runs || exit 75; [ -x %s ] || exit 76; %s sha256", p->root,
	    p->root, agent, agent);
	add_names(p, &text, "", true);
	add_sweep(p, &text, agent);
	add(&text, "; exec %s facts", agent);
	begin(p, P_LOOK, text);
}

static void verify(struct prepare *p)
{
	SCOPED_STR agent = prepare_agent(p, p->request);
	SCOPED_STR text = NULL;

	add(&text, "chmod 755");
	add_names(p, &text, ".tmp", false);
	if (p->plain)
		add(&text, "; sha256sum");
	else
		add(&text, "; %s%s sha256", agent, p->sent[0] ? ".tmp" : "");
	add_names(p, &text, ".tmp", false);
	begin(p, P_VERIFY, text);
}

static void place(struct prepare *p)
{
	SCOPED_STR agent = prepare_agent(p, p->request);
	SCOPED_STR text = xstrdup(":");

	for (size_t i = 0; i < p->request->file_count; i++) {
		const char *sha = p->request->files[i].sha256;

		if (p->sent[i])
			add(&text, " && mv -f %s/files/%s.tmp %s/files/%s", p->root, sha, p->root,
			    sha);
	}
	add(&text, " || exit 75");
	add_sweep(p, &text, agent);
	add(&text, "; exec %s facts", agent);
	begin(p, P_PLACE, text);
}

/* --- what they printed --- */

/* Does the output have the line "SHA  NAME" of that file? */
static bool has_line(const struct prepare *p, const char *sha, const char *suffix)
{
	SCOPED_STR line = xasprintf("%s  %s/files/%s%s\n", sha, p->root, sha, suffix);
	const char *at = strstr(p->out, line);

	return at && (at == p->out || at[-1] == '\n');
}

static void learn_lines(struct prepare *p, const char *suffix)
{
	for (size_t i = 0; i < p->request->file_count; i++)
		if (has_line(p, p->request->files[i].sha256, suffix))
			learn(p, p->request->files[i].sha256);
}

/* The facts are the last line. */
static enum prepare_result take_facts(struct prepare *p)
{
	const char *start = strchr(p->out, '{');
	json_t *facts = start ? jx_parse(start, strlen(start), OUT_CAP, &p->err) : NULL;

	if (!facts || !json_is_string(json_object_get(facts, "boot_id"))) {
		json_decref(facts);
		(void)err_set(&p->err, ERR_PROTOCOL, "the agent tells no facts: exit status %d %s",
		              p->status, p->complaint);
		return failed(p, "agent-failed");
	}
	json_decref(p->facts);
	p->facts = facts;
	p->sweep = false;
	p->step = P_IDLE;
	return PREPARE_READY;
}

static bool says_full(const char *text)
{
	return strstr(text, "No space left") != NULL || strstr(text, "quota exceeded") != NULL;
}

static enum prepare_result refused(struct prepare *p, const char *what)
{
	(void)err_set(&p->err, ERR_IO, "%s on the board: exit status %d %s", what, p->status,
	              p->complaint);
	return failed(p, says_full(p->complaint) ? "disk-full" : "provision-failed");
}

/* --- sending --- */

static void on_sent(void *arg, const struct err *err)
{
	on_done(arg, err ? -1 : 0, "", err);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct prepare *p = arg;

	p->progress(p->arg, p->request->files[p->file].name, done, total);
}

static void send_file(struct prepare *p)
{
	const struct wire_file *f = &p->request->files[p->file];
	SCOPED_STR path = xasprintf("%s/files/%s.tmp", p->root, f->sha256);
	struct remote_put put = {
		.local = f->path,
		.path = path,
		.limit_us = PUT_LIMIT,
		.progress = on_progress,
		.done = on_sent,
		.arg = p,
	};

	p->sent[p->file] = true;
	p->step = P_SEND;
	p->op = p->remote->class->put(p->remote, &put);
}

/* Two names may have the same content, which is one file on the board. */
static bool was_sent(const struct prepare *p, const char *sha256)
{
	for (size_t i = 0; i < p->request->file_count; i++)
		if (p->sent[i] && strcmp(p->request->files[i].sha256, sha256) == 0)
			return true;
	return false;
}

/* Send the next file that is not there, or verify those that were sent. */
static void send_next(struct prepare *p)
{
	while (p->file < p->request->file_count) {
		const char *sha256 = p->request->files[p->file].sha256;

		if (!known(p, sha256) && !was_sent(p, sha256)) {
			send_file(p);
			return;
		}
		p->file++;
	}
	verify(p);
}

static void send_begin(struct prepare *p)
{
	p->file = 0;
	p->plain = false;
	(void)memset(p->sent, 0, sizeof(p->sent));
	send_next(p);
}

/* --- steps --- */

static enum prepare_result after_look(struct prepare *p)
{
	if (p->status == 75)
		return refused(p, "making directories");
	learn_lines(p, "");
	if (all_known(p))
		return take_facts(p);
	/* An agent that is there but lies about its hash, or does not run, is sent anew. */
	send_begin(p);
	return PREPARE_BUSY;
}

/* SFTP has no word for a full disk: df does. */
static enum prepare_result after_send(struct prepare *p)
{
	SCOPED_STR text = NULL;

	if (p->status == 0) {
		p->file++;
		send_next(p);
		return PREPARE_BUSY;
	}
	if (p->err.kind == ERR_TIMEOUT)
		return failed(p, "provision-failed");
	/* Before the remains are removed: what is free then is what was free when it failed. */
	add(&text, "df -Pk %s/files; rm -f", p->root);
	add_names(p, &text, ".tmp", false);
	begin(p, P_ROOM, text);
	return PREPARE_BUSY;
}

/* What is free, in KiB: the fourth word of the second line of `df -Pk`. -1: no such line. */
static long long free_kib_of(const char *out)
{
	const char *at = strchr(out, '\n');
	char *end;
	long long kib;

	for (int word = 0; at && word < 3; word++) {
		at += strspn(at, " \n");
		at = strchr(at, ' ');
	}
	if (!at)
		return -1;
	kib = strtoll(at, &end, 10);
	return end == at || kib < 0 ? -1 : kib;
}

static enum prepare_result after_room(struct prepare *p)
{
	const struct wire_file *f = &p->request->files[p->file];
	long long free_kib = free_kib_of(p->out);

	(void)err_set(&p->err, ERR_IO,
	              "sending %s (%lld bytes): the board refused it, %lld KiB are free", f->name,
	              (long long)f->size, free_kib);
	return failed(p, free_kib >= 0 && free_kib * 1024 < f->size ? "disk-full"
	                                                            : "provision-failed");
}

/* It was not the way that damaged them: a file here is no longer the one that cohortd told of (a build of the programs, or
 * an upgrade, went over it). */
static bool changed_here(struct prepare *p)
{
	for (size_t i = 0; i < p->request->file_count; i++) {
		const struct wire_file *f = &p->request->files[i];
		char now[SHA256_HEX];

		if (p->sent[i] && sha256_file(f->path, now, NULL, &p->err) == 0 &&
		    strcmp(now, f->sha256) != 0) {
			(void)err_set(
				&p->err, ERR_IO,
				"%s: %s is another file than the one that cohortd read at its "
				"start: restart cohortd",
				f->name, f->path);
			return true;
		}
	}
	return false;
}

static enum prepare_result after_verify(struct prepare *p)
{
	bool good = true;

	for (size_t i = 0; i < p->request->file_count; i++)
		good &= !p->sent[i] || has_line(p, p->request->files[i].sha256, ".tmp");
	if (good) {
		place(p);
		return PREPARE_BUSY;
	}
	if (!p->plain) {
		p->plain = true;
		verify(p);
		return PREPARE_BUSY;
	}
	if (!p->resent) {
		p->resent = true;
		send_begin(p);
		return PREPARE_BUSY;
	}
	if (changed_here(p))
		return failed(p, "provision-failed");
	return refused(p, "files arrive damaged, verifying them");
}

static enum prepare_result after_place(struct prepare *p)
{
	if (p->status == 75)
		return refused(p, "renaming files");
	for (size_t i = 0; i < p->request->file_count; i++)
		if (p->sent[i])
			learn(p, p->request->files[i].sha256);
	return take_facts(p);
}

static enum prepare_result after(struct prepare *p)
{
	switch ((enum step)p->step) {
	case P_LOOK:
		return after_look(p);
	case P_SEND:
		return after_send(p);
	case P_ROOM:
		return after_room(p);
	case P_VERIFY:
		return after_verify(p);
	case P_PLACE:
		return after_place(p);
	case P_IDLE:
		break;
	}
	return PREPARE_BUSY;
}

enum prepare_result prepare_step(struct prepare *p, const struct request *r)
{
	p->request = r;
	if (p->session != p->remote->session) {
		prepare_forget(p, true);
		p->session = p->remote->session;
	}
	if (p->op)
		return PREPARE_BUSY;
	if (p->step == P_IDLE) {
		p->resent = false;
		if (p->facts && all_known(p))
			return PREPARE_READY;
		look(p);
		return PREPARE_BUSY;
	}
	/* The session went away under it: it will be told, and begins anew in the next one. */
	if (p->err.kind == ERR_CLOSED)
		return PREPARE_BUSY;
	if (p->err.kind == ERR_TIMEOUT && p->step != P_SEND)
		return failed(p, "provision-failed");
	return after(p);
}
