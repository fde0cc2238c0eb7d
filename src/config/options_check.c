/* config/options_check.c - options against each other; see options_internal.h. */
#include "config/options_internal.h"

#include "base/str.h"

typedef struct Exclusion
{
    OptionId a;
    OptionId b;
} Exclusion;

static const Exclusion exclusions[] = {
    {OPT_DBNAME, OPT_NODE},
    {OPT_DBNAME, OPT_FLEET},
    {OPT_NODE, OPT_FLEET},
    {OPT_HOST, OPT_NODE},
    {OPT_HOST, OPT_FLEET},
    {OPT_PORT, OPT_NODE},
    {OPT_PORT, OPT_FLEET},
    {OPT_USERNAME, OPT_NODE},
    {OPT_USERNAME, OPT_FLEET},
    {OPT_DBNAME, OPT_MAP},
    {OPT_HOST, OPT_MAP},
    {OPT_PORT, OPT_MAP},
    {OPT_USERNAME, OPT_MAP},
    {OPT_PASSWORD, OPT_NO_PASSWORD},
    {OPT_NO_SPACE_CHECK, OPT_MIN_FREE},
    {OPT_QUIET, OPT_VERBOSE},
    {OPT_QUIET, OPT_PROGRESS},
    {OPT_DATA_ONLY, OPT_SCHEMA_ONLY},
    {OPT_DATA_ONLY, OPT_NO_DATA},
    {OPT_SCHEMA_ONLY, OPT_NO_SCHEMA},
    {OPT_SCHEMA_ONLY, OPT_LARGE_OBJECTS},
    {OPT_SCHEMA_ONLY, OPT_INCLUDE_FOREIGN_DATA},
    {OPT_NO_DATA, OPT_NO_SCHEMA},
    {OPT_LARGE_OBJECTS, OPT_NO_LARGE_OBJECTS},
    {OPT_DATA_ONLY, OPT_CLEAN},
    {OPT_DATA_ONLY, OPT_CREATE},
    {OPT_DATA_ONLY, OPT_EXPORT_CREATE},
    {OPT_CLEAN, OPT_TRUNCATE},
    {OPT_CLEAN, OPT_APPEND},
    {OPT_TRUNCATE, OPT_APPEND},
    {OPT_CLEAN, OPT_KEEP_EXISTING},
    {OPT_CREATE, OPT_KEEP_EXISTING},
    {OPT_CREATE, OPT_TRUNCATE},
    {OPT_CREATE, OPT_APPEND},
    {OPT_TARGET_NAME, OPT_TARGET_TIME},
    {OPT_STANDBY, OPT_TARGET_NAME},
    {OPT_STANDBY, OPT_TARGET_TIME},
    {OPT_NO_OWNER, OPT_USE_SET_SESSION_AUTHORIZATION},
    {OPT_ALL_DATABASES, OPT_SCHEMA},
    {OPT_ALL_DATABASES, OPT_TABLE},
    {OPT_ALL_DATABASES, OPT_TABLE_AND_CHILDREN},
    {OPT_ALL_DATABASES, OPT_TABLE_FILE},
    {OPT_ALL_DATABASES, OPT_SCHEMA_FILE},
    {OPT_ALL_DATABASES, OPT_EXTENSION},
    {OPT_ALL_DATABASES, OPT_FILTER},
    {OPT_NO_TABLESPACES, OPT_TABLESPACE_MAP},
    {OPT_DIRECT, OPT_NO_DIRECT},
    {OPT_DIRECT, OPT_SHARD_COUNT},
    {OPT_DIRECT, OPT_DISTRIBUTE},
    {OPT_DIRECT, OPT_APPEND},
    {OPT_DIRECT, OPT_TRUNCATE},
};

/* An option that says something only together with one of others. */
typedef struct Need
{
    OptionId id;
    OptionId one_of[3]; /* the first again where there are fewer */
} Need;

