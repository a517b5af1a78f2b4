// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// need is a user's object that a unit cannot do without.
type need struct {
	ref       slim.Reference
	condition string
	// why the unit needs it, for the message.
	why string
	// mounted: its pods cannot start without it. What is not is only rendered into the
	// configuration.
	mounted bool
}

// needsOf a Unit, each object once.
func needsOf(unit *slim.Unit) []need {
	var needs []need
	add := func(kind slim.Kind, name, condition, why string, mounted bool) {
		ref := slim.Reference{Kind: kind, Key: cache.NewObjectName(unit.Namespace, name)}
		if i := slices.IndexFunc(needs, func(n need) bool { return n.ref == ref }); i >= 0 {
			needs[i].mounted = needs[i].mounted || mounted
		} else if name != "" {
			needs = append(needs, need{ref, condition, why, mounted})
		}
	}
	for _, name := range unit.Secrets {
		add(slim.Secret, name, v1alpha2.ConditionSecretMissing, "spec.template refers to it", true)
	}
	add(slim.ConfigMap, unit.SharedConfigName, v1alpha2.ConditionSharedConfigMissing, "spec.sharedConfigName", false)
	add(slim.ConfigMap, templatesOf(unit), v1alpha2.ConditionConfigMissing, "spec.configTemplateName", false)
	add(slim.ConfigMap, unit.ConfigValueName, v1alpha2.ConditionConfigMissing, "spec.configValueName", false)
	for _, name := range unit.ConfigMaps {
		add(slim.ConfigMap, name, v1alpha2.ConditionConfigMissing, "spec.template refers to it", true)
	}
	return needs
}

// syncReferences finds out which of the user's objects are missing. Their watch
// brings the Unit back when one appears.
func (c *Controller) syncReferences(ctx context.Context, s *state) error {
	needs := needsOf(s.unit)
	refs := make([]slim.Reference, 0, len(needs))
	for _, n := range needs {
		refs = append(refs, n.ref)
	}
	c.cfg.References.Set(cache.MetaObjectToName(s.unit), refs)
	for _, n := range needs {
		seen, err := c.see(ctx, n.ref)
		if err != nil {
			return err
		}
		if seen.Exists {
			continue
		}
		message := fmt.Sprintf("%s %s does not exist (%s); the unit goes on when it does", n.ref.Kind, n.ref.Key.Name, n.why)
		s.found.Because(n.condition, "%s", message)
		if n.mounted {
			s.unmountable = cmp.Or(s.unmountable, message)
		} else {
			s.missesValues = true
		}
	}
	return nil
}

// see a referenced object. Those that a set made are watched by their label.
func (c *Controller) see(ctx context.Context, ref slim.Reference) (slim.Seen, error) {
	if ours, ok := c.cfg.Children.ConfigMaps.Get(ref.Key); ok && ref.Kind == slim.ConfigMap {
		if seen, known := c.cfg.References.Get(ref); known {
			return seen, nil
		}
		return slim.Seen{Exists: true, UID: ours.UID, ResourceVersion: ours.ResourceVersion}, nil
	}
	return slim.See(ctx, c.cfg.References, c.control.kube, ref)
}
