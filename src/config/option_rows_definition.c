/* config/option_rows_definition.c - how definitions are written and who runs them. */
#include "config/option_rows.h"

/* A set is filtered by the same options as a database. */
#define WHERE   ((unsigned) (CMD_BACKUP | CMD_RESTORE | CMD_EXPORT))
#define TARGETS ((unsigned) (CMD_RESTORE | CMD_EXPORT))

static const OptionSpec rows[] = {
    {
        .id = OPT_NO_OWNER,
        .name = "no-owner",
        .short_name = 'O',
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = TARGETS,
        .help = "objects belong to who restores them",
        .more = "A set always holds the owners.",
    },
    {
        .id = OPT_NO_TABLESPACES,
        .name = "no-tablespaces",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = WHERE,
        .file_commands = CMD_BACKUP,
        .help = "leave out tablespaces of tables and indexes",
    },
    {
        .id = OPT_NO_TABLE_ACCESS_METHOD,
        .name = "no-table-access-method",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = WHERE,
        .file_commands = CMD_BACKUP,
        .help = "leave out the access methods of tables",
    },
    {
        .id = OPT_NO_TOAST_COMPRESSION,
        .name = "no-toast-compression",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .help = "leave out the TOAST compression of columns",
    },
    {
        .id = OPT_QUOTE_ALL_IDENTIFIERS,
        .name = "quote-all-identifiers",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .help = "quote all names, also where there is no need",
        .more = "For a server whose major version, and so whose key words, differ.",
    },
    {
        .id = OPT_DISABLE_DOLLAR_QUOTING,
        .name = "disable-dollar-quoting",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = CMD_BACKUP,
        .file_commands = CMD_BACKUP,
        .help = "quote function bodies as standard SQL has it",
    },
    {
        .id = OPT_USE_SET_SESSION_AUTHORIZATION,
        .name = "use-set-session-authorization",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = TARGETS,
        .help = "set owners by SET SESSION AUTHORIZATION",
        .more = "Instead of ALTER ... OWNER. It needs a superuser.",
    },
    {
        .id = OPT_SCHEMA_MAP,
        .name = "schema-map",
        .type = OPTION_LIST,
        .group = GROUP_DEFINITION,
        .commands = CMD_RESTORE,
        .arg = "OLD=NEW",
        .help = "put the objects of schema OLD into NEW, repeated",
        .more = "For tables with their indexes, constraints and sequences. What cannot be moved "
                "safely, such as a function whose body may name the schema, is refused.",
    },
    {
        .id = OPT_TABLESPACE_MAP,
        .name = "tablespace-map",
        .type = OPTION_LIST,
        .group = GROUP_DEFINITION,
        .commands = CMD_RESTORE,
        .arg = "OLD=NEW",
        .help = "use tablespace NEW instead of OLD, repeated",
        .more = "With --physical they are directories: OLD as \"pgark show\" prints it, or "
                "CONTENT:OLD for "
                "that of one node alone; NEW must be empty, or not there.",
    },
    {
        .id = OPT_ROLE,
        .name = "role",
        .type = OPTION_STRING,
        .group = GROUP_DEFINITION,
        .commands = CMD_BACKUP | CMD_RESTORE,
        .file_commands = CMD_BACKUP,
        .arg = "NAME",
        .help = "SET ROLE after connecting",
    },
    {
        .id = OPT_ENABLE_ROW_SECURITY,
        .name = "enable-row-security",
        .type = OPTION_FLAG,
        .group = GROUP_DEFINITION,
        .commands = CMD_BACKUP | CMD_RESTORE,
        .file_commands = CMD_BACKUP,
        .help = "let row security policies act",
        .more = "A backup then holds only the rows that the role may see, instead of failing on "
                "a table with policies for it; a restore inserts as the policies allow.",
    },
};

const OptionRows option_rows_definition = {rows, LENGTH_OF(rows)};
