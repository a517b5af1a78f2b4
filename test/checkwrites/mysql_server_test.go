// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
)

func TestClientsOfMySQLOnRealServer(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		admin := Account{User: "adm", Password: "it's an admin"}
		box.Vars["ADM_USER"] = admin.User
		box.Secret(t, admin.User, admin.Password)
		const config = "[mysqld]\ngtid-mode=ON\nenforce-gtid-consistency=ON\nlog-bin=binlog\nserver-id=1\ninnodb-buffer-pool-size=32M\n"
		box.Operate(t, mysql.New(box.Env(t)), engine.Start{Files: map[string][]byte{"my.cnf": []byte(config)}, ConfigHash: "h"})
		const address = "127.0.0.1:3306"
		member := map[string]string{"a": address}

		clients := Clients{Engine: MySQL, Account: admin, Addresses: []string{"127.0.0.1:1", address}, N: 2, Interval: 10 * time.Millisecond, History: NewHistory()}
		for range 2 {
			if err := clients.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		watcher := &Watcher{Engine: MySQL, Account: admin, Address: func(context.Context, string) (string, error) { return address, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		var over sync.WaitGroup
		defer over.Wait()
		defer cancel()
		over.Go(func() { watcher.Watch(ctx, "a") })

		writing, stop := context.WithCancel(ctx)
		for c := range clients.N {
			over.Go(func() { clients.Run(writing, c) })
		}
		eventually(t, "each client has rows", func() bool {
			_, _, waiting := clients.History.Waiting(time.Now().Add(-50*time.Millisecond), clients.N)
			return !waiting && len(clients.History.Writes()) > 50 && len(watcher.Markers()) > 3
		})
		stop()
		cancel()
		over.Wait()
		rows, err := MySQL.ReadAll(t.Context(), admin, "a", member)
		if err != nil {
			t.Fatal(err)
		}
		v := Judge(clients.History.Writes(), "a", rows)
		if d := cmp.Diff([]string(nil), v.Problems()); d != "" || v.Acknowledged < 50 {
			t.Errorf("%d rows are acknowledged; problems:\n%s", v.Acknowledged, d)
		}
		if !slices.ContainsFunc(watcher.Markers(), func(m Marker) bool { return m.Acknowledged && strings.Contains(m.Session, ":") }) {
			t.Errorf("no marker is acknowledged: %+v", watcher.Markers())
		}

		s, err := MySQL.connect(t.Context(), admin, address)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.exec(t.Context(), "SET GLOBAL read_only = ON, GLOBAL super_read_only = ON"); err != nil {
			t.Fatal(err)
		}
		if err := s.exec(t.Context(), MySQL.mark, "a"); err == nil || MySQL.broken(err) {
			t.Errorf("the server refuses writes: %v, the session is broken: %v", err, MySQL.broken(err))
		}
		const foreign = "11111111-1111-1111-1111-111111111111:1"
		if got, err := MySQL.ask(t.Context(), admin, address, MySQL.applied, foreign); err != nil || got != "false" {
			t.Errorf("it has applied what it never received: %s, %v", got, err)
		}
	})
}
