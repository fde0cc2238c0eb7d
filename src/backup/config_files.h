/*
 * backup/config_files.h - a server's configuration files: postgresql.conf and what it includes,
 * postgresql.auto.conf, pg_hba.conf, pg_ident.conf.
 *
 * Read through SQL, as the server may be another host. They are no part of the cut: they are what they are when
 * the run begins.
 */
#ifndef PGARK_BACKUP_CONFIG_FILES_H
#define PGARK_BACKUP_CONFIG_FILES_H

#include "backup/node.h"

#define CONFIG_FILE_MAX (16 * 1024 * 1024)

/* config_files_path is where, in a set, those of the node's server are; below ctx. */
char *config_files_path(void *ctx, const BackupNode *node);

/* config_files_read reads them by the probe and keeps them in node->config, so that what is not allowed is said
 * before anything is locked. ERR_QUERY with a hint: only a superuser may, or a role with pg_read_server_files
 * and EXECUTE on the functions. A file of more than CONFIG_FILE_MAX bytes is ERR_QUERY, too. */
bool config_files_read(BackupNode *node, Error *err) MUST_CHECK;

/* config_files_store puts them into the set, as a tar archive whose members have the names of the files without
 * the first slash, and fills node->record.config. */
bool config_files_store(BackupNode *node, Error *err) MUST_CHECK;

#endif
