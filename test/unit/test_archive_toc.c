/* Unit tests of pg/archive_toc: every version, and what hostile bytes do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "pg/archive_toc.h"

/* ---- a writer of archives ---- */

typedef struct Writer
{
    Str *out;
    int version, int_size;
} Writer;

static void put_int(Writer *w, int64_t value)
{
    uint64_t left = (uint64_t) (value < 0 ? -value : value);

    str_addc(w->out, value < 0);
    for (int i = 0; i < w->int_size; i++, left >>= 8)
        str_addc(w->out, (char) (left & 0xFF));
}

static void put_str(Writer *w, const char *text)
{
    if (text == NULL)
    {
        put_int(w, -1);
        return;
    }
    put_int(w, (int64_t) strlen(text));
    str_add(w->out, text);
}

static void put_head(Writer *w, int count)
{
    str_add(w->out, "PGDMP");
    str_addc(w->out, 1);
    str_addc(w->out, (char) w->version);
    str_addc(w->out, 0);
    str_addc(w->out, (char) w->int_size);
    str_addc(w->out, 8);
    str_addc(w->out, 1);
    if (w->version >= 15)
        str_addc(w->out, 1);
    else
        put_int(w, -1);
    for (int i = 0; i < 7; i++)
        put_int(w, i);
    put_str(w, "the db");
    put_str(w, "15.20");
    put_str(w, "15.21");
    put_int(w, count);
}

static void put_entry(Writer *w, int id, const char *desc, const char *deps)
{
    put_int(w, id);
    put_int(w, 0);
    put_str(w, "1259");
    put_str(w, "4294967295");
    put_str(w, "a tag");
    put_str(w, desc);
    put_int(w, TOC_SECTION_PRE_DATA);
    put_str(w, "CREATE x;\n");
    put_str(w, NULL);
    put_str(w, "");
    put_str(w, "public");
    put_str(w, "");
    if (w->version >= 14)
        put_str(w, "heap");
    if (w->version >= 16)
        put_int(w, 'r');
    put_str(w, "alice");
    put_str(w, "false");
    for (; *deps != '\0'; deps++)
        put_str(w, (char[2]){*deps, '\0'});
    put_str(w, NULL);
    str_addn(w->out, "\0\0\0\0\0\0\0\0\0", 9);
}

static Writer writer(void *ctx, int version, int int_size)
{
    return (Writer){.out = str_new(ctx), .version = version, .int_size = int_size};
}

