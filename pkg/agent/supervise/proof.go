// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise

import (
	"context"
	"reflect"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/upmio/unit-operator/pkg/agent/gate"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

// prover proves, by observed.json, that the server is down while holds are set. It does
// so beside the loop, which may hang with the data volume, and touches nothing but the
// state directory.
//
// A proof of order N means: the holds of order N were on disk, then no process of the
// server could run, and none is started before a later order without holds.
type prover struct {
	podUID, unitUID string
	store           *state.Store
	record          *record

	// mu is held from the last look at the holds to the start of a process, and from the
	// look at the holds to the proof.
	mu sync.Mutex
	// down is how the last server came to its end; empty while one may run.
	down string
}

// open takes up what an earlier supervise of this pod has left: its server is gone, for
// the server's lock is ours.
func (p *prover) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch earlier := p.record.earlier; {
	case earlier == nil:
		p.down = state.StopNeverStarted
	case earlier.StopProof != nil:
		p.down = earlier.StopProof.How
	default:
		p.down = state.StopExited
	}
}

// begin is the last look before a process is started: false if there is a hold by now.
// It takes the proof back, on disk.
func (p *prover) begin(ctx context.Context, basis *state.Desired) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, err := p.store.Desired()
	if err != nil || gate.MayRun(p.podUID, p.unitUID, now).Action != gate.Start {
		return false, nil
	}
	if !sameStart(now, basis) {
		// Meanwhile it was fenced and something else made of it.
		return false, nil
	}
	if err := p.record.setProof(ctx, nil); err != nil {
		return false, err
	}
	p.down = ""
	return true, nil
}

// ended says that no process of the server can run any more.
func (p *prover) ended(ctx context.Context, how string) {
	p.mu.Lock()
	p.down = how
	p.mu.Unlock()
	p.look(ctx)
}

// look proves what can be proven. It is called after each change of what is desired.
func (p *prover) look(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down == "" {
		return
	}
	// The order first, then the proof: down stays as it is while mu is held.
	d, err := p.store.Desired()
	if err != nil || d == nil || d.PodUID != p.podUID || d.UnitUID != p.unitUID || len(d.Holds) == 0 {
		return
	}
	if proof := p.record.get().StopProof; proof != nil && proof.Order == d.HoldsOrder {
		return
	}
	if err := p.record.setProof(ctx, &state.StopProof{Order: d.HoldsOrder, How: p.down, At: time.Now().UTC()}); err != nil {
		klog.FromContext(ctx).Error(err, "That the server is down cannot be recorded yet")
		return
	}
	klog.FromContext(ctx).Info("The server is proven down", "how", p.down, "holdsOrder", d.HoldsOrder)
}

// sameStart says whether a server would be started alike for both.
func sameStart(a, b *state.Desired) bool {
	return a.ConfigHash == b.ConfigHash && a.RestartOrder == b.RestartOrder && a.ReadOnlyStart() == b.ReadOnlyStart() &&
		reflect.DeepEqual(a.EffectiveRecord(), b.EffectiveRecord())
}
