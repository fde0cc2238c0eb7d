/* export/plain.c - the contract is in plain.h. */
#include "export/plain.h"

#include "base/random.h"
#include "base/str.h"
#include "export/belongs.h"
#include "export/large_objects.h"
#include "export/rows.h"
#include "restore/clean.h"
#include "restore/ddl.h"
#include "restore/ddl_text.h"
#include "restore/entry.h"
#include "restore/sql_text.h"

/* A commit for each would take longer than all else. */
#define PIECES_PER_TRANSACTION 1000

typedef enum PlainPass
{
    PASS_MAIN,
    PASS_ACL,
    PASS_LAST,
} PlainPass;

typedef struct Plain
{
    const ExportPlan *plan;
    const ExportRequest *request;
    const Cancel *cancel;
    const DdlPlan *ddl;
    Output *out;
    TableData *data;
    PlainPass pass;             /* that is being written */
    uint64_t pieces;            /* of large objects, so far */
    char mark[EXPORT_MARK_LEN]; /* "": none are asked for */
    bool in_rows;
    Str *about; /* the line in force that says whose the next statements are; with marks only */
    StringPool pool; /* of the entry's text */
    DdlText text;
    /* What the reader's session has been set to: */
    Str *owner;
    Str *tablespace;
    Str *table_am;
} Plain;

/* As _tocEntryRestorePass in pg_backup_archiver.c has it: REFRESH runs functions as the view's
 * owner and needs privileges, and an event trigger would fire for all that comes behind it. */
static PlainPass pass_of(const TocEntry *e)
{
    static const char *const acl[] = {"ACL", "ACL LANGUAGE", "DEFAULT ACL", NULL};
    static const char *const last[] = {"EVENT TRIGGER", "MATERIALIZED VIEW DATA", NULL};
    if (entry_is_any(e->desc, acl))
        return PASS_ACL;
    return entry_is_any(e->desc, last) || entry_is_of(e, "EVENT TRIGGER ") ? PASS_LAST : PASS_MAIN;
}

/* A name in a comment must not end the comment: what is behind it would be a command. */
static bool write_comment(Plain *p, const TocEntry *e, bool rows, Error *err)
{
    char name[256];
    char schema[256];
    char owner[256];
    char text[1024];
    str_one_line(name, sizeof(name), e->tag);
    str_one_line(schema, sizeof(schema), entry_has_schema(e) ? e->schema : "-");
    str_one_line(owner, sizeof(owner), p->request->no_owner || *e->owner == '\0' ? "-" : e->owner);
    snprintf(text, sizeof(text), "--\n-- %sName: %s; Type: %s; Schema: %s; Owner: %s\n--\n\n",
             rows ? "Data for " : "", name, e->desc, schema, owner);
    return output_text(p->out, text, err);
}

/* ---- whose it is ---- */

static bool write_mark(Plain *p, const char *word, Error *err)
{
    char line[EXPORT_MARK_LEN + 32];
    snprintf(line, sizeof(line), "-- %s %s\n", p->mark, word);
    return p->mark[0] == '\0' || output_text(p->out, line, err);
}

/* Where it is not said yet. e NULL: what follows is about something else. */
static bool write_about(Plain *p, const ExportEntry *e, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "about");
    if (p->mark[0] == '\0')
        return true;
    Str *line = str_new(tmp);
    bool schema = e != NULL && e->kind == EXPORT_DEFINITION && entry_is(&e->toc, "SCHEMA");
    str_addf(line, "-- %s %s", p->mark, schema ? EXPORT_MARK_SCHEMA : EXPORT_MARK_OF);
    if (schema)
        mark_add_name(line, e->toc.tag);
    Belongs to = e == NULL || schema ? (Belongs){.count = 0} : belongs_find(p->plan->toc, e);
    for (size_t i = 0; i < to.count; i++)
    {
        mark_add_name(line, to.relations[i]->schema);
        mark_add_name(line, to.relations[i]->tag);
    }
    str_addc(line, '\n');
    if (strcmp(p->about->data, line->data) == 0)
        return true;
    str_clear(p->about);
    str_add(p->about, line->data);
    return output_text(p->out, line->data, err);
}

