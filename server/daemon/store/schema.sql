-- The store's schema. Kept in the subset that PostgreSQL takes too, but for STRICT and the pragmas.
-- Times are integer microseconds UTC. JSON is text. To change a table: add a migration to migrations in
-- schema.c, never edit an old one; schema.sql is what a new store starts with.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE board (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL, cache TEXT NOT NULL, arch TEXT NOT NULL,
	tags TEXT NOT NULL DEFAULT '[]',      -- JSON array of names
	description TEXT NOT NULL DEFAULT '',
	origin TEXT NOT NULL,                 -- file | api
	document TEXT NOT NULL,               -- the board file as JSON, for cohort-board
	path TEXT,                            -- where the file is (origin file)
	state TEXT NOT NULL DEFAULT 'unknown',
	state_detail TEXT NOT NULL DEFAULT '',
	disabled_reason TEXT,                 -- not null: disabled
	facts TEXT,                           -- JSON of the last prove
	fence INTEGER NOT NULL DEFAULT 0,     -- highest fencing number given out
	last_seen INTEGER, updated INTEGER NOT NULL
) STRICT;
CREATE INDEX board_updated ON board (updated); -- the farm looks for what changed

CREATE TABLE file (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;

CREATE TABLE build (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	release TEXT, build_id TEXT, arch TEXT NOT NULL,
	description TEXT NOT NULL, cmdline TEXT NOT NULL,
	config_sha256 TEXT, compiler TEXT, series TEXT, revision TEXT,
	created INTEGER NOT NULL,
	state TEXT NOT NULL DEFAULT 'complete', -- waiting | building | complete | failed
	recipe TEXT,                          -- JSON of what it is made from (docs/SERIES.md); null: it was uploaded
	recipe_sha256 TEXT,                   -- of that text: one build a recipe
	revision_id INTEGER REFERENCES revision (id),
	failure TEXT,                         -- JSON: why it is 'failed'
	folded TEXT                           -- the one cache class that its configuration leaves; null: found at run time
) STRICT;
CREATE UNIQUE INDEX build_recipe ON build (recipe_sha256) WHERE recipe_sha256 IS NOT NULL;
CREATE INDEX build_revision ON build (revision_id) WHERE revision_id IS NOT NULL;
CREATE TABLE build_file (
	build INTEGER NOT NULL REFERENCES build (id),
	role TEXT NOT NULL,                   -- kernel | dtb | initramfs | modules; made ones also config | map | log
	sha256 TEXT NOT NULL REFERENCES file (sha256),
	PRIMARY KEY (build, role)
) STRICT;

-- A patch series: what ties its revisions is in key (docs/SERIES.md).
CREATE TABLE series (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,            -- short, for people and addresses
	key TEXT NOT NULL UNIQUE,             -- 'change-id ID' | 'subject TITLE by ADDRESS' | 'name NAME'
	title TEXT NOT NULL, author TEXT NOT NULL,
	change_id TEXT,
	created INTEGER NOT NULL
) STRICT;
CREATE TABLE revision (
	id INTEGER PRIMARY KEY,
	series INTEGER NOT NULL REFERENCES series (id),
	version INTEGER NOT NULL,
	label TEXT NOT NULL,                  -- 'v3'
	title TEXT NOT NULL, author TEXT NOT NULL,
	message_id TEXT,                      -- of the cover letter, else of the first patch; without <>
	base_commit TEXT,
	cover TEXT NOT NULL DEFAULT '',
	patchset_hash TEXT NOT NULL,          -- as KCIDB defines it
	date INTEGER, created INTEGER NOT NULL,
	UNIQUE (series, version)
) STRICT;
CREATE INDEX revision_message ON revision (message_id) WHERE message_id IS NOT NULL;
CREATE TABLE patch (
	revision INTEGER NOT NULL REFERENCES revision (id),
	n INTEGER NOT NULL,                   -- 1, 2 ...
	subject TEXT NOT NULL, author TEXT NOT NULL, message_id TEXT,
	sha256 TEXT NOT NULL REFERENCES file (sha256), -- a mail for git am
	diff_sha256 TEXT NOT NULL,            -- of the diff in it: tells patches that were sent again
	PRIMARY KEY (revision, n)
) STRICT;
CREATE INDEX patch_message ON patch (message_id) WHERE message_id IS NOT NULL;

-- Commits of a builder's repository that are to become a revision (docs/SERIES.md).
CREATE TABLE git_range (
	id INTEGER PRIMARY KEY,
	tree TEXT NOT NULL, span TEXT NOT NULL, -- span: 'base..branch'
	series TEXT, version INTEGER,         -- as the user says; null: as the mails do
	state TEXT NOT NULL,                  -- waiting | reading | done | failed
	detail TEXT NOT NULL DEFAULT '',      -- why it failed
	run INTEGER NOT NULL REFERENCES run (id), -- the builder's
	mails TEXT REFERENCES file (sha256),  -- what it brought
	revision INTEGER REFERENCES revision (id), -- of state done
	created INTEGER NOT NULL, updated INTEGER NOT NULL
) STRICT;
CREATE INDEX git_range_run ON git_range (run);
CREATE INDEX git_range_open ON git_range (id) WHERE state IN ('waiting', 'reading');

-- A build that was made elsewhere and comes in by URL. It is a row of build when each file is there.
CREATE TABLE fetch (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,                   -- of the build
	request TEXT NOT NULL,                -- JSON: the build, its files with URLs
	state TEXT NOT NULL,                  -- fetching | done | failed
	detail TEXT NOT NULL DEFAULT '',      -- why it failed
	build INTEGER REFERENCES build (id),  -- of state done
	created INTEGER NOT NULL, updated INTEGER NOT NULL
) STRICT;
CREATE INDEX fetch_open ON fetch (id) WHERE state = 'fetching';

CREATE TABLE job (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	request TEXT NOT NULL,                -- the submission as it came
	suite TEXT NOT NULL,
	labels TEXT NOT NULL,                 -- JSON array, one a column
	priority INTEGER NOT NULL,
	state TEXT NOT NULL,                  -- queued | running | done | cancelled
	created INTEGER NOT NULL, ended INTEGER,
	columns TEXT NOT NULL DEFAULT '[]',   -- JSON: what each column is (docs/SERIES.md); []: base first, no roles
	series INTEGER REFERENCES series (id), -- of a study
	study TEXT,                           -- JSON: until when it adds rounds
	deciding INTEGER NOT NULL DEFAULT 0,  -- 1: another round may come, so it is not done
	window_ends INTEGER                   -- not null: of a schedule; nothing of it starts from then on
) STRICT;
CREATE INDEX job_state ON job (state, id);
CREATE INDEX job_series ON job (series, id) WHERE series IS NOT NULL;
CREATE INDEX job_deciding ON job (id) WHERE deciding = 1;

CREATE TABLE run (
	id INTEGER PRIMARY KEY,
	job INTEGER NOT NULL REFERENCES job (id),
	col INTEGER NOT NULL,                 -- column of the comparison: index of the build
	build INTEGER NOT NULL REFERENCES build (id), -- of a git run: one of those that wait for it, or the row GIT_BUILD
	cache TEXT NOT NULL, kind TEXT NOT NULL,
	boards TEXT NOT NULL,                 -- JSON array of the board names that fit
	planned INTEGER NOT NULL, arrived INTEGER NOT NULL DEFAULT 0,
	priority INTEGER NOT NULL,
	state TEXT NOT NULL,                  -- queued | running | done | failed | cancelled
	cancelling INTEGER NOT NULL DEFAULT 0,
	stage TEXT, current_test TEXT,        -- stage 'build' of a queued run: it waits for its kernel, in no queue
	attempt INTEGER NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL,
	board TEXT,                           -- of the last attempt
	not_before INTEGER NOT NULL DEFAULT 0,
	expires INTEGER NOT NULL,
	fault TEXT,                           -- JSON of the last fault
	created INTEGER NOT NULL, started INTEGER, ended INTEGER,
	purpose TEXT NOT NULL DEFAULT 'test', -- test | build: of the build that it makes | git: it asks a repository something
	round INTEGER NOT NULL DEFAULT 1,     -- of a study
	folded INTEGER NOT NULL DEFAULT 0,    -- 1: it has ended, and what it says is in its lane
	-- Last, because it is long: a column behind it costs SQLite a walk over the pages it fills.
	plan TEXT NOT NULL                    -- JSON: suite, tests [{id,name,rep,kind,time_limit_s,argv}], limits
) STRICT;
CREATE INDEX run_job ON run (job);
CREATE INDEX run_state ON run (state); -- counts for /metrics, lists, and what is queued when cohortd starts
CREATE INDEX run_board ON run (board) WHERE board IS NOT NULL;
CREATE INDEX run_build ON run (build);
CREATE INDEX run_makes ON run (build, id) WHERE purpose = 'build'; -- among all the runs of a base of every night
CREATE INDEX run_unfolded ON run (job, id) WHERE folded = 0; -- what a comparison reads result by result
CREATE INDEX run_job_open ON run (job) WHERE state IN ('queued', 'running');

CREATE TABLE attempt (
	run INTEGER NOT NULL REFERENCES run (id),
	attempt INTEGER NOT NULL,
	board TEXT NOT NULL, fence INTEGER NOT NULL,
	state TEXT NOT NULL,                  -- leased | provision | boot | prove | test | collect | ended
	outcome TEXT, fault TEXT, facts TEXT,
	"offset" INTEGER NOT NULL DEFAULT 0,  -- bytes of the board journal that are in the store
	started INTEGER NOT NULL, ended INTEGER,
	PRIMARY KEY (run, attempt)
) STRICT;

-- A lease is one row a board. It goes when its attempt has ended.
CREATE TABLE lease (
	board TEXT PRIMARY KEY,
	fence INTEGER NOT NULL,
	run INTEGER NOT NULL UNIQUE, attempt INTEGER NOT NULL,
	since INTEGER NOT NULL
) STRICT;

CREATE TABLE result (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL REFERENCES run (id), attempt INTEGER NOT NULL,
	test_id INTEGER NOT NULL,             -- id in the plan
	test TEXT NOT NULL, rep INTEGER NOT NULL,
	cell TEXT NOT NULL DEFAULT '',        -- '': the test's own result
	test_kind TEXT NOT NULL,
	verdict TEXT NOT NULL, reason TEXT, detail TEXT,
	trials INTEGER NOT NULL DEFAULT 0, bad INTEGER NOT NULL DEFAULT 0, masked INTEGER NOT NULL DEFAULT 0,
	fault_class TEXT, duration_us INTEGER NOT NULL DEFAULT 0,
	time INTEGER NOT NULL,
	UNIQUE (run, attempt, test_id, cell)
) STRICT;
CREATE INDEX result_verdict ON result (run, attempt, verdict) WHERE cell = ''; -- counts, for lists of runs and jobs

CREATE TABLE evidence (
	id INTEGER PRIMARY KEY,
	run INTEGER NOT NULL, attempt INTEGER NOT NULL, test_id INTEGER, -- null: between tests
	cell TEXT NOT NULL DEFAULT '',
	record TEXT NOT NULL                  -- JSON, with "type"
) STRICT;
CREATE INDEX evidence_run ON evidence (run, attempt, test_id);

-- What the ended runs of a job's column on a board say together, for the comparison: a row however many results they had.
CREATE TABLE lane (
	id INTEGER PRIMARY KEY,
	job INTEGER NOT NULL REFERENCES job (id),
	col INTEGER NOT NULL, build INTEGER NOT NULL,
	cache TEXT NOT NULL, kind TEXT NOT NULL,
	board TEXT NOT NULL,                  -- '': they had none
	cancelled INTEGER NOT NULL,           -- 1: cancelled runs, which say nothing about a build
	runs INTEGER NOT NULL, broken INTEGER NOT NULL, faults INTEGER NOT NULL, warnings INTEGER NOT NULL,
	build_failed TEXT,                    -- not null: there is no kernel, and why
	tallies TEXT NOT NULL,                -- compare/lane.c
	UNIQUE (job, col, build, cache, kind, board, cancelled)
) STRICT;
CREATE INDEX lane_build ON lane (build);

-- Failures that people know of. The suites' own are in their files.
CREATE TABLE known_issue (
	id INTEGER PRIMARY KEY,
	suite TEXT NOT NULL,
	test TEXT NOT NULL, cells TEXT NOT NULL, -- patterns
	cache TEXT NOT NULL,
	board TEXT,                           -- pattern; null: any
	why TEXT NOT NULL, link TEXT,
	created INTEGER NOT NULL,
	expires INTEGER                       -- null: never; counts no more from then on
) STRICT;
CREATE INDEX known_issue_suite ON known_issue (suite);

CREATE TABLE event (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	time INTEGER NOT NULL, kind TEXT NOT NULL,
	job INTEGER, run INTEGER, board TEXT,
	data TEXT NOT NULL                    -- JSON
) STRICT;
CREATE INDEX event_run ON event (run, id) WHERE run IS NOT NULL;
CREATE INDEX event_job ON event (job, id) WHERE job IS NOT NULL;

CREATE TABLE idempotency (
	key TEXT PRIMARY KEY,
	request_sha256 TEXT NOT NULL,         -- method, path and body
	status INTEGER NOT NULL, body TEXT NOT NULL,
	created INTEGER NOT NULL
) STRICT;
CREATE TABLE token (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL) STRICT;

-- What is submitted by the clock, and what became of each of its instants (docs/NIGHTLY.md).
CREATE TABLE schedule (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	cron TEXT NOT NULL, zone TEXT NOT NULL,
	job TEXT NOT NULL,                    -- JSON: what POST /jobs takes, and "latest:SERIES" for builds
	window_s INTEGER NOT NULL,            -- how long after the instant it may start; 0: no end
	overlap TEXT NOT NULL,                -- skip | queue | cancel-old
	catch_up TEXT NOT NULL,               -- none | once
	report INTEGER NOT NULL,              -- 1: the digest tells about its jobs
	disabled TEXT,                        -- not null: the reason
	seen INTEGER NOT NULL,                -- all instants up to here are decided
	created INTEGER NOT NULL,
	since INTEGER NOT NULL DEFAULT 0      -- made, or last changed: it has no instants before
) STRICT;
CREATE TABLE schedule_run (
	id INTEGER PRIMARY KEY,
	schedule INTEGER NOT NULL REFERENCES schedule (id),
	instant INTEGER NOT NULL,             -- the last of those that it stands for
	first INTEGER NOT NULL, count INTEGER NOT NULL,
	outcome TEXT NOT NULL,                -- submitted | skipped | waiting
	why TEXT NOT NULL,
	job INTEGER REFERENCES job (id),
	decided INTEGER NOT NULL,
	digest INTEGER,                       -- the delivery that told of it; 0: none will; null: none yet
	UNIQUE (schedule, instant)
) STRICT;
CREATE UNIQUE INDEX schedule_run_job ON schedule_run (job) WHERE job IS NOT NULL;
CREATE INDEX schedule_run_before ON schedule_run (schedule, job) WHERE job IS NOT NULL;
CREATE INDEX schedule_run_waiting ON schedule_run (schedule, instant) WHERE outcome = 'waiting';
CREATE INDEX schedule_run_digest ON schedule_run (digest); -- not a partial one: for that, all jobs that ended would be read

-- What goes out: a mail, or a POST to a webhook. The bytes are made once.
CREATE TABLE delivery (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	kind TEXT NOT NULL,                   -- mail | hook
	target TEXT NOT NULL,                 -- mail: the recipients; hook: its name in the configuration
	subject TEXT NOT NULL,                -- mail: its subject; hook: the event
	message_id TEXT NOT NULL UNIQUE,
	state TEXT NOT NULL,                  -- queued | sending | handed | sent | failed
	tries INTEGER NOT NULL DEFAULT 0,
	doubt INTEGER NOT NULL DEFAULT 0,     -- times that it was handed over and no answer came
	next_try INTEGER NOT NULL,
	detail TEXT NOT NULL DEFAULT '',      -- what the other side said last
	created INTEGER NOT NULL, ended INTEGER,
	message TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_open ON delivery (kind, next_try) WHERE ended IS NULL;
