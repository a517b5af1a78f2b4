// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
)

// ServiceAccountKeys returns the files of the key pair that signs and verifies service account
// tokens: Cert is the public key.
func (a *Authority) ServiceAccountKeys() (Pair, error) {
	pair := Pair{Cert: filepath.Join(a.dir, "sa.pub"), Key: filepath.Join(a.dir, "sa.key")}
	if pair.exists() {
		return pair, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return pair, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return pair, err
	}
	if err := os.WriteFile(pair.Key, encode("EC PRIVATE KEY", private), 0o600); err != nil {
		return pair, err
	}
	return pair, os.WriteFile(pair.Cert, encode("PUBLIC KEY", public), 0o644)
}
