// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/mysql/gtid"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const uid types.UID = "replication"

// world of servers and agents in memory, and one Replication of them. Everything takes
// effect at once, and nothing happens by itself.
type world struct {
	t *testing.T
	// engine and agents of the servers; MySQL and the world itself unless another one is
	// given.
	engine  Engine
	agents  Agents
	now     time.Time
	servers []*host
	loaded  Loaded
	memory  topology.Memory
	// activity of clients on every server.
	activity agentclient.Activity
	// calls that were made, in their order.
	calls []string
	// saves that were made; onSave decides about the next one.
	saves  []topology.Change
	onSave func(change topology.Change) error
	// onCall decides about a call before it has its effect.
	onCall func(kind string, s *host) error
}

// host is one member.
type host struct {
	name, uuid string
	// away: its agent does not answer; down: its server does not.
	away, down bool
	executed   gtid.Set
	retrieved  gtid.Set
	purged     gtid.Set
	readOnly   bool
	stopped    bool
	cut        bool
	noApply    bool
	record     *agentclient.RoleRecord
	epoch      int64
	holds      []string
	holdsOrder int64
	sent       int
	receiving  bool
	ack        bool
	unacked    int64
	pod        types.UID
}

func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.engine, w.agents = MySQL(), w
	w.loaded.Request = topology.Request{UID: uid, Sync: true, Source: "u0"}
	w.loaded.Targets = map[string]agentclient.Target{}
	w.loaded.Channel = agentclient.ChannelAccount{User: "unit_replication", Password: "x"}
	for i := range n {
		s := &host{name: fmt.Sprintf("u%d", i), uuid: fmt.Sprintf("%08d-0000-0000-0000-000000000000", i), readOnly: true, pod: types.UID(fmt.Sprintf("pod-%d", i))}
		w.servers = append(w.servers, s)
		w.loaded.Members = append(w.loaded.Members, topology.Member{
			Name: s.name, UnitUID: types.UID("unit-" + s.name), Host: s.name, Port: 3306, Priority: 1, Owned: true, PodUID: s.pod, PodReady: true,
		})
		w.loaded.Targets[s.name] = agentclient.Target{Unit: s.name, UnitUID: types.UID("unit-" + s.name), Pod: s.name, PodUID: s.pod, PodIP: "10.0.0.1"}
	}
	return w
}

