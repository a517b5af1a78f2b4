// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

var (
	orders0 = Identity{Namespace: "shop", Name: "orders-0", UID: "uid-0"}
	orders1 = Identity{Namespace: "shop", Name: "orders-1", UID: "uid-1"}
)

func newTestCA(t *testing.T) *CA {
	t.Helper()
	data, err := NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := LoadCA(data)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func writeLeaf(t *testing.T, dir string, ca *CA, id Identity) map[string][]byte {
	t.Helper()
	data, err := ca.Leaf(id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range data {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

// handshake connects a client to a server that says one byte to whom it lets in.
func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	go func() {
		s := tls.Server(a, server)
		if s.Handshake() == nil {
			_, _ = s.Write([]byte{1})
		}
		_ = a.Close()
	}()
	c := tls.Client(b, client)
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	defer func() { _ = b.Close() }()
	var one [1]byte
	_, err := io.ReadFull(c, one[:])
	return err
}

func TestOnlyTheOperatorAndTheRightUnitMeet(t *testing.T) {
	ca, foreign := newTestCA(t), newTestCA(t)
	dir := t.TempDir()
	writeLeaf(t, dir, ca, orders0)
	server, err := ServerConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	leafOf := func(ca *CA, id Identity) tls.Certificate {
		data, err := ca.Leaf(id, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(data[CertificateKey], data[PrivateKeyKey])
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	careless := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, Certificates: certs, NextProtos: []string{"h2"}}
	}
	h2 := func(c *tls.Config) *tls.Config { c.NextProtos = []string{"h2"}; return c }
	operator := NewOperator(ca, clock.RealClock{})
	for name, tc := range map[string]struct {
		client *tls.Config
		ok     bool
	}{
		"the operator, meaning this unit":               {h2(operator.ClientConfig(orders0)), true},
		"the operator, meaning another unit":            {h2(operator.ClientConfig(orders1)), false},
		"the operator, meaning a unit of another life":  {h2(operator.ClientConfig(Identity{"shop", "orders-0", "uid-9"})), false},
		"the operator of another installation":          {h2(NewOperator(foreign, clock.RealClock{}).ClientConfig(orders0)), false},
		"a client without certificate":                  {careless(), false},
		"another unit's agent":                          {careless(leafOf(ca, orders1)), false},
		"the agent itself as a client":                  {careless(leafOf(ca, orders0)), false},
		"a unit named operator, with nothing behind it": {careless(leafOf(ca, Identity{Namespace: "operator"})), false},
		"somebody with a certificate of a foreign CA":   {careless(leafOf(foreign, orders0)), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := handshake(server, tc.client)
			if (err == nil) != tc.ok {
				t.Errorf("handshake: %v, want success %t", err, tc.ok)
			}
		})
	}
}

func TestAnAgentTakesUpARenewedCertificateAtTheNextHandshake(t *testing.T) {
	old, renewed := newTestCA(t), newTestCA(t)
	dir := t.TempDir()
	writeLeaf(t, dir, old, orders0)
	server, err := ServerConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	client := func(ca *CA) error {
		c := NewOperator(ca, clock.RealClock{}).ClientConfig(orders0)
		c.NextProtos = []string{"h2"}
		return handshake(server, c)
	}
	if err := client(old); err != nil {
		t.Fatal(err)
	}
	writeLeaf(t, dir, renewed, orders0)
	if err := client(renewed); err != nil {
		t.Errorf("the renewed certificate is not in use: %v", err)
	}
	if err := client(old); err == nil {
		t.Error("the old CA is still let in")
	}
	if err := os.WriteFile(filepath.Join(dir, CertificateKey), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := client(renewed); err != nil {
		t.Errorf("a half-written file put the agent out of service: %v", err)
	}
}

func TestALeafIsReplacedWhenItNoLongerServes(t *testing.T) {
	ca, other := newTestCA(t), newTestCA(t)
	now := time.Now()
	data, err := ca.Leaf(orders0, now)
	if err != nil {
		t.Fatal(err)
	}
	why, renewAt := ca.CheckLeaf(data, orders0, now)
	if why != "" {
		t.Fatalf("a new leaf must be replaced: %s", why)
	}
	if age := renewAt.Sub(now); age < renewAfter-time.Hour || age > renewAfter+renewJitter {
		t.Errorf("renewed at an age of %v", age)
	}
	for name, tc := range map[string]struct {
		ca   *CA
		id   Identity
		now  time.Time
		data map[string][]byte
		want string
	}{
		"for another unit":   {ca, orders1, now, data, "not for"},
		"of another CA":      {other, orders0, now, data, "does not verify"},
		"when it is due":     {ca, orders0, renewAt, data, "due for renewal"},
		"when it is no more": {ca, orders0, now.Add(2 * LeafLifetime), data, "does not verify"},
		"when it is gone":    {ca, orders0, now, map[string][]byte{}, "unreadable"},
		"beside an old bundle": {ca, orders0, now, map[string][]byte{
			CertificateKey: data[CertificateKey], PrivateKeyKey: data[PrivateKeyKey], BundleKey: []byte("old"),
		}, "another CA bundle"},
	} {
		if why, _ := tc.ca.CheckLeaf(tc.data, tc.id, tc.now); !strings.Contains(why, tc.want) {
			t.Errorf("%s: %q, want %q", name, why, tc.want)
		}
	}
}

func TestTheOperatorRenewsItsOwnCertificateInMemory(t *testing.T) {
	c := clocktesting.NewFakePassiveClock(time.Now())
	o := NewOperator(newTestCA(t), c)
	first, err := o.certificate()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := o.certificate()
	if again != first {
		t.Error("a certificate is made for each connection")
	}
	c.SetTime(c.Now().Add(operatorLifetime - time.Hour))
	renewed, err := o.certificate()
	if err != nil || renewed == first {
		t.Errorf("not renewed before its end: %v", err)
	}
}

func TestACAIsMadeOnceAndNeverReplaced(t *testing.T) {
	client := fake.NewClientset().CoreV1().Secrets("upm-system")
	first, err := EnsureCA(t.Context(), client, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, err := EnsureCA(t.Context(), client, time.Now())
	if err != nil || string(second.Bundle()) != string(first.Bundle()) {
		t.Errorf("another CA was made: %v", err)
	}
	broken := fake.NewClientset(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "upm-system", Name: CASecret}})
	if _, err := EnsureCA(t.Context(), broken.CoreV1().Secrets("upm-system"), time.Now()); err == nil {
		t.Error("an unreadable CA was taken or replaced")
	} else if errors.Unwrap(err) == nil {
		t.Errorf("the cause is lost: %v", err)
	}
}
