// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/tls"
	"sync"

	"k8s.io/klog/v2"
)

// tlsSource is the server's side of TLS, loaded when the first client comes and until it
// can be: an agent that ends because its Secret is not there yet would take the pod's
// readiness along, and nobody is let in meanwhile.
type tlsSource struct {
	logger klog.Logger
	load   func() (*tls.Config, error)

	mu     sync.Mutex
	loaded *tls.Config
	err    error
}

func newTLSSource(ctx context.Context, load func() (*tls.Config, error)) *tlsSource {
	s := &tlsSource{logger: klog.FromContext(ctx), load: load}
	_, _ = s.get()
	return s
}

// get returns the configuration, or why there is none.
func (s *tlsSource) get() (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded != nil {
		return s.loaded, nil
	}
	before := s.err
	loaded, err := s.load()
	if err == nil {
		s.loaded = loaded
	}
	s.err = err
	switch {
	case s.err != nil && (before == nil || before.Error() != s.err.Error()):
		s.logger.Error(s.err, "No certificate: the operator is not let in until there is one")
	case s.err == nil && before != nil:
		s.logger.Info("The certificate is there, the operator is let in")
	}
	return s.loaded, s.err
}

// config lets nobody in while there is no certificate.
func (s *tlsSource) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := s.get()
			if err != nil {
				return nil, err
			}
			if c.GetConfigForClient != nil {
				return c.GetConfigForClient(hello)
			}
			c = c.Clone()
			c.NextProtos = []string{"h2"}
			return c, nil
		},
	}
}
