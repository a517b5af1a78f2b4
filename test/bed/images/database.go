// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"

	"github.com/upmio/unit-operator/test/bed/debian"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// Types of databases, as UnitSets name them.
const (
	MySQL      = "mysql"
	PostgreSQL = "postgresql"
	ProxySQL   = "proxysql"
)

// database says how the image of a database is made.
type database struct {
	kind       string
	repository string
	rootfs     debian.Rootfs
	// versionPackage is the Debian package whose version is the image's; if empty, the program says it.
	versionPackage string
	config         func(version string) Config
	// program, if not nil, returns the path of the server where no package has it, and versionOf reads
	// what it prints for --version. The scripts of rootfs see the path as $UNIT_OPERATOR_PROGRAM.
	program   func(context.Context, *progress.Reporter) (string, error)
	versionOf func(output string) (string, error)
}

// others are made on request only, by name: versions for the engines' tests beside those of the bed.
var others = map[string]database{
	"postgresql-15": postgresql("15", "bookworm"),
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// user999 makes the user that the stock images run as. It comes before the packages, which then leave
// it alone; Debian's own would have another id.
func user999(name, home string) string {
	return `printf '` + name + `:x:999:999::` + home + `:/bin/bash\n' >> "$1/etc/passwd"
printf '` + name + `:x:999:\n' >> "$1/etc/group"
`
}

// databases are those of the bed: one version of each.
var databases = []database{
	{
		kind:       MySQL,
		repository: "docker.io/library/mysql",
		rootfs: debian.Rootfs{
			Suite:    "sid",
			Packages: []string{"mysql-server-core", "mysql-client-core", "openssl", "xz-utils", "zstd", "bzip2"},
			Before:   user999("mysql", "/var/lib/mysql"),
			// The stock image is Oracle Linux with the minimal server: no mysqlbinlog, plugins below
			// /usr/lib64, and this my.cnf.
			After: `set -e
rm -f "$1/usr/bin/mysqlbinlog"
mkdir -p "$1/var/lib/mysql" "$1/var/lib/mysql-files" "$1/var/lib/mysql-keyring" "$1/var/run/mysqld" "$1/etc/mysql/conf.d" "$1/docker-entrypoint-initdb.d"
chown 999:999 "$1/var/lib/mysql" "$1/var/lib/mysql-files" "$1/var/lib/mysql-keyring" "$1/var/run/mysqld"
chmod 1777 "$1/var/lib/mysql" "$1/var/run/mysqld"
chmod 0750 "$1/var/lib/mysql-files" "$1/var/lib/mysql-keyring"
mkdir -p "$1/usr/lib64"
ln -sfn ../lib/mysql "$1/usr/lib64/mysql"
cat > "$1/etc/my.cnf" <<EOF
[mysqld]
host-cache-size=0
skip-name-resolve
datadir=/var/lib/mysql
socket=/var/run/mysqld/mysqld.sock
secure-file-priv=/var/lib/mysql-files
user=mysql
pid-file=/var/run/mysqld/mysqld.pid

[client]
socket=/var/run/mysqld/mysqld.sock

!includedir /etc/mysql/conf.d/
EOF
`,
		},
		versionPackage: "mysql-server-core",
		config: func(version string) Config {
			return Config{
				Env:          []string{"PATH=" + defaultPath, "MYSQL_MAJOR=" + majorMinor(version), "MYSQL_VERSION=" + version},
				Cmd:          []string{"mysqld"},
				Volumes:      []string{"/var/lib/mysql"},
				ExposedPorts: []string{"3306/tcp", "33060/tcp"},
			}
		},
	},
	postgresql("17", "trixie"),
	proxysql,
}

// postgresql is the image of a major version, from the suite of Debian that has it.
func postgresql(release, suite string) database {
	return database{
		kind:       PostgreSQL,
		repository: "docker.io/library/postgres",
		rootfs: debian.Rootfs{
			Suite:    suite,
			Packages: []string{"postgresql-" + release, "locales", "libnss-wrapper", "less", "xz-utils", "zstd"},
			Before: user999("postgres", "/var/lib/postgresql") + `
mkdir -p "$1/etc/postgresql-common"
echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.conf"
`,
			After: `set -e
chroot "$1" localedef -i en_US -c -f UTF-8 en_US.UTF-8
mkdir -p "$1/var/lib/postgresql/data" "$1/var/run/postgresql" "$1/docker-entrypoint-initdb.d"
chown -R 999:999 "$1/var/lib/postgresql" "$1/var/run/postgresql"
chmod 1777 "$1/var/lib/postgresql/data"
chmod 3777 "$1/var/run/postgresql"
`,
		},
		versionPackage: "postgresql-" + release,
		config: func(version string) Config {
			major := major(version)
			return Config{
				Env: []string{
					"PATH=" + defaultPath + ":/usr/lib/postgresql/" + major + "/bin",
					"LANG=en_US.utf8", "PG_MAJOR=" + major, "PG_VERSION=" + version, "PGDATA=/var/lib/postgresql/data",
				},
				Cmd:          []string{"postgres"},
				Volumes:      []string{"/var/lib/postgresql/data"},
				ExposedPorts: []string{"5432/tcp"},
				StopSignal:   "SIGINT",
			}
		},
	}
}
