// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// observe reads all that a sync needs.
func (c *Controller) observe(ctx context.Context, set *v1alpha2.UnitSet) (*state, error) {
	s := c.observeChildren(set)
	if problem := specProblem(set); problem != "" {
		s.found.Because(v1alpha2.ConditionInvalidSpec, "%s", problem)
		s.waiting = true
		return s, nil
	}
	var err error
	if s.inputsHash, err = revision.InputsHash(&set.Spec); err != nil {
		return nil, err
	}
	ports, usable, err := c.observeReferences(ctx, s)
	if err != nil {
		return nil, err
	}
	return s, c.observeCandidate(s, ports, usable)
}

// observeChildren reads what belongs to a set, from caches only.
func (c *Controller) observeChildren(set *v1alpha2.UnitSet) *state {
	key := cache.MetaObjectToName(set)
	configMaps := c.cfg.Children.ConfigMaps.ByIndex(slim.ByUnitSet, key.String())
	revisions := c.cfg.Children.Revisions.ByIndex(slim.ByUnitSet, key.String())
	s := &state{
		set:        set,
		services:   byName(c.cfg.Children.Services.ByIndex(slim.ByUnitSet, key.String())),
		configMaps: byName(configMaps),
		units:      c.observeUnits(set),
		orphans:    observeOrphans(set, c.cfg.Children.Units.ByIndex(slim.ByUnitSet, key.String()), revisions, configMaps),
		members:    map[string]membership.Membership{},
		operations: map[string]*v1alpha1.GrpcCall{},
		update:     set.Status.UpdateRevision,
		current:    set.Status.CurrentRevision,
		available:  set.Status.AvailableRevision,
		pkg:        set.Status.Package,
		collisions: set.Status.CollisionCount,
		data:       map[string]*revision.Data{},
		missing:    findings.Set{},
		found:      findings.Set{},
	}
	s.pdb, _ = c.cfg.Children.Disruptions.Get(key)
	for _, obj := range revisions {
		if r, ok := newObservedRevision(set, obj); ok {
			s.revisions = append(s.revisions, r)
		}
	}
	for _, u := range s.units {
		c.observeMembership(s, u.Name)
		if call := interlock.Holder(c.cfg.Calls.ByIndex(slim.ByTarget, cache.NewObjectName(set.Namespace, u.Name).String())); call != nil {
			s.operations[u.Name] = call
		}
	}
	for ordinal := range wantedUnits(set) {
		c.observeMembership(s, unitName(set.Name, ordinal))
	}
	return s
}

// observeUnits of a set: those by the names they must have, and those by label
// that are too many.
func (c *Controller) observeUnits(set *v1alpha2.UnitSet) []*observedUnit {
	found := map[string]*slim.Unit{}
	for _, u := range c.cfg.Children.Units.ByIndex(slim.ByUnitSet, cache.MetaObjectToName(set).String()) {
		found[u.Name] = u
	}
	for ordinal := range wantedUnits(set) {
		name := unitName(set.Name, ordinal)
		if u, ok := c.cfg.Children.Units.Get(cache.NewObjectName(set.Namespace, name)); ok {
			found[name] = u
		}
	}
	var units []*observedUnit
	for name, u := range found {
		if ordinal, ok := ordinalOf(set.Name, name); ok && ownerref.ControlledBy(u, set) {
			units = append(units, &observedUnit{Unit: u, Ordinal: ordinal})
		}
	}
	slices.SortFunc(units, compareUnits)
	return units
}

func byName(objects []*slim.Object) map[string]*slim.Object {
	m := make(map[string]*slim.Object, len(objects))
	for _, obj := range objects {
		m[obj.Name] = obj
	}
	return m
}

// newObservedRevision is false for one that is not this set's, or that is on its
// way out.
func newObservedRevision(set *v1alpha2.UnitSet, obj *slim.Object) (*observedRevision, bool) {
	r := &observedRevision{
		ObjectMeta:  obj.ObjectMeta,
		Number:      obj.Revision,
		InputsHash:  obj.Annotations[revision.AnnotationInputsHash],
		ContentHash: obj.Annotations[revision.AnnotationContentHash],
		Package: v1alpha2.PackageReference{
			Name: obj.Annotations[v1alpha2.AnnotationPackage], Revision: obj.Annotations[annotationPackageRevision],
		},
	}
	ports, err := portsOf(obj.Annotations)
	r.Ports = ports
	return r, err == nil && ownerref.ControlledBy(obj, set) && obj.DeletionTimestamp == nil
}

// observeMembership looks a unit up in the Replications.
func (c *Controller) observeMembership(s *state, unit string) {
	m := c.replications.Of(membership.Unit{Namespace: s.set.Namespace, Name: unit, Set: s.set.Name})
	if m.Owner != nil {
		s.members[unit] = m
	}
}

