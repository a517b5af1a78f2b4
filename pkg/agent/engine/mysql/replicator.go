// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

var _ engine.Replicator = (*Engine)(nil)

// controlConnections are kept open, so that a fence finds a server whose connections
// are used up: one that waits for the server to become read-only, one that ends
// sessions meanwhile.
const controlConnections = 2

// RestartFor implements engine.Replicator. A server takes each role while it runs; one
// that must be killed first says so by ErrMustKill.
func (e *Engine) RestartFor(_, _ engine.RoleRecord) bool { return false }

// control is the connections that roles are changed by. Nothing that runs on them is
// written to the binary log, none waits longer than a second for a lock, and no
// server-wide limit ends them.
func (e *Engine) control() (*sql.DB, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.controlDB == nil {
		db, err := e.openWith(map[string]string{
			"autocommit":           "1",
			"sql_log_bin":          "0",
			"sql_mode":             "''",
			"lock_wait_timeout":    "1",
			"wait_timeout":         "31536000",
			"group_concat_max_len": "1048576",
		})
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(controlConnections + 2)
		db.SetMaxIdleConns(controlConnections)
		e.controlDB = db
	}
	return e.controlDB, nil
}

// keepControl opens the connections that are kept, unless they are open.
func keepControl(ctx context.Context, db *sql.DB) error {
	for range controlConnections {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		// Returned together, so that the second is another one than the first.
		defer conn.Close()
		if err := conn.PingContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// controlVersion is control and the running server's version.
func (e *Engine) controlVersion(ctx context.Context) (*sql.DB, version, error) {
	db, err := e.control()
	if err != nil {
		return nil, version{}, err
	}
	var text string
	if err := db.QueryRowContext(ctx, "SELECT @@global.version").Scan(&text); err != nil {
		return nil, version{}, err
	}
	v, err := parseVersion(text)
	return db, v, err
}

// execControl runs statements one after another.
func execControl(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// pause waits a moment between two looks at the server, which announces none of what
// is waited for here. It is false when ctx ends first.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// inTime marks an error that only says that ctx ended before the work did.
func inTime(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, engine.ErrNotYet) || errors.Is(err, engine.ErrMustKill) || errors.Is(err, engine.ErrWouldLose) {
		return err
	}
	return fmt.Errorf("%w: %w", engine.ErrNotYet, err)
}

// withoutPassword is err without what a statement may have shown of the password.
func withoutPassword(err error, c engine.ChannelAccount) error {
	if err == nil || c.Password == "" {
		return err
	}
	return withoutSecret(err, engine.Account{User: c.User, Password: engine.Secret(c.Password)})
}

// openChannelAccount readies connections of the channel's account: to this server by
// its socket, or to an upstream, whose certificate is checked by the authority in the
// file ca, unless that is empty.
func openChannelAccount(network, address string, c engine.ChannelAccount, ca string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd = c.User, c.Password
	config.Net, config.Addr = network, address
	config.Timeout, config.ReadTimeout = 2*time.Second, 2*time.Second
	config.Logger = &mysql.NopLogger{}
	switch {
	case network != "tcp":
	case ca == "":
		config.TLSConfig = "preferred"
	default:
		var err error
		if config.TLS, err = signedBy(ca); err != nil {
			return nil, err
		}
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("account %q: %s", c.User, child.Redact(err.Error(), c.Password))
	}
	return sql.OpenDB(connector), nil
}

// signedBy takes the certificates that an authority has signed, whatever name they have:
// as channels do, which reach a server by more names than its certificate may know.
func signedBy(ca string) (*tls.Config, error) {
	content, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("the authority of the upstream's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate", ca)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The chain is verified below; names are not.
		InsecureSkipVerify: true, //nolint:gosec // see VerifyConnection
		VerifyConnection: func(s tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
			return err
		},
	}, nil
}