static const Need needs[] = {
    {OPT_IF_EXISTS, {OPT_CLEAN, OPT_CLEAN, OPT_CLEAN}},
    {OPT_HOOK_TIMEOUT, {OPT_BEFORE, OPT_AFTER, OPT_ON_FAILURE}},
    {OPT_MAIL_ON, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_FROM, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_SERVER, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_TLS, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_CA_FILE, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_TIMEOUT, {OPT_MAIL_TO, OPT_MAIL_TO, OPT_MAIL_TO}},
    {OPT_MAIL_USER, {OPT_MAIL_PASSWORD_FILE, OPT_MAIL_PASSWORD_FILE, OPT_MAIL_PASSWORD_FILE}},
    {OPT_MAIL_PASSWORD_FILE, {OPT_MAIL_USER, OPT_MAIL_USER, OPT_MAIL_USER}},
    {OPT_LOG_KEEP, {OPT_LOG_DIR, OPT_LOG_DIR, OPT_LOG_DIR}},
    {OPT_NO_ROLE_PASSWORDS, {OPT_GLOBALS, OPT_GLOBALS, OPT_GLOBALS}},
    {OPT_ON_CONFLICT_DO_NOTHING, {OPT_INSERTS, OPT_COLUMN_INSERTS, OPT_ROWS_PER_INSERT}},
};

/* In force, and not only as a "no" that takes back what a lower place said. */
static bool is_set(const Options *o, OptionId id)
{
    if (!options_given(o, id))
        return false;
    if (option_table_get(id)->type == OPTION_FLAG)
        return options_flag(o, id);
    return id != OPT_PROGRESS || strcmp(o->values[id].text, "none") != 0;
}

static bool is_server(OptionId id)
{
    return id == OPT_DBNAME || id == OPT_HOST || id == OPT_PORT || id == OPT_USERNAME;
}

/* Of two that exclude each other, the one from the higher place stays. */
static bool check_exclusion(Options *o, OptionId a, OptionId b, Error *err)
{
    OptionValue *va = &o->values[a];
    OptionValue *vb = &o->values[b];
    if (!is_set(o, a) || !is_set(o, b))
        return true;
    if (va->source != vb->source)
    {
        options_reset(o, va->source < vb->source ? a : b);
        return true;
    }
    error_set(err, ERR_USAGE, "%s and %s exclude each other", va->origin, vb->origin);
    if (b == OPT_MAP)
        error_hint(err, "--map names all targets, each with its own host, port and role.");
    else if (is_server(a) || b == OPT_FLEET)
        error_hint(err, "Name one server by --dbname, or all of a fleet by --node or --fleet.");
    return false;
}

static bool check_need(const Options *o, const Need *need, Error *err)
{
    if (!is_set(o, need->id))
        return true;
    /* A file or an environment may tell once how mail is sent, and somebody else to whom. */
    if (need->one_of[0] == OPT_MAIL_TO && o->values[need->id].source < SOURCE_COMMAND_LINE)
        return true;
    for (size_t i = 0; i < LENGTH_OF(need->one_of); i++)
    {
        if (is_set(o, need->one_of[i]))
            return true;
    }
    error_set(err, ERR_USAGE, "%s needs --%s", o->values[need->id].origin,
              option_table_get(need->one_of[0])->name);
    if (need->one_of[1] == need->one_of[0])
        return false;
    return error_hint(err, "--%s and --%s do as well.", option_table_get(need->one_of[1])->name,
                      option_table_get(need->one_of[2])->name);
}

static bool is_key(const char *text)
{
    return strlen(text) == 14 && strspn(text, "0123456789") == 14;
}

static bool check_key(const char *label, const char *text, bool latest, Error *err)
{
    if (is_key(text) || (latest && strcmp(text, "latest") == 0))
        return true;
    error_set(err, ERR_USAGE, "malformed %s, which must be 14 digits, YYYYMMDDHHMMSS%s", label,
              latest ? ", or latest" : "");
    return latest ? error_hint(err, "\"pgark list\" shows the keys of all sets.") : false;
}

/* As long as servers take, and no name that a set's own point could have. */
static bool check_point(const char *name, Error *err)
{
    if (name == NULL || name[0] == '\0')
        return error_set(err, ERR_USAGE, "restore-point needs the NAME of the point");
    if (strlen(name) > STR_NAME_MAX || strncmp(name, "pgark_", 6) == 0)
        return error_set(
            err, ERR_USAGE,
            "a restore point's name has at most %d bytes, and does not begin with pgark_",
            STR_NAME_MAX);
    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char) *p < ' ')
            return error_set(err, ERR_USAGE, "a restore point's name has no control characters");
    return true;
}

