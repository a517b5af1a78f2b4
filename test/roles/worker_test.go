// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roles

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/mysql"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// driven is a set with the worker of a Replication, whose object is in memory.
type driven struct {
	*agentclient.Client
	set    *set
	loaded worker.Loaded
	memory topology.Memory
	reinit map[string]string

	mu sync.Mutex
	// made are the calls that replace or keep data.
	made []string
}

// Load implements worker.Journal.
func (d *driven) Load(context.Context) (*worker.Loaded, error) {
	l := d.loaded
	l.Recorded, l.Members, l.Targets = l.Recorded.Clone(), nil, map[string]agentclient.Target{}
	l.Channel, l.LeaseRenewed = d.set.account, time.Now()
	for _, m := range d.set.members {
		t := m.target()
		l.Targets[m.name] = t
		member := topology.Member{
			Name: m.name, UnitUID: t.UnitUID, Host: "127.0.0.1", Port: int32(m.sqlPort()), Priority: 1, Owned: true, HadData: true,
			PodUID: t.PodUID, PodReady: true, Reinit: d.reinit[m.name],
		}
		if m.pod > 1 {
			member.EndedPodUID = types.UID(fmt.Sprintf("pod-%s-%d", m.name, m.pod-1))
		}
		l.Members = append(l.Members, member)
	}
	return &l, nil
}

// Save implements worker.Journal.
func (d *driven) Save(_ context.Context, _ topology.Recorded, change topology.Change) error {
	d.loaded.Recorded = change.To.Clone()
	return nil
}

// ordered gives a call its place among all calls.
func (d *driven) ordered(f agentclient.RoleFence, made ...string) agentclient.RoleFence {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set.seq++
	f.Term, f.Seq = 1, d.set.seq
	d.made = append(d.made, made...)
	return f
}

func (d *driven) Promote(ctx context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	r.Fence = d.ordered(r.Fence)
	return d.Client.Promote(ctx, t, r)
}

func (d *driven) Demote(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	return d.Client.Demote(ctx, t, d.ordered(f))
}

func (d *driven) Follow(ctx context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	r.Fence = d.ordered(r.Fence)
	return d.Client.Follow(ctx, t, r)
}

func (d *driven) Isolate(ctx context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	return d.Client.Isolate(ctx, t, d.ordered(f))
}

func (d *driven) SetHold(ctx context.Context, t agentclient.Target, h agentclient.Hold) (*agentclient.Status, error) {
	f := d.ordered(agentclient.RoleFence{})
	h.Term, h.Seq = f.Term, f.Seq
	return d.Client.SetHold(ctx, t, h)
}

func (d *driven) SaveErrant(ctx context.Context, t agentclient.Target, r agentclient.SaveErrantRequest) (*agentclient.Evidence, error) {
	r.Fence = d.ordered(r.Fence)
	e, err := d.Client.SaveErrant(ctx, t, r)
	if err == nil {
		d.ordered(r.Fence, "evidence of "+t.Unit+" at "+e.Path)
	}
	return e, err
}

func (d *driven) Provision(ctx context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	r.Fence = d.ordered(r.Fence, "provision "+t.Unit)
	return d.Client.Provision(ctx, t, r)
}

// until makes passes until one leaves the Replication so.
func (d *driven) until(t *testing.T, what string, is func(topology.Plan) bool) {
	t.Helper()
	w := &worker.Worker{Engine: worker.MySQL(), Agents: d, Journal: d, Clock: realClock{}, Each: worker.AtOnce}
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		for _, m := range d.set.members {
			m.kubelet()
		}
		out, err := w.Run(t.Context(), &d.memory)
		if err == nil {
			d.loaded.Recorded.Members = out.Plan.Members
			if is(out.Plan) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to be that %s: %v, %s/%s: %s; %+v; called %+v", what, err, out.Plan.State, out.Plan.Reason, out.Plan.Message, out.Plan.Findings, out.Steps)
		}
	}
}

// healthy waits until all replicate from that source.
func (d *driven) healthy(t *testing.T, source *member) {
	t.Helper()
	d.until(t, "all replicate from "+source.name, func(p topology.Plan) bool {
		return p.State == mysql.Healthy && d.loaded.Recorded.Source == source.name
	})
}

func (d *driven) calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.made)
}