/* What the script has, so that who wants something else learns of it before anything is done. One of rows only is a
 * part of what others tell. */
static bool write_contents_list(Plain *p, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "contents");
    Str *line = str_new(tmp);
    if (p->mark[0] == '\0' || p->request->part == EXPORT_DATA)
        return true;
    if (!write_mark(p, EXPORT_MARK_HAS, err))
        return false;
    for (size_t i = 0; i < p->plan->entry_count; i++)
    {
        const ExportEntry *e = &p->plan->entries[i];
        if (e->toc.schema == NULL || !belongs_is_listed(p->plan->toc, e))
            continue;
        str_clear(line);
        str_addf(line, "-- %s %s", p->mark, EXPORT_MARK_HAS);
        mark_add_name(line, e->toc.schema);
        mark_add_name(line, e->toc.tag);
        str_addc(line, '\n');
        if (!output_text(p->out, line->data, err))
            return false;
    }
    return true;
}

/* Writes a SET where it is not in force; current keeps its text. It is for whatever follows. */
static bool write_setting(Plain *p, Str *current, const char *wanted, Error *err)
{
    if (wanted == NULL || strcmp(current->data, wanted) == 0)
        return true;
    str_clear(current);
    str_add(current, wanted);
    return write_mark(p, EXPORT_MARK_ALL, err) && output_text(p->out, wanted, err) &&
           output_text(p->out, "\n\n", err) && output_text(p->out, p->about->data, err);
}

static bool write_owner(Plain *p, const TocEntry *e, Error *err)
{
    if (!p->request->session_authorization || p->request->no_owner)
        return true;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "owner");
    Str *sql = str_new(tmp);
    str_add(sql, "SET SESSION AUTHORIZATION ");
    if (*e->owner == '\0')
        str_add(sql, "DEFAULT");
    else
        sql_text_add_name(sql, e->owner);
    str_addc(sql, ';');
    return write_setting(p, p->owner, sql->data, err);
}

static bool write_triggers(Plain *p, const ExportEntry *e, bool enable, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "triggers");
    return !p->request->disable_triggers ||
           output_text(p->out,
                       mem_printf(tmp, "ALTER TABLE %s %s TRIGGER ALL;\n\n", e->into,
                                  enable ? "ENABLE" : "DISABLE"),
                       err);
}

static bool write_rows(Plain *p, const ExportEntry *e, Error *err)
{
    bool copy = p->request->rows == ROWS_COPY;
    return write_comment(p, &e->toc, true, err) && write_owner(p, &e->toc, err) &&
           write_triggers(p, e, false, err) && output_text(p->out, e->toc.copy_stmt, err) &&
           rows_write(p->data, e, p->request, p->out, err) &&
           output_text(p->out, copy ? "\\.\n\n\n" : "\n\n", err) && write_triggers(p, e, true, err);
}

static bool write_statement(Plain *p, const ExportEntry *e, Error *err)
{
    return write_comment(p, &e->toc, false, err) && write_owner(p, &e->toc, err) &&
           output_text(p->out, e->toc.defn, err) && output_text(p->out, "\n\n", err);
}

static bool write_definition(Plain *p, const ExportEntry *entry, Error *err)
{
    TocEntry e = entry->toc;
    const ExportRequest *r = p->request;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "entry");
    p->pool = (StringPool){.ctx = tmp};
    p->text.last_tablespace = p->text.last_table_am = NULL;
    if (r->no_owner || r->session_authorization)
        e.owner = ""; /* no ALTER ... OWNER TO */
    const char *sql = ddl_text_sql(&p->text, &e);
    if (sql == NULL)
        return true;
    const char *tablespace = r->no_tablespaces ? NULL : ddl_text_tablespace(&p->text, &e);
    const char *table_am = r->no_table_am ? NULL : ddl_text_table_am(&p->text, &e);
    return write_comment(p, &entry->toc, false, err) && write_owner(p, &entry->toc, err) &&
           write_setting(p, p->tablespace, tablespace, err) &&
           write_setting(p, p->table_am, table_am, err) && output_text(p->out, sql, err) &&
           output_text(p->out, "\n\n", err);
}