static bool check_keys(const Options *o, const CommandSpec *command, Error *err)
{
    const char *new_key = options_string(o, OPT_KEY);
    const char *base = options_string(o, OPT_INCREMENTAL_FROM);
    if (new_key != NULL && !check_key("--key", new_key, false, err))
        return false;
    if (base != NULL && !check_key("--incremental-from", base, false, err))
        return false;
    if (command->positional == POSITIONAL_POINT)
        return check_point(o->key, err);
    if (command->positional != POSITIONAL_KEY)
        return true;
    if (o->key != NULL)
        return check_key("KEY", o->key, true, err);
    error_set(err, ERR_USAGE, "%s needs the KEY of a set", command->name);
    return error_hint(err, "\"pgark list\" shows the keys; latest names the newest set.");
}

static bool check_repository(const Options *o, const CommandSpec *command, Error *err)
{
    bool without = o->command == CMD_CHECK || o->command == CMD_CONFIG ||
                   o->command == CMD_BASEBACKUP ||
                   (o->command == CMD_BACKUP && options_flag(o, OPT_DRY_RUN));
    if (without || options_given(o, OPT_REPO))
        return true;
    error_set(err, ERR_USAGE, "%s needs a repository", command->name);
    return error_hint(err, "Give --repo=URI or set PGARK_REPO.");
}

/* What needs the data to go through this process. */
static bool check_agent(const Options *o, Error *err)
{
    static const OptionId others[] = {OPT_KEEP_PARTIAL,  OPT_HOLD,        OPT_RESUME,
                                      OPT_ALL_DATABASES, OPT_PG_DUMP,     OPT_NICE,
                                      OPT_IO_IDLE,       OPT_INCREMENTAL, OPT_INCREMENTAL_FROM};
    if (strcmp(options_string(o, OPT_AGENT), "yes") != 0)
        return true;
    for (size_t i = 0; i < LENGTH_OF(others); i++)
    {
        if (is_set(o, others[i]))
            return error_set(err, ERR_USAGE, "%s and %s exclude each other",
                             o->values[OPT_AGENT].origin, o->values[others[i]].origin);
    }
    return true;
}

/* A base backup is all of a server, as it is. */
static bool check_physical(const Options *o, Error *err)
{
    static const OptionId others[] = {
        OPT_AGENT,        OPT_HOLD,      OPT_RESUME,        OPT_ALL_DATABASES,   OPT_GLOBALS,
        OPT_CONFIG_FILES, OPT_DRY_RUN,   OPT_DATA_ONLY,     OPT_SCHEMA_ONLY,     OPT_SECTION,
        OPT_NO_DATA,      OPT_NO_SCHEMA, OPT_LARGE_OBJECTS, OPT_NO_LARGE_OBJECTS};
    static const OptionId own[] = {OPT_CHECKPOINT, OPT_PART_SIZE, OPT_BAD_PAGES};
    bool physical = is_set(o, OPT_PHYSICAL);
    for (size_t i = 0; !physical && i < LENGTH_OF(own); i++)
    {
        if (o->values[own[i]].source == SOURCE_COMMAND_LINE)
            return error_set(err, ERR_USAGE, "%s needs --physical", o->values[own[i]].origin);
    }
    for (size_t i = 0; physical && i < LENGTH_OF(others); i++)
    {
        bool agent = others[i] == OPT_AGENT && strcmp(options_string(o, OPT_AGENT), "yes") != 0;
        if (is_set(o, others[i]) && !agent)
            return error_set(err, ERR_USAGE, "%s and %s exclude each other",
                             o->values[OPT_PHYSICAL].origin, o->values[others[i]].origin);
    }
    return true;
}

static bool check_backup(const Options *o, Error *err)
{
    if (!check_agent(o, err) || !check_physical(o, err))
        return false;
    if (!options_flag(o, OPT_RESUME))
        return true;
    if (options_flag(o, OPT_DRY_RUN))
        return error_set(err, ERR_USAGE, "--resume and --dry-run exclude each other");
    if (options_given(o, OPT_KEY))
        return true;
    error_set(err, ERR_USAGE, "--resume needs --key");
    return error_hint(err, "\"pgark list --all\" shows which sets are held.");
}

static bool exclude(const Options *o, OptionId a, OptionId b, Error *err)
{
    return !is_set(o, a) || !is_set(o, b) ||
           error_set(err, ERR_USAGE, "%s and %s exclude each other", o->values[a].origin,
                     o->values[b].origin);
}

