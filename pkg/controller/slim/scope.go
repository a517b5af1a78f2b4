// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"strings"

	"k8s.io/client-go/tools/cache"
)

// +k8s:deepcopy-gen=false

// Scope is the view of References of one controller: owners of different kinds
// may have the same name. The callback gets the owner with its scope: see
// SplitScope.
type Scope struct {
	*References
	prefix string
}

// Scope returns the view of the controller of that name.
func (r *References) Scope(name string) *Scope { return &Scope{References: r, prefix: name + "/"} }

// SplitScope tells the scope of an owner from its key.
func SplitScope(owner cache.ObjectName) (scope string, key cache.ObjectName) {
	scope, name, _ := strings.Cut(owner.Name, "/")
	return scope, cache.NewObjectName(owner.Namespace, name)
}

func (s *Scope) scoped(owner cache.ObjectName) cache.ObjectName {
	return cache.NewObjectName(owner.Namespace, s.prefix+owner.Name)
}

// Set is References.Set for an owner of this scope.
func (s *Scope) Set(owner cache.ObjectName, refs []Reference) {
	s.References.Set(s.scoped(owner), refs)
}

// Forget is References.Forget for an owner of this scope.
func (s *Scope) Forget(owner cache.ObjectName) { s.References.Forget(s.scoped(owner)) }
