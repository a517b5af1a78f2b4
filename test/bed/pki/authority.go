// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lifetime of every certificate: a bed that is older has served its purpose.
const lifetime = 365 * 24 * time.Hour

// Authority signs the certificates of one bed. Its files and those that it issues lie in one directory.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Open returns the authority in dir, made if dir has none.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	a := &Authority{dir: dir}
	pair := a.pair("ca")
	if !pair.exists() {
		if err := a.create(pair); err != nil {
			return nil, err
		}
	}
	var err error
	if a.cert, err = readCertificate(pair.Cert); err != nil {
		return nil, err
	}
	if a.key, err = readKey(pair.Key); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Authority) create(pair Pair) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := newTemplate(pkix.Name{CommonName: "unit-operator test bed"})
	if err != nil {
		return err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return pair.write(der, key)
}

// CACert is the path of the authority's certificate, against which everything is verified.
func (a *Authority) CACert() string { return a.pair("ca").Cert }

// CA is the authority's own pair of files, for the controller that signs certificate requests.
func (a *Authority) CA() Pair { return a.pair("ca") }

// Request says what a certificate is for.
type Request struct {
	// User and Groups are who a client is (common name and organizations); a server has a User too.
	User   string
	Groups []string
	// Hosts are names and addresses a server is reached by. A certificate without is for clients only.
	Hosts []string
}

// Issue returns the pair of files called name, made if it is absent.
func (a *Authority) Issue(name string, r Request) (Pair, error) {
	pair := a.pair(name)
	if pair.exists() {
		return pair, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, err
	}
	template, err := newTemplate(pkix.Name{CommonName: r.User, Organization: r.Groups})
	if err != nil {
		return pair, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(r.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return pair, fmt.Errorf("signing the certificate %s: %w", name, err)
	}
	return pair, pair.write(der, key)
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-time.Hour), // clocks that are a little behind
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func (a *Authority) pair(name string) Pair {
	return Pair{Cert: filepath.Join(a.dir, name+".crt"), Key: filepath.Join(a.dir, name+".key")}
}

// Pair names the files of a certificate and its private key, both PEM.
type Pair struct {
	Cert, Key string
}

func (p Pair) exists() bool {
	_, err := os.Stat(p.Cert)
	return !errors.Is(err, fs.ErrNotExist)
}

// write puts the certificate last: a pair whose certificate exists is whole.
func (p Pair) write(der []byte, key *ecdsa.PrivateKey) error {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.Key, encode("PRIVATE KEY", keyDER), 0o600); err != nil {
		return err
	}
	tmp := p.Cert + ".tmp"
	if err := os.WriteFile(tmp, encode("CERTIFICATE", der), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, p.Cert)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func decode(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return block.Bytes, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	der, err := decode(path)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := decode(path)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not an ECDSA key", path, key)
	}
	return ec, nil
}
