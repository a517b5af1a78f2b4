// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/enginetest"
	"github.com/upmio/unit-operator/pkg/agent/engine/mysql"
	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/agent/operations/optest"
	"github.com/upmio/unit-operator/pkg/agent/state"
	"github.com/upmio/unit-operator/pkg/operation"
)

func TestMain(m *testing.M) { enginetest.Main(m, mysql.New) }

// config is what a package renders, small.
const config = `[mysqld]
gtid-mode=ON
enforce-gtid-consistency=ON
log-bin=binlog
relay-log=relay
server-id=1
innodb-buffer-pool-size=32M
innodb-redo-log-capacity=16M
lower-case-table-names=1
plugin-load-add=mysql_clone.so
`

// rig is a unit with a real server.
type rig struct {
	*enginetest.Operated
	t      *testing.T
	box    *enginetest.Box
	env    engine.Env
	engine *mysql.Engine
	store  *state.Store
}

// newRig initialises and starts a server.
func newRig(t *testing.T, box *enginetest.Box) *rig {
	t.Helper()
	box.Vars["ADM_USER"] = "root"
	box.Secret(t, "root", "secret")
	return startRig(t, box, config)
}

// secondRig is another unit in the same box, on port 3307.
func secondRig(t *testing.T, box *enginetest.Box) *rig {
	t.Helper()
	before := maps.Clone(box.Vars)
	defer func() { box.Vars = before }()
	for variable, dir := range map[string]string{
		"DATA_DIR_MOUNT": "data2", engine.EnvSocketDir: "run2", engine.EnvConfigDir: "etc2", engine.EnvStateDir: "state2", "HOME": "home2",
	} {
		path := filepath.Join(filepath.Dir(before["DATA_DIR_MOUNT"]), dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		box.Vars[variable] = path
	}
	box.Vars["UNIT_SQL_PORT"] = "3307"
	return startRig(t, box, config+"mysqlx=OFF\n")
}

func startRig(t *testing.T, box *enginetest.Box, config string) *rig {
	t.Helper()
	r := &rig{t: t, box: box, env: box.Env(t)}
	r.engine = mysql.New(r.env).(*mysql.Engine)
	r.store = state.NewStore(r.env.StateDir, state.Files{})
	r.Operated = box.Operate(t, r.engine, engine.Start{Files: map[string][]byte{"my.cnf": []byte(config)}, ConfigHash: "h"})
	return r
}

func (r *rig) actions() map[string]operations.Action {
	return New(operations.Deps{Env: r.env, Engine: r.engine, Server: r, Store: r.store})
}

func (r *rig) op(action string, p operation.Params) *optest.Op {
	return &optest.Op{IDValue: "3f0c2f6e-0000-4000-8000-000000000001", ActionValue: action, ParamsValue: p, SecretsValue: map[string][]byte{}}
}

// run does an operation that ends well.
func (r *rig) run(action string, p operation.Params) map[string]string {
	r.t.Helper()
	result, err := r.actions()[action].Run(r.t.Context(), r.op(action, p))
	if err != nil {
		r.t.Fatalf("%s: %v", action, err)
	}
	return result
}

// fails does an operation that must fail with the reason and the words.
func (r *rig) fails(action string, p operation.Params, reason string, words ...string) {
	r.t.Helper()
	_, err := r.actions()[action].Run(r.t.Context(), r.op(action, p))
	if err == nil {
		r.t.Errorf("%s of %+v succeeded", action, p)
		return
	}
	if got := operations.ReasonOf(err); got != reason {
		r.t.Errorf("%s: reason %s, want %s: %v", action, got, reason, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			r.t.Errorf("%s: %q is not in: %v", action, w, err)
		}
	}
}

// db is a login of the agent's.
func (r *rig) db() *sql.DB {
	r.t.Helper()
	db, err := r.engine.Connect()
	if err != nil {
		r.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	r.t.Cleanup(func() { db.Close() })
	return db
}

// exec runs statements on one connection.
func (r *rig) exec(statements ...string) {
	r.t.Helper()
	db := r.db()
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(r.t.Context(), s); err != nil {
			r.t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// scalar is the value of a query.
func (r *rig) scalar(query string) string {
	r.t.Helper()
	db := r.db()
	defer db.Close()
	var v sql.NullString
	if err := db.QueryRowContext(r.t.Context(), query).Scan(&v); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return v.String
}

// backups is a file destination of this box.
func (r *rig) backups() string {
	r.t.Helper()
	dir := filepath.Join(filepath.Dir(r.env.DataMount), "backups")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	return "file://" + dir + "/"
}
