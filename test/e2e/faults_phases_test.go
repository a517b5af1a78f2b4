// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"flag"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/journal"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

var allMoments = flag.Bool("moments", false, "of what is killed while it replaces data: in all moments, not in each second one of them, drawn each time")

// moment of an operation that replaces data, at which something is killed.
type moment struct {
	phase string
	// logical: databases are replaced, not the server. absent: the old state is that they
	// are not there.
	logical, absent bool
	// late is some time after the phase was entered, else it is at once. How long a phase
	// lasts depends on the machine: after each miss, half as long at most.
	late bool
	// what is killed; the agent if nil.
	kill func(t *testing.T, v *victim, running volume)
	// fault that brings the phase about, if it takes one.
	fault func(t *testing.T, v *victim, running volume, id string)
}

// moments are all phases that restore and clone of an engine record, and more than one
// way to die in the one in which the data is exchanged.
var moments = map[v1alpha1.UnitType][]moment{
	v1alpha1.UnitTypePostgreSQL: {
		{phase: "build"}, {phase: "exchange"}, {phase: "exchange", late: true}, {phase: "exchange", late: true, kill: allContainers}, {phase: "released"}, {phase: "serving"},
		{phase: "load", logical: true}, {phase: "exchange-databases", logical: true}, {phase: "drop-replaced", logical: true},
	},
	v1alpha1.UnitTypeMySQL: {
		{phase: "build"}, {phase: "exchange"}, {phase: "exchange", late: true}, {phase: "exchange", late: true, kill: allContainers}, {phase: "released"},
		{phase: "back", fault: serverDoesNotStart},
		{phase: "replace-databases", logical: true}, {phase: "replace-databases", logical: true, kill: allContainers}, {phase: "load", logical: true, absent: true},
	},
}

func (m moment) String() string {
	name := m.phase
	if m.kill != nil {
		name += ", all containers"
	}
	if m.late {
		name += ", late"
	}
	return name
}

// replacementKilled kills an action of a unit in every phase that it records. What is
// there in the end is the old data or the new, whole, as the result says, and the
// accounts are the unit's.
func replacementKilled(t *testing.T, v *victim, action v1alpha1.Action) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i, m := range moments[v.kind] {
		if !*allMoments && uint64(i%2) != seed%2 { //nolint:gosec // not negative
			continue
		}
		t.Run(string(action)+" killed in phase "+m.String(), func(t *testing.T) {
			// The phase may be over when the kill comes: then once more.
			for try := range 8 {
				old := v.mark(t)
				if m.absent {
					v.sql(t, "", v.wipe)
				}
				call, hit := v.strike(t, action, m, time.Duration(random.Int64N(int64(time.Second>>try))))
				status, _ := v.ends(t, call)
				switch {
				case status.Result == v1alpha1.ResultSuccess:
					v.unchanged(t, v.donor.sum)
				case m.absent:
					// Making it fails if there is anything of it.
					v.serves(t)
					v.fill(t, 1)
				default:
					v.unchanged(t, old)
				}
				v.nothingBeside(t)
				v.accounts(t)
				if hit || t.Failed() {
					return
				}
			}
			t.Error("the kill never hit the phase")
		})
	}
}

// replacing are the parameters of an action that takes the donor's data over.
func (v *victim) replacing(action v1alpha1.Action, logical bool) map[string]any {
	if action == v1alpha1.ActionRestore {
		kind := "physical"
		if logical {
			kind = "logical"
		}
		return v.from(v.donor.backup(kind))
	}
	d := v.donor
	p := map[string]any{
		"sourceHost": d.unit(0) + "." + d.set + "-headless-svc." + opsNamespace, "sourceUser": d.admin,
		"sourcePort":           map[v1alpha1.UnitType]string{v1alpha1.UnitTypeMySQL: "3306", v1alpha1.UnitTypePostgreSQL: "5432"}[v.kind],
		"sourcePasswordSecret": map[string]any{"name": d.set + "-secret", "key": d.admin}, "overwrite": "true",
	}
	if logical {
		p["databases"] = []string{"shop"}
	}
	return p
}

// backup of the donor's, by kind.
func (d donor) backup(kind string) string { return "s3://backups/faults/" + d.set + "/" + kind + "/" }

// backups of the donor that the victims restore.
func (d donor) backups(t *testing.T, e *environment) {
	t.Helper()
	for kind, action := range map[string]v1alpha1.Action{"physical": v1alpha1.ActionPhysicalBackup, "logical": v1alpha1.ActionLogicalBackup} {
		p := map[string]any{"destination": d.backup(kind), "compression": "none"}
		if kind == "logical" {
			p["databases"] = []string{"shop"}
		}
		e.succeeds(t, kind, d.unit(0), d.kind, action, p)
	}
}

// strike starts a call and kills in a moment of it, and tells whether the operation was
// in that phase then, by its record.
func (v *victim) strike(t *testing.T, action v1alpha1.Action, m moment, later time.Duration) (call string, hit bool) {
	t.Helper()
	// Before the call begins: a look at all processes takes longer than some phases last.
	running := v.volume(t)
	defer func() { _ = running.Close() }()
	var err error
	if running.supervise, err = hostProcess(v.name, superviseProcess); err != nil {
		t.Fatal(err)
	}
	call = v.start(t, action, v.replacing(action, m.logical))
	id := v.uid(t, call)
	if m.fault != nil {
		m.fault(t, v, running, id)
	}
	if r := running.await(t, id, func(r journal.Record) bool { return r.Phase == m.phase }); r.State.Final() {
		return call, false
	}
	if m.late {
		time.Sleep(later)
	}
	if m.kill == nil {
		m.kill = agentOnly
	}
	m.kill(t, v, running)
	r, err := running.record(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed in phase %q, %s", r.Phase, r.State)
	return call, r.Phase == m.phase && !r.State.Final()
}

// agentOnly ends with SIGKILL, and has ended on return.
func agentOnly(t *testing.T, _ *victim, running volume) {
	t.Helper()
	if err := syscall.Kill(running.agent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the agent's end", func(context.Context) error {
		if err := syscall.Kill(running.agent, 0); err == nil {
			return syscall.EBUSY
		}
		return nil
	})
}

// allContainers of the pod end with SIGKILL.
func allContainers(t *testing.T, v *victim, running volume) {
	t.Helper()
	if err := syscall.Kill(running.supervise, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	agentOnly(t, v, running)
}

// serverDoesNotStart kills each server that is started on the new data.
func serverDoesNotStart(t *testing.T, v *victim, running volume, id string) {
	t.Helper()
	r := running.await(t, id, func(r journal.Record) bool { return r.Phase == "exchange" })
	starts := func() bool { return r.Phase == "exchange" || r.Phase == "released" }
	for end := time.Now().Add(time.Minute); starts() && !r.State.Final() && time.Now().Before(end); {
		if pid, err := hostProcess(v.name, serverProcess(string(v.kind))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		var err error
		if r, err = running.record(id); err != nil {
			t.Fatal(err)
		}
	}
}
