/* schema.h - the schema of a store: made, or brought up to date. */
#pragma once

struct db;
struct err;

/* 0, or -1 with *err: ERR_CONFLICT when the store is of a newer cohortd. */
int schema_update(struct db *db, struct err *err);
