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

/* server_version_major gives what servers that understand each other's files have in common of their
 * server_version_num: 15 of 150004, and, as two numbers named a major version before 10, 904 of 90426. */
int server_version_major(int version_num);

/* server_version_major_text writes it as people do: "15", "9.4"; returns text. */
#define SERVER_VERSION_TEXT_LEN 24
char *server_version_major_text(char text[SERVER_VERSION_TEXT_LEN], int version_num);

#endif
