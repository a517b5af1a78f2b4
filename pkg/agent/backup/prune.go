// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"slices"
	"time"
)

// markerLife is how long a marker keeps the base of what it stands for.
const markerLife = 7 * 24 * time.Hour

// PruneOptions say what may go.
type PruneOptions struct {
	Store Store
	// Location is any in the folder.
	Location Location
	Scope    Scope
	// Unit that prunes: its next run goes on where this one was interrupted.
	Unit string
	// Retention of 0 keeps everything.
	Retention time.Duration
	Now       time.Time
}

// Prune removes the backups of exactly that scope that are older than the retention,
// and returns their names. It keeps whatever another kept one is based on, and the
// newest chain that is complete. It is called after a backup that succeeded.
func Prune(ctx context.Context, o PruneOptions) ([]string, error) {
	if o.Retention <= 0 {
		return nil, nil
	}
	all, _, err := List(ctx, o.Store, o.Location)
	if err != nil {
		return nil, err
	}
	partials, err := listPartials(ctx, o.Store, o.Location)
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, p := range partials {
		if p.Base != nil && o.Now.Sub(p.Created) < markerLife {
			wanted = append(wanted, p.Base.ID)
		}
	}
	var removed []string
	for _, m := range expired(all, o.Scope, wanted, o.Now.Add(-o.Retention)) {
		if err := o.remove(ctx, m); err != nil {
			return removed, err
		}
		removed = append(removed, m.Name())
	}
	return removed, nil
}

// expired returns what may go, each before what it is based on. wanted are the ids of
// bases of backups that are being made.
func expired(all []*Manifest, scope Scope, wanted []string, before time.Time) []*Manifest {
	byID := map[string]*Manifest{}
	for _, m := range all {
		byID[m.ID] = m
	}
	keep := map[string]bool{}
	// hold keeps a backup and all below it.
	hold := func(m *Manifest) {
		for m != nil && !keep[m.ID] {
			keep[m.ID] = true
			if m.Base == nil {
				return
			}
			m = byID[m.Base.ID]
		}
	}
	good := false
	newestFirst := slices.SortedFunc(slices.Values(all), newest)
	for _, m := range newestFirst {
		switch {
		case m.Scope != scope, !m.Completed.Before(before), slices.Contains(wanted, m.ID):
			hold(m)
		}
		if m.Scope == scope && !good && complete(m, byID) {
			good = true
			hold(m)
		}
	}
	// Newest first has what is based on something before it, unless a clock was wrong.
	out := slices.DeleteFunc(newestFirst, func(m *Manifest) bool { return keep[m.ID] })
	slices.SortStableFunc(out, func(a, b *Manifest) int { return depth(b, byID) - depth(a, byID) })
	return out
}

// complete is true if all that m is based on is there.
func complete(m *Manifest, byID map[string]*Manifest) bool {
	for range len(byID) + 1 {
		if m == nil || m.Base == nil {
			return m != nil
		}
		m = byID[m.Base.ID]
	}
	return false
}

func depth(m *Manifest, byID map[string]*Manifest) int {
	n := 0
	for m != nil && m.Base != nil && n <= len(byID) {
		m = byID[m.Base.ID]
		n++
	}
	return n
}

// remove takes a backup away: a marker first, so that what remains after a crash is
// known, then the manifest, so that nobody restores half of it.
func (o *PruneOptions) remove(ctx context.Context, m *Manifest) error {
	p := partial{
		Version: Version, ID: m.ID, Scope: m.Scope, Unit: o.Unit, Created: o.Now.UTC(),
		Compression: m.Compression, Encrypted: m.Encryption != nil,
	}
	for _, f := range m.Files {
		p.Files = append(p.Files, f.Name)
	}
	if err := putJSON(ctx, o.Store, partialKey(m.location), p); err != nil {
		return err
	}
	if err := o.Store.Delete(ctx, m.key()); err != nil {
		return err
	}
	return removeFiles(ctx, o.Store, m.location, m.Compression, m.Encryption != nil, p.Files)
}
