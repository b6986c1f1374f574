/* config.h - what cohortd is told: defaults, then the file of --config, then options. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct config {
	/* All owned; NULL where said. */
	char *listen, *state, *suites, *agents, *board_program;
	char *boards, *keys, *web; /* NULL: none */
	char *kernels, *controls;  /* the same */
	char *tls_cert, *tls_key;  /* NULL: no TLS */
	char *log_level;
	json_t *hosts; /* array of names that the header Host may have */
	char *smtp_url, *smtp_credentials, *mail_from; /* NULL: none; no smtp_url, no mail */
	json_t *mail_to;                               /* array of addresses */
	char *mail_at, *mail_zone;
	char *public_url, *webhooks;         /* NULL: none */
	json_t *fetch_hosts, *fetch_private; /* arrays of "host" or "host:port" (fetch/where.h) */
	char *fetch_ca;                      /* NULL: the system's */
	bool insecure_listen, read_token_required;

	bool print, check; /* --print-config, --check-config: options only */
};

/* What config_read() found; anything but CONFIG_RUN means that the program is to end. */
enum config_found { CONFIG_RUN, CONFIG_HELP, CONFIG_VERSION, CONFIG_ERROR };

/* Read argv and the file it names. Relative paths in the file are relative to the file. CONFIG_ERROR sets *err (ERR_INVALID),
 * which names the option or the file and field. The caller releases config in each case. */
enum config_found config_read(struct config *config, int argc, char *const argv[], struct err *err);
void config_release(struct config *config);

/* The configuration as a file would say it. The caller owns it. */
json_t *config_json(const struct config *config);

/* LOG_LEVEL_* of config->log_level. */
int config_log_level(const struct config *config);

/* The options, one a line, for --help. */
void config_usage(void);
