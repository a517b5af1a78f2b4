// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllertest

import (
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// References to users' objects, without a watch.
type References struct {
	// Refs that were asked for last.
	Refs []slim.Reference
	seen map[slim.Reference]slim.Seen
}

// NewReferences that knows nothing yet.
func NewReferences() *References { return &References{seen: map[slim.Reference]slim.Seen{}} }

// Set implements the controllers' References.
func (r *References) Set(_ cache.ObjectName, refs []slim.Reference) { r.Refs = refs }

// Forget implements the controllers' References.
func (r *References) Forget(cache.ObjectName) { r.Refs = nil }

// Learn implements the controllers' References.
func (r *References) Learn(ref slim.Reference, seen slim.Seen) { r.seen[ref] = seen }

// Get implements the controllers' References.
func (r *References) Get(ref slim.Reference) (slim.Seen, bool) {
	seen, known := r.seen[ref]
	return seen, known
}

// Changed is what a watch does when one of them has changed: it is read again.
func (r *References) Changed() { clear(r.seen) }