/* ---- large objects ---- */

static bool write_object(void *arg, const TocEntry *e, Error *err)
{
    Plain *p = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "object");
    Str *sql = str_new(tmp);
    if (pass_of(e) != p->pass)
        return true;
    str_add(sql, e->defn);
    if (strcmp(e->desc, "BLOB") == 0 && !p->request->no_owner && !p->request->session_authorization)
    {
        str_addf(sql, "ALTER LARGE OBJECT %s OWNER TO ", e->tag);
        sql_text_add_name(sql, e->owner);
        str_add(sql, ";\n");
    }
    return write_owner(p, e, err) && output_text(p->out, sql->data, err);
}

static bool write_objects(Plain *p, const ExportEntry *e, Error *err)
{
    const char *head = p->pass == PASS_MAIN ? "--\n-- Large objects\n--\n\n"
                                            : "--\n-- Privileges of large objects\n--\n\n";
    return output_text(p->out, head, err) &&
           large_objects_each(p->data, e, e->toc.dump_id, write_object, p, err) &&
           output_text(p->out, "\n\n", err);
}

/* Any order will do for lo_put, which also fills what lies before a piece with zeros. */
static bool write_piece(void *arg, const LargeObjectPiece *piece, Error *err)
{
    Plain *p = arg;
    char head[96];
    snprintf(head, sizeof(head), "%sSELECT pg_catalog.lo_put(%" PRIu32 ", %" PRIu64 ", '\\x",
             p->pieces % PIECES_PER_TRANSACTION == 0 ? "BEGIN;\n" : "", piece->oid, piece->offset);
    bool last = ++p->pieces % PIECES_PER_TRANSACTION == 0;
    return output_text(p->out, head, err) &&
           output_write(p->out, piece->hex, 2 * piece->size, err) &&
           output_text(p->out, last ? "');\nCOMMIT;\n" : "');\n", err);
}

static bool write_contents(Plain *p, const ExportEntry *e, Error *err)
{
    return write_comment(p, &e->toc, true, err) &&
           large_objects_pieces(p->data, e, write_piece, p, err) &&
           output_text(p->out, p->pieces % PIECES_PER_TRANSACTION == 0 ? "\n\n" : "COMMIT;\n\n\n",
                       err);
}

/* ---- all of it, in order ---- */

static bool write_entry(Plain *p, const ExportEntry *e, Error *err)
{
    switch (e->kind)
    {
    case EXPORT_ROWS:
        return write_rows(p, e, err);
    case EXPORT_STATEMENT:
        return write_statement(p, e, err);
    case EXPORT_OBJECTS:
        return write_objects(p, e, err);
    case EXPORT_CONTENTS:
        return write_contents(p, e, err);
    case EXPORT_DEFINITION:
        break;
    }
    return write_definition(p, e, err);
}

static bool write_part(Plain *p, bool rows, Error *err)
{
    p->in_rows = rows;
    return write_mark(p, rows ? EXPORT_MARK_ROWS : EXPORT_MARK_DEFINITIONS, err);
}

/* An entry of no section belongs to what it stands behind. */
static bool is_of_part(const ExportRequest *r, const ExportEntry *e, TocSection *section)
{
    if (e->toc.section != TOC_SECTION_NONE)
        *section = e->toc.section;
    switch (r->part)
    {
    case EXPORT_FIRST:
        return *section != TOC_SECTION_POST_DATA &&
               (e->kind != EXPORT_ROWS || e->chunk_count > 0 || !r->split_rows);
    case EXPORT_REST:
        return *section == TOC_SECTION_POST_DATA;
    case EXPORT_DATA:
        return e->kind == EXPORT_ROWS && e->chunk_count > 0;
    case EXPORT_CREATION:
        return false;
    case EXPORT_WHOLE:
        break;
    }
    return true;
}

