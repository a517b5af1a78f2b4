// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
)

func TestMemberAccountsOnRealServer(t *testing.T) {
	enginetest.Each(t, "postgresql", func(t *testing.T, box *enginetest.Box) {
		a, b, c := set(t, box)
		accounts := func(password string) []engine.Account {
			return []engine.Account{{Purpose: engine.PurposeAdmin, User: "postgres", Password: engine.Secret(password)}, {Purpose: engine.PurposeReplication, User: "re:pl", Password: `it's \a "pass": word`}}
		}
		ensure := func(password string) ([]string, error) { return a.e.EnsureMemberAccounts(a.ctx(), accounts(password)) }
		logsIn := func(m *member, user, password string) error {
			config, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres sslmode=disable", m.env.SQLPort))
			if err != nil {
				t.Fatal(err)
			}
			config.User, config.Password = user, password
			conn, err := pgx.ConnectConfig(m.ctx(), config)
			if err == nil {
				_ = conn.Close(context.Background())
			}
			return err
		}
		for _, step := range []struct {
			name, password string
			want           []string
		}{
			{"both are made", "one", []string{"postgres", "re:pl"}},
			{"what is so already is not written", "one", nil},
			{"one whose password was changed is written alone", "two", []string{"postgres"}},
			{"a password beyond ASCII is written each time", "zwölf", []string{"postgres"}},
			{"and again", "zwölf", []string{"postgres"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				got, err := ensure(step.password)
				if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
					t.Errorf("%v %s", err, diff)
				}
				for _, m := range []*member{a, b} {
					m.eventually("the accounts do not log in", func() bool {
						return logsIn(m, "postgres", step.password) == nil && logsIn(m, "re:pl", `it's \a "pass": word`) == nil
					})
				}
				if err := logsIn(a, "postgres", "wrong"); err == nil {
					t.Error("another password lets in")
				}
			})
		}
		t.Run("an attribute that was taken away comes back", func(t *testing.T) {
			a.sql(`ALTER ROLE "re:pl" NOREPLICATION`)
			if got, err := ensure("zwölf"); err != nil || len(got) != 2 {
				t.Errorf("got %v, %v", got, err)
			}
		})
		t.Run("nothing is written while too few standbys acknowledge", func(t *testing.T) {
			b.stop(engine.StopPodEnd)
			c.stop(engine.StopPodEnd)
			a.record = asSource(engine.DurabilitySync, 1, "set-b", "set-c")
			if err := a.e.SetDurability(a.ctx(), a.record); err != nil {
				t.Fatal(err)
			}
			if got, err := ensure("three"); !errors.Is(err, engine.ErrNotYet) || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
			if err := logsIn(a, "postgres", "zwölf"); err != nil {
				t.Error(err)
			}
			b.start(a.following())
			a.eventually("it is not written once a standby acknowledges", func() bool {
				got, err := ensure("three")
				return err == nil && len(got) == 1
			})
		})
		t.Run("names that the server would refuse are refused before", func(t *testing.T) {
			if _, err := a.e.EnsureMemberAccounts(a.ctx(), []engine.Account{{Purpose: engine.PurposeAdmin, User: "pg_me", Password: "x"}}); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	})
}