type realClock struct{ clock.RealClock }

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (realClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// replication has the worker of a Replication drive a set whose source is its first member.
func replication(t *testing.T, s *set, step func(string, func(*testing.T))) {
	u0, u1, u2 := s.members[0], s.members[1], s.members[2]
	d := &driven{Client: s.client, set: s, reinit: map[string]string{}}
	d.loaded.Request = topology.Request{UID: owner, Sync: true, Source: u0.name, Channel: s.account.ID}
	step("a Replication takes them over", func(t *testing.T) {
		d.healthy(t, u0)
		u0.mustWrite(t, 1001)
		u1.gets(t, 1001)
		u2.gets(t, 1001)
	})
	step("a restore on the source that comes to nothing leaves the replicas as they are", func(t *testing.T) {
		before, data := d.calls(), d.loaded.Recorded.Data
		d.loaded.Request.Replacing = "a restore"
		d.until(t, "the restore may begin", func(p topology.Plan) bool { return p.MayReplace })
		d.loaded.Request.Replacing = ""
		d.healthy(t, u0)
		if made := d.calls()[len(before):]; len(made) > 0 {
			t.Errorf("called %q", made)
		}
		if now := d.loaded.Recorded.Data; now.Generation != data.Generation || len(now.Outdated) > 0 || now.Replacement != nil {
			t.Errorf("the data is %+v, was %+v", now, data)
		}
		u0.takesWrites(t, 1002)
		u1.gets(t, 1002)
		u2.gets(t, 1002)
	})
	step("the source's new pod is opened while the Replication is paused", func(t *testing.T) {
		d.loaded.Request.Paused = true
		u0.newPod()
		u0.apply()
		d.until(t, "the source is open", func(topology.Plan) bool {
			o, err := s.client.Observe(t.Context(), u0.target())
			return err == nil && o.Answered && !o.ReadOnly
		})
		u0.takesWrites(t, 1003)
		d.loaded.Request.Paused = false
		d.healthy(t, u0)
		u1.gets(t, 1003)
	})
	step("errant transactions that came after the evidence are kept, too, before a rebuild", func(t *testing.T) {
		u2.errant(t, "CREATE DATABASE errant_first")
		d.until(t, "the first is kept", func(topology.Plan) bool {
			r := d.loaded.Recorded.Member(u2.name)
			return r != nil && r.Errant != nil && r.Errant.Evidence != ""
		})
		u2.errant(t, "CREATE DATABASE errant_second")
		d.reinit[u2.name] = u2.observe().ServerID
		d.healthy(t, u0)
		calls := d.calls()
		rebuilt := slices.Index(calls, "provision "+u2.name)
		if rebuilt < 0 {
			t.Fatalf("it was not rebuilt: %q", calls)
		}
		var kept string
		for _, c := range calls[:rebuilt] {
			if path, ok := strings.CutPrefix(c, "evidence of "+u2.name+" at "); ok {
				content, err := os.ReadFile(filepath.Join(u2.env.DataMount, path))
				must(t, err)
				kept = string(content)
			}
		}
		for _, words := range []string{"errant_first", "errant_second"} {
			if !strings.Contains(kept, words) {
				t.Errorf("%s is not in the evidence that was taken before: %q", words, calls)
			}
		}
		if n := u2.root(t, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'errant%'"); n != "0" {
			t.Errorf("%s errant databases are there", n)
		}
	})
	step("clients that may write on a read-only server do not, in twenty switchovers", func(t *testing.T) { d.switchovers(t, 20) })
}

// errant executes a statement on a replica, whose agent closes it again.
func (m *member) errant(t *testing.T, statement string) {
	t.Helper()
	db := m.rootDB(t)
	defer db.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := db.ExecContext(t.Context(), "SET GLOBAL super_read_only = OFF")
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// switchovers go round, while a client with all privileges writes to every member.
func (d *driven) switchovers(t *testing.T, n int) {
	all := d.set.members
	grants := all[0].root(t, "SELECT GROUP_CONCAT(privilege_type) FROM information_schema.user_privileges WHERE grantee LIKE '''"+admin+"''@%'")
	for _, p := range []string{"SUPER", "CONNECTION_ADMIN"} {
		if !slices.Contains(strings.Split(grants, ","), p) {
			t.Fatalf("%s has not %s: %s", admin, p, grants)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	acknowledged := make([][]int, len(all))
	var writers sync.WaitGroup
	for i, m := range all {
		writers.Go(func() {
			for id := 2000 + i; ctx.Err() == nil; {
				c, err := m.connect(ctx)
				if err != nil {
					continue
				}
				for ctx.Err() == nil {
					err := c.Exec(ctx, fmt.Sprintf("INSERT INTO app.t VALUES (%d)", id))
					if err == nil {
						acknowledged[i] = append(acknowledged[i], id)
					}
					id += len(all)
					if err != nil && !strings.Contains(err.Error(), "1290") {
						break
					}
					time.Sleep(5 * time.Millisecond)
				}
				c.Close()
			}
		})
	}
	for i := range n {
		to := all[(i+1)%len(all)]
		d.loaded.Request.Source = to.name
		d.healthy(t, to)
	}
	stop()
	writers.Wait()
	source := all[n%len(all)]
	for i, m := range all {
		m.until("it has all that the source has, and nothing else", func(o *agentclient.Observation) bool {
			// Asked each time: a write may be committed after its client has left.
			at := source.observe()
			return o.Answered && at.Answered && o.MySQL.Executed == at.MySQL.Executed
		})
		if len(acknowledged[i]) == 0 {
			t.Errorf("%s acknowledged nothing in %d switchovers", m.name, n)
		}
		for _, ids := range acknowledged {
			text := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
			if got := m.root(t, "SELECT COUNT(*) FROM app.t WHERE id IN ("+text+")"); got != fmt.Sprint(len(ids)) {
				t.Errorf("%s has %s of %d acknowledged rows", m.name, got, len(ids))
			}
		}
	}
	t.Logf("%d, %d and %d rows acknowledged", len(acknowledged[0]), len(acknowledged[1]), len(acknowledged[2]))
}