static bool write_pass(Plain *p, PlainPass pass, Error *err)
{
    TocSection section = TOC_SECTION_PRE_DATA;
    p->pass = pass;
    for (size_t i = 0; i < p->plan->entry_count; i++)
    {
        const ExportEntry *e = &p->plan->entries[i];
        if (!is_of_part(p->request, e, &section))
            continue;
        bool privileges = e->kind == EXPORT_OBJECTS && pass == PASS_ACL &&
                          (p->request->selection->without & WITHOUT_PRIVILEGES) == 0;
        bool rows = section == TOC_SECTION_DATA;
        if (pass_of(&e->toc) != pass && !privileges)
            continue;
        if ((rows != p->in_rows && !write_part(p, rows, err)) || !cancel_check(p->cancel, err) ||
            !write_about(p, e, err) || !write_entry(p, e, err))
            return false;
    }
    return true;
}

/* ---- the database itself ---- */

/* psql takes a conninfo there, whose values are quoted with backslashes, in a psql word, whose
 * quotes are doubled. */
static bool write_connect(Plain *p, const char *database, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "connect");
    Str *s = str_new(tmp);
    if (strpbrk(database, "\r\n") != NULL)
        return error_set(
            err, ERR_USAGE,
            "the database's name has a line break, which psql's \\connect cannot take");
    str_add(s, "\\connect -reuse-previous=on \"dbname='");
    for (const char *c = database; *c != '\0'; c++)
    {
        if (*c == '\'' || *c == '\\')
            str_addc(s, '\\');
        if (*c == '"')
            str_addc(s, '"');
        str_addc(s, *c);
    }
    str_add(s, "'\"\n\n");
    return output_text(p->out, s->data, err);
}

static bool write_create(Plain *p, Error *err)
{
    const char *sql = p->ddl->create_database;
    bool alone = p->request->part == EXPORT_CREATION;
    if (!p->request->create && !alone)
        return true;
    if (sql == NULL)
        return error_set(err, ERR_NOT_FOUND, "the set does not say how its database is created");
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "create");
    Str *s = str_new(tmp);
    if (p->request->clean && !alone)
    {
        str_addf(s, "DROP DATABASE %s", p->request->if_exists ? "IF EXISTS " : "");
        sql_text_add_name(s, p->plan->toc->database);
        str_add(s, ";\n\n");
    }
    str_add(s, sql);
    str_add(s, sql_text_is_ended(sql, true) ? "\n\n" : ";\n\n");
    if (alone)
        return output_text(p->out, s->data, err);
    return output_text(p->out, s->data, err) && write_connect(p, p->plan->toc->database, err) &&
           output_text(p->out, p->ddl->session_setup, err) && output_text(p->out, "\n", err);
}

/* At the end: a setting of the database (read only, a role) could stop what is before it. */
static bool write_properties(Plain *p, Error *err)
{
    bool wanted = p->request->create || p->request->part == EXPORT_CREATION;
    for (size_t i = 0; wanted && i < p->ddl->database_property_count; i++)
    {
        const char *sql = p->ddl->database_properties[i];
        if (!output_text(p->out, sql, err) ||
            !output_text(p->out, sql_text_is_ended(sql, true) ? "\n\n" : ";\n\n", err))
            return false;
    }
    return true;
}

static bool write_drop(void *arg, const TocEntry *e, Error *err)
{
    Plain *p = arg;
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "drop");
    Str *sql = str_new(tmp);
    if (strcmp(e->desc, "BLOB") == 0 && p->request->if_exists)
        str_addf(sql,
                 "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata"
                 " WHERE oid = '%s';\n",
                 e->tag);
    else if (strcmp(e->desc, "BLOB") == 0)
        str_add(sql, e->drop_stmt);
    else if (entry_is_about_database(e) || !clean_statement(sql, e, p->request->if_exists))
        return true;
    return output_text(p->out, sql->data, err) &&
           output_text(p->out, sql->data[sql->len - 1] == '\n' ? "" : "\n", err);
}

