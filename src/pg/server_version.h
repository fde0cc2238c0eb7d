/*
 * pg/server_version.h - which product a server is, by the text of its version().
 *
 * Products that are built on PostgreSQL tell the version of that first, and their own in parentheses:
 *   PostgreSQL 9.4.26 (Greenplum Database 6.24.3 build commit:...) on x86_64-...
 *   PostgreSQL 12.12 (WarehousePG 7.2.0 build ...) on ...
 *   PostgreSQL 14.4 (Apache Cloudberry 2.1.0-incubating build ...) on ...
 */
#ifndef PGARK_PG_SERVER_VERSION_H
#define PGARK_PG_SERVER_VERSION_H

typedef enum ServerProduct
{
    SERVER_POSTGRESQL, /* and whatever is not known to be another */
    SERVER_GREENPLUM,
    SERVER_CLOUDBERRY,
} ServerProduct;

typedef struct ServerVersion
{
    ServerProduct product;
    int major, minor, patch; /* of the product, not of the PostgreSQL in it; of PostgreSQL 0 */
} ServerVersion;

/* server_version_parse reads a text of any kind; what is not understood is PostgreSQL's. */
ServerVersion server_version_parse(const char *text);

/* server_version_name: "PostgreSQL", "Greenplum", "Cloudberry". */
const char *server_version_name(ServerProduct product);

#endif
