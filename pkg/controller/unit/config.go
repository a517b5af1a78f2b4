// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/revision"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// syncConfig renders the configuration. What does not render changes nothing: a server
// keeps the configuration that it has, and so does its next pod.
func (c *Controller) syncConfig(ctx context.Context, s *state) error {
	if s.blueprint == nil || s.unit.OwnCommand {
		return nil
	}
	if s.missesValues {
		return c.useKept(ctx, s)
	}
	key, err := c.configKey(ctx, s)
	if err != nil {
		return err
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if m.configKey != key {
		out, err := c.render(ctx, s)
		if err != nil && !isConfigError(err) && !isLost(err) {
			return err
		}
		m.config, m.configErr, m.configKey = out, err, key
		if isLost(err) {
			m.configKey = "" // no event says when it is back
		}
	}
	if err := m.configErr; err != nil {
		condition := v1alpha2.ConditionConfigInvalid
		if isLost(err) {
			condition = v1alpha2.ConditionRevisionLost
			s.retryAfter(lostRecheck)
		}
		s.found.Because(condition, "%v; the server keeps the configuration that it has", err)
		return c.useKept(ctx, s)
	}
	s.config, m.kept = m.config, nil
	s.status.ConfigSyncStatus.WantedHash = m.config.Hash
	return nil
}

// lostRecheck is how soon a revision that is lost is looked for again.
const lostRecheck = time.Minute

// configKey names all that a rendering depends on.
func (c *Controller) configKey(ctx context.Context, s *state) (string, error) {
	parts := []any{s.blueprint.key, s.blueprint.certificateVersion, s.managed()}
	for _, name := range []string{s.unit.SharedConfigName, templatesOf(s.unit), s.unit.ConfigValueName} {
		if name == "" {
			parts = append(parts, "")
			continue
		}
		seen, err := c.see(ctx, slim.Reference{Kind: slim.ConfigMap, Key: cache.NewObjectName(s.unit.Namespace, name)})
		if err != nil {
			return "", err
		}
		parts = append(parts, name, seen.UID, seen.ResourceVersion)
	}
	return slim.ContentHash(parts), nil
}

// configError is one that only a change of its inputs can end.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

func isConfigError(err error) bool {
	_, ok := errors.AsType[configError](err)
	return ok
}

// isLost says whether the revision that a unit is made from is gone.
func isLost(err error) bool {
	_, ok := errors.AsType[*revision.LostError](err)
	return ok
}

// templatesOf a Unit are in the ConfigMap of this name; empty for those of its package,
// or of its revision. A set's own ConfigMap of them shows the ones of the revision that
// most units have.
func templatesOf(unit *slim.Unit) string {
	if set := slim.SetOf(unit); set != "" && unit.ConfigTemplateName == revision.TemplatesName(set) {
		return ""
	}
	return unit.ConfigTemplateName
}

// render reads the ConfigMaps and renders.
func (c *Controller) render(ctx context.Context, s *state) (*configtemplate.Output, error) {
	base, err := c.readDefaults(ctx, s)
	if err != nil {
		return nil, err
	}
	shared, err := c.readConfigMap(ctx, s, s.unit.SharedConfigName)
	if err != nil {
		return nil, err
	}
	templates := templatesOf(s.unit)
	files, err := c.readConfigMap(ctx, s, templates)
	if err != nil {
		return nil, err
	}
	own, err := c.readConfigMap(ctx, s, s.unit.ConfigValueName)
	if err != nil {
		return nil, err
	}
	if templates == "" {
		files = base.files
	}
	values, err := configtemplate.ParseValues(own[string(s.unit.Type)])
	if err != nil {
		return nil, configError{fmt.Errorf("ConfigMap %s, key %s: %w", s.unit.ConfigValueName, s.unit.Type, err)}
	}
	facts := s.blueprint.facts
	facts.Managed = s.managed()
	out, err := configtemplate.Render(configtemplate.Input{
		Type:  string(s.unit.Type),
		Files: files,
		Values: []configtemplate.Layer{
			{Name: "ConfigMap " + s.unit.SharedConfigName, Values: configtemplate.SharedValues(shared)},
			{Name: "the package's defaults", Values: base.values},
			{Name: "ConfigMap " + s.unit.ConfigValueName, Values: values},
		},
		Facts: facts,
	})
	if err != nil {
		if templates != "" {
			err = fmt.Errorf("ConfigMap %s: %w", templates, err)
		}
		return nil, configError{err}
	}
	return &out, nil
}

// readConfigMap is empty for no name.
func (c *Controller) readConfigMap(ctx context.Context, s *state, name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	key := cache.NewObjectName(s.unit.Namespace, name)
	seen, err := c.see(ctx, slim.Reference{Kind: slim.ConfigMap, Key: key})
	if err != nil {
		return nil, err
	}
	if cm, ok := c.cfg.Children.NewConfigMaps.Get(key, seen.ResourceVersion); ok {
		return cm.Data, nil
	}
	cm, err := c.control.kube.CoreV1().ConfigMaps(s.unit.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, configError{fmt.Errorf("ConfigMap %s does not exist", name)}
	}
	if err != nil {
		return nil, err
	}
	c.cfg.Children.NewConfigMaps.Read(cm)
	return cm.Data, nil
}