static bool by_server(const char *compress)
{
    return strncmp(compress, "server-", 7) == 0;
}

/* One stream takes what comes through one: not WAL beside it, and no directories. */
static bool check_stdout(const Options *o, bool tar, bool streams, Error *err)
{
    if (strcmp(options_string(o, OPT_PGDATA), "-") != 0)
        return true;
    if (!tar)
        return error_set(err, ERR_USAGE, "standard output takes --format=tar only");
    if (streams)
        return error_set(err, ERR_USAGE, "standard output takes --wal-method=fetch or none only");
    if (by_server(options_string(o, OPT_BASE_COMPRESS)) && !is_set(o, OPT_NO_MANIFEST))
    {
        error_set(err, ERR_USAGE,
                  "the manifest cannot be added to an archive that the server compresses");
        return error_hint(err, "Leave server- out, or give --no-manifest.");
    }
    return !str_equal(options_string(o, OPT_OUTPUT), "json") ||
           error_set(err, ERR_USAGE,
                     "an archive and --output=json cannot both go to standard output");
}

static bool compresses(const Options *o)
{
    const char *how = options_string(o, OPT_BASE_COMPRESS);
    return is_set(o, OPT_BASE_GZIP) ||
           (strcmp(how, "none") != 0 && strcmp(how, "0") != 0 && !by_server(how));
}

static bool check_basebackup(const Options *o, Error *err)
{
    bool tar = options_string(o, OPT_BASE_FORMAT)[0] == 't';
    bool streams = options_string(o, OPT_WAL_METHOD)[0] == 's';
    if (!is_set(o, OPT_PGDATA))
        return error_set(err, ERR_USAGE, "basebackup needs -D DIRECTORY");
    if (!check_stdout(o, tar, streams, err))
        return false;
    if (tar && (is_set(o, OPT_TABLESPACE_MAPPING) || is_set(o, OPT_WALDIR)))
        return error_set(err, ERR_USAGE,
                         "--tablespace-mapping and --waldir are for --format=plain");
    if (!tar && compresses(o))
        return error_set(err, ERR_USAGE, "--compress is for --format=tar, but for server- methods");
    if (is_set(o, OPT_CREATE_SLOT) && !is_set(o, OPT_BASE_SLOT))
        return error_set(err, ERR_USAGE, "--create-slot needs --slot");
    if ((is_set(o, OPT_BASE_SLOT) || is_set(o, OPT_NO_SLOT)) && !streams)
        return error_set(err, ERR_USAGE, "--slot and --no-slot are for --wal-method=stream");
    return exclude(o, OPT_BASE_SLOT, OPT_NO_SLOT, err) &&
           exclude(o, OPT_BASE_GZIP, OPT_BASE_COMPRESS, err) &&
           exclude(o, OPT_NO_MANIFEST, OPT_MANIFEST_CHECKSUMS, err) &&
           exclude(o, OPT_NO_MANIFEST, OPT_MANIFEST_FORCE_ENCODE, err);
}

/* Not sorted out quietly: the second of two targets would be the one that somebody misses. */
static bool check_map(const Options *o, OptionId id, bool *seen, Error *err)
{
    size_t count = 0;
    const char *name = option_table_get(id)->name;
    const char *const *maps = options_list(o, id, &count);
    for (size_t i = 0; i < count; i++)
    {
        int content = 0;
        const char *conninfo = NULL;
        if (!option_map_parse(name, maps[i], &content, &conninfo, err))
            return false;
        if (seen[content + 1])
            return error_set(err, ERR_USAGE, "--%s names node %d twice", name, content);
        seen[content + 1] = true;
    }
    return true;
}

static bool check_maps(const Options *o, Error *err)
{
    bool mapped[OPTION_CONTENT_MAX + 2] = {false}; /* from -1 on */
    bool agents[OPTION_CONTENT_MAX + 2] = {false};
    if (!check_map(o, OPT_MAP, mapped, err) || !check_map(o, OPT_AGENT_MAP, agents, err))
        return false;
    for (int i = 0; i < OPTION_CONTENT_MAX + 2; i++)
    {
        if (!agents[i] || mapped[i])
            continue;
        error_set(err, ERR_USAGE, "--agent-map names node %d, and --map does not", i - 1);
        return error_hint(err, "--map=%d=DIRECTORY says what the agent is to make.", i - 1);
    }
    return true;
}