/* What is made last is dropped first. A new database has nothing to drop. */
static bool write_drops(Plain *p, Error *err)
{
    bool wanted = p->request->part == EXPORT_WHOLE || p->request->part == EXPORT_FIRST;
    if (!p->request->clean || p->request->create || !wanted)
        return true;
    for (size_t i = p->plan->entry_count; i > 0; i--)
    {
        const ExportEntry *e = &p->plan->entries[i - 1];
        if (e->kind != EXPORT_DEFINITION && e->kind != EXPORT_OBJECTS)
            continue;
        /* A schema has more in it than what is of this script. */
        bool ok = write_about(p, entry_is(&e->toc, "SCHEMA") ? NULL : e, err) &&
                  (e->kind == EXPORT_OBJECTS
                       ? large_objects_each(p->data, e, e->toc.dump_id, write_drop, p, err)
                       : write_drop(p, &e->toc, err));
        if (!ok)
            return false;
    }
    return output_text(p->out, "\n\n", err);
}

/* Nothing in the database can know it, so nothing else in the script looks like a mark. */
static bool make_mark(Plain *p, Error *err)
{
    return !p->request->marks || random_hex(p->mark, (EXPORT_MARK_LEN - 1) / 2, err);
}

static bool write_mark_line(Plain *p, Error *err)
{
    char line[EXPORT_MARK_LEN + 64];
    snprintf(line, sizeof(line), "%s%s\n\n", EXPORT_MARK_HEAD, p->mark);
    return output_text(p->out, p->mark[0] == '\0' ? "\n" : line, err);
}

static bool write_head(Plain *p, const Manifest *m, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "head");
    char version[128];
    str_one_line(version, sizeof(version), p->plan->node->server_version);
    return output_text(p->out,
                       mem_printf(tmp,
                                  "--\n-- PostgreSQL database, set %s of pgark, node %d\n--\n\n"
                                  "-- Backed up from server version %s\n",
                                  m->set.key, p->plan->node->content, version),
                       err) &&
           write_mark_line(p, err) && write_contents_list(p, err) &&
           output_text(p->out, p->ddl->session_setup, err) && output_text(p->out, "\n", err) &&
           write_part(p, false, err);
}

static bool has_search_path(const ArchiveToc *toc)
{
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        if (entry_is(&toc->entries[i], "SEARCHPATH"))
            return true;
    }
    return false;
}

static bool std_strings(const ArchiveToc *toc)
{
    for (size_t i = 0; i < toc->entry_count; i++)
    {
        if (entry_is(&toc->entries[i], "STDSTRINGS"))
            return strstr(toc->entries[i].defn, "'off'") == NULL;
    }
    return true;
}

bool export_plain(const ExportSource *source, const ExportPlan *plan, const ExportRequest *request,
                  const Cancel *cancel, Error *err)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "plain");
    AUTO(output_free)
    Output *out = output_open(request->file, request->compress, request->no_sync, err);
    AUTO(table_data_free) TableData *data = table_data_new(source, cancel);
    Plain p = {.plan = plan,
               .data = data,
               .request = request,
               .cancel = cancel,
               .out = out,
               .about = str_new(ctx),
               .owner = str_new(ctx),
               .tablespace = str_new(ctx),
               .table_am = str_new(ctx)};
    if (out == NULL)
        return false;
    p.ddl = ddl_plan(ctx, plan->toc, plan->toc->database, err);
    p.text = (DdlText){.pool = &p.pool,
                       .buffer = str_new(ctx),
                       .std_strings = std_strings(plan->toc),
                       .qualified = has_search_path(plan->toc)};
    return p.ddl != NULL && make_mark(&p, err) && write_head(&p, source->manifest, err) &&
           write_create(&p, err) && write_drops(&p, err) && write_pass(&p, PASS_MAIN, err) &&
           write_pass(&p, PASS_ACL, err) && write_pass(&p, PASS_LAST, err) &&
           write_about(&p, NULL, err) && write_properties(&p, err) &&
           output_text(out, "--\n" EXPORT_END "\n" EXPORT_END_FRAME "\n", err) &&
           output_commit(out, err);
}
