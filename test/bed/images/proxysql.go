// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/upmio/unit-operator/test/bed/build"
	"github.com/upmio/unit-operator/test/bed/debian"
	"github.com/upmio/unit-operator/test/bed/progress"
)

// proxysqlEnv names a real ProxySQL: the path of its executable, or of a docker archive of an image
// (NAME.tar), of which the executable is taken.
const proxysqlEnv = "UNIT_OPERATOR_PROXYSQL"

// standInSuffix ends the version, and so the tag, of an image that has no ProxySQL but the stand-in of
// test/proxysql: no image of ProxySQL has such a tag.
const standInSuffix = "-stand-in"

var proxysql = database{
	kind:       ProxySQL,
	repository: "docker.io/proxysql/proxysql",
	program:    proxysqlProgram,
	versionOf:  proxysqlVersion,
	rootfs: debian.Rootfs{
		Suite:    "bookworm",
		Packages: []string{"libgcc-s1", "mariadb-client-core"},
		Before:   user999("proxysql", "/var/lib/proxysql"),
		After: `set -e
install -o 0 -g 0 -m 0755 "$UNIT_OPERATOR_PROGRAM" "$1/usr/bin/proxysql"
mkdir -p "$1/var/lib/proxysql"
chown 999:999 "$1/var/lib/proxysql"
chmod 1777 "$1/var/lib/proxysql"
printf 'datadir="/var/lib/proxysql"\nadmin_variables={ admin_credentials="admin:admin" mysql_ifaces="0.0.0.0:6032" }\nmysql_variables={ interfaces="0.0.0.0:6033" }\n' > "$1/etc/proxysql.cnf"
`,
	},
	config: func(version string) Config {
		c := Config{
			Env:          []string{"PATH=" + defaultPath},
			Entrypoint:   []string{"proxysql", "-f", "--idle-threads", "-D", "/var/lib/proxysql"},
			Volumes:      []string{"/var/lib/proxysql"},
			ExposedPorts: []string{"6032/tcp", "6033/tcp"},
		}
		if IsStandIn(version) {
			c.Labels = map[string]string{"org.opencontainers.image.title": "A stand-in for tests. This is not ProxySQL."}
		}
		return c
	},
}

// IsStandIn tells whether a version is that of a stand-in.
func IsStandIn(version string) bool { return strings.HasSuffix(version, standInSuffix) }

// proxysqlProgram is the executable that proxysqlEnv names, or the stand-in, built if necessary.
func proxysqlProgram(ctx context.Context, report *progress.Reporter) (string, error) {
	if path := os.Getenv(proxysqlEnv); path != "" {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s is %q, which is neither an executable nor a docker archive", proxysqlEnv, path)
		}
		if strings.HasSuffix(path, ".tar") {
			return extracted(path)
		}
		return filepath.Abs(path)
	}
	dir, err := build.Component(ctx, report, build.ProxySQLStandIn)
	return filepath.Join(dir, "proxysql"), err
}

// extracted is the executable in the cache of the image in an archive.
func extracted(archive string) (string, error) {
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	key, err := build.Key([]string{archive}, recipe)
	if err != nil {
		return "", err
	}
	out := filepath.Join(cache, "bin", "proxysql-of-image-"+key)
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	making := fmt.Sprintf("%s.%d", out, os.Getpid())
	defer os.Remove(making)
	if err := extract(archive, "usr/bin/proxysql", making); err != nil {
		return "", err
	}
	return out, os.Rename(making, out)
}

var proxysqlSays = regexp.MustCompile(`^ProxySQL version (\d+\.\d+\.\d+)(` + standInSuffix + `\b)?`)

// proxysqlVersion reads what --version prints. What a build of ProxySQL adds to its version is left out.
func proxysqlVersion(output string) (string, error) {
	m := proxysqlSays.FindStringSubmatch(output)
	if m == nil {
		return "", fmt.Errorf("proxysql --version says %.60q, want ProxySQL version N.N.N", output)
	}
	return m[1] + m[2], nil
}
