/* export/belongs.c - the contract is in belongs.h. */
#include "export/belongs.h"

#include "base/str.h"
#include "restore/entry.h"
#include "restore/owner.h"

#define DEPTH_MAX 6 /* a comment on the index of a constraint of a table takes four */

typedef struct Search
{
    const ArchiveToc *toc;
    Belongs found;
    bool other; /* it needs something that is no relation */
} Search;

static void add(Search *s, const TocEntry *relation)
{
    Belongs *b = &s->found;
    for (size_t i = 0; i < b->count; i++)
    {
        if (strcmp(b->relations[i]->tag, relation->tag) == 0 &&
            str_equal(b->relations[i]->schema, relation->schema))
            return;
    }
    if (b->count == BELONGS_MAX || relation->schema == NULL)
        s->other = true;
    else
        b->relations[b->count++] = relation;
}

static void search(Search *s, const TocEntry *e, int depth);

/* An index is there to say of which two tables it joins those. */
static void search_joined(Search *s, const TocEntry *link, int depth)
{
    for (size_t i = 0; i < link->dependency_count; i++)
    {
        const TocEntry *on = archive_toc_find(s->toc, link->dependencies[i]);
        if (on != NULL && owner_joins(on))
            search(s, on, depth + 1);
    }
}

static void search(Search *s, const TocEntry *e, int depth)
{
    const TocEntry *on = NULL;
    switch (owner_role(e))
    {
    case ROLE_RELATION:
        on = entry_is(e, "SEQUENCE") ? owner_table(s->toc, e) : NULL;
        add(s, on == NULL ? e : on);
        return;
    case ROLE_LINK:
        search_joined(s, e, depth);
        return;
    case ROLE_PART:
    case ROLE_ATTACHMENT:
        on = owner_find(s->toc, e);
        break;
    case ROLE_SETTING:
    case ROLE_OBJECT:
        break;
    }
    if (on == NULL || depth == DEPTH_MAX)
        s->other = true;
    else
        search(s, on, depth + 1);
}

static const TocEntry *definition_of(const ArchiveToc *toc, const ExportEntry *e)
{
    return e->toc.dependency_count == 0 ? NULL : archive_toc_find(toc, e->toc.dependencies[0]);
}

Belongs belongs_find(const ArchiveToc *toc, const ExportEntry *e)
{
    Search s = {.toc = toc};
    const TocEntry *on;
    switch (e->kind)
    {
    case EXPORT_ROWS:
        add(&s, &e->toc);
        break;
    case EXPORT_STATEMENT:
        on = definition_of(toc, e);
        if (on == NULL)
            add(&s, &e->toc);
        else
            search(&s, on, 0);
        break;
    case EXPORT_DEFINITION:
        search(&s, &e->toc, 0);
        break;
    case EXPORT_OBJECTS:
    case EXPORT_CONTENTS:
        break;
    }
    return s.other ? (Belongs){.count = 0} : s.found;
}

bool belongs_is_listed(const ArchiveToc *toc, const ExportEntry *e)
{
    const TocEntry *on;
    if (e->kind == EXPORT_DEFINITION)
        return owner_role(&e->toc) == ROLE_RELATION &&
               (!entry_is(&e->toc, "SEQUENCE") || owner_table(toc, &e->toc) == NULL);
    on = e->kind == EXPORT_ROWS ? definition_of(toc, e) : NULL;
    return e->kind == EXPORT_ROWS && (on == NULL || !entry_is_relation(on));
}
