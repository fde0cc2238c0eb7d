#!/bin/bash
# deb.sh BUILD DIR - build a Debian package for this distribution, and put it into DIR.
#
# The program is built as for a release, installed below a scratch directory, and packed with the dependencies
# that dpkg-shlibdeps finds for it. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
out=$2

tools/setup.sh "$build" --buildtype=release --prefix=/usr --strip
ninja -C "$build" --quiet
version=$(meson introspect "$build" --projectinfo | sed -n 's/.*"version": "\([^"]*\)".*/\1/p')
arch=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root/files meson install -C "$build" --no-rebuild --quiet
doc=$root/files/usr/share/doc/pgark
mv "$doc/LICENSE" "$doc/copyright"
mv "$doc/CHANGELOG.md" "$doc/changelog"
gzip -9n "$doc/changelog"
# Where Debian's zsh looks for what packages bring.
mkdir "$root/files/usr/share/zsh/vendor-completions"
mv "$root/files/usr/share/zsh/site-functions/_pgark" "$root/files/usr/share/zsh/vendor-completions/"
rmdir "$root/files/usr/share/zsh/site-functions"
find "$root/files/usr/share/man" -type f -exec gzip -9n {} +
find "$root/files" -type d -exec chmod 0755 {} +
find "$root/files" -type f -exec chmod 0644 {} +
chmod 0755 "$root/files/usr/bin/pgark"

# dpkg-shlibdeps wants a source package's control file around it.
mkdir -p "$root/debian" "$root/files/DEBIAN"
printf 'Source: pgark\n\nPackage: pgark\nArchitecture: any\n' >"$root/debian/control"
libraries=$(cd "$root" && dpkg-shlibdeps -O -e files/usr/bin/pgark | sed -n 's/^shlibs:Depends=//p')
size=$(du -sk --exclude=DEBIAN "$root/files" | cut -f1)
cat >"$root/files/DEBIAN/control" <<CONTROL
Package: pgark
Version: $version
Architecture: $arch
Maintainer: pgark developers <pgark@localhost>
Installed-Size: $size
Depends: $libraries, postgresql-client
Section: database
Priority: optional
Description: one consistent backup of a whole PostgreSQL fleet
 pgark takes one consistent backup of a PostgreSQL server or of a whole fleet of
 servers, in parallel on every node and inside every big table, and restores it.
CONTROL
(cd "$root/files" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/files/DEBIAN/md5sums"

mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root/files" "$out/pgark_${version}_$arch.deb" >/dev/null
echo "$out/pgark_${version}_$arch.deb"
