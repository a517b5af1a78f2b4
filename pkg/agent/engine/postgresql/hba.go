// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// identMap is the name of the agent's map in pg_ident.conf.
const identMap = engine.AgentUser

// superuser is the role that initdb makes.
const superuser = "postgres"

// hba is pg_hba.conf: the agent's own lines, then the template's, else those of a
// server that asks everybody for a password.
//
// The operating-system user of the container may be unit_agent and postgres
// through the socket, for people who run psql there. Nobody may be unit_agent
// through the network, whatever the lines after these say.
func hba(rest []byte) []byte {
	var b bytes.Buffer
	b.WriteString("# The first lines are unit-agent's own.\n")
	for _, database := range []string{"all", "replication"} {
		fmt.Fprintf(&b, "local %s %s peer map=%s\n", database, engine.AgentUser, identMap)
	}
	for _, database := range []string{"all", "replication"} {
		fmt.Fprintf(&b, "local %s %s peer map=%s\n", database, superuser, identMap)
	}
	for _, database := range []string{"all", "replication"} {
		fmt.Fprintf(&b, "host %s %s all reject\n", database, engine.AgentUser)
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		rest = []byte("local all all scram-sha-256\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n")
	}
	b.Write(rest)
	if !bytes.HasSuffix(rest, []byte("\n")) {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// identName is a name that needs no quoting in pg_ident.conf.
var identName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// ident is pg_ident.conf: the agent's map, then the template's lines.
func ident(osUser string, rest []byte) ([]byte, error) {
	if !identName.MatchString(osUser) {
		return nil, fmt.Errorf("the operating system's user name %q cannot stand in pg_ident.conf", osUser)
	}
	var b strings.Builder
	b.WriteString("# The first lines are unit-agent's own.\n")
	for _, role := range []string{engine.AgentUser, superuser} {
		fmt.Fprintf(&b, "%s %s %s\n", identMap, osUser, role)
	}
	b.Write(rest)
	return []byte(b.String()), nil
}
