// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agentclient"
)

const hashKey = agentclient.Password("a key of the Replication")

// TestMembersOfMySQL makes what a Replication asks, other than roles, of real servers, through
// agentclient alone.
func TestMembersOfMySQL(t *testing.T) {
	enginetest.Each(t, "mysql", func(t *testing.T, box *enginetest.Box) {
		s := newSet(t, box, 3, func(index int) map[string]string {
			files := mysqlFiles(index)
			files["my.cnf"] += "plugin-load-add=mysql_clone.so\n"
			return files
		})
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
		step("accounts are made on the open source only", func(t *testing.T) {
			u0.until("it answers", func(o *agentclient.Observation) bool { return o.Answered })
			if _, err := s.client.EnsureAccounts(t.Context(), u0.target(), accounts(s, "pw")); !agentclient.IsFinal(err) {
				t.Errorf("on a server without a role: %v", err)
			}
			u0.promote(agentclient.Durability{})
			for _, statement := range []string{"CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY)"} {
				must(t, u0.exec(statement))
			}
			u0.mustWrite(t, 1)
			ensured(t, u0, accounts(s, "it's \\ a 'pass'\nword of more than thirty-two characters"), "app-user", "replicator")
			ensured(t, u0, accounts(s, "it's \\ a 'pass'\nword of more than thirty-two characters"))
			ensured(t, u0, accounts(s, "changed"), "app-user", "replicator")
			must(t, u0.exec("REVOKE REPLICATION SLAVE ON *.* FROM replicator"))
			ensured(t, u0, accounts(s, "changed"), "replicator")
			for name, change := range map[string]func(*agentclient.EnsureAccountsRequest){
				"the channels' account": func(r *agentclient.EnsureAccountsRequest) { r.Accounts[0].Name = channel },
				"the agent's account":   func(r *agentclient.EnsureAccountsRequest) { r.Accounts[0].Name = "unit_agent" },
				"two passwords": func(r *agentclient.EnsureAccountsRequest) {
					r.Accounts[0].Name = r.Accounts[1].Name
					r.Accounts[0].Password = "x"
				},
				"no password": func(r *agentclient.EnsureAccountsRequest) { r.Accounts[0].Password = "" },
			} {
				r := accounts(s, "changed")
				change(&r)
				if _, err := s.client.EnsureAccounts(t.Context(), u0.target(), r); !agentclient.IsFinal(err) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
		step("a copy of another server than the one that is meant is not taken", func(t *testing.T) {
			u1.isolate()
			donor := u0.donor()
			donor.ServerID = u1.observe().ServerID
			if op := u1.provision(donor, nil); op.Reason != agentclient.ReasonDonorChanged {
				t.Errorf("got %+v", op)
			}
			if o := u1.observe(); !o.Answered || o.MySQL.Executed != "" {
				t.Errorf("it was changed: %+v", o.MySQL)
			}
		})
		step("a pristine member is made from a donor", func(t *testing.T) {
			before := u1.observe().ServerID
			op := u1.provision(u0.donor(), nil)
			if op.State != agentclient.OperationSucceeded || op.Result["donor"] != u0.name {
				t.Fatalf("got %+v", op)
			}
			o := u1.observe()
			if !o.Answered || !o.ReadOnly || o.ServerID == before || o.ServerID == op.Result["donorServerID"] || o.MySQL.Channel != nil ||
				o.Status.Record.Role != agentclient.RoleIsolated || o.Status.Data.DataGeneration == 0 {
				t.Errorf("got %+v, %+v, record %+v", o, o.MySQL, o.Status.Record)
			}
			u1.follow(u0)
			u1.gets(t, 1)
			u0.mustWrite(t, 2)
			u1.gets(t, 2)
			if n := u1.root(t, "SELECT COUNT(*) FROM mysql.user WHERE user IN ('app-user', 'replicator', 'unit_replication', 'unit_agent')"); n != "5" {
				t.Errorf("%s accounts came along", n)
			}
		})
		step("what follows is not replaced, nor what has data without permission", func(t *testing.T) {
			if _, err := s.client.Provision(t.Context(), u1.target(), u1.provisionRequest(u0.donor(), nil)); !agentclient.IsFinal(err) {
				t.Errorf("a replica: %v", err)
			}
			u1.isolate()
			if op := u1.provision(u0.donor(), nil); op.Reason != agentclient.ReasonWouldOverwrite {
				t.Errorf("without permission: %+v", op)
			}
			if op := u1.provision(u0.donor(), func(r *agentclient.ProvisionRequest) { r.Replace, r.ServerID = true, u0.observe().ServerID }); op.Reason != agentclient.ReasonWouldOverwrite {
				t.Errorf("with permission for another server's data: %+v", op)
			}
		})
		step("a replica can be the donor, and an agent that restarts meanwhile continues", func(t *testing.T) {
			u1.follow(u0)
			u2.isolate()
			r := u2.provisionRequest(u1.donor(), nil)
			if _, err := s.client.Provision(t.Context(), u2.target(), r); err != nil {
				t.Fatal(err)
			}
			u2.restartAgent()
			u2.until("its agent answers", func(o *agentclient.Observation) bool { return o.Answered })
			r.Fence = s.fence()
			op := u2.operated(r)
			if op.State != agentclient.OperationSucceeded {
				t.Fatalf("got %+v", op)
			}
			u2.follow(u0)
			u0.mustWrite(t, 3)
			u2.gets(t, 3)
		})
		step("whoever waits for a GTID set learns when it is executed", func(t *testing.T) {
			executed := u0.until("it answers", func(o *agentclient.Observation) bool { return o.Answered }).MySQL.Executed
			u1.until("it has all", func(*agentclient.Observation) bool {
				x, err := s.client.WaitExecuted(t.Context(), u1.target(), agentclient.WaitRequest{GTIDSet: executed, Timeout: time.Second})
				must(t, err)
				return x.Contained && x.Missing == "" && x.Executed != ""
			})
			begun := time.Now()
			future := u0.observe().ServerID + ":1000000"
			x, err := s.client.WaitExecuted(t.Context(), u1.target(), agentclient.WaitRequest{GTIDSet: future, Timeout: 700 * time.Millisecond})
			if err != nil || x.Contained || x.Missing != future {
				t.Errorf("got %+v, %v", x, err)
			}
			if took := time.Since(begun); took < 600*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if _, err := s.client.WaitExecuted(t.Context(), u1.target(), agentclient.WaitRequest{GTIDSet: "nonsense"}); !agentclient.IsFinal(err) {
				t.Errorf("nonsense: %v", err)
			}
		})
		step("what a switchover would have to end is reported, and not what it executes", func(t *testing.T) {
			c, err := u0.connect(t.Context())
			must(t, err)
			defer c.Close()
			must(t, c.Exec(t.Context(), "BEGIN"))
			must(t, c.Exec(t.Context(), "INSERT INTO app.t VALUES (900)"))
			definition, err := u0.connect(t.Context())
			must(t, err)
			defer definition.Close()
			waits := make(chan error, 1)
			go func() { waits <- definition.Exec(t.Context(), "ALTER TABLE app.t ADD COLUMN secret INT") }()
			u0.until("both are reported", func(*agentclient.Observation) bool {
				a, err := s.client.Activity(t.Context(), u0.target())
				must(t, err)
				return slices.ContainsFunc(a.Transactions, func(x agentclient.Transaction) bool {
					return x.User == admin && x.RowsModified == 1 && x.Open >= time.Second
				}) && slices.ContainsFunc(a.Definitions, func(x agentclient.Statement) bool { return x.User == admin && x.Kind == "ALTER TABLE" })
			})
			must(t, c.Exec(t.Context(), "ROLLBACK"))
			must(t, <-waits)
			must(t, u0.exec("ALTER TABLE app.t DROP COLUMN secret"))
		})
		step("a demotion returns where the server has come to", func(t *testing.T) {
			o := u0.demote()
			if !o.Answered || !o.ReadOnly || o.MySQL.Executed == "" {
				t.Fatalf("got %+v", o)
			}
			if now := u0.until("it answers", func(o *agentclient.Observation) bool { return o.Answered }).MySQL.Executed; now != o.MySQL.Executed {
				t.Errorf("it returned %s, and has %s", o.MySQL.Executed, now)
			}
			x, err := s.client.WaitExecuted(t.Context(), u1.target(), agentclient.WaitRequest{GTIDSet: o.MySQL.Executed, Timeout: agentclient.MaxWaitExecuted})
			if err != nil || !x.Contained {
				t.Errorf("the replica: %+v, %v", x, err)
			}
			u0.promote(agentclient.Durability{})
		})
		step("errant transactions are kept as evidence", func(t *testing.T) {
			u2.isolate()
			for _, statement := range []string{"CREATE DATABASE errant", "FLUSH BINARY LOGS", "CREATE TABLE errant.gone (i INT)"} {
				u2.errant(t, statement)
			}
			id := u2.observe().ServerID
			r := agentclient.SaveErrantRequest{Fence: s.fence(), GTIDSet: id + ":1-2," + id + ":77"}
			e := retry(s, "save errant", func(ctx context.Context) (*agentclient.Evidence, error) {
				return s.client.SaveErrant(ctx, u2.target(), r)
			})
			if e.Saved != id+":1-2" || e.Lost != id+":77" || e.Truncated || !strings.HasPrefix(e.Path, fmt.Sprintf(".unit-agent/evidence/%d/", s.epoch)) {
				t.Errorf("got %+v", e)
			}
			content, err := os.ReadFile(filepath.Join(u2.env.DataMount, e.Path))
			must(t, err)
			if int64(len(content)) != e.Bytes || !strings.Contains(string(content), "CREATE DATABASE errant") || !strings.Contains(string(content), "errant.gone") ||
				strings.Contains(string(content), "app.t") {
				t.Errorf("%d bytes of %d: %q", len(content), e.Bytes, content)
			}
			r.Fence = s.fence()
			again := retry(s, "save errant again", func(ctx context.Context) (*agentclient.Evidence, error) {
				return s.client.SaveErrant(ctx, u2.target(), r)
			})
			if diff := cmp.Diff(e, again); diff != "" {
				t.Errorf("again:\n%s", diff)
			}
			small := agentclient.SaveErrantRequest{Fence: s.fence(), GTIDSet: id + ":1", MaxBytes: 200}
			cut := retry(s, "save a little", func(ctx context.Context) (*agentclient.Evidence, error) {
				return s.client.SaveErrant(ctx, u2.target(), small)
			})
			if !cut.Truncated || cut.Bytes > 200 {
				t.Errorf("got %+v", cut)
			}
		})
		step("a source whose commits wait for the very copy is reported as blocked", func(t *testing.T) {
			u1.isolate()
			u0.promote(agentclient.Durability{Sync: true, W: 1, Members: []agentclient.DurabilityMember{{Name: u2.name, ServerID: u2.observe().ServerID}}})
			waits := make(chan error, 1)
			go func() { waits <- u0.write(4) }()
			u0.until("a commit waits", func(o *agentclient.Observation) bool { return o.Answered && o.MySQL.SemiSync.WaitingSessions == 1 })
			_, err := s.client.EnsureAccounts(t.Context(), u0.target(), accounts(s, "another"))
			if !agentclient.IsUnavailable(err) || !strings.Contains(err.Error(), "acknowledgements") {
				t.Errorf("accounts: %v", err)
			}
			begun := time.Now()
			replace := func(r *agentclient.ProvisionRequest) { r.Replace, r.ServerID = true, u2.observe().ServerID }
			op := u2.provision(u0.donor(), replace)
			if op.Reason != agentclient.ReasonDonorBlocked || !strings.Contains(op.Message, "1 commits of the donor wait") {
				t.Errorf("after %v: %+v", time.Since(begun), op)
			}
			// Another replica as the donor is the way out; then the member follows, and frees
			// the commit.
			if op := u2.provision(u1.donor(), replace); op.State != agentclient.OperationSucceeded {
				t.Fatalf("got %+v", op)
			}
			u0.promote(agentclient.Durability{Sync: true, W: 1, Members: []agentclient.DurabilityMember{{Name: u2.name, ServerID: u2.observe().ServerID}}})
			u2.follow(u0)
			if err := <-waits; err != nil {
				t.Logf("the commit: %v", err)
			}
			u2.gets(t, 4)
			if n := u2.root(t, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'errant'"); n != "0" {
				t.Error("the errant data is there")
			}
			u0.takesWrites(t, 5)
		})
		replication(t, s, step)
	})
}

func accounts(s *set, password agentclient.Password) agentclient.EnsureAccountsRequest {
	return agentclient.EnsureAccountsRequest{Fence: s.fence(), HashKey: hashKey, Accounts: []agentclient.Account{
		{Name: "replicator", Password: password, Purpose: agentclient.PurposeReplication},
		{Name: "app-user", Password: password, Purpose: agentclient.PurposeMySQL},
	}}
}

// ensured makes the accounts, of which those were to be written.
func ensured(t *testing.T, m *member, r agentclient.EnsureAccountsRequest, changed ...string) {
	t.Helper()
	got := retry(m.set, "accounts of "+m.name, func(ctx context.Context) (*agentclient.EnsuredAccounts, error) {
		return m.set.client.EnsureAccounts(ctx, m.target(), r)
	})
	slices.Sort(got.Changed)
	if !slices.Equal(got.Changed, changed) || got.Hash != agentclient.AccountsHash(hashKey, r.Accounts) {
		t.Errorf("changed %q, want %q; hash %s", got.Changed, changed, got.Hash)
	}
	// With the password, from the network.
	for _, a := range r.Accounts {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr = a.Name, string(a.Password), "tcp", fmt.Sprintf("127.0.0.1:%d", m.sqlPort())
		c.TLSConfig, c.Logger = "skip-verify", &mysql.NopLogger{}
		connector, err := mysql.NewConnector(c)
		must(t, err)
		db := sql.OpenDB(connector)
		if err := db.PingContext(t.Context()); err != nil {
			t.Errorf("%s does not get in: %v", a.Name, err)
		}
		_ = db.Close()
	}
}

func (m *member) donor() agentclient.Donor {
	return agentclient.Donor{Name: m.name, Host: "127.0.0.1", Port: int32(m.sqlPort()), ServerID: m.observe().ServerID, DataGeneration: 1}
}

var operationCount int

func (m *member) provisionRequest(donor agentclient.Donor, change func(*agentclient.ProvisionRequest)) agentclient.ProvisionRequest {
	operationCount++
	r := agentclient.ProvisionRequest{
		Fence: m.set.fence(), ID: fmt.Sprintf("provision-%d", operationCount), JournalID: m.observe().Status.JournalID,
		Donor: donor, Channel: m.set.account,
	}
	if change != nil {
		change(&r)
	}
	return r
}

// provision makes the member a copy of a donor and returns how that ended.
func (m *member) provision(donor agentclient.Donor, change func(*agentclient.ProvisionRequest)) *agentclient.Operation {
	m.set.t.Helper()
	return m.operated(m.provisionRequest(donor, change))
}

func (m *member) operated(r agentclient.ProvisionRequest) *agentclient.Operation {
	m.set.t.Helper()
	op := retry(m.set, "provision "+m.name, func(ctx context.Context) (*agentclient.Operation, error) {
		return m.set.client.Provision(ctx, m.target(), r)
	})
	for deadline := time.Now().Add(patience); !op.State.Final(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.set.t.Fatalf("it does not end: %+v", op)
		}
		m.kubelet()
		op = retry(m.set, "the operation of "+m.name, func(ctx context.Context) (*agentclient.Operation, error) {
			return m.set.client.GetOperation(ctx, m.target(), agentclient.OperationRef{ID: r.ID, JournalID: r.JournalID})
		})
	}
	fence := m.set.fence()
	must(m.set.t, m.set.client.AcknowledgeOperation(m.set.t.Context(), m.target(), agentclient.OperationRef{ID: r.ID, JournalID: r.JournalID, Fence: &fence}))
	m.until("it answers again", func(o *agentclient.Observation) bool { return o.Answered })
	return op
}

// root runs a statement as the agent's account does, whatever the server's role, and
// returns its first value.
func (m *member) root(t *testing.T, statement string) string {
	t.Helper()
	db := m.rootDB(t)
	defer db.Close()
	if !strings.HasPrefix(statement, "SELECT") {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
		return ""
	}
	var value sql.NullString
	must(t, db.QueryRowContext(t.Context(), statement).Scan(&value))
	return value.String
}

func (m *member) rootDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "unit_agent@unix("+filepath.Join(m.env.SocketDir, "mysqld.sock")+")/")
	must(t, err)
	return db
}
