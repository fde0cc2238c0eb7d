/*
 * physical/tar_write.h - headers of a tar archive in ustar format, for members that are added to a server's.
 */
#ifndef PGARK_PHYSICAL_TAR_WRITE_H
#define PGARK_PHYSICAL_TAR_WRITE_H

#include "physical/tar_stream.h"

/* tar_write_header fills a block: a file, or a directory where size is 0 and directory is set. name has less than
 * 100 bytes. */
void tar_write_header(unsigned char block[TAR_BLOCK], const char *name, uint64_t size,
                      bool directory, int64_t mtime);

/* tar_write_padding: bytes of zeros that follow size bytes of a member. */
size_t tar_write_padding(uint64_t size);

#endif
