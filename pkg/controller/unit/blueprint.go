// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"errors"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
	"github.com/upmio/unit-operator/pkg/packages"
)

// ofSet says whether a UnitSet made the Unit: its template is complete then.
func ofSet(unit *slim.Unit) bool { return slim.SetOf(unit) != "" }

// syncBlueprint finds the package of a standalone Unit, and what follows from the
// whole spec.
func (c *Controller) syncBlueprint(ctx context.Context, s *state) error {
	if s.unit.Type == "" {
		s.found.Because(v1alpha2.ConditionInvalidTemplate, "no container of the template is named mysql, postgresql or proxysql: name the database's container so")
		return nil
	}
	from := s.unit.Annotations[v1alpha2.AnnotationRevision]
	if !ofSet(s.unit) {
		if err := c.resolvePackage(s); err != nil {
			return err
		}
		if s.pkg == nil && !s.unit.OwnCommand {
			return nil
		}
		if s.pkg != nil {
			from = s.pkg.Name + "/" + s.pkg.Revision
		}
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	key := slim.ContentHash([]any{s.unit.UID, s.unit.Generation, s.unit.Labels, s.unit.Annotations, from})
	if b := m.blueprint; b != nil && b.key == key {
		if b.certificate == "" {
			s.blueprint = b
			return nil
		}
		seen, err := c.see(ctx, certificateReference(s.unit, b.certificate))
		if err != nil {
			return err
		}
		if seen.ResourceVersion == b.certificateVersion {
			s.blueprint = b
			return nil
		}
	}
	b, err := c.draw(ctx, s, key)
	if b != nil {
		m.blueprint, s.blueprint = b, b
	}
	return err
}

func certificateReference(unit *slim.Unit, name string) slim.Reference {
	return slim.Reference{Kind: slim.Secret, Key: cache.NewObjectName(unit.Namespace, name)}
}

// draw a blueprint; nil if something is wrong with the template, which a finding
// explains.
func (c *Controller) draw(ctx context.Context, s *state, key string) (*blueprint, error) {
	live, err := c.readUnit(ctx, s)
	if err != nil {
		return nil, err
	}
	b := &blueprint{
		key:         key,
		labels:      slim.Interned(podspec.Labels(live)),
		annotations: slim.Interned(podspec.Annotations(live)),
		claimLabels: map[string]map[string]string{},
		certificate: podspec.CertificateSecret(live),
	}
	_, _, b.emptyDir = podspec.DataStorage(live)
	claims := podspec.Claims(live)
	for i := range claims {
		b.claimLabels[live.Spec.VolumeClaimTemplates[i].Name] = slim.Interned(claims[i].Labels)
	}
	in := podspec.Input{Unit: live, Package: s.pkg, ClusterDomain: c.cfg.ClusterDomain}
	if b.certificate != "" {
		secret, err := c.control.kube.CoreV1().Secrets(live.Namespace).Get(ctx, b.certificate, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err == nil {
			in.CertificateKeys = slices.Sorted(maps.Keys(secret.Data))
			b.certificateVersion = secret.ResourceVersion
		}
	}
	if b.facts, err = podspec.Facts(in); err != nil && !s.unit.OwnCommand {
		s.found.Because(v1alpha2.ConditionInvalidTemplate, "%v", err)
		return nil, nil
	}
	return b, nil
}

// resolvePackage of a standalone Unit by its container's name and image tag.
func (c *Controller) resolvePackage(s *state) error {
	request, err := packages.RequestForImage(s.unit.Type, s.unit.Image)
	if err != nil {
		if !s.unit.OwnCommand {
			s.found.Because(v1alpha2.ConditionPackageNotFound, "%v", err)
		}
		return nil
	}
	pkg, err := packages.Resolve(c.cfg.Packages, request)
	_, notFound := errors.AsType[*packages.NotFoundError](err)
	_, broken := errors.AsType[*packages.BrokenError](err)
	switch {
	case (notFound || broken) && s.unit.OwnCommand:
	case notFound:
		s.found.Because(v1alpha2.ConditionPackageNotFound, "%v", err)
	case broken:
		s.found.Add(v1alpha2.ConditionPackageNotFound, v1alpha2.ReasonPackageBroken, "%v", err)
	case err != nil:
		return err
	default:
		s.pkg = pkg
	}
	return nil
}

// defaults of the configuration: the templates and values that the unit's own
// ConfigMaps are laid over. Those of a set are pinned by its revision.
type defaults struct {
	files  map[string]string
	values map[string]any
}

func (c *Controller) readDefaults(ctx context.Context, s *state) (defaults, error) {
	if s.pkg != nil {
		return defaults{s.pkg.ConfigFiles, s.pkg.Values}, nil
	}
	key := cache.NewObjectName(s.unit.Namespace, s.unit.Annotations[v1alpha2.AnnotationRevision])
	data, err := c.cfg.Revisions.Get(ctx, key, func(metav1.Object) error { return nil })
	if err != nil {
		return defaults{}, err
	}
	return defaults{data.ConfigFiles, data.Values}, nil
}
