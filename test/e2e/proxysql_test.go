// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

func TestProxySQL(t *testing.T) {
	e := require(t)
	g := proxysqlGroup
	t.Logf("running on ProxySQL %s; -stand-in at its end says that this is the one of test/proxysql", e.versions[g.kind])
	e.apply(t, g)
	t.Cleanup(func() { e.remove(t, g) })
	e.ready(t, g)

	t.Run("it answers on its admin port, as documented", func(t *testing.T) {
		e.kubectlRun(t, "exec", "-n", ns, g.unit(0), "--", "mysql", "-h", "127.0.0.1", "-P", "6032", "-e", "SELECT 1")
	})
	t.Run("admin with the factory password is refused", func(t *testing.T) {
		if out, err := e.exec(t.Context(), ns, g.unit(0), "proxysql", "", "mysql", "--no-defaults", "-h", "127.0.0.1", "-P", "6032", "-uadmin", "-padmin", "-e", "SELECT 1"); err == nil {
			t.Errorf("it was accepted: %s", out)
		}
	})
	t.Run("it answers on its SQL port", func(t *testing.T) {
		requireBed(t)
		p := e.pod(t, ns, g.unit(0))
		eventually(t, 30*time.Second, "the SQL port", func(context.Context) error { return g.answersAt(p.Status.PodIP) })
	})
	t.Run("a killed proxy comes back", func(t *testing.T) {
		e.serverComesBackAlone(t, g)
	})
	t.Run("its passwords, which no Secret has, are told nowhere", func(t *testing.T) {
		out, err := e.exec(t.Context(), ns, g.unit(0), "proxysql", "", "cat", "/DATA_MOUNT/.unit-agent/proxysql-credentials.json")
		if err != nil {
			t.Fatal(err)
		}
		var passwords map[string]string
		if err := json.Unmarshal([]byte(out), &passwords); err != nil || len(passwords) != 2 {
			t.Fatalf("the file has %d passwords: %v", len(passwords), err)
		}
		for user, password := range passwords {
			e.witness.secrets.Add("the password that was generated for "+user, []byte(password))
		}
		e.tellsNoSecret(t)
	})
}
