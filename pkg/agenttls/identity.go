// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"crypto/x509"
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/types"
)

const (
	scheme = "unit-operator"
	// operatorHost is no namespace: URIs of units have a path.
	operatorHost = "operator"

	// CertificateKey, PrivateKeyKey and BundleKey are the keys of a Secret, and the
	// files of its mount.
	CertificateKey = "tls.crt"
	PrivateKeyKey  = "tls.key"
	BundleKey      = "ca.crt"
)

// Identity is who an agent's certificate is for.
type Identity struct {
	Namespace, Name string
	UID             types.UID
}

// URI is the SAN of the identity.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Namespace, Path: "/" + i.Name + "/" + string(i.UID)}
}

func (i Identity) String() string { return i.URI().String() }

func operatorURI() *url.URL { return &url.URL{Scheme: scheme, Host: operatorHost} }

// hasURI demands that the certificate carries exactly this one URI.
func hasURI(cert *x509.Certificate, want *url.URL) error {
	if len(cert.URIs) == 1 && cert.URIs[0].String() == want.String() {
		return nil
	}
	return fmt.Errorf("the certificate is for %v, not for %s", cert.URIs, want)
}
