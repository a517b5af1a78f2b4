// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// annotationLeaf of the Secret of an agent's certificate says what it holds, so
// that it need not be read at rest: for whom, hash of the content, hash of the CA
// bundle, and when to renew it. Whoever may write the Secret may write that, too, so
// whom the agent trusts is not taken from it.
const annotationLeaf = "unit-operator.io/leaf"

// leaf is what the annotation says.
type leaf struct {
	unit            types.UID
	content, bundle string
	renewAt         time.Time
}

func (l leaf) String() string {
	return strings.Join([]string{string(l.unit), l.content, l.bundle, l.renewAt.UTC().Format(time.RFC3339)}, " ")
}

func parseLeaf(text string) (leaf, bool) {
	parts := strings.Fields(text)
	if len(parts) != 4 {
		return leaf{}, false
	}
	renewAt, err := time.Parse(time.RFC3339, parts[3])
	return leaf{types.UID(parts[0]), parts[1], parts[2], renewAt}, err == nil
}

// leafIsGood says whether a Secret serves the Unit until renewAt.
func leafIsGood(unit *slim.Unit, secret *slim.Object, bundle []byte, now time.Time) (renewAt time.Time, good bool) {
	l, ok := parseLeaf(secret.Annotations[annotationLeaf])
	return l.renewAt, ok && l.unit == unit.UID && l.content == secret.ContentHash &&
		l.bundle == secret.BundleHash && l.bundle == slim.ContentHash(bundle) && now.Before(l.renewAt)
}

// syncTLS issues the certificate of the unit's agent before its pod is made, and
// renews it while the pod runs: the kubelet brings it and the agent reads it again.
func (c *Controller) syncTLS(ctx context.Context, s *state) error {
	if s.blueprint == nil {
		return nil
	}
	now := c.cfg.Clock.Now()
	if s.secret != nil {
		if s.secret.DeletionTimestamp != nil {
			return nil
		}
		if renewAt, good := leafIsGood(s.unit, s.secret, c.cfg.CA.Bundle(), now); good {
			s.retryAfter(renewAt.Sub(now))
			return c.followSecret(ctx, s)
		}
	}
	id := agenttls.Identity{Namespace: s.unit.Namespace, Name: s.unit.Name, UID: s.unit.UID}
	data, err := c.cfg.CA.Leaf(id, now)
	if err != nil {
		return err
	}
	why, renewAt := c.cfg.CA.CheckLeaf(data, id, now)
	if why != "" {
		return fmt.Errorf("the certificate just issued for %s is of no use: %s", id, why)
	}
	record := leaf{s.unit.UID, slim.ContentHash(data), slim.ContentHash(c.cfg.CA.Bundle()), renewAt}
	s.retryAfter(renewAt.Sub(now))
	if s.secret != nil {
		err := c.control.replaceSecret(ctx, s.unit, s.secret, c.secretLabels(s), record.String(), data)
		return s.refusal(err)
	}
	written, _, err := c.control.secrets.Create(ctx, s.unit, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:            podspec.TLSSecretName(s.unit.Name),
			Namespace:       s.unit.Namespace,
			Labels:          c.secretLabels(s),
			Annotations:     map[string]string{annotationLeaf: record.String()},
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(s.unit, controllerKind)},
		},
		Type: corev1.SecretTypeTLS,
		Data: data,
	})
	if err != nil {
		return s.refusal(err)
	}
	if s.secret, err = slim.FromObject(written); err != nil {
		return err
	}
	return c.followSecret(ctx, s)
}

// secretLabels are those of the pod that tell whose it is.
func (c *Controller) secretLabels(s *state) map[string]string {
	labels := map[string]string{}
	for _, key := range []string{
		v1alpha2.LabelManaged, v1alpha2.LabelUnit, v1alpha2.LabelType, v1alpha2.LabelUnitSet, v1alpha2.LabelOrdinal,
	} {
		if value, ok := s.blueprint.labels[key]; ok {
			labels[key] = value
		}
	}
	return labels
}

// followSecret heals labels that somebody took off.
func (c *Controller) followSecret(ctx context.Context, s *state) error {
	if change := child.Changes(s.secret.Labels, c.secretLabels(s)); change != nil {
		_, _, err := c.control.secrets.Patch(ctx, s.unit, s.secret, map[string]any{"labels": change}, nil)
		return s.refusal(err)
	}
	return nil
}
