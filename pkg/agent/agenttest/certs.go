// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

// OperatorURI is the operator's identity.
const OperatorURI = "unit-operator://operator"

// CA issues certificates, right and wrong ones. It knows nothing of the package
// that issues the real ones, so that a mistake there shows.
type CA struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// PEM of the certificate.
	PEM []byte
}

// NewCA makes a CA.
func NewCA(t testing.TB) *CA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &CA{t: t, cert: cert, key: key, PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// Leaf is a certificate and its key in PEM.
type Leaf struct{ Cert, Key []byte }

// Issue makes a leaf with the URI as identity, valid until notAfter.
func (c *CA) Issue(uri string, notAfter time.Time, usages ...x509.ExtKeyUsage) Leaf {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(c.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages,
	}
	if uri != "" {
		u, err := url.Parse(uri)
		must(c.t, err)
		template.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	must(c.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(c.t, err)
	return Leaf{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// Operator issues the operator's certificate.
func (c *CA) Operator() Leaf {
	return c.Issue(OperatorURI, time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth)
}

// WriteAgent issues the unit's certificate into its TLS directory, as the mounted
// Secret has it.
func (c *CA) WriteAgent(env engine.Env) {
	c.t.Helper()
	leaf := c.Issue("unit-operator://"+env.Namespace+"/"+env.Name+"/"+env.UID, time.Now().Add(time.Hour), x509.ExtKeyUsageServerAuth)
	must(c.t, os.MkdirAll(env.TLSDir, 0o755))
	for name, content := range map[string][]byte{"tls.crt": leaf.Cert, "tls.key": leaf.Key, "ca.crt": c.PEM} {
		must(c.t, os.WriteFile(filepath.Join(env.TLSDir, name), content, 0o644))
	}
}

// Client is a client's TLS that presents the leaf, none if it is empty, and
// trusts this CA whatever name the server has.
func (c *CA) Client(leaf Leaf) *tls.Config {
	c.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(c.cert)
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The server's identity is a URI, which crypto/tls does not compare.
		InsecureSkipVerify: true, //nolint:gosec // verified below
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("no certificate")
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			return err
		},
	}
	if len(leaf.Cert) > 0 {
		pair, err := tls.X509KeyPair(leaf.Cert, leaf.Key)
		must(c.t, err)
		// Sent even where the server says it does not know its issuer.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config
}
