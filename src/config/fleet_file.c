/* config/fleet_file.c - the nodes of a fleet from an ini file; the contract is in fleet_file.h. */
#include "config/fleet_file.h"

#include "base/str.h"
#include "config/ini_text.h"

typedef struct FleetParse
{
    FleetFile *file;
    char *conninfo[FLEET_FILE_NODES_MAX];
    int node_line[FLEET_FILE_NODES_MAX]; /* of its section; 0: none */
    int fleet_line;
    int topology_line;
    int node; /* the section we are in; -1: [fleet] */
    int last_line;
} FleetParse;

/* "node 12" -> 12. Leading zeros are refused: "node 1" and "node 01" would look like two nodes. */
static bool parse_node_section(const char *section, int *ret_content, Error *err)
{
    static const char word[] = "node";
    bool node = strncmp(section, word, strlen(word)) == 0;
    const char *p = node ? section + strlen(word) : "";
    size_t blanks = strspn(p, " \t");
    p += blanks;
    size_t digits = strspn(p, "0123456789");
    bool number = digits > 0 && digits <= 9 && p[digits] == '\0' && (p[0] != '0' || digits == 1);
    if (blanks == 0 || !number)
    {
        char shown[80];
        str_one_line(shown, sizeof(shown), section);
        error_set(err, ERR_USAGE, "unknown section [%s]", shown);
        return error_hint(err, "Sections are [fleet] and [node 0], [node 1], and so on.");
    }
    long content = strtol(p, NULL, 10);
    if (content >= FLEET_FILE_NODES_MAX)
        return error_set(err, ERR_USAGE, "node %ld: a fleet has at most %d nodes", content,
                         FLEET_FILE_NODES_MAX);
    *ret_content = (int) content;
    return true;
}

static bool end_section(const FleetParse *p, Error *err)
{
    if (p->node >= 0 && p->conninfo[p->node] == NULL)
        return error_set(err, ERR_USAGE, "[node %d], which begins in line %d, has no conninfo",
                         p->node, p->node_line[p->node]);
    return true;
}

static bool begin_section(FleetParse *p, const IniItem *item, Error *err)
{
    bool fleet = strcmp(item->section, "fleet") == 0;
    int content = -1;
    if (!end_section(p, err) || (!fleet && !parse_node_section(item->section, &content, err)))
        return false;
    int *line = fleet ? &p->fleet_line : &p->node_line[content];
    if (*line != 0)
        return error_set(err, ERR_USAGE, "section [%s] again, after line %d", item->section, *line);
    *line = item->line;
    p->node = content;
    return true;
}

static bool set_once(FleetParse *p, char **field, const IniItem *item, Error *err)
{
    if (*field != NULL)
        return error_set(err, ERR_USAGE, "%s is given twice in [%s]", item->key, item->section);
    *field = mem_strdup(p->file, item->value);
    return true;
}

static bool unknown_key(const IniItem *item, Error *err)
{
    char shown[80];
    str_one_line(shown, sizeof(shown), item->key);
    error_set(err, ERR_USAGE, "unknown key \"%s\" in [%s]", shown, item->section);
    return error_hint(err, "[fleet] takes name and topology, a [node N] takes conninfo.");
}

static bool on_fleet_key(FleetParse *p, const IniItem *item, Error *err)
{
    if (strcmp(item->key, "name") == 0)
    {
        if (!str_is_name(item->value))
            return error_set(err, ERR_USAGE,
                             "the fleet's name must be 1 to %d letters, digits, _ - or .",
                             STR_NAME_MAX);
        return set_once(p, &p->file->name, item, err);
    }
    if (strcmp(item->key, "topology") != 0)
        return unknown_key(item, err);
    if (strcmp(item->value, "auto") != 0 && strcmp(item->value, "single") != 0 &&
        strcmp(item->value, "shards") != 0)
        return error_set(err, ERR_USAGE, "topology must be auto, single or shards");
    p->topology_line = item->line;
    return set_once(p, &p->file->topology, item, err);
}

static bool on_item(void *arg, const IniItem *item, Error *err)
{
    FleetParse *p = arg;
    p->last_line = item->line;
    if (item->key == NULL)
        return begin_section(p, item, err);
    if (item->section[0] == '\0')
        return error_set(err, ERR_USAGE, "a key before the first section");
    if (p->node < 0)
        return on_fleet_key(p, item, err);
    if (strcmp(item->key, "conninfo") != 0)
        return unknown_key(item, err);
    if (item->value[0] == '\0')
        return error_set(err, ERR_USAGE, "the conninfo of node %d is empty", p->node);
    return set_once(p, &p->conninfo[p->node], item, err);
}

/* What can only be judged once the whole text was seen. */
static bool take_nodes(FleetParse *p, const char *name, Error *err)
{
    FleetFile *file = p->file;
    if (!end_section(p, err))
        return error_prefix(err, "%s, line %d", name, p->last_line);
    for (int i = 0; i < FLEET_FILE_NODES_MAX; i++)
    {
        if (p->conninfo[i] == NULL)
            continue;
        if ((size_t) i != file->node_count)
        {
            error_set(err, ERR_USAGE, "%s, line %d: [node %d] without a [node %zu]", name,
                      p->node_line[i], i, file->node_count);
            return error_hint(err, "Nodes are numbered from 0, without gaps.");
        }
        file->node_count++;
    }
    if (file->node_count == 0)
        return error_set(err, ERR_USAGE, "%s: there is no section [node 0]", name);
    if (str_equal(file->topology, "single") && file->node_count > 1)
        return error_set(err, ERR_USAGE, "%s, line %d: topology is single, but there are %zu nodes",
                         name, p->topology_line, file->node_count);
    file->conninfo = mem_array(file, char *, file->node_count);
    for (size_t i = 0; i < file->node_count; i++)
        file->conninfo[i] = p->conninfo[i];
    if (file->topology == NULL)
        file->topology = mem_strdup(file, "auto");
    return true;
}

FleetFile *fleet_file_parse(void *ctx, const char *text, size_t len, const char *name, Error *err)
{
    AUTO(mem_context_free) MemContext *scratch = mem_context(NULL, "fleet file");
    FleetParse *p = mem_new(scratch, FleetParse);
    p->file = mem_new(ctx, FleetFile);
    p->node = -1;
    if (!ini_text_parse(text, len, name, on_item, p, err) || !take_nodes(p, name, err))
    {
        mem_free(p->file);
        return NULL;
    }
    return p->file;
}

FleetFile *fleet_file_read(void *ctx, const char *path, Error *err)
{
    size_t len = 0;
    char *text = ini_text_read(ctx, path, "fleet file", &len, err);
    if (text == NULL)
        return NULL;
    FleetFile *file = fleet_file_parse(ctx, text, len, path, err);
    mem_free(text);
    return file;
}
