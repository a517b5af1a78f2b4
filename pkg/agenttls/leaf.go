// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"hash/fnv"
	"net/url"
	"time"
)

const (
	// LeafLifetime of a unit's certificate. Short-lived ones would mean writing to
	// the API at rest.
	LeafLifetime = 365 * 24 * time.Hour
	// renewAfter and renewJitter: a leaf is renewed between 8 and 9 months of age,
	// at a moment that its unit's UID decides, so that units made together do not
	// renew together.
	renewAfter  = 243 * 24 * time.Hour
	renewJitter = 30 * 24 * time.Hour
)

// Leaf is the data of a unit's Secret: its certificate and key, and the bundle.
func (ca *CA) Leaf(id Identity, now time.Time) (map[string][]byte, error) {
	certPEM, keyPEM, err := ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "unit-agent"},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(LeafLifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		URIs:        []*url.URL{id.URI()},
	})
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", id, err)
	}
	return map[string][]byte{CertificateKey: certPEM, PrivateKeyKey: keyPEM, BundleKey: ca.Bundle()}, nil
}

// CheckLeaf returns "" for a Secret's data that serves id until the returned time,
// and otherwise why it must be replaced. A leaf is replaced when it is unreadable,
// for somebody else, not signed by the CA, due for renewal, or beside another
// bundle.
func (ca *CA) CheckLeaf(data map[string][]byte, id Identity, now time.Time) (why string, renewAt time.Time) {
	pair, err := tls.X509KeyPair(data[CertificateKey], data[PrivateKeyKey])
	if err != nil {
		return "its certificate and key are unreadable", time.Time{}
	}
	if err := hasURI(pair.Leaf, id.URI()); err != nil {
		return err.Error(), time.Time{}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: ca.pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
		return "its certificate does not verify: " + err.Error(), time.Time{}
	}
	if !bytes.Equal(data[BundleKey], ca.bundle) {
		return "it holds another CA bundle", time.Time{}
	}
	renewAt = pair.Leaf.NotBefore.Add(renewAfter + jitter(id))
	if latest := pair.Leaf.NotAfter.Add(-renewJitter); renewAt.After(latest) {
		renewAt = latest
	}
	if !now.Before(renewAt) {
		return "its certificate is due for renewal", renewAt
	}
	return "", renewAt
}

// jitter is the same for the same unit, always.
func jitter(id Identity) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id.UID))
	return time.Duration(h.Sum64() % uint64(renewJitter))
}
