// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func testEngine(t *testing.T, version string) *Engine {
	t.Helper()
	dir := t.TempDir()
	env := engine.Env{
		Name: "orders-1", Version: version, DataMount: filepath.Join(dir, "data"), StateDir: filepath.Join(dir, "state"), ConfigDir: filepath.Join(dir, "etc"),
		SocketDir: filepath.Join(dir, "run"), SQLPort: 5432, Lookup: func(string) string { return "" },
	}
	for _, d := range []string{env.DataDir(), env.StateDir, env.ConfigDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return New(env).(*Engine)
}

func upstream(name string) *engine.Upstream {
	return &engine.Upstream{Name: name, Host: name + ".orders-headless-svc.default", Port: 5432, User: "unit_replication"}
}

func members(names ...string) (out []engine.DurabilityMember) {
	for _, name := range names {
		out = append(out, engine.DurabilityMember{Name: name})
	}
	return out
}

func TestRoleOf(t *testing.T) {
	for _, tc := range []struct {
		name    string
		start   engine.Start
		want    engine.Role
		standby bool
	}{
		{"nobody manages it", engine.Start{}, engine.RoleStandalone, false},
		{"managed and without a role it is what its data is", engine.Start{Managed: true}, engine.RoleManaged, false},
		{"the record wins", engine.Start{Managed: true, Role: engine.RoleSource, Record: engine.RoleRecord{Role: engine.RoleIsolated}}, engine.RoleIsolated, true},
		{"a replica that was released remains one", engine.Start{Record: engine.RoleRecord{Role: engine.RoleReplica, Released: true}}, engine.RoleReplica, true},
		{"a source that was released remains one", engine.Start{Record: engine.RoleRecord{Role: engine.RoleSource, Released: true}}, engine.RoleSource, false},
		{"a role without a record", engine.Start{Managed: true, Role: engine.RoleSource}, engine.RoleSource, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := roleOf(tc.start); got != tc.want || standby(got) != tc.standby {
				t.Errorf("got %s, standby %v", got, standby(got))
			}
		})
	}
}

