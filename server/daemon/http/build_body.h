/* build_body.h - what a submitter says of a build, checked. */
#pragma once
#include "server/daemon/store/builds.h"

struct jx_errors;

/* Read the document, which must outlive *build, by defaults and rules; complaints at its fields. */
void build_body_read(json_t *doc, struct build_new *build, struct jx_errors *errors);
