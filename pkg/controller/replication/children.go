// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

const (
	// channelUser is what channels log in as. MySQL takes a password of at most 32
	// characters for them, which users' own may exceed.
	channelUser = "unit_replication"
	// Keys of the channel's Secret. The hash key names passwords that were applied
	// without telling them.
	keyUser, keyPassword, keyHash = "username", "password", "hash-key"
	passwordLength                = 32
)

func channelSecretName(replication string) string { return replication + "-channel" }

// syncChannel makes the Secret of the account that replication channels log in with.
func (c *Controller) syncChannel(ctx context.Context, s *state) error {
	r := s.replication
	key := cache.NewObjectName(r.Namespace, channelSecretName(r.Name))
	if have, ok := c.children.Secrets.Get(key); ok {
		return c.control.secrets.CheckOurs(r, have)
	}
	_, _, err := c.control.secrets.Create(ctx, r, newChannel(r))
	return err
}

// newChannel is the Secret of an account for channels, with passwords of its own.
func newChannel(r owner) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: channelSecretName(r.Name), Labels: childLabels(r),
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(r, r.Kind.GroupVersionKind)},
		},
		Data: map[string][]byte{keyUser: []byte(channelUser), keyPassword: []byte(randomText()), keyHash: []byte(randomText())},
	}
}

// channelAccount of a channel's Secret.
func channelAccount(secret *corev1.Secret) agentclient.ChannelAccount {
	out := agentclient.ChannelAccount{User: string(secret.Data[keyUser]), Password: agentclient.Password(secret.Data[keyPassword])}
	out.ID = agentclient.AccountsHash(agentclient.Password(secret.Data[keyHash]), []agentclient.Account{{Name: out.User, Password: out.Password}})
	return out
}

// randomText of letters and digits: nothing that any statement or file would have to
// quote.
func randomText() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, passwordLength)
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			// The kernel's source of randomness does not fail.
			panic(err)
		}
		out[i] = letters[n.Int64()]
	}
	return string(out)
}

// syncAccounts finds out whether the Secret of the accounts and its keys are there.
// Its watch brings the Replication back when that changes.
func (c *Controller) syncAccounts(ctx context.Context, s *state) error {
	r := s.replication
	if r.Spec.Mode == r.Kind.group || s.wanted.accepted == nil {
		return nil
	}
	secret, err := c.accountsSecret(ctx, r)
	switch {
	case err != nil:
		return err
	case secret == nil:
		s.found.Because(v1alpha1.ReplicationSecretMissing, "Secret %s does not exist (spec.secret.name): its accounts are made when it does", r.Spec.Secret.Name)
		return nil
	}
	for _, key := range []string{r.Spec.Secret.Manager, r.Spec.Secret.Replication} {
		if len(secret.Data[key]) == 0 {
			s.found.Because(v1alpha1.ReplicationSecretMissing, "Secret %s has no value for the key %s, which spec.secret names: the key is the account, its value the password",
				secret.Name, key)
		}
	}
	return nil
}

// accountsSecret is the users' Secret, read again whenever it has changed; nil if there
// is none.
func (c *Controller) accountsSecret(ctx context.Context, r owner) (*corev1.Secret, error) {
	owner := cache.MetaObjectToName(r)
	ref := slim.Reference{Kind: slim.Secret, Key: cache.NewObjectName(r.Namespace, r.Spec.Secret.Name)}
	c.references.Set(owner, []slim.Reference{ref})
	seen, known := c.references.Get(ref)
	c.mu.Lock()
	m := c.memory(r)
	have := m.accounts
	c.mu.Unlock()
	switch {
	case known && !seen.Exists:
		return nil, nil
	case known && have != nil && have.Name == ref.Key.Name && have.UID == seen.UID && have.ResourceVersion == seen.ResourceVersion:
		return have, nil
	}
	secret, err := c.control.readSecret(ctx, r.Namespace, r.Spec.Secret.Name)
	if apierrors.IsNotFound(err) {
		c.references.Learn(ref, slim.Seen{})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", r.Spec.Secret.Name, err)
	}
	c.references.Learn(ref, slim.Seen{Exists: true, UID: secret.UID, ResourceVersion: secret.ResourceVersion})
	c.mu.Lock()
	c.memory(r).accounts = secret
	c.mu.Unlock()
	return secret, nil
}

// channelSecret is the operator's own, read again whenever it has changed; nil while
// the informer does not show it.
func (c *Controller) channelSecret(ctx context.Context, r owner) (*corev1.Secret, error) {
	seen, ok := c.children.Secrets.Get(cache.NewObjectName(r.Namespace, channelSecretName(r.Name)))
	if !ok || !ownerref.ControlledBy(seen, r) {
		return c.lastChannel(r), nil
	}
	c.mu.Lock()
	have := c.memory(r).channel
	c.mu.Unlock()
	if have != nil && have.UID == seen.UID && have.ResourceVersion == seen.ResourceVersion {
		return have, nil
	}
	secret, err := c.control.readSecret(ctx, r.Namespace, seen.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", seen.Name, err)
	}
	c.mu.Lock()
	c.memory(r).channel = secret
	c.mu.Unlock()
	return secret, nil
}

// lastChannel is the account of a Replication whose Secret is gone and that is being
// deleted itself: none is made any more, and a namespace that ends would not take it. What
// is remembered, or else another password, which the source learns with its role, ends an
// operation that is under way.
func (c *Controller) lastChannel(r owner) *corev1.Secret {
	if r.DeletionTimestamp == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.memory(r)
	if m.channel == nil {
		m.channel = newChannel(r)
	}
	return m.channel
}

// syncServices publishes the members.
func (c *Controller) syncServices(ctx context.Context, s *state) error {
	if s.wanted.accepted == nil {
		return nil
	}
	for _, want := range newServices(s.replication, s.wanted.accepted.Members[0].Port) {
		have, ok := c.children.Services.Get(cache.MetaObjectToName(want))
		if ok && ownerref.ControlledBy(have, s.replication) && sameService(have, want) {
			continue
		}
		if err := s.tolerate(c.control.applyService(ctx, s.replication, want, have)); err != nil {
			return err
		}
	}
	return nil
}

// syncLabels makes the pods' role labels follow what was observed.
func (c *Controller) syncLabels(ctx context.Context, s *state) error {
	return c.relabel(ctx, s.replication, s.status.Epoch, s.labelled())
}

func (c *Controller) relabel(ctx context.Context, r owner, epoch int64, pods []labelled) error {
	for _, change := range planLabels(r.Name, epoch, pods) {
		if err := c.control.relabel(ctx, r, change); err != nil {
			return err
		}
	}
	return nil
}

// labelled are the pods of members and what their labels follow.
func (s *state) labelled() []labelled {
	var out []labelled
	for i := range s.members {
		m := &s.members[i]
		if m.pod == nil || !m.adopted {
			continue
		}
		l := labelled{pod: m.pod, unknown: true, recorded: s.status.CurrentSource == m.Name}
		if o := s.outcome; o != nil && o.pods[m.Name] == m.pod.UID && o.heard[m.Name] {
			l.role, l.unknown = roleLabel(o.plan.Labels[m.Name]), false
		}
		if m.leaving || m.Isolated && !l.recorded {
			l.role, l.unknown = "", false
		}
		out = append(out, l)
	}
	return out
}

func roleLabel(role topology.Role) string {
	switch role {
	case topology.RoleSource:
		return v1alpha2.RoleSource
	case topology.RoleReplica:
		return v1alpha2.RoleReplica
	}
	return ""
}
