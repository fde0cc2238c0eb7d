/* report/physical_report.c - base backups described; the contract is in physical_report.h. */
#include "report/physical_report.h"

#include "base/lsn.h"
#include "base/str.h"
#include "report/set_report.h"

typedef struct Sums
{
    uint64_t parts, bytes, stored;
    uint64_t segments, wal_stored;
} Sums;

static Sums sum_up(const Manifest *m, int content)
{
    Sums s = {.parts = 0};
    for (size_t i = 0; i < m->part_count; i++)
    {
        if (m->parts[i].content != content)
            continue;
        s.parts++;
        s.bytes += m->parts[i].logical;
        s.stored += m->parts[i].stored;
    }
    for (size_t i = 0; i < m->wal_count; i++)
    {
        if (m->wals[i].content != content)
            continue;
        s.segments++;
        s.wal_stored += m->wals[i].stored;
    }
    return s;
}

void physical_report_node(FILE *out, const Manifest *m, int content)
{
    char start[LSN_TEXT_LEN], stop[LSN_TEXT_LEN], end[LSN_TEXT_LEN];
    char bytes[STR_BYTES_LEN], stored[STR_BYTES_LEN], wal[STR_BYTES_LEN];
    const PhysicalRecord *p = manifest_physical(m, content);
    Sums s = sum_up(m, content);
    if (p == NULL)
        return;
    fprintf(out, "            timeline %" PRIu32 ", WAL from %s, consistent at %s, to %s\n",
            p->timeline, lsn_format(start, p->start_lsn), lsn_format(stop, p->stop_lsn),
            lsn_format(end, p->restore_lsn));
    if (s.parts > 0)
        fprintf(out,
                "            %" PRIu64 " files, %s in %" PRIu64 " part%s (%s), %" PRIu64
                " file%s of WAL (%s), data checksums %s\n",
                p->files, str_format_bytes(bytes, s.bytes), s.parts, s.parts == 1 ? "" : "s",
                str_format_bytes(stored, s.stored), s.segments, s.segments == 1 ? "" : "s",
                str_format_bytes(wal, s.wal_stored), p->data_checksums ? "on" : "off");
    for (size_t i = 0; i < m->tablespace_count; i++)
    {
        char line[200];
        const TablespaceRecord *t = &m->tablespaces[i];
        if (t->content == content)
            fprintf(out, "            tablespace %" PRIu32 " in %s\n", t->oid,
                    str_one_line(line, sizeof(line), t->location));
    }
}

static json_t *tablespaces_json(const Manifest *m, int content)
{
    json_t *array = json_array();
    for (size_t i = 0; i < m->tablespace_count; i++)
    {
        const TablespaceRecord *t = &m->tablespaces[i];
        if (t->content == content)
            json_array_append_new(array, json_pack("{s:I, s:o}", "oid", (json_int_t) t->oid,
                                                   "location", set_report_string(t->location)));
    }
    return array;
}

static json_t *node_json(const Manifest *m, const PhysicalRecord *p)
{
    char start[LSN_TEXT_LEN], stop[LSN_TEXT_LEN], end[LSN_TEXT_LEN];
    Sums s = sum_up(m, p->content);
    json_t *object = json_pack(
        "{s:i, s:I, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:o?, s:o}", "content", p->content,
        "timeline", (json_int_t) p->timeline, "start_lsn", lsn_format(start, p->start_lsn),
        "stop_lsn", lsn_format(stop, p->stop_lsn), "restore_lsn", lsn_format(end, p->restore_lsn),
        "restore_point", p->restore_point, "data_checksums", (int) p->data_checksums,
        "wal_segment_size", (json_int_t) p->wal_segment_size, "files", (json_int_t) p->files,
        "base", p->base == NULL ? json_null() : json_string(p->base), "tablespaces",
        tablespaces_json(m, p->content));
    if (s.parts == 0)
        return object;
    json_t *sums = json_pack("{s:I, s:I, s:I, s:I, s:I}", "parts", (json_int_t) s.parts, "bytes",
                             (json_int_t) s.bytes, "stored", (json_int_t) s.stored, "wal_files",
                             (json_int_t) s.segments, "wal_stored", (json_int_t) s.wal_stored);
    json_object_update(object, sums);
    json_decref(sums);
    return object;
}

json_t *physical_report_json(const Manifest *m)
{
    json_t *array = json_array();
    for (size_t i = 0; i < m->physical_count; i++)
        json_array_append_new(array, node_json(m, &m->physicals[i]));
    return array;
}
