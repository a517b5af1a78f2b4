// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"testing"
)

func TestTheCertificatesFilesAreNamedByTheKeysOfItsSecret(t *testing.T) {
	in := inputFor(t, readUnit(t, "set-tls"))
	if got := CertificateSecret(in.Unit); got != "vault-tls" {
		t.Fatalf("its Secret is %q", got)
	}
	for _, test := range []struct {
		keys          []string
		ca, cert, key string
	}{
		{nil, "/CERT_MOUNT/ca.crt", "/CERT_MOUNT/tls.crt", "/CERT_MOUNT/tls.key"},
		{[]string{"server.key", "server.crt", "ca.crt"}, "/CERT_MOUNT/ca.crt", "/CERT_MOUNT/server.crt", "/CERT_MOUNT/server.key"},
		{[]string{"tls.crt", "tls.key"}, "", "/CERT_MOUNT/tls.crt", "/CERT_MOUNT/tls.key"},
	} {
		in.CertificateKeys = test.keys
		facts, err := Facts(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := facts.TLS; got.CA != test.ca || got.Cert != test.cert || got.Key != test.key || got.Mode != "REQUIRED" {
			t.Errorf("keys %v: %+v", test.keys, got)
		}
	}
}
