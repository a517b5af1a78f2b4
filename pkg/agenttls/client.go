// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// operatorLifetime of the operator's certificate, and how long before its end a new
// one is made. It lives in memory, so making one costs nothing.
const (
	operatorLifetime = 24 * time.Hour
	operatorRenewal  = 6 * time.Hour
)

// Operator is the client's side: the operator's own identity, and the check of the
// agents'. It is safe for concurrent use.
type Operator struct {
	clock clock.PassiveClock

	mu   sync.Mutex
	ca   *CA
	pair *tls.Certificate
}

// NewOperator makes the operator's identity. SetCA replaces the CA later.
func NewOperator(ca *CA, clock clock.PassiveClock) *Operator { return &Operator{ca: ca, clock: clock} }

// SetCA replaces the CA; new connections use it.
func (o *Operator) SetCA(ca *CA) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ca, o.pair = ca, nil
}

// CA in use.
func (o *Operator) CA() *CA {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ca
}

// certificate is the operator's, made anew before it ends.
func (o *Operator) certificate() (*tls.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	if o.pair != nil && now.Before(o.pair.Leaf.NotAfter.Add(-operatorRenewal)) {
		return o.pair, nil
	}
	certPEM, keyPEM, err := o.ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "unit-operator"},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(operatorLifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{operatorURI()},
	})
	if err != nil {
		return nil, fmt.Errorf("signing the operator's certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	o.pair = &pair
	return o.pair, nil
}

// ClientConfig is for connections to the agent of one unit, and to no other.
func (o *Operator) ClientConfig(id Identity) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return o.certificate()
		},
		// The standard check is of host names, and agents have none: everything it
		// does beside that is done here.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("the agent showed no certificate")
			}
			if err := verify(s.PeerCertificates, o.CA().pool, x509.ExtKeyUsageServerAuth, o.clock.Now()); err != nil {
				return fmt.Errorf("the agent's certificate: %w", err)
			}
			return hasURI(s.PeerCertificates[0], id.URI())
		},
	}
}

// verify checks a chain without a host name.
func verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, now time.Time) error {
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	return err
}