static void expect_corrupt(const Writer *w, const char *part)
{
    Error err = ERROR_INIT;

    assert_null(archive_toc_parse(w->out, w->out->data, w->out->len, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, err.message);
}

/* ---- tests ---- */

static void check_toc(const ArchiveToc *toc, int version)
{
    assert_int_equal(toc->version_major, 1);
    assert_int_equal(toc->version_minor, version);
    assert_string_equal(toc->database, "the db");
    assert_string_equal(toc->server_version, "15.20");
    assert_string_equal(toc->dump_version, "15.21");
    assert_int_equal(toc->entry_count, 3);
    const TocEntry *e = &toc->entries[1];
    assert_int_equal(e->dump_id, 3);
    assert_int_equal(e->table_oid, 1259);
    assert_true(e->oid == UINT32_MAX);
    assert_string_equal(e->tag, "a tag");
    assert_string_equal(e->desc, "VIEW");
    assert_int_equal(e->section, TOC_SECTION_PRE_DATA);
    assert_string_equal(e->defn, "CREATE x;\n");
    assert_string_equal(e->drop_stmt, "");
    assert_string_equal(e->copy_stmt, "");
    assert_string_equal(e->schema, "public");
    assert_string_equal(e->tablespace, "");
    assert_string_equal(e->owner, "alice");
    if (version >= 14)
        assert_string_equal(e->table_am, "heap");
    else
        assert_null(e->table_am);
    assert_int_equal(e->relkind, version >= 16 ? 'r' : 0);
    assert_int_equal(e->dependency_count, 2);
    assert_int_equal(e->dependencies[0], 9);
    assert_int_equal(e->dependencies[1], 7);
}

static void versions_are_read(void **state UNUSED)
{
    for (int version = 12; version <= 16; version++)
    {
        for (int int_size = 4; int_size <= 8; int_size += 4)
        {
            AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
            Error err = ERROR_INIT;
            Writer w = writer(ctx, version, int_size);
            put_head(&w, 3);
            put_entry(&w, 9, "TABLE", "");
            put_entry(&w, 3, "VIEW", "97");
            put_entry(&w, 7, "INDEX", "9");
            ArchiveToc *toc = archive_toc_parse(ctx, w.out->data, w.out->len, &err);
            assert_non_null(toc);
            /* nothing of the result may lie in the bytes that were read */
            memset(w.out->data, 'x', w.out->len);
            check_toc(toc, version);
        }
    }
}

static void entries_are_found(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    Writer w = writer(ctx, 14, 4);
    put_head(&w, 1000);
    for (int i = 0; i < 1000; i++)
        put_entry(&w, 1 + (i * 7) % 1000 * 3, "TABLE", ""); /* every third id, in disorder */
    ArchiveToc *toc = archive_toc_parse(ctx, w.out->data, w.out->len, &err);

    assert_non_null(toc);
    for (int id = -1; id <= 3001; id++)
    {
        const TocEntry *e = archive_toc_find(toc, id);
        if (id >= 1 && id <= 2998 && id % 3 == 1)
            assert_int_equal(e->dump_id, id);
        else
            assert_null(e);
    }
}

static void an_empty_archive_is_fine(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Error err = ERROR_INIT;
    Writer w = writer(ctx, 14, 4);
    put_head(&w, 0);
    ArchiveToc *toc = archive_toc_parse(ctx, w.out->data, w.out->len, &err);

    assert_non_null(toc);
    assert_int_equal(toc->entry_count, 0);
    assert_null(archive_toc_find(toc, 1));
}

static void truncation_is_noticed(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Writer w = writer(ctx, 16, 4);
    put_head(&w, 2);
    put_entry(&w, 1, "TABLE", "");
    put_entry(&w, 2, "INDEX", "1");

    for (size_t len = 0; len < w.out->len; len++)
    {
        Error err = ERROR_INIT;
        /* a copy of just that size, so that a sanitizer sees a read beyond it */
        char *data = malloc(len + 1);
        memcpy(data + 1, w.out->data, len);
        assert_null(archive_toc_parse(ctx, data + 1, len, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        free(data);
    }
}

static void other_files_are_refused(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Writer w = writer(ctx, 14, 4);
    put_head(&w, 0);
    w.out->data[0] = 'Q';
    expect_corrupt(&w, "no archive of pg_dump");
    w.out->data[0] = 'P';
    w.out->data[5] = 2;
    expect_corrupt(&w, "version 2.14 is not known");
    w.out->data[5] = 1;
    w.out->data[6] = 17;
    expect_corrupt(&w, "version 1.17 is not known");
    w.out->data[6] = 11;
    expect_corrupt(&w, "version 1.11 is not known");
    w.out->data[6] = 14;
    w.out->data[8] = 9;
    expect_corrupt(&w, "impossible size");
    w.out->data[8] = 4;
    w.out->data[10] = 3;
    expect_corrupt(&w, "custom format");
}

static void hostile_numbers_are_refused(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Writer w = writer(ctx, 14, 4);
    put_head(&w, INT_MAX);
    put_entry(&w, 1, "TABLE", "");
    expect_corrupt(&w, "more entries than it can hold");

    w = writer(ctx, 14, 8);
    put_head(&w, 0);
    w.out->data[w.out->len - 1] = (char) 0xFF;
    expect_corrupt(&w, "integer out of range");

    w = writer(ctx, 14, 4);
    put_head(&w, 1);
    put_entry(&w, 0, "TABLE", "");
    expect_corrupt(&w, "impossible id");

    w = writer(ctx, 14, 4);
    put_head(&w, 2);
    put_entry(&w, 5, "TABLE", "");
    put_entry(&w, 5, "TABLE", "");
    expect_corrupt(&w, "two entries have the id 5");

    w = writer(ctx, 14, 4);
    put_head(&w, 1);
    put_entry(&w, 5, "TABLE", "x");
    expect_corrupt(&w, "malformed number");

    w = writer(ctx, 14, 4);
    put_head(&w, 1);
    put_entry(&w, 5, NULL, "");
    expect_corrupt(&w, "entry without type");
}

static void hostile_strings_are_refused(void **state UNUSED)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "test");
    Writer w = writer(ctx, 14, 4);
    put_head(&w, 1);
    put_entry(&w, 5, "TABLE", "");
    char *tag = memmem(w.out->data, w.out->len, "a tag", 5);
    tag[1] = '\0';
    expect_corrupt(&w, "zero byte");
    tag[1] = ' ';
    tag[-1] = 0x7F; /* the highest byte of its length */
    expect_corrupt(&w, "longer than the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(entries_are_found),
        cmocka_unit_test(an_empty_archive_is_fine),
        cmocka_unit_test(truncation_is_noticed),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(hostile_numbers_are_refused),
        cmocka_unit_test(hostile_strings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