/* Whole servers come back, as they were, from files: what changes rows and definitions or wants a running
 * server has no meaning. */
static bool check_restore_physical(const Options *o, Error *err)
{
    static const OptionId own[] = {OPT_STANDBY,     OPT_NO_SYNC,     OPT_NO_SPACE_CHECK,
                                   OPT_TARGET_NAME, OPT_TARGET_TIME, OPT_AGENT_MAP};
    bool physical = is_set(o, OPT_PHYSICAL);
    for (size_t i = 0; !physical && i < LENGTH_OF(own); i++)
    {
        if (o->values[own[i]].source == SOURCE_COMMAND_LINE)
            return error_set(err, ERR_USAGE, "%s needs --physical", o->values[own[i]].origin);
    }
    for (OptionId i = 0; physical && i < OPT_COUNT; i++)
    {
        OptionGroup group = option_table_get(i)->group;
        bool of_rows = group == GROUP_CONTENT || group == GROUP_SELECTION ||
                       (group == GROUP_DEFINITION && i != OPT_TABLESPACE_MAP) ||
                       (group == GROUP_CONNECTION && i != OPT_MAP && i != OPT_AGENT_MAP &&
                        i != OPT_HOST_MAP);
        if (of_rows && o->values[i].source == SOURCE_COMMAND_LINE)
            return error_set(err, ERR_USAGE, "%s and %s exclude each other",
                             o->values[OPT_PHYSICAL].origin, o->values[i].origin);
    }
    if (physical && !exclude(o, OPT_STANDBY, OPT_HOST_MAP, err))
        return false;
    if (!physical || options_given(o, OPT_MAP))
        return true;
    error_set(err, ERR_USAGE, "restore --physical needs the directories to be named");
    return error_hint(err, "Give --map=CONTENT=DIRECTORY for each server that shall come back.");
}

static bool check_restore(const Options *o, Error *err)
{
    if (!check_restore_physical(o, err) || !check_maps(o, err))
        return false;
    if (options_given(o, OPT_DBNAME) || options_given(o, OPT_MAP))
        return true;
    error_set(err, ERR_USAGE, "restore needs its target to be named");
    return error_hint(
        err, "Give --dbname=CONNINFO, or --map=CONTENT=CONNINFO for each node of a fleet.");
}

/* Rules that were typed replace the policy of the file, they are not added to it. */
static bool check_expire(Options *o, Error *err)
{
    static const OptionId rules[] = {OPT_KEEP, OPT_KEEP_DAILY, OPT_KEEP_WEEKLY, OPT_KEEP_MONTHLY,
                                     OPT_OLDER_THAN};
    OptionSource highest = SOURCE_DEFAULT;
    for (size_t i = 0; i < LENGTH_OF(rules); i++)
        highest = o->values[rules[i]].source > highest ? o->values[rules[i]].source : highest;
    for (size_t i = 0; i < LENGTH_OF(rules); i++)
    {
        if (o->values[rules[i]].source < highest)
            options_reset(o, rules[i]);
    }
    if (highest != SOURCE_DEFAULT)
        return true;
    error_set(err, ERR_USAGE,
              "expire needs --keep, --keep-daily, --keep-weekly, --keep-monthly or "
              "--older-than");
    return error_hint(err, "Say what shall stay; --dry-run shows what would go.");
}

bool options_check(Options *o, Error *err)
{
    const CommandSpec *command = command_table_get(o->command);
    for (size_t i = 0; i < LENGTH_OF(exclusions); i++)
    {
        if (!check_exclusion(o, exclusions[i].a, exclusions[i].b, err))
            return false;
    }
    for (size_t i = 0; i < LENGTH_OF(needs); i++)
    {
        if (!check_need(o, &needs[i], err))
            return false;
    }
    if (!check_keys(o, command, err) || !check_repository(o, command, err))
        return false;
    if (o->command == CMD_BACKUP)
        return check_backup(o, err);
    if (o->command == CMD_RESTORE)
        return check_restore(o, err);
    if (o->command == CMD_BASEBACKUP)
        return check_basebackup(o, err);
    if (o->command == CMD_EXPIRE)
        return check_expire(o, err);
    return true;
}
