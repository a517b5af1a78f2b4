// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// syncConfig renders the configuration. What does not render changes nothing: a
// server that runs keeps what it has.
func (c *Controller) syncConfig(ctx context.Context, s *state) error {
	if s.blueprint == nil || s.unit.OwnCommand || s.missesConfig() {
		return nil
	}
	key, err := c.configKey(ctx, s)
	if err != nil {
		return err
	}
	m := c.memory(cache.MetaObjectToName(s.unit))
	if m.configKey != key {
		out, err := c.render(ctx, s)
		if err != nil && !isConfigError(err) {
			return err
		}
		m.config, m.configErr, m.configKey = out, err, key
	}
	if m.configErr != nil {
		s.found.Because(v1alpha2.ConditionConfigInvalid, "%v; a server that runs keeps what it has", m.configErr)
		return nil
	}
	s.config = m.config
	s.status.ConfigSyncStatus.WantedHash = m.config.Hash
	return nil
}

// missesConfig says whether one of the ConfigMaps is missing.
func (s *state) missesConfig() bool {
	return s.found.Has(v1alpha2.ConditionSharedConfigMissing) || s.found.Has(v1alpha2.ConditionConfigMissing)
}

// configKey names all that a rendering depends on.
func (c *Controller) configKey(ctx context.Context, s *state) (string, error) {
	parts := []any{s.blueprint.key, s.blueprint.certificateVersion, s.managed()}
	for _, name := range []string{s.unit.SharedConfigName, s.unit.ConfigTemplateName, s.unit.ConfigValueName} {
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

// render reads the ConfigMaps and renders.
func (c *Controller) render(ctx context.Context, s *state) (*configtemplate.Output, error) {
	base, err := c.readDefaults(ctx, s)
	if err != nil {
		if _, ok := errors.AsType[*packages.NotFoundError](err); ok {
			err = configError{err}
		}
		return nil, err
	}
	shared, err := c.readConfigMap(ctx, s, s.unit.SharedConfigName)
	if err != nil {
		return nil, err
	}
	files, err := c.readConfigMap(ctx, s, s.unit.ConfigTemplateName)
	if err != nil {
		return nil, err
	}
	own, err := c.readConfigMap(ctx, s, s.unit.ConfigValueName)
	if err != nil {
		return nil, err
	}
	if s.unit.ConfigTemplateName == "" {
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
		if s.unit.ConfigTemplateName != "" {
			err = fmt.Errorf("ConfigMap %s: %w", s.unit.ConfigTemplateName, err)
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
	if cm, ok := c.children.NewConfigMaps.Get(key, seen.ResourceVersion); ok {
		return cm.Data, nil
	}
	cm, err := c.control.kube.CoreV1().ConfigMaps(s.unit.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, configError{fmt.Errorf("ConfigMap %s does not exist", name)}
	}
	if err != nil {
		return nil, err
	}
	c.children.NewConfigMaps.Read(cm)
	return cm.Data, nil
}