func (w *world) server(name string) *host {
	for _, s := range w.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (w *world) member(name string) *topology.Member {
	for i := range w.loaded.Members {
		if w.loaded.Members[i].Name == name {
			return &w.loaded.Members[i]
		}
	}
	return nil
}

// flow lets transactions pass from sources to those that receive.
func (w *world) flow() {
	for range w.servers {
		for _, s := range w.servers {
			u := w.upstream(s)
			s.receiving = u != nil && !s.cut && !u.cut && !s.down && !u.down && !s.stopped && !u.stopped
			if s.receiving {
				s.retrieved = s.retrieved.Union(u.executed.Subtract(s.executed))
			}
			if !s.noApply && !s.down && !s.stopped {
				s.executed = s.executed.Union(s.retrieved)
			}
		}
	}
}

func (w *world) upstream(s *host) *host {
	if s.record == nil || s.record.Role != agentclient.RoleReplica || s.record.Upstream == nil {
		return nil
	}
	return w.server(s.record.Upstream.Name)
}

// commit n transactions on a server, if it takes writes; it returns how many were
// acknowledged.
func (w *world) commit(s *host, n int) int {
	if s.readOnly || s.down || s.stopped {
		return 0
	}
	acknowledged := 0
	for range n {
		s.sent++
		s.executed = s.executed.Union(gtid.MustParse(fmt.Sprintf("%s:%d", s.uuid, s.sent)))
		w.flow()
		if s.record == nil || !s.record.Durability.Sync || w.acks(s) >= int(s.record.Durability.W) {
			acknowledged++
		}
	}
	return acknowledged
}

// acks counts those that receive from s and may acknowledge.
func (w *world) acks(s *host) int {
	n := 0
	for _, r := range w.servers {
		if w.upstream(r) == s && r.receiving && r.ack {
			n++
		}
	}
	return n
}

func (w *world) worker() *Worker {
	return &Worker{Engine: w.engine, Agents: w.agents, Journal: w, Clock: w, Each: InOrder}
}

// run passes until one has nothing to do at once, and tell the last outcome.
func (w *world) run(passes int) Outcome {
	w.t.Helper()
	var out Outcome
	for range passes {
		w.flow()
		var err error
		if out, err = w.worker().Run(w.t.Context(), &w.memory); err != nil {
			w.t.Logf("pass: %v", err)
		} else {
			// What the controller writes after a pass.
			w.loaded.Recorded.Members = out.Plan.Members
		}
		w.check()
		w.now = w.now.Add(max(time.Second, out.Plan.Requeue))
	}
	return out
}

// check that not two members can have a commit acknowledged.
func (w *world) check() {
	w.t.Helper()
	w.flow()
	var able []string
	for _, s := range w.servers {
		if !s.readOnly && !s.down && !s.stopped && (s.record == nil || !s.record.Durability.Sync || w.acks(s) >= int(s.record.Durability.W)) {
			able = append(able, s.name)
		}
	}
	if len(able) > 1 {
		w.t.Fatalf("%s can have commits acknowledged\n%s", strings.Join(able, " and "), w.trace())
	}
}

func (w *world) trace() string { return strings.Join(w.calls, "\n") }

// Load implements Journal.
func (w *world) Load(context.Context) (*Loaded, error) {
	l := w.loaded
	l.LeaseRenewed = w.now
	l.Recorded = l.Recorded.Clone()
	return &l, nil
}

// Save implements Journal.
func (w *world) Save(_ context.Context, from topology.Recorded, change topology.Change) error {
	if d := cmp.Diff(w.loaded.Recorded, from, cmpopts.EquateEmpty()); d != "" {
		w.t.Errorf("what was read and what is recorded differ: -recorded +read:\n%s", d)
		return ErrConflict
	}
	w.calls = append(w.calls, strings.TrimSuffix(fmt.Sprintf("save %s: %s", change.Kind, change.Message), ": "))
	if w.onSave != nil {
		if err := w.onSave(change); err != nil {
			return err
		}
	}
	w.saves = append(w.saves, change)
	w.loaded.Recorded = asTheAPIKeeps(w.t, change.To)
	return nil
}

// asTheAPIKeeps is a record after it went through the API.
func asTheAPIKeeps(t *testing.T, r topology.Recorded) topology.Recorded {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out topology.Recorded
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Now implements Clock.
func (w *world) Now() time.Time {
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// Sleep implements Clock.
func (w *world) Sleep(_ context.Context, d time.Duration) error {
	w.now = w.now.Add(d)
	w.flow()
	return nil
}

// WithTimeout implements Clock.
func (w *world) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// call reaches a server's agent, fenced if epoch is not 0.
func (w *world) call(kind string, t agentclient.Target, epoch int64, detail string) (*host, error) {
	s := w.server(t.Unit)
	if kind != "Observe" {
		w.calls = append(w.calls, strings.TrimSpace(fmt.Sprintf("%s %s %s", kind, s.name, detail)))
	}
	unavailable := &agentclient.Error{Class: agentclient.Unavailable, Target: t, Err: errors.New("no answer")}
	if s.away {
		return nil, unavailable
	}
	if w.onCall != nil {
		if err := w.onCall(kind, s); err != nil {
			return nil, err
		}
	}
	if epoch != 0 {
		if epoch < s.epoch {
			return nil, &agentclient.Error{Class: agentclient.StaleFence, Target: t, Err: fmt.Errorf("epoch %d is below %d", epoch, s.epoch)}
		}
		s.epoch = epoch
	}
	return s, nil
}

// Observe implements Agents.
func (w *world) Observe(_ context.Context, t agentclient.Target) (*agentclient.Observation, error) {
	s, err := w.call("Observe", t, 0, "")
	if err != nil {
		return nil, err
	}
	return w.observe(s), nil
}

func (w *world) observe(s *host) *agentclient.Observation {
	w.flow()
	o := &agentclient.Observation{Status: &agentclient.Status{
		PodUID: s.pod, Epoch: s.epoch, Holds: slices.Clone(s.holds), HoldsOrder: s.holdsOrder, JournalID: "journal",
	}, ServerID: s.uuid}
	if s.record != nil {
		r := *s.record
		o.Status.Record = &r
	}
	if s.stopped {
		o.Status.StopProof = &agentclient.StopProof{Order: s.holdsOrder, How: "Exited"}
	}
	if s.down || s.stopped {
		o.Error, o.Status.Down = "it is down", true
		return o
	}
	o.Answered, o.ReadOnly = true, s.readOnly
	o.MySQL = &agentclient.MySQLObservation{
		Executed: s.executed.String(), Purged: s.purged.String(), SuperReadOnly: s.readOnly, Version: "8.4.6",
	}
	semi := &o.MySQL.SemiSync
	semi.ReplicaEnabled = s.ack
	semi.Unacknowledged = s.unacked
	if s.record != nil && s.record.Role == agentclient.RoleSource && s.record.Durability.Sync {
		semi.SourceEnabled, semi.SourceActive, semi.WaitFor = true, true, s.record.Durability.W
	}
	semi.Clients = int32(w.acks(s)) //nolint:gosec // A handful.
	for _, r := range w.servers {
		if w.upstream(r) == s && r.receiving {
			o.MySQL.DumpThreads = append(o.MySQL.DumpThreads, agentclient.MySQLDumpThread{ServerUUID: r.uuid, Acknowledging: r.ack})
		}
	}
	if u := w.upstream(s); u != nil || !s.retrieved.IsEmpty() {
		c := &agentclient.MySQLChannel{Applying: !s.noApply, Receiving: s.receiving, Retrieved: s.retrieved.String(), Port: 3306}
		if u != nil {
			c.Host, c.SourceUUID = u.name, u.uuid
		}
		o.MySQL.Channel = c
	}
	return o
}

func (w *world) role(s *host, f agentclient.RoleFence, r agentclient.RoleRecord) *agentclient.Observation {
	r.ReplicationUID, r.Epoch = f.ReplicationUID, f.Epoch
	s.record = &r
	return w.observe(s)
}

// Promote implements Agents.
func (w *world) Promote(_ context.Context, t agentclient.Target, r agentclient.PromoteRequest) (*agentclient.Observation, error) {
	s, err := w.call("Promote", t, r.Fence.Epoch, fmt.Sprintf("w=%d open=%v", r.Durability.W, r.Open))
	if err != nil {
		return nil, err
	}
	if s.down || s.stopped {
		return nil, &agentclient.Error{Class: agentclient.Unavailable, Target: t, Err: errors.New("the server is down")}
	}
	s.ack = false
	if r.Open {
		s.readOnly = false
	}
	return w.role(s, r.Fence, agentclient.RoleRecord{Role: agentclient.RoleSource, Durability: r.Durability, Open: r.Open, DataGeneration: r.DataGeneration}), nil
}

// Demote implements Agents.
func (w *world) Demote(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	s, err := w.call("Demote", t, f.Epoch, "")
	if err != nil {
		return nil, err
	}
	s.readOnly, s.ack = true, false
	return w.role(s, f, agentclient.RoleRecord{Role: agentclient.RoleIsolated}), nil
}

// Follow implements Agents.
func (w *world) Follow(_ context.Context, t agentclient.Target, r agentclient.FollowRequest) (*agentclient.Observation, error) {
	s, err := w.call("Follow", t, r.Fence.Epoch, r.Upstream.Name+map[bool]string{true: " ack"}[r.Acknowledge])
	if err != nil {
		return nil, err
	}
	if s.record != nil && s.record.Role == agentclient.RoleSource {
		return nil, &agentclient.Error{Class: agentclient.Final, Target: t, Err: errors.New("this is the source")}
	}
	s.ack = r.Acknowledge
	u := r.Upstream
	return w.role(s, r.Fence, agentclient.RoleRecord{Role: agentclient.RoleReplica, Upstream: &u, DataGeneration: r.DataGeneration}), nil
}

// Isolate implements Agents.
func (w *world) Isolate(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	s, err := w.call("Isolate", t, f.Epoch, "")
	if err != nil {
		return nil, err
	}
	s.ack = false
	return w.role(s, f, agentclient.RoleRecord{Role: agentclient.RoleIsolated}), nil
}

// Release implements Agents.
func (w *world) Release(_ context.Context, t agentclient.Target, f agentclient.RoleFence) (*agentclient.Observation, error) {
	s, err := w.call("Release", t, f.Epoch, "")
	if err != nil {
		return nil, err
	}
	s.record.Released, s.record.ReplicationUID = true, ""
	return w.observe(s), nil
}

// SetHold implements Agents.
func (w *world) SetHold(_ context.Context, t agentclient.Target, h agentclient.Hold) (*agentclient.Status, error) {
	s, err := w.call("SetHold", t, h.Epoch, fmt.Sprint(h.Held))
	if err != nil {
		return nil, err
	}
	s.holdsOrder++
	s.holds, s.stopped = nil, false
	if h.Held {
		s.holds, s.stopped, s.readOnly = []string{h.Name}, true, true
	}
	return w.observe(s).Status, nil
}

// Activity implements Agents.
func (w *world) Activity(context.Context, agentclient.Target) (*agentclient.Activity, error) {
	a := w.activity
	return &a, nil
}

// WaitExecuted implements Agents.
func (w *world) WaitExecuted(_ context.Context, t agentclient.Target, r agentclient.WaitRequest) (*agentclient.Executed, error) {
	s, err := w.call("Wait", t, 0, "")
	if err != nil {
		return nil, err
	}
	w.flow()
	set := gtid.MustParse(r.GTIDSet)
	if !s.executed.Contains(set) {
		w.now = w.now.Add(r.Timeout)
	}
	return &agentclient.Executed{Contained: s.executed.Contains(set), Executed: s.executed.String()}, nil
}

// EnsureAccounts implements Agents.
func (w *world) EnsureAccounts(context.Context, agentclient.Target, agentclient.EnsureAccountsRequest) (*agentclient.EnsuredAccounts, error) {
	return &agentclient.EnsuredAccounts{}, nil
}

// SaveErrant implements Agents.
func (w *world) SaveErrant(_ context.Context, t agentclient.Target, r agentclient.SaveErrantRequest) (*agentclient.Evidence, error) {
	_, err := w.call("SaveErrant", t, r.Fence.Epoch, r.GTIDSet)
	return &agentclient.Evidence{Path: "evidence"}, err
}

// Provision implements Agents: it is done at once.
func (w *world) Provision(_ context.Context, t agentclient.Target, r agentclient.ProvisionRequest) (*agentclient.Operation, error) {
	s, err := w.call("Provision", t, r.Fence.Epoch, r.Donor.Name)
	if err != nil {
		return nil, err
	}
	donor := w.server(r.Donor.Name)
	s.executed, s.purged, s.retrieved = donor.executed, donor.executed, gtid.Set{}
	return &agentclient.Operation{State: agentclient.OperationSucceeded}, nil
}
