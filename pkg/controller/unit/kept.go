// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/child"
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
	// keepAfter is how long a unit has been Ready when its configuration is kept for the
	// first time: hundreds of units that are made at once have better uses for a call.
	keepAfter = 30 * time.Second
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
		kept, err := c.readKept(ctx, s, hash)
		if kept == nil {
			return err
		}
		m.kept = kept
	}
	s.config, s.fallback = m.kept, true
	return nil
}

// readKept reads the configuration that is kept; nil if it is not that of the hash.
func (c *Controller) readKept(ctx context.Context, s *state, hash string) (*configtemplate.Output, error) {
	if s.kept == nil {
		return nil, nil
	}
	have, there, err := c.control.configMaps.Get(ctx, s.unit, s.kept.Name)
	if err != nil || !there {
		return nil, err
	}
	var files map[string][]byte
	if err := json.Unmarshal([]byte(have.Data[keptFiles]), &files); err != nil {
		return nil, nil //nolint:nilerr // Somebody edited it: it is no configuration.
	}
	if out := configtemplate.OutputOf(files); out.Hash == hash {
		return &out, nil
	}
	return nil, nil
}

// whole is a configuration with its files, which are not kept in memory once the API keeps
// them: nil if they are nowhere any more. Those of the unit's own are rendered again then.
func (c *Controller) whole(ctx context.Context, s *state, config *configtemplate.Output) (*configtemplate.Output, error) {
	if config == nil || config.Files != nil {
		return config, nil
	}
	own := config == s.config
	out, err := c.readKept(ctx, s, config.Hash)
	if err != nil {
		return nil, err
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if out == nil && own {
		out, err = c.render(ctx, s)
		if err != nil && !isConfigError(err) && !isLost(err) {
			return nil, err
		}
		if err != nil || out.Hash != config.Hash {
			// The next sync says what has become of it.
			m.configKey = ""
			s.retryAfter(time.Second)
			return nil, nil
		}
	}
	if out != nil && own {
		m.config, s.config = out, out
	}
	return out, nil
}

// syncKept keeps the configuration of a unit that is Ready with it.
func (c *Controller) syncKept(ctx context.Context, s *state) error {
	applied := &s.status.ConfigSyncStatus
	if s.config == nil || s.fallback || s.behind() || s.unit.Status.Phase != v1alpha2.UnitReady || !s.answered() || applied.AppliedHash != s.config.Hash {
		return nil
	}
	if ready := meta.FindStatusCondition(s.unit.Status.Conditions, v1alpha2.ConditionReady); s.kept == nil && ready != nil {
		if left := keepAfter - c.cfg.Clock.Since(ready.LastTransitionTime.Time); left > 0 {
			s.retryAfter(left)
			return nil
		}
	}
	want := rendered(s.unit, s.config.Hash)
	m := c.memory(cache.MetaObjectToName(s.unit))
	have := s.kept
	if have != nil && have.Annotations[annotationRendered] == want && have.ContentHash == m.keptContent {
		if s.config.Files != nil {
			m.drop(s.config)
		}
		return nil
	}
	config, err := c.whole(ctx, s, s.config)
	if config == nil {
		return err
	}
	files, err := json.Marshal(config.Files)
	if err != nil {
		return err
	}
	data := map[string]string{keptFiles: string(files)}
	content := slim.ContentHash([]any{data, map[string][]byte(nil)})
	labels := map[string]string{v1alpha2.LabelManaged: "true", v1alpha2.LabelUnit: s.unit.Name, v1alpha2.LabelType: string(s.unit.Type)}
	switch {
	case have == nil:
		_, _, err = c.control.configMaps.Create(ctx, s.unit, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Name: keptName(s.unit.Name), Namespace: s.unit.Namespace, Labels: labels,
				Annotations:     map[string]string{annotationRendered: want},
				OwnerReferences: []metav1.OwnerReference{*ownerref.New(s.unit, controllerKind)},
			},
			Data: data,
		})
	case have.Annotations[annotationRendered] != want || have.ContentHash != content:
		_, _, err = c.control.configMaps.Patch(ctx, s.unit, have, child.Annotation(annotationRendered, want), map[string]any{"data": data})
	default:
		m.keptContent = content
		m.drop(config)
	}
	if err != nil {
		return s.refusal(fmt.Errorf("keeping the configuration: %w", err))
	}
	return nil
}

// drop the files of a configuration that the API keeps: those of thousands of units would
// be most of the memory, and no unit at rest needs them.
func (m *memory) drop(config *configtemplate.Output) {
	bare := &configtemplate.Output{Hash: config.Hash}
	m.config = bare
	if m.applied != nil && m.applied.Hash == config.Hash {
		m.applied = bare
	}
}
