// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agenttls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ServerConfig is the agent's side: its certificate and the CA bundle from the
// files of a mounted Secret, read again when they change, at the next handshake.
// Only the operator's identity is let in. It is an error if they cannot be read
// now; later, the last that could be read stay in use.
func ServerConfig(dir string) (*tls.Config, error) {
	f := &files{dir: dir}
	if _, _, err := f.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pair, pool, err := f.load()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion:   tls.VersionTLS13,
				NextProtos:   []string{"h2"},
				Certificates: []tls.Certificate{*pair},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    pool,
				// A resumed session would outlive a CA that is no longer trusted.
				SessionTicketsDisabled: true,
				VerifyConnection: func(s tls.ConnectionState) error {
					if len(s.PeerCertificates) == 0 {
						return errors.New("the client showed no certificate")
					}
					return hasURI(s.PeerCertificates[0], operatorURI())
				},
			}, nil
		},
	}, nil
}

// files are the certificate, key and bundle in a directory.
type files struct {
	dir string

	mu     sync.Mutex
	stamps [3]stamp
	pair   *tls.Certificate
	pool   *x509.CertPool
}

// stamp tells one content of a file from the next. A Secret's mount replaces links,
// so what is looked at is behind them.
type stamp struct {
	size    int64
	modTime time.Time
	target  string
}

func (f *files) load() (*tls.Certificate, *x509.CertPool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.look()
	if err == nil && now == f.stamps && f.pair != nil {
		return f.pair, f.pool, nil
	}
	if err == nil {
		err = f.read()
	}
	if err != nil {
		if f.pair != nil {
			return f.pair, f.pool, nil
		}
		return nil, nil, err
	}
	f.stamps = now
	return f.pair, f.pool, nil
}

func (f *files) look() ([3]stamp, error) {
	var out [3]stamp
	for i, name := range []string{CertificateKey, PrivateKeyKey, BundleKey} {
		path := filepath.Join(f.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return out, err
		}
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return out, err
		}
		out[i] = stamp{size: info.Size(), modTime: info.ModTime(), target: target}
	}
	return out, nil
}

func (f *files) read() error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.dir, CertificateKey), filepath.Join(f.dir, PrivateKeyKey))
	if err != nil {
		return fmt.Errorf("reading the agent's certificate: %w", err)
	}
	bundle, err := os.ReadFile(filepath.Join(f.dir, BundleKey))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return fmt.Errorf("%s holds no certificate", filepath.Join(f.dir, BundleKey))
	}
	f.pair, f.pool = &pair, pool
	return nil
}
