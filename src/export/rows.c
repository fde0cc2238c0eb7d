/* export/rows.c - the contract is in rows.h. */
#include "export/rows.h"

#include "export/insert_text.h"

bool rows_write(TableData *data, const ExportEntry *e, const ExportRequest *request, Output *out,
                Error *err)
{
    if (request->rows == ROWS_COPY)
        return table_data_write(data, e, output_write, out, err);
    AUTO(insert_text_free) InsertText *insert = insert_text_new(e, request, output_write, out);
    return table_data_write(data, e, insert_text_write, insert, err) &&
           insert_text_finish(insert, err);
}
