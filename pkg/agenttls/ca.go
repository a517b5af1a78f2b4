// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	caLifetime = 10 * 365 * 24 * time.Hour
	// backdate forgives clocks that run behind ours.
	backdate = 10 * time.Minute
)

// CA signs leafs. Its Bundle may hold more certificates than the one it signs with.
type CA struct {
	cert   *x509.Certificate
	key    crypto.Signer
	bundle []byte
	pool   *x509.CertPool
	// data of its Secret.
	data map[string][]byte
}

// NewCA makes a CA and returns it as the data of its Secret.
func NewCA(now time.Time) (map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "unit-operator agents " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := encodeCertificate(der)
	return map[string][]byte{CertificateKey: certPEM, PrivateKeyKey: keyPEM, BundleKey: certPEM}, nil
}

// LoadCA reads a CA from the data of its Secret: the signing pair, and the bundle
// that is trusted, which must contain the signing certificate.
func LoadCA(data map[string][]byte) (*CA, error) {
	pair, err := tls.X509KeyPair(data[CertificateKey], data[PrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("the CA's %s and %s: %w", CertificateKey, PrivateKeyKey, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the CA's key of type %T cannot sign", pair.PrivateKey)
	}
	if !pair.Leaf.IsCA {
		return nil, errors.New("the CA's certificate is none of a CA")
	}
	bundle := data[BundleKey]
	if !bytes.Contains(bundle, bytes.TrimSpace(data[CertificateKey])) {
		return nil, fmt.Errorf("the CA's %s does not contain its %s", BundleKey, CertificateKey)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("the CA's %s holds no certificate", BundleKey)
	}
	return &CA{cert: pair.Leaf, key: signer, bundle: bundle, pool: pool, data: data}, nil
}

// Bundle is what to trust, in PEM.
func (ca *CA) Bundle() []byte { return bytes.Clone(ca.bundle) }

// sign makes a leaf and its key, in PEM.
func (ca *CA) sign(template *x509.Certificate) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = serialNumber(); err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, nil, err
	}
	if keyPEM, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	return encodeCertificate(der), keyPEM, nil
}

func serialNumber() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
