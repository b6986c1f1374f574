/* settings.h - where the server is and who we are: option, environment, config file, default, in this order. */
#pragma once

struct err;

struct settings {
	char *server, *token; /* owned */
	char *token_file, *config_file;
};

/* Take one command line option: s server, t token, f token file, c config file. */
void settings_option(struct settings *settings, int option, const char *value);

/* Fill in what no option gave. 0, or -1 with *err that names the file and the field. */
int settings_finish(struct settings *settings, struct err *err);
void settings_release(struct settings *settings);
