// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/wal"
)

// timelines that a member's data went through, the newest last.
func timelines(t *testing.T, o *agentclient.Observation) (numbers []wal.Timeline) {
	t.Helper()
	if o.PostgreSQL == nil || !o.PostgreSQL.HistoryKnown {
		return nil
	}
	h, err := wal.ParseHistory(wal.Timeline(o.PostgreSQL.Timeline), o.PostgreSQL.History)
	must(t, err)
	for _, s := range h.Past() {
		numbers = append(numbers, s.Timeline)
	}
	return append(numbers, h.Timeline())
}

func (m *member) promoteTo(timeline int64, durability agentclient.Durability, slots ...string) *agentclient.Observation {
	m.set.t.Helper()
	r := agentclient.PromoteRequest{Fence: m.set.fence(), Durability: durability, Open: true, Channel: m.set.account, Timeline: timeline, Slots: slots}
	return retry(m.set, "promote "+m.name, func(ctx context.Context) (*agentclient.Observation, error) {
		return m.set.client.Promote(ctx, m.target(), r)
	})
}

// logsIn with the password, from the network.
func (m *member) logsIn(ctx context.Context, user string, password agentclient.Password) error {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres sslmode=disable", m.sqlPort()))
	if err != nil {
		return err
	}
	config.User, config.Password = user, string(password)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func TestMembersOfPostgreSQL(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		s := newSet(t, box, 3, postgresqlFiles)
		for _, m := range s.members {
			m.apply()
		}
		u0, u1, u2 := s.members[0], s.members[1], s.members[2]
		step := func(name string, f func(t *testing.T)) {
			t.Run(name, func(t *testing.T) {
				s.t = t
				defer func() { s.t = s.whole }()
				f(t)
			})
			if t.Failed() {
				t.FailNow()
			}
		}
		comesTo := func(t *testing.T, m *member, want ...wal.Timeline) {
			t.Helper()
			o := m.until("it comes to the timeline", func(o *agentclient.Observation) bool {
				got := timelines(t, o)
				return o.Answered && len(got) > 0 && got[len(got)-1] == want[len(want)-1]
			})
			if diff := cmp.Diff(want, timelines(t, o)); diff != "" || !o.PostgreSQL.Hints {
				t.Errorf("%s: %s; %+v", m.name, diff, o.PostgreSQL)
			}
		}
		accounts := func(password agentclient.Password) agentclient.EnsureAccountsRequest {
			return agentclient.EnsureAccountsRequest{Fence: s.fence(), HashKey: hashKey, Accounts: []agentclient.Account{
				{Name: "replicator", Password: password, Purpose: agentclient.PurposeReplication},
				{Name: "app-admin", Password: password, Purpose: agentclient.PurposePostgres},
			}}
		}
		ensured := func(t *testing.T, r agentclient.EnsureAccountsRequest, changed ...string) {
			t.Helper()
			got := retry(s, "accounts", func(ctx context.Context) (*agentclient.EnsuredAccounts, error) {
				return s.client.EnsureAccounts(ctx, u0.target(), r)
			})
			slices.Sort(got.Changed)
			if !slices.Equal(got.Changed, changed) || got.Hash != agentclient.AccountsHash(hashKey, r.Accounts) {
				t.Errorf("changed %q, want %q; hash %s", got.Changed, changed, got.Hash)
			}
			for _, a := range r.Accounts {
				if err := u0.logsIn(t.Context(), a.Name, a.Password); err != nil {
					t.Errorf("%s does not get in: %v", a.Name, err)
				}
			}
		}
		slots := func(o *agentclient.Observation) (names []string) {
			for _, s := range o.PostgreSQL.Slots {
				names = append(names, s.Name)
			}
			return names
		}

		step("accounts are made on the open primary only", func(t *testing.T) {
			if _, err := s.client.EnsureAccounts(t.Context(), u0.target(), accounts("pw")); !agentclient.IsFinal(err) {
				t.Errorf("on a server without a role: %v", err)
			}
			u0.promoteTo(0, agentclient.Durability{})
			for _, statement := range []string{"CREATE SCHEMA app", "CREATE TABLE app.t (id INT PRIMARY KEY)"} {
				must(t, u0.exec(statement))
			}
			ensured(t, accounts("it's \\ a 'pass'\nword of more than thirty-two characters"), "app-admin", "replicator")
			ensured(t, accounts("it's \\ a 'pass'\nword of more than thirty-two characters"))
			ensured(t, accounts("changed"), "app-admin", "replicator")
			must(t, u0.exec("ALTER ROLE replicator NOREPLICATION"))
			ensured(t, accounts("changed"), "replicator")
		})
		step("WAL is kept for members that do not acknowledge", func(t *testing.T) {
			o := u0.promoteTo(0, agentclient.Durability{}, u1.name, u2.name)
			if diff := cmp.Diff([]string{settings.SlotName(u1.name), settings.SlotName(u2.name)}, slots(o)); diff != "" {
				t.Error(diff)
			}
			o = u0.promoteTo(0, agentclient.Durability{}, u1.name)
			if diff := cmp.Diff([]string{settings.SlotName(u1.name)}, slots(o)); diff != "" {
				t.Error(diff)
			}
			u0.promoteTo(0, agentclient.Durability{}, u1.name, u2.name)
		})
		copyPrimary(t, s)
		step("standbys follow on the first timeline, which has no history", func(t *testing.T) {
			for _, m := range []*member{u1, u2} {
				m.follow(u0)
				comesTo(t, m, 1)
			}
			u0.mustWrite(t, 1)
			u1.gets(t, 1)
			u2.gets(t, 1)
		})
		step("what walsenders go by is reported of each", func(t *testing.T) {
			is := func(counted bool) func(*agentclient.Observation) bool {
				return func(o *agentclient.Observation) bool {
					return o.Answered && len(o.PostgreSQL.Standbys) == 2 &&
						!slices.ContainsFunc(o.PostgreSQL.Standbys, func(s agentclient.PostgreSQLStandby) bool { return s.Counted != counted || !s.Reloaded })
				}
			}
			u0.until("nobody is waited for", is(false))
			u0.promoteTo(0, agentclient.Durability{Sync: true, W: 1, Members: []agentclient.DurabilityMember{{Name: u1.name}, {Name: u2.name}}})
			u0.until("both are waited for", is(true))
			u0.takesWrites(t, 2)
		})
		step("accounts are not made while commits wait, and activity says what clients do", func(t *testing.T) {
			u0.promoteTo(0, agentclient.Durability{Sync: true, W: 1, Members: []agentclient.DurabilityMember{{Name: "absent"}}}, u1.name, u2.name)
			waits := make(chan error, 1)
			go func() { waits <- u0.exec("CREATE TABLE app.waits (id INT)") }()
			u0.until("a commit waits", func(*agentclient.Observation) bool {
				a, err := s.client.Activity(t.Context(), u0.target())
				must(t, err)
				return len(a.Transactions) == 1 && a.Transactions[0].User == admin && a.Transactions[0].Open >= time.Second &&
					len(a.Definitions) == 1 && a.Definitions[0].Kind == "CREATE TABLE"
			})
			if _, err := s.client.EnsureAccounts(t.Context(), u0.target(), accounts("another")); !agentclient.IsUnavailable(err) {
				t.Errorf("accounts: %v", err)
			}
			if err := u0.logsIn(t.Context(), "app-admin", "changed"); err != nil {
				t.Error(err)
			}
			u0.promoteTo(0, agentclient.Durability{}, u1.name, u2.name)
			if err := <-waits; err != nil {
				t.Errorf("the commit: %v", err)
			}
		})
		step("a promotion begins the timeline that is asked for", func(t *testing.T) {
			u0.demote()
			if o := u1.promoteTo(5, agentclient.Durability{}, u0.name, u2.name); o.PostgreSQL.Timeline != 5 {
				t.Errorf("got %+v", o.PostgreSQL)
			}
			comesTo(t, u1, 1, 5)
			for _, m := range []*member{u0, u2} {
				m.follow(u1)
				comesTo(t, m, 1, 5)
			}
			u1.mustWrite(t, 3)
			u0.gets(t, 3)
			u2.gets(t, 3)
		})
		step("it stays on that, whatever happens to its pod, and another one begins its own", func(t *testing.T) {
			u1.restartContainer()
			u1.takesWrites(t, 4)
			comesTo(t, u1, 1, 5)
			// The container's restart has cut them off.
			u0.gets(t, 4)
			u2.gets(t, 4)
			u1.demote()
			u2.promoteTo(9, agentclient.Durability{}, u0.name, u1.name)
			for _, m := range []*member{u0, u1} {
				m.follow(u2)
				comesTo(t, m, 1, 5, 9)
			}
			u2.mustWrite(t, 5)
			u0.gets(t, 5)
			u1.gets(t, 5)
		})
		step("what only a MySQL has is refused", func(t *testing.T) {
			if _, err := s.client.WaitExecuted(t.Context(), u2.target(), agentclient.WaitRequest{GTIDSet: "a:1"}); !agentclient.IsFinal(err) {
				t.Errorf("got %v", err)
			}
			if _, err := s.client.SaveErrant(t.Context(), u2.target(), agentclient.SaveErrantRequest{Fence: s.fence(), GTIDSet: "a:1"}); !agentclient.IsFinal(err) {
				t.Errorf("got %v", err)
			}
		})
	})
}
