/* compat/email_file.c - the YAML file of --email-file, by libyaml; the contract is in email_file.h. */
#include "compat/email_file.h"

#include <yaml.h>

#include "base/str.h"
#include "select/text_lines.h"

#define TOP "EMAIL_DETAILS"

typedef struct Reader
{
    void *ctx;
    const char *name;
    yaml_document_t document;
    Error *err;
} Reader;

static bool wrong(const Reader *r, const yaml_node_t *node, const char *what)
{
    unsigned long line = node == NULL ? 1 : (unsigned long) node->start_mark.line + 1;
    error_set(r->err, ERR_USAGE, "%s, line %lu: %s", r->name, line, what);
    return error_hint(r->err,
                      "Below " TOP
                      " there is a list, each of its entries with DBNAME, FROM and SUBJECT.");
}

/* The text of a plain value, "" for none; NULL: it is no such one. */
static const char *scalar(const Reader *r, const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE ||
        memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL)
        return NULL;
    return mem_strndup(r->ctx, (const char *) node->data.scalar.value, node->data.scalar.length);
}

static bool take_pair(Reader *r, const yaml_node_pair_t *pair, EmailDetails *details)
{
    yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
    yaml_node_t *value = yaml_document_get_node(&r->document, pair->value);
    const char *name = scalar(r, key);
    const char *text = scalar(r, value);
    const char **field = str_equal(name, "DBNAME")    ? &details->database
                         : str_equal(name, "FROM")    ? &details->from
                         : str_equal(name, "SUBJECT") ? &details->subject
                                                      : NULL;
    if (field == NULL)
        return wrong(r, key, "a key that is none of DBNAME, FROM and SUBJECT");
    if (text == NULL)
        return wrong(r, value, "no plain value");
    if (*field != NULL)
        return wrong(r, key, "a key is there twice");
    *field = text;
    return true;
}

static bool take_entry(Reader *r, const yaml_node_t *node, EmailFile *file)
{
    EmailDetails details = {.database = NULL};
    if (node == NULL || node->type != YAML_MAPPING_NODE)
        return wrong(r, node, "an entry that has no keys");
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++)
    {
        if (!take_pair(r, p, &details))
            return false;
    }
    if (details.database == NULL || details.from == NULL || details.subject == NULL)
        return wrong(r, node, "an entry lacks one of DBNAME, FROM and SUBJECT");
    if (details.database[0] == '\0')
        return wrong(r, node, "DBNAME is empty");
    if (email_file_find(file, details.database) != NULL)
        return wrong(r, node, "a database is there twice");
    details.from = details.from[0] == '\0' ? NULL : details.from;
    details.subject = details.subject[0] == '\0' ? NULL : details.subject;
    *mem_push(r->ctx, file->items, file->count, file->capacity, EmailDetails) = details;
    return true;
}

static bool take_document(Reader *r, EmailFile *file)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (root == NULL || root->type != YAML_MAPPING_NODE ||
        root->data.mapping.pairs.top - root->data.mapping.pairs.start != 1)
        return wrong(r, root, "what is there is not " TOP " alone");
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    const yaml_node_t *list = yaml_document_get_node(&r->document, pair->value);
    if (!str_equal(scalar(r, yaml_document_get_node(&r->document, pair->key)), TOP))
        return wrong(r, root, "what is there is not " TOP " alone");
    if (list == NULL || list->type != YAML_SEQUENCE_NODE)
        return wrong(r, list, TOP " has no list");
    for (const yaml_node_item_t *i = list->data.sequence.items.start;
         i < list->data.sequence.items.top; i++)
    {
        if (!take_entry(r, yaml_document_get_node(&r->document, *i), file))
            return false;
    }
    return true;
}

EmailFile *email_file_parse(void *ctx, const char *name, const char *text, size_t len, Error *err)
{
    Reader r = {.ctx = ctx, .name = name, .err = err};
    EmailFile *file = mem_new(ctx, EmailFile);
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0)
    {
        error_set(err, ERR_INTERNAL, "no memory for a YAML parser");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *) text, len);
    bool loaded = yaml_parser_load(&parser, &r.document) != 0;
    if (!loaded)
        error_set(err, ERR_USAGE, "%s, line %lu: %s", name,
                  (unsigned long) parser.problem_mark.line + 1,
                  parser.problem == NULL ? "no YAML" : parser.problem);
    bool ok = loaded && take_document(&r, file);
    if (loaded)
        yaml_document_delete(&r.document);
    yaml_parser_delete(&parser);
    return ok ? file : NULL;
}

EmailFile *email_file_read(void *ctx, const char *path, Error *err)
{
    static const char suffix[] = ".yaml";
    size_t len = strlen(path);
    if (len <= strlen(suffix) || strcmp(path + len - strlen(suffix), suffix) != 0)
    {
        error_set(err, ERR_USAGE, "the name of \"%s\" does not end in %s", path, suffix);
        return NULL;
    }
    const char *text = text_lines_load(ctx, path, EMAIL_FILE_MAX, &len, err);
    return text == NULL ? NULL : email_file_parse(ctx, path, text, len, err);
}

const EmailDetails *email_file_find(const EmailFile *file, const char *database)
{
    for (size_t i = 0; file != NULL && i < file->count; i++)
    {
        if (strcmp(file->items[i].database, database) == 0)
            return &file->items[i];
    }
    return NULL;
}
