// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// Keeper is the only writer of desired.json, and of the channel's password beside it:
// the operator's calls, the holds of operations and the records of roles all go
// through it, one at a time. It touches nothing but the state directory, so that a
// fence never waits for the data volume.
type Keeper struct {
	podUID, unitUID string
	store           *Store

	// mu serialises changes.
	mu sync.Mutex
	// durable is false until this process has written desired.json itself: an earlier
	// one may have died between renaming the file and syncing its name, and a write
	// that failed may have got as far.
	durable bool
}

// NewKeeper makes the keeper of a pod's state. A process makes one.
func NewKeeper(env engine.Env, store *Store) *Keeper {
	return &Keeper{podUID: env.PodUID, unitUID: env.UID, store: store}
}

// Desired is what is desired of this pod. It fails if the file cannot be read or
// understood: then the highest epoch is unknown, and so is who may speak.
func (k *Keeper) Desired() (Desired, error) {
	d, _, err := k.ours()
	return d, err
}

// Change runs one change and returns what is desired after it, durably on disk. An
// error of do is returned as it is, and nothing has changed then. do replaces the
// slices and maps of d rather than writing into them.
//
// Role and HoldsOrder follow from the rest and are not for do to write.
func (k *Keeper) Change(ctx context.Context, do func(d *Desired) error) (Desired, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return Desired{}, err // nobody waits for the answer any more
	}
	before, stored, err := k.ours()
	if err != nil {
		return Desired{}, err
	}
	next := before
	if err := do(&next); err != nil {
		return Desired{}, err
	}
	next.Role = next.deriveRole()
	next.HoldsOrder = before.HoldsOrder
	if !slices.Equal(before.Holds, next.Holds) {
		next.HoldsOrder++
	}
	if reflect.DeepEqual(before, next) && (k.durable || !stored) {
		return next, nil
	}
	k.durable = false
	if err := k.store.WriteDesired(next); err != nil {
		return Desired{}, fmt.Errorf("storing what is desired: %w", err)
	}
	k.durable = true
	return next, nil
}

// ChangeDesired is Change for those whose change cannot fail: the agent's own holds,
// which no caller's fence stands for.
func (k *Keeper) ChangeDesired(ctx context.Context, change func(*Desired)) error {
	_, err := k.Change(ctx, func(d *Desired) error {
		change(d)
		return nil
	})
	return err
}

// SetChannel stores the account that replication channels log in with. The record that
// needs it is changed after it.
func (k *Keeper) SetChannel(ctx context.Context, account engine.ChannelAccount) error {
	if account.User == "" {
		return nil
	}
	k.mu.Lock()
	stored, err := k.store.channelPassword()
	if err == nil && stored != account.Password {
		err = k.store.writeChannelPassword(account.Password)
	}
	k.mu.Unlock()
	if err != nil {
		return fmt.Errorf("storing the channel's account: %w", err)
	}
	return k.ChangeDesired(ctx, func(d *Desired) { d.ChannelUser = account.User })
}

// ours is what is desired of this pod, and whether it is stored. What another pod left
// is no basis: its holds and epochs were for its server.
func (k *Keeper) ours() (d Desired, stored bool, err error) {
	found, err := k.store.Desired()
	if err != nil {
		return Desired{}, false, err
	}
	if found != nil && found.PodUID == k.podUID && found.UnitUID == k.unitUID {
		return *found, true, nil
	}
	return Desired{PodUID: k.podUID, UnitUID: k.unitUID}, false, nil
}