func TestSynchronousNames(t *testing.T) {
	for _, tc := range []struct {
		name string
		d    engine.Durability
		want string
	}{
		{"async waits for nobody", engine.Durability{Mode: engine.DurabilityAsync, Members: members("b")}, ""},
		{"no mode waits for nobody", engine.Durability{}, ""},
		{"one of two", engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: members("orders-1", "orders-2")}, `ANY 1 ("orders-1","orders-2")`},
		{"more than there are: commits wait", engine.Durability{Mode: engine.DurabilitySync, W: 2, Members: members("b")}, `ANY 2 ("b")`},
		{"without members commits wait for one that never comes", engine.Durability{Mode: engine.DurabilitySync, W: 1}, `ANY 1 ("self")`},
		{"no number is one", engine.Durability{Mode: engine.DurabilitySync, Members: members("b")}, `ANY 1 ("b")`},
		{"a word of the setting's own", engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: members("any", "first-0")}, `ANY 1 ("any","first-0")`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := synchronousNames("self", tc.d); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRoleSettings(t *testing.T) {
	e := New(engine.Env{Name: "orders-1", StateDir: "/it's/state", Lookup: func(string) string { return "" }}).(*Engine)
	sync := engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: members("orders-0", "orders-2")}
	const conninfo = `user='unit_replication' host='orders-0.orders-headless-svc.default' port='5432' application_name='orders-1' passfile='/it\'s/state/channel.pgpass' sslmode='prefer' connect_timeout='5'`
	for _, tc := range []struct {
		name   string
		role   engine.Role
		record engine.RoleRecord
		want   map[string]string
	}{
		{"a standalone server is left as it is", engine.RoleStandalone, engine.RoleRecord{}, nil},
		{"a managed server without a role has no upstream and is read-only", engine.RoleManaged, engine.RoleRecord{},
			map[string]string{"default_transaction_read_only": "on"}},
		{"an open source waits for its members", engine.RoleSource, engine.RoleRecord{Role: engine.RoleSource, Open: true, Durability: sync},
			map[string]string{"synchronous_standby_names": `ANY 1 ("orders-0","orders-2")`}},
		{"a source that is not open is read-only by default", engine.RoleSource, engine.RoleRecord{Role: engine.RoleSource},
			map[string]string{"default_transaction_read_only": "on"}},
		{"a source without a record is open", engine.RoleSource, engine.RoleRecord{}, nil},
		{"a source has no upstream, whatever the record has", engine.RoleSource, engine.RoleRecord{Role: engine.RoleSource, Open: true, Upstream: upstream("orders-0")}, nil},
		{"a replica receives, and waits for nobody", engine.RoleReplica, engine.RoleRecord{Role: engine.RoleReplica, Upstream: upstream("orders-0"), Durability: sync},
			map[string]string{"primary_conninfo": conninfo, "primary_slot_name": "unit_member_orders_1"}},
		{"a slot that the record names", engine.RoleReplica, engine.RoleRecord{Role: engine.RoleReplica, Upstream: func() *engine.Upstream { u := upstream("orders-0"); u.Slot = "s"; return u }()},
			map[string]string{"primary_conninfo": conninfo, "primary_slot_name": "s"}},
		{"a replica whose upstream is unknown receives nothing", engine.RoleReplica, engine.RoleRecord{Role: engine.RoleReplica}, nil},
		{"an isolated server receives nothing and waits for nobody", engine.RoleIsolated, engine.RoleRecord{Role: engine.RoleIsolated, Upstream: upstream("orders-0"), Durability: sync}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			settings := e.roleSettings(tc.role, tc.record)
			if tc.role == engine.RoleStandalone {
				if len(settings) > 0 {
					t.Errorf("got %v", settings)
				}
				return
			}
			want := map[string]string{
				"hot_standby": "on", "recovery_target_timeline": "latest", "wal_retrieve_retry_interval": "500ms", "wal_receiver_status_interval": "1s", "wal_receiver_timeout": "5s",
				"primary_conninfo": "", "primary_slot_name": "", "synchronous_standby_names": "", "default_transaction_read_only": "off",
			}
			if tc.role == engine.RoleSource {
				want["recovery_min_apply_delay"] = "0"
			}
			for name, value := range tc.want {
				want[name] = value
			}
			got := map[string]string{}
			for _, s := range settings {
				got[s.name] = s.value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConninfoIsWhatClientsRead(t *testing.T) {
	e := testEngine(t, "17.5")
	up := engine.Upstream{Host: "h", Port: 15432, User: `it's \me:`}
	channel := engine.ChannelAccount{User: up.User, Password: `p:a\s's w`}
	if err := e.writePassword(channel); err != nil {
		t.Fatal(err)
	}
	if err := e.writePassword(engine.ChannelAccount{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(e.passPath())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c, err := pgconn.ParseConfig(e.conninfo(up))
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "h" || c.Port != 15432 || c.User != up.User || c.Password != channel.Password || c.RuntimeParams["application_name"] != "orders-1" {
		t.Errorf("got %+v", c)
	}
}

func TestRestartFor(t *testing.T) {
	source, isolated := engine.RoleRecord{Role: engine.RoleSource, Open: true}, engine.RoleRecord{Role: engine.RoleIsolated}
	replica := func(name string) engine.RoleRecord {
		return engine.RoleRecord{Role: engine.RoleReplica, Upstream: upstream(name)}
	}
	for _, tc := range []struct {
		name     string
		from, to engine.RoleRecord
		// want on 13 and newer, and on 12.
		want, want12 bool
	}{
		{"a source that stays one", source, engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1, Members: members("b")}}, false, false},
		{"a source that follows", source, replica("b"), true, true},
		{"a source that is isolated", source, isolated, true, true},
		{"a standalone server that becomes the source", engine.RoleRecord{}, source, false, false},
		{"a standalone server that follows", engine.RoleRecord{}, replica("b"), true, true},
		{"a replica that is promoted", replica("b"), source, false, true},
		{"an isolated server that is promoted", isolated, source, false, false},
		{"a replica of the same upstream", replica("b"), replica("b"), false, false},
		{"a replica of another", replica("b"), replica("c"), false, true},
		{"a replica that is isolated", replica("b"), isolated, false, true},
		{"an isolated server that follows", isolated, replica("b"), false, true},
		{"a managed server that is isolated", engine.RoleRecord{Role: engine.RoleManaged}, isolated, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for version, want := range map[string]bool{"": tc.want, "13.23": tc.want, "17": tc.want, "18.1": tc.want, "12.22": tc.want12, "12": tc.want12} {
				if got := New(engine.Env{Name: "a", Version: version}).(*Engine).RestartFor(tc.from, tc.to); got != want {
					t.Errorf("version %q: got %v", version, got)
				}
			}
		})
	}
}

func TestStopPlan(t *testing.T) {
	for _, tc := range []struct {
		reason engine.StopReason
		limit  time.Duration
	}{{engine.StopFence, 5 * time.Second}, {engine.StopPodEnd, 530 * time.Second}, {engine.StopRestart, time.Minute}} {
		t.Run(string(tc.reason), func(t *testing.T) {
			var total time.Duration
			plan := New(engine.Env{}).StopPlan(t.Context(), tc.reason, engine.Start{})
			for _, step := range plan {
				total += step.Wait
			}
			if total > tc.limit || len(plan) != 2 || plan[0].Signal != syscall.SIGINT || plan[1].Signal != syscall.SIGQUIT {
				t.Errorf("got %v", plan)
			}
		})
	}
}

func TestWithoutOwned(t *testing.T) {
	const content = "# Do not edit this file manually!\nwork_mem = '7MB'\nPrimary_Conninfo = 'host=other'\nsynchronous_standby_names '*'\n  recovery_target_lsn='0/1'\nmy.primary_conninfo = 'x'\n\nrestore_command = 'cp'\n"
	const want = "# Do not edit this file manually!\nwork_mem = '7MB'\nmy.primary_conninfo = 'x'\n\n"
	got, changed := withoutOwned(content)
	if diff := cmp.Diff(want, got); diff != "" || !changed {
		t.Error(changed, diff)
	}
	if _, changed := withoutOwned(want); changed {
		t.Error("changed though nothing is owned")
	}
}

func TestPrepareRole(t *testing.T) {
	for _, tc := range []struct {
		name   string
		start  engine.Start
		signal bool
		auto   string
	}{
		{"a standalone server keeps what is its own", engine.Start{}, false, "work_mem = '1MB'\nprimary_conninfo = 'x'\n"},
		{"a source is started as it is", engine.Start{Record: engine.RoleRecord{Role: engine.RoleSource, Open: true}}, false, "work_mem = '1MB'\n"},
		{"a replica is a standby", engine.Start{Record: engine.RoleRecord{Role: engine.RoleReplica, Upstream: upstream("b")}}, true, "work_mem = '1MB'\n"},
		{"an isolated server is a standby", engine.Start{Record: engine.RoleRecord{Role: engine.RoleIsolated}}, true, "work_mem = '1MB'\n"},
		{"a managed server without a role is started as it is", engine.Start{Managed: true}, false, "work_mem = '1MB'\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := testEngine(t, "17.5")
			data := e.env.DataDir()
			signal := filepath.Join(data, standbySignal)
			if err := e.prepareRole(t.Context(), tc.start); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(signal); err == nil {
				t.Error("there is a signal in an empty directory")
			}
			for name, content := range map[string]string{"PG_VERSION": "17\n", autoConf: "work_mem = '1MB'\nprimary_conninfo = 'x'\n"} {
				if err := os.WriteFile(filepath.Join(data, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.prepareRole(t.Context(), tc.start); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(signal); (err == nil) != tc.signal {
				t.Errorf("standby.signal: %v", err)
			}
			if auto, err := os.ReadFile(filepath.Join(data, autoConf)); err != nil || string(auto) != tc.auto {
				t.Errorf("got %s, %v", auto, err)
			}
			// The agent never removes it.
			if err := e.prepareRole(t.Context(), engine.Start{Record: engine.RoleRecord{Role: engine.RoleSource, Open: true}}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(signal); (err == nil) != tc.signal {
				t.Errorf("standby.signal, then source: %v", err)
			}
		})
	}
}

func TestVerifies(t *testing.T) {
	v, _, err := verifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, stored, password string
		want                   bool
	}{
		{"the password", v, "secret", true},
		{"another", v, "Secret", false},
		{"none stored", "", "secret", false},
		{"md5", "md5abcdef", "secret", false},
		{"half a verifier", "SCRAM-SHA-256$4096:", "secret", false},
		{"no number", "SCRAM-SHA-256$x:eA==$a:b", "secret", false},
		{"beyond ASCII only the server knows", v, "sécret", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := verifies(tc.stored, tc.password); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