// observeCandidate renders what units would be made from now.
func (c *Controller) observeCandidate(s *state, ports []corev1.ContainerPort, usable bool) error {
	spec := &s.set.Spec
	pkg, err := packages.Resolve(c.cfg.Packages, packages.Request{Type: spec.Type, Edition: spec.Edition, Version: spec.Version})
	if _, notFound := errors.AsType[*packages.NotFoundError](err); notFound {
		s.missing.Because(v1alpha2.ConditionPackageNotFound, "%v", err)
		return nil
	}
	if _, broken := errors.AsType[*packages.BrokenError](err); broken {
		s.missing.Add(v1alpha2.ConditionPackageNotFound, v1alpha2.ReasonPackageBroken, "%v", err)
		return nil
	}
	if err != nil || !usable {
		return err
	}
	data, err := newRevisionData(s.set, pkg, ports)
	if err != nil {
		return err
	}
	hash, err := revision.ContentHash(data, 0)
	if err != nil {
		return err
	}
	s.candidate = &candidate{data: data, hash: hash}
	return nil
}

// pinnedPorts are the ports of a shared ConfigMap as it was at a resourceVersion.
type pinnedPorts struct {
	name    string
	version string
	ports   []corev1.ContainerPort
	err     error
}

// observeReferences finds out which of the user's objects exist, and reads the
// shared ports. usable is false if a revision cannot be made without what is
// missing.
func (c *Controller) observeReferences(ctx context.Context, s *state) (ports []corev1.ContainerPort, usable bool, err error) {
	set := s.set
	key := cache.MetaObjectToName(set)
	c.cfg.References.Set(key, referencesOf(set))
	missing := func(secret, field, condition string) (bool, error) {
		seen, err := slim.See(ctx, c.cfg.References, c.control.kube, slim.Reference{Kind: slim.Secret, Key: cache.NewObjectName(set.Namespace, secret)})
		if err == nil && !seen.Exists {
			s.found.Because(condition, "Secret %s (%s) does not exist", secret, field)
		}
		return !seen.Exists, err
	}
	if ref := set.Spec.Secret; ref != nil {
		gone, err := missing(ref.Name, "spec.secret", v1alpha2.ConditionSecretMissing)
		if err != nil {
			return nil, false, err
		}
		// A unit would only wait for it, and say the same again.
		s.waiting = s.waiting || gone
	}
	if ref := set.Spec.CertificateSecret; ref != nil {
		if _, err := missing(ref.Name, "spec.certificateSecret", v1alpha2.ConditionCertificateSecretMissing); err != nil {
			return nil, false, err
		}
	}
	name := set.Spec.SharedConfigName
	if name == "" {
		return nil, true, nil
	}
	shared, there, err := c.readSharedPorts(ctx, set, name)
	switch {
	case err != nil:
		return nil, false, err
	case !there:
		s.found.Because(v1alpha2.ConditionSharedConfigMissing, "ConfigMap %s (spec.sharedConfigName) does not exist", name)
		return nil, false, nil
	case shared.err != nil:
		s.found.Because(v1alpha2.ConditionInvalidSharedConfig, "ConfigMap %s (spec.sharedConfigName): %v", name, shared.err)
		return nil, false, nil
	}
	return shared.ports, true, nil
}

// referencesOf a set are the user's objects that its conditions speak of.
func referencesOf(set *v1alpha2.UnitSet) []slim.Reference {
	var refs []slim.Reference
	add := func(kind slim.Kind, name string) {
		ref := slim.Reference{Kind: kind, Key: cache.NewObjectName(set.Namespace, name)}
		if name != "" && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	add(slim.ConfigMap, set.Spec.SharedConfigName)
	if set.Spec.Secret != nil {
		add(slim.Secret, set.Spec.Secret.Name)
	}
	if set.Spec.CertificateSecret != nil {
		add(slim.Secret, set.Spec.CertificateSecret.Name)
	}
	return refs
}

// readSharedPorts reads the shared ConfigMap when it changed since the last time.
func (c *Controller) readSharedPorts(ctx context.Context, set *v1alpha2.UnitSet, name string) (pinnedPorts, bool, error) {
	key := cache.MetaObjectToName(set)
	ref := slim.Reference{Kind: slim.ConfigMap, Key: cache.NewObjectName(set.Namespace, name)}
	seen, known := c.cfg.References.Get(ref)
	if known && !seen.Exists {
		return pinnedPorts{}, false, nil
	}
	if last, read := c.ports.Load(key); known && read {
		if shared := last.(pinnedPorts); shared.name == name && shared.version == seen.ResourceVersion {
			return shared, true, nil
		}
	}
	// Units read it too, and right after this.
	cm, kept := c.cfg.Children.NewConfigMaps.Get(ref.Key, seen.ResourceVersion)
	var err error
	if !kept {
		if cm, err = c.control.kube.CoreV1().ConfigMaps(set.Namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			c.cfg.Children.NewConfigMaps.Read(cm.DeepCopy())
		}
	}
	if seen, err := slim.LearnRead(c.cfg.References, ref, cm, err); !seen.Exists || err != nil {
		return pinnedPorts{}, false, err
	}
	shared := pinnedPorts{name: name, version: cm.ResourceVersion}
	shared.ports, shared.err = sharedPorts(set.Spec.Type, cm.Data)
	c.ports.Store(key, shared)
	return shared, true, nil
}

// forget what is kept of a set that is gone.
func (c *Controller) forget(key cache.ObjectName) {
	c.wrote.Clear(key, "")
	c.cfg.References.Forget(key)
	c.heldBack.Delete(key)
	c.ports.Delete(key)
}
