// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grpccall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/operation"
)

const (
	// storageSecret is the Secret of a namespace's S3 store.
	storageSecret = "backup-storage"
	// encryptionKey is the key of the AES key in its Secret.
	encryptionKey = "key"
	keyBytes      = 32
)

// storageKeys of a Secret of an S3 store; the first two are required.
var storageKeys = []string{"accessKey", "secretKey", "endpoint", "region", "pathStyle", "ca"}

// missingError says that a Secret, or a key in it, is not there or not usable.
type missingError struct{ message string }

func (e *missingError) Error() string { return e.message }

func missing(format string, args ...any) error { return &missingError{fmt.Sprintf(format, args...)} }

// setOf a unit: the name by which its backups go.
func setOf(unit *slim.Unit) string {
	return cmp.Or(unit.Labels[v1alpha2.LabelUnitSet], unit.Name)
}

// secretsOf an operation, by what they are. makeKey allows to make the key of the
// set's backups.
func (c *Controller) secretsOf(ctx context.Context, s *state, params operation.Params, refs operation.SecretRefs, makeKey bool) (agentclient.Secrets, error) {
	out := agentclient.Secrets{}
	var err error
	switch p := params.(type) {
	case *operation.LogicalBackup:
		err = c.backupSecrets(ctx, s, out, p.Destination, p.Encryption, refs, makeKey)
	case *operation.PhysicalBackup:
		err = c.backupSecrets(ctx, s, out, p.Destination, p.Encryption, refs, makeKey)
	case *operation.Restore:
		if err = c.storage(ctx, s, out, p.Source, refs.Source); err == nil {
			err = c.restoreKey(ctx, s, out, refs.Encryption)
		}
	case *operation.Clone:
		err = c.sourcePassword(ctx, s, out, p)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Controller) backupSecrets(ctx context.Context, s *state, out agentclient.Secrets, destination string, encryption operation.Encryption, refs operation.SecretRefs, makeKey bool) error {
	if err := c.storage(ctx, s, out, destination, refs.Destination); err != nil {
		return err
	}
	if encryption == "" {
		return nil
	}
	name := keyName(s, refs.Encryption)
	secret, err := c.readSecret(ctx, s, name)
	if err == nil && secret == nil && refs.Encryption == "" && makeKey {
		secret, err = c.control.createKey(ctx, s.call, newKey(s.call.Namespace, name))
	}
	if err != nil {
		return err
	}
	return takeKey(out, name, secret)
}

// restoreKey hands over the key that the backup may have been made with. That of the
// set need not be there: the backup may not be encrypted.
func (c *Controller) restoreKey(ctx context.Context, s *state, out agentclient.Secrets, named string) error {
	name := keyName(s, named)
	secret, err := c.readSecret(ctx, s, name)
	if err != nil || secret == nil && named == "" {
		return err
	}
	return takeKey(out, name, secret)
}

// keyName is the Secret of the key that a call names, or else of its set's.
func keyName(s *state, named string) string { return cmp.Or(named, setOf(s.unit)+"-backup-key") }

// storage hands over the access to an S3 store.
func (c *Controller) storage(ctx context.Context, s *state, out agentclient.Secrets, location, named string) error {
	if !strings.HasPrefix(location, "s3://") {
		return nil
	}
	names := []string{named}
	if named == "" {
		names = []string{setOf(s.unit) + "-backup", storageSecret}
	}
	for _, name := range names {
		secret, err := c.readSecret(ctx, s, name)
		if err != nil {
			return err
		}
		if secret == nil {
			continue
		}
		for i, key := range storageKeys {
			value := secret.Data[key]
			if key != "ca" {
				value = bytes.TrimSpace(value)
			}
			if len(value) == 0 {
				if i < 2 {
					return missing("Secret %s lacks the key %s", name, key)
				}
				continue
			}
			out["s3."+key] = value
		}
		return nil
	}
	return missing("Secret %s with the access to the S3 store does not exist", strings.Join(names, ", or "))
}

func (c *Controller) sourcePassword(ctx context.Context, s *state, out agentclient.Secrets, p *operation.Clone) error {
	ref := p.SourcePasswordSecret
	if ref.Name == "" {
		out["source.password"] = []byte(p.SourcePassword)
		return nil
	}
	secret, err := c.readSecret(ctx, s, ref.Name)
	switch {
	case err != nil:
		return err
	case secret == nil:
		return missing("Secret %s with the password of the source does not exist", ref.Name)
	case len(secret.Data[ref.Key]) == 0:
		return missing("Secret %s lacks the key %s", ref.Name, ref.Key)
	}
	out["source.password"] = secret.Data[ref.Key]
	return nil
}

// readSecret is nil if there is none.
func (c *Controller) readSecret(ctx context.Context, s *state, name string) (*corev1.Secret, error) {
	secret, err := c.control.kube.CoreV1().Secrets(s.call.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return secret, nil
}

// newKey for the backups of a set. It has no owner and none of our labels: it must
// outlive the set, as the backups do.
func newKey(namespace, name string) *corev1.Secret {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Annotations: map[string]string{
			"kubernetes.io/description": "AES-256 key of the backups. Without it they cannot be read. The operator neither replaces nor deletes it.",
		}},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{encryptionKey: key},
	}
}

// takeKey out of a Secret: 32 bytes as they are, or as base64 or hexadecimal text.
func takeKey(out agentclient.Secrets, name string, secret *corev1.Secret) error {
	if secret == nil {
		return missing("Secret %s with the key of the backups does not exist", name)
	}
	value, ok := secret.Data[encryptionKey]
	if !ok {
		return missing("Secret %s lacks the key %s", name, encryptionKey)
	}
	if len(value) == keyBytes {
		out["encryption.key"] = value
		return nil
	}
	text := string(bytes.TrimSpace(value))
	for _, read := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if raw, err := read(text); err == nil && len(raw) == keyBytes {
			out["encryption.key"] = raw
			return nil
		}
	}
	return missing("key %s of Secret %s is not %d bytes, nor their base64 or hexadecimal text", encryptionKey, name, keyBytes)
}

// redact what is secret from a text.
func redact(text string, secrets agentclient.Secrets) string {
	for _, key := range []string{"source.password", "s3.secretKey", "s3.accessKey", "encryption.key"} {
		if value := secrets[key]; len(value) > 0 {
			text = strings.ReplaceAll(text, string(value), "***")
		}
	}
	return text
}
