// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// The configuration with which a unit last was Ready is kept in a ConfigMap of the
// Unit's. A value that does not render any more, or is gone, then keeps no pod from
// starting: a drain must not become an outage because of a typo.

const (
	// annotationRendered of that ConfigMap says what it keeps: the hash of the
	// configuration, and the template and the cpu and memory that it was rendered for.
	annotationRendered = "unit-operator.io/rendered"
	// keptFiles is its key: the files by name, as JSON.
	keptFiles = "files"
)

// keptName of a unit's.
func keptName(unit string) string { return unit + "-config-applied" }

// rendered is the annotation's value for a configuration of the Unit as it is.
func rendered(unit *slim.Unit, hash string) string {
	return strings.Join([]string{hash, unit.TemplateHash, resourcesHash(unit)}, " ")
}

// useKept makes the configuration that is kept the unit's, if it was rendered for what
// the unit's next pod is made from.
func (c *Controller) useKept(ctx context.Context, s *state) error {
	if s.kept == nil {
		return nil
	}
	hash, _, _ := strings.Cut(s.kept.Annotations[annotationRendered], " ")
	if s.kept.Annotations[annotationRendered] != rendered(s.unit, hash) {
		return nil
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if m.kept == nil || m.kept.Hash != hash {
		have, there, err := c.control.configMaps.Get(ctx, s.unit, s.kept.Name)
		if err != nil || !there {
			return err
		}
		var files map[string][]byte
		if err := json.Unmarshal([]byte(have.Data[keptFiles]), &files); err != nil {
			return nil //nolint:nilerr // Somebody edited it: it is no configuration.
		}
		out := configtemplate.OutputOf(files)
		if out.Hash != hash {
			return nil
		}
		m.kept = &out
	}
	s.config, s.fallback = m.kept, true
	return nil
}

// syncKept keeps the configuration of a unit that is Ready with it.
func (c *Controller) syncKept(ctx context.Context, s *state) error {
	applied := &s.status.ConfigSyncStatus
	if s.config == nil || s.fallback || s.behind() || s.unit.Status.Phase != v1alpha2.UnitReady || !s.answered() || applied.AppliedHash != s.config.Hash {
		return nil
	}
	files, err := json.Marshal(s.config.Files)
	if err != nil {
		return err
	}
	data := map[string]string{keptFiles: string(files)}
	want := rendered(s.unit, s.config.Hash)
	labels := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnit: s.unit.Name, v1alpha2.LabelType: string(s.unit.Type)}
	switch have := s.kept; {
	case have == nil:
		_, _, err = c.control.configMaps.Create(ctx, s.unit, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Name: keptName(s.unit.Name), Namespace: s.unit.Namespace, Labels: labels,
				Annotations:     map[string]string{annotationRendered: want},
				OwnerReferences: []metav1.OwnerReference{*ownerref.New(s.unit, controllerKind)},
			},
			Data: data,
		})
	case have.Annotations[annotationRendered] != want || have.ContentHash != slim.ContentHash([]any{data, map[string][]byte(nil)}):
		metadata := map[string]any{"annotations": map[string]any{annotationRendered: want}}
		_, _, err = c.control.configMaps.Patch(ctx, s.unit, have, metadata, map[string]any{"data": data})
	}
	if err != nil {
		return s.refusal(fmt.Errorf("keeping the configuration: %w", err))
	}
	return nil
}
